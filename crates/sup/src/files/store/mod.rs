//! The only writer of state files: temporary file, fsync, rename, fsync of the directory.
//!
//! One thread, because fsync may block as long as the disk does. Waiting contents are stored by
//! path, and of each path only the newest: however long a disk hangs, there are at most two copies
//! of each state file besides the one being written. There are as many paths as loaded services and
//! a handful of files of the ring, so the number of entries needs no limit;
//! `hab_sup_state_writes_waiting` shows it.
//!
//! A write whose caller waits fails immediately with its error; other writes are retried until they
//! succeed, because their state exists only in memory until then.

mod disk;
mod queue;

use std::{
    io, mem,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use self::queue::{Content, Entry, Queue, Waiting};
use crate::{metrics::Metrics, services::DISK_PATIENCE, vital};

/// Handle of the writing thread. All clones share one queue.
#[derive(Debug, Clone)]
pub(crate) struct Store(Arc<Handle>);

/// The thread ends with the last of the clones.
#[derive(Debug)]
struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.queue().closed = true;
        self.0.wake.notify_all();
    }
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    metrics: Metrics,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // The thread that panicked with the lock held has ended the process.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Starts the thread; it ends with the last handle.
    ///
    /// # Errors
    /// When the system cannot start a thread.
    pub(crate) fn start(metrics: Metrics) -> io::Result<Self> {
        let (queue, wake) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { queue, wake, metrics });
        let handle = Handle(Arc::clone(&shared));
        vital::spawn_thread("hab-store", 128 * 1024, move || run(&shared))?;
        Ok(Self(Arc::new(handle)))
    }

    /// Writes a file; returns when it is on disk, or immediately with the error.
    ///
    /// # Errors
    /// Errors of the operating system: then nothing has changed. The wait for a hanging disk is
    /// limited to [`DISK_PATIENCE`]; the text shows whether the write can still take effect.
    pub(crate) async fn write(&self, path: &Path, bytes: Vec<u8>, mode: u32) -> io::Result<()> {
        self.ask(path, Content::File { bytes: bytes.into(), mode }).await
    }

    /// Removes a file durably, if it exists.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub(crate) async fn remove(&self, path: &Path) -> io::Result<()> {
        self.ask(path, Content::Nothing).await
    }

    /// Writes a file in the background; a failure is logged once and the write retried. Of several
    /// writes of one file only the last counts.
    pub(crate) fn write_later(&self, path: &Path, bytes: Vec<u8>, mode: u32) {
        self.add(path, Content::File { bytes: bytes.into(), mode }, None);
    }

    /// Rewrites a user's file in another form in the background, unless it has changed since `of`
    /// was read, or a command is about to change it.
    pub(crate) fn reform_later(&self, path: &Path, of: Vec<u8>, bytes: Vec<u8>, mode: u32) {
        let is_idle = self.0.0.queue().is_idle(path);
        if is_idle {
            self.add(path, Content::Form { of: of.into(), bytes: bytes.into(), mode }, None);
        }
    }

    /// Waits until all earlier requests were attempted.
    pub(crate) async fn flush(&self) {
        let (done, tried) = oneshot::channel();
        {
            let mut queue = self.0.0.queue();
            queue.retry();
            queue.flushes.push(done);
        }
        self.0.0.wake.notify_all();
        // The thread is gone only when the process is ending.
        let _ = tried.await;
    }

    /// The file whose write takes longer than a healthy disk needs, and its duration so far.
    pub(crate) fn hangs(&self) -> Option<(PathBuf, Duration)> {
        let queue = self.0.0.queue();
        let (path, since) = queue.at_work.as_ref()?;
        Some((path.clone(), since.elapsed())).filter(|(_, time)| *time > DISK_PATIENCE)
    }

    fn add(&self, path: &Path, content: Content, waiting: Option<Waiting>) {
        let shared = &self.0.0;
        if shared.queue().add(path, content, waiting) {
            shared.metrics.state_write_replaced();
        }
        shared.wake.notify_all();
    }

    async fn ask(&self, path: &Path, content: Content) -> io::Result<()> {
        let (done, mut answer) = oneshot::channel();
        self.add(path, content, Some(done));
        match tokio::time::timeout(DISK_PATIENCE, &mut answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(io::Error::other("the writer of state files has ended")),
            Err(_) => {
                answer.close();
                let withdrawn = self.0.0.queue().withdraw(path);
                Err(io::Error::new(io::ErrorKind::TimedOut, unwritten(withdrawn)))
            }
        }
    }
}

