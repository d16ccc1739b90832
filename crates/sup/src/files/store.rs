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

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs, io, mem,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::{metrics::Metrics, services::DISK_PATIENCE, vital};

/// Pause before failed writes are retried.
const RETRY_PAUSE: Duration = Duration::from_secs(2);

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

/// Receiver of a result.
type Waiting = oneshot::Sender<io::Result<()>>;

/// The wanted content of a path.
#[derive(Debug, Clone)]
enum Content {
    File {
        bytes: Arc<[u8]>,
        mode: u32,
    },
    /// Another form of the file's content, if it still has that content.
    Form {
        of: Arc<[u8]>,
        bytes: Arc<[u8]>,
        mode: u32,
    },
    Nothing,
}

/// The newest wanted content of a path.
#[derive(Debug)]
struct Entry {
    content: Content,
    /// Content to retry when this one cannot be written.
    kept: Option<Content>,
    /// All receivers waiting for this content or for one that it has replaced.
    waiting: Vec<Waiting>,
}

#[derive(Debug, Default)]
struct Queue {
    entries: BTreeMap<PathBuf, Entry>,
    /// Keys of `entries`, the oldest first.
    order: VecDeque<PathBuf>,
    /// Failed writes without a waiting caller.
    failed: BTreeMap<PathBuf, Content>,
    retry_at: Option<Instant>,
    /// Paths whose failure was logged.
    logged: BTreeSet<PathBuf>,
    /// The current write, and its start.
    at_work: Option<(PathBuf, Instant)>,
    flushes: Vec<oneshot::Sender<()>>,
    closed: bool,
}

impl Queue {
    /// Requests a content of a path. Returns true when it replaces one that was not started.
    fn add(&mut self, path: &Path, content: Content, waiting: Option<Waiting>) -> bool {
        let replaces = self.entries.contains_key(path);
        let failed = self.failed.remove(path);
        if !replaces {
            self.order.push_back(path.into());
        }
        let entry = self.entries.entry(path.into()).or_insert_with(|| Entry {
            content: content.clone(),
            kept: failed,
            waiting: Vec::new(),
        });
        if waiting.is_none() {
            entry.kept = Some(content.clone());
        }
        entry.content = content;
        entry.waiting.extend(waiting);
        replaces
    }

    /// True when no content of the path waits or is retried.
    fn is_idle(&self, path: &Path) -> bool {
        !self.entries.contains_key(path) && !self.failed.contains_key(path)
    }

    fn next(&mut self) -> Option<(PathBuf, Entry)> {
        let path = self.order.pop_front()?;
        let entry = self.entries.remove(&path)?;
        self.at_work = Some((path.clone(), Instant::now()));
        Some((path, entry))
    }

    fn retry(&mut self) {
        for (path, content) in mem::take(&mut self.failed) {
            self.add(&path, content, None);
        }
    }

    /// Withdraws a write that was not started and that no caller waits for any more. False when it
    /// may still take effect.
    fn withdraw(&mut self, path: &Path) -> bool {
        let Some(entry) = self.entries.get_mut(path) else { return false };
        if entry.waiting.iter().any(|waiting| !waiting.is_closed()) {
            return false;
        }
        match entry.kept.clone() {
            Some(kept) => entry.content = kept,
            None => {
                self.entries.remove(path);
                self.order.retain(|queued| queued != path);
            }
        }
        true
    }

    /// A write was attempted.
    fn settle(&mut self, path: PathBuf, entry: Entry, result: &io::Result<()>) {
        self.at_work = None;
        match result {
            Ok(()) => {
                if self.logged.remove(&path) {
                    tracing::error!("{} is written again", path.display());
                }
            }
            Err(error) => {
                if let Some(kept) = entry.kept {
                    if self.logged.insert(path.clone()) {
                        let path = path.display();
                        tracing::error!("Unable to write {path}: {error}; trying again");
                    }
                    self.retry_at.get_or_insert_with(|| Instant::now() + RETRY_PAUSE);
                    match self.entries.get_mut(&path) {
                        Some(newer) => drop(newer.kept.get_or_insert(kept)),
                        None => drop(self.failed.insert(path, kept)),
                    }
                }
            }
        }
        for waiting in entry.waiting {
            // The receiver may be gone.
            let _ = waiting.send(copy(result));
        }
    }
}

