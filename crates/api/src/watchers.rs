//! Requests that wait until their document changes. Each document with waiting requests has one
//! place; a new snapshot wakes only the places whose document is another one now.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::{query::Query, resource::ResourceId};

/// One document: a resource, the service that it is of, and its parameters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Watched {
    pub(crate) id: ResourceId,
    pub(crate) group: String,
    pub(crate) query: Query,
}

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
    pub(crate) fn wake(&self, tag_of: impl Fn(&Watched) -> Option<String>) {
        let places: Vec<_> =
            self.lock().iter().map(|(watched, place)| (watched.clone(), place.clone())).collect();
        for (watched, place) in places {
            let tag = tag_of(&watched);
            let mut seen = place.tag.lock().unwrap_or_else(PoisonError::into_inner);
            if *seen != tag {
                *seen = tag;
                place.changed.notify_waiters();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Watched, Arc<Place>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
    use std::{future::Future, pin::pin, task::Context};

    use super::*;

    #[test]
    fn only_those_whose_document_changed_are_woken_and_places_end_with_them() {
        let watchers = Arc::new(Watchers::default());
        let watched = |group: &str| Watched {
            id: ResourceId::all().next().expect("a resource"),
            group: group.into(),
            query: Query::default(),
        };
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
            watchers.wake(|_| Some("1".into()));
            assert_eq!(woken(), [false; 3]);
            watchers.wake(|watched| (watched.group == "b").then(|| "1".into()));
            assert_eq!(woken(), [true, false, true], "a is gone, b is the same");
        }
        drop(b);
        assert_eq!(watchers.lock().len(), 1);
        drop(a);
        assert_eq!(watchers.lock().len(), 1, "one still waits");
    }
}