/// The error for a client whose change the disk does not accept.
fn unwritten(withdrawn: bool) -> String {
    let seconds = DISK_PATIENCE.as_secs();
    let effect = match withdrawn {
        true => "nothing has changed",
        false => "it may take effect when the disk answers again",
    };
    format!("not written within {seconds} secs; does a file system not answer? {effect}")
}

fn run(shared: &Shared) {
    while let Some((path, entry)) = wait(shared) {
        let result = disk::carry_out(&path, &entry.content);
        if result.is_err() {
            shared.metrics.state_write_failed();
        }
        shared.queue().settle(path, entry, &result);
    }
}

/// Waits for work; `None` at the end.
fn wait(shared: &Shared) -> Option<(PathBuf, Entry)> {
    let mut queue = shared.queue();
    loop {
        shared.metrics.state_writes_waiting(queue.entries.len() + queue.failed.len());
        if let Some(next) = queue.next() {
            return Some(next);
        }
        for flush in mem::take(&mut queue.flushes) {
            // The receiver may be gone.
            let _ = flush.send(());
        }
        if queue.closed {
            return None;
        }
        let now = Instant::now();
        queue = match queue.retry_at {
            Some(due) if due <= now => {
                queue.retry_at = None;
                queue.retry();
                queue
            }
            Some(due) => {
                let waited = shared.wake.wait_timeout(queue, due - now);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => shared.wake.wait(queue).unwrap_or_else(PoisonError::into_inner),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn store() -> Store {
        Store::start(Metrics::new(prometheus::Registry::new())).unwrap()
    }

    #[tokio::test]
    async fn a_write_is_on_disk_when_it_is_answered() {
        let directory = tempfile::tempdir().unwrap();
        let store = store();
        let path = directory.path().join("specs/web.spec");
        store.write(&path, b"one".into(), 0o600).await.unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one");
        store.remove(&path).await.unwrap();
        store.remove(&path).await.unwrap();
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_write_that_fails_is_answered_with_the_error() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("file"), "").unwrap();
        assert!(store().write(&directory.path().join("file/x"), vec![], 0o600).await.is_err());
    }

    #[tokio::test]
    async fn a_write_without_a_waiting_caller_is_retried_until_it_succeeds() {
        let directory = tempfile::tempdir().unwrap();
        let obstacle = directory.path().join("data");
        fs::write(&obstacle, "in the way").unwrap();
        let store = store();
        store.write_later(&obstacle.join("INCARNATION"), b"1".into(), 0o600);
        store.write_later(&obstacle.join("INCARNATION"), b"2".into(), 0o600);
        store.flush().await;
        fs::remove_file(&obstacle).unwrap();
        store.flush().await;
        assert_eq!(fs::read(obstacle.join("INCARNATION")).unwrap(), b"2");
    }

    #[tokio::test]
    async fn another_form_of_a_file_replaces_neither_an_edit_nor_a_command() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("web.spec");
        let store = store();
        let reform = || store.reform_later(&path, b"short".into(), b"long".into(), 0o600);
        fs::write(&path, "edited").unwrap();
        reform();
        store.flush().await;
        assert_eq!(fs::read(&path).unwrap(), b"edited");
        fs::write(&path, "short").unwrap();
        reform();
        store.flush().await;
        assert_eq!(fs::read(&path).unwrap(), b"long");

        let mut queue = Queue::default();
        assert!(queue.is_idle(&path));
        queue.add(&path, Content::Nothing, None);
        assert!(!queue.is_idle(&path));
    }
}