/// A copy of the error for another receiver.
fn copy(result: &io::Result<()>) -> io::Result<()> {
    result.as_ref().copied().map_err(|error| match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    })
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
        let result = carry_out(&path, &entry.content);
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

fn carry_out(path: &Path, content: &Content) -> io::Result<()> {
    match content {
        Content::File { bytes, mode } => {
            if let Some(parent) = path.parent() {
                make_directory(parent)?;
            }
            roost_pkg::write::write_atomic(path, bytes, *mode)
        }
        Content::Form { of, bytes, mode } => {
            roost_files::replace_unchanged(path, of, bytes, *mode).map(drop)
        }
        Content::Nothing => {
            match fs::remove_file(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => result?,
            }
            // Without it a power failure would restore the file. Also for a missing one: an earlier
            // removal may have failed at this point.
            match path.parent() {
                Some(parent) if parent.is_dir() => roost_files::sync_directory(parent),
                _ => Ok(()),
            }
        }
    }
}

/// Creates a missing directory durably, so that it survives a power failure together with its
/// content.
fn make_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let Some(parent) = directory.parent() else { return Ok(()) };
    make_directory(parent)?;
    roost_files::create_directories(directory, roost_files::PUBLIC_DIRECTORY)?;
    roost_files::sync_directory(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> Store {
        Store::start(Metrics::new(prometheus::Registry::new())).unwrap()
    }

    fn file(bytes: &[u8]) -> Content {
        Content::File { bytes: bytes.into(), mode: 0o600 }
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
        queue.add(&path, file(b"of a command"), None);
        assert!(!queue.is_idle(&path));
    }

    #[test]
    fn while_a_disk_hangs_one_content_of_each_file_is_held() {
        let mut queue = Queue::default();
        queue.add(Path::new("rumors"), file(b"first"), None);
        let _hangs = queue.next().unwrap();
        for _ in 0..1000 {
            queue.add(Path::new("rumors"), file(&[7; 1000]), None);
            queue.add(Path::new("incarnation"), file(b"8"), None);
        }
        assert_eq!((queue.entries.len(), queue.order.len()), (2, 2));
        assert_eq!(queue.next().unwrap().0, Path::new("rumors"), "the oldest request first");
    }

    #[test]
    fn a_refused_write_leaves_what_was_to_be_written_before() {
        let mut queue = Queue::default();
        let path = Path::new("rumors");
        let (waiting, mut answer) = oneshot::channel();
        queue.add(path, file(b"state"), None);
        queue.add(path, file(b"state and more"), Some(waiting));
        let (path, entry) = queue.next().unwrap();
        queue.settle(path.clone(), entry, &Err(io::ErrorKind::StorageFull.into()));
        assert_eq!(answer.try_recv().unwrap().unwrap_err().kind(), io::ErrorKind::StorageFull);
        queue.retry();
        let (_, entry) = queue.next().unwrap();
        let Content::File { bytes, .. } = &entry.content else { panic!("a file") };
        assert_eq!(&**bytes, b"state");
    }

    #[test]
    fn an_abandoned_write_is_withdrawn() {
        let mut queue = Queue::default();
        let path = Path::new("web.spec");
        let (waiting, answer) = oneshot::channel();
        queue.add(path, file(b"new"), Some(waiting));
        drop(answer);
        assert!(queue.withdraw(path));
        assert!(queue.next().is_none());
        assert!(!queue.withdraw(path), "it was started");
    }
}
