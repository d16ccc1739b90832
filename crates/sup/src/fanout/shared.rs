//! One document for all clients that ask for it within a moment.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use roost_api::{Code, Problem};
use tokio::{sync::watch, time};

/// How long a document is shared once it is made.
const SHARED: Duration = Duration::from_secs(2);

/// A document under way, or that was just made. Cheap to clone.
///
/// There is at most one task that makes it, however many clients ask and leave: they wait without
/// a task of their own, and it goes on without them.
pub(super) struct Shared<T>(Arc<Mutex<Current<T>>>);

type Current<T> = Option<watch::Receiver<Option<Arc<T>>>>;

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }
}

impl<T> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl<T: Send + Sync + 'static> Shared<T> {
    /// The present document, or the one that `make` makes if there is none.
    pub(super) async fn get(
        &self,
        make: impl Future<Output = T> + Send + 'static,
    ) -> Result<Arc<T>, Problem> {
        let mut document = match &mut *self.lock() {
            Some(document) => document.clone(),
            none => {
                let (made, document) = watch::channel(None);
                *none = Some(document.clone());
                let forget = Forget(self.clone());
                tokio::spawn(async move {
                    let _forget = forget;
                    made.send_replace(Some(Arc::new(make.await)));
                    time::sleep(SHARED).await;
                });
                document
            }
        };
        // An error means that the task has failed.
        let made = document.wait_for(Option::is_some).await.map_err(|_| Code::Unavailable)?;
        made.clone().ok_or_else(|| Code::Unavailable.into())
    }

    fn lock(&self) -> MutexGuard<'_, Current<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets the document, also when making it has failed.
struct Forget<T: Send + Sync + 'static>(Shared<T>);

impl<T: Send + Sync + 'static> Drop for Forget<T> {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_document_is_made_once_for_all_and_forgotten_after_a_while() {
        let shared = Shared::default();
        let count = Arc::new(AtomicUsize::new(0));
        let make = || {
            let count = Arc::clone(&count);
            async move {
                time::sleep(Duration::from_secs(5)).await;
                count.fetch_add(1, Ordering::Relaxed) + 1
            }
        };
        let (one, other) = tokio::join!(shared.get(make()), shared.get(make()));
        assert_eq!((*one.unwrap(), *other.unwrap()), (1, 1));
        assert_eq!(*shared.get(make()).await.unwrap(), 1);
        time::sleep(SHARED + Duration::from_millis(1)).await;
        assert!(shared.lock().is_none(), "nothing of it stays in memory");
        assert_eq!(*shared.get(make()).await.unwrap(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn clients_that_leave_neither_end_it_nor_leave_tasks_behind() {
        let shared = Shared::default();
        let go_on = Arc::new(Notify::new());
        let make = || {
            let go_on = Arc::clone(&go_on);
            async move {
                go_on.notified().await;
                7
            }
        };
        for _ in 0..100 {
            let left = time::timeout(Duration::from_millis(1), shared.get(make())).await;
            assert!(left.is_err(), "it is not made yet");
        }
        let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        assert_eq!(tasks, 1, "the one that makes it");
        go_on.notify_one();
        assert_eq!(*shared.get(make()).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn one_that_fails_is_an_error_and_the_next_is_made_again() {
        let shared = Shared::default();
        let failing = async {
            let nothing: Option<u8> = std::hint::black_box(None);
            nothing.expect("a fault of the test")
        };
        assert!(shared.get(failing).await.is_err());
        assert_eq!(*shared.get(async { 1 }).await.unwrap(), 1);
    }
}
