//! Requests that wait until their document changes. Each document with waiting requests has one
//! place; a new snapshot wakes only the places whose document is another one now.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::Notify, task::yield_now};

use crate::{query::Query, resource::ResourceId};

/// One document: a resource, the service that it is of, and its parameters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Watched {
    pub(crate) id: ResourceId,
    pub(crate) group: String,
    pub(crate) query: Query,
}

/// Documents that are compared before other requests, such as `/livez`, get their turn: each may be
/// a page of a large ring.
const AT_ONCE: usize = 4;

#[derive(Debug, Default)]
pub(crate) struct Watchers(Mutex<HashMap<Watched, Arc<Place>>>);

/// Those who wait for one document.
#[derive(Debug)]
pub(crate) struct Place {
    /// The version that was last seen; nothing while the document does not exist.
    tag: Mutex<Option<String>>,
    pub(crate) changed: Notify,
}

/// One who waits.
#[derive(Debug)]
pub(crate) struct Watcher {
    pub(crate) place: Arc<Place>,
    watched: Watched,
    watchers: Arc<Watchers>,
}

impl Watchers {
    /// Waits for the document to be another one than this version.
    pub(crate) fn enter(self: &Arc<Self>, watched: Watched, tag: &str) -> Watcher {
        let place = Arc::clone(self.lock().entry(watched.clone()).or_insert_with(|| {
            Arc::new(Place { tag: Mutex::new(Some(tag.into())), changed: Notify::new() })
        }));
        Watcher { place, watched, watchers: Arc::clone(self) }
    }

    /// Wakes those whose document has another tag now.
    pub(crate) async fn wake(&self, tag_of: impl Fn(&Watched) -> Option<String>) {
        let places: Vec<_> =
            self.lock().iter().map(|(watched, place)| (watched.clone(), place.clone())).collect();
        for some in places.chunks(AT_ONCE) {
            for (watched, place) in some {
                place.compare(tag_of(watched));
            }
            yield_now().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Watched, Arc<Place>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Wakes those who wait here when this tag is another one.
    fn compare(&self, tag: Option<String>) {
        let mut seen = self.tag.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen != tag {
            *seen = tag;
            self.changed.notify_waiters();
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut places = self.watchers.lock();
        // The map holds one, this watcher the other.
        if places.get(&self.watched).is_some_and(|place| Arc::strong_count(place) <= 2) {
            places.remove(&self.watched);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, future::Future, pin::pin, task::Context};

    use super::*;

    fn watched(group: &str) -> Watched {
        Watched {
            id: ResourceId::all().next().expect("a resource"),
            group: group.into(),
            query: Query::default(),
        }
    }

    #[test]
    fn many_documents_are_compared_in_several_turns() {
        let watchers = Arc::new(Watchers::default());
        let names = (0..2 * AT_ONCE + 1).map(|number| number.to_string());
        let all: Vec<_> = names.map(|name| watchers.enter(watched(&name), "1")).collect();
        let compared = Cell::new(0);
        let mut wake = pin!(watchers.wake(|_| {
            compared.set(compared.get() + 1);
            None
        }));
        let mut context = Context::from_waker(std::task::Waker::noop());
        for expected in [AT_ONCE, 2 * AT_ONCE, all.len()] {
            assert!(wake.as_mut().poll(&mut context).is_pending());
            assert_eq!(compared.get(), expected);
        }
        assert!(wake.as_mut().poll(&mut context).is_ready());
    }

    #[tokio::test]
    async fn only_those_whose_document_changed_are_woken_and_places_end_with_them() {
        let watchers = Arc::new(Watchers::default());
        let (a, b) = (watchers.enter(watched("a"), "1"), watchers.enter(watched("b"), "1"));
        let second = watchers.enter(watched("a"), "1");
        {
            let mut context = Context::from_waker(std::task::Waker::noop());
            let (mut wait_a, mut wait_b) =
                (pin!(a.place.changed.notified()), pin!(b.place.changed.notified()));
            let mut wait_second = pin!(second.place.changed.notified());
            let mut woken = || {
                [
                    wait_a.as_mut().poll(&mut context).is_ready(),
                    wait_b.as_mut().poll(&mut context).is_ready(),
                    wait_second.as_mut().poll(&mut context).is_ready(),
                ]
            };
            assert_eq!(woken(), [false; 3]);
            watchers.wake(|_| Some("1".into())).await;
            assert_eq!(woken(), [false; 3]);
            watchers.wake(|watched| (watched.group == "b").then(|| "1".into())).await;
            assert_eq!(woken(), [true, false, true], "a is gone, b is the same");
        }
        drop(b);
        assert_eq!(watchers.lock().len(), 1);
        drop(a);
        assert_eq!(watchers.lock().len(), 1, "one still waits");
    }
}
