//! What waits to be written: of each path the newest content.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io, mem,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

/// Pause before failed writes are retried.
const RETRY_PAUSE: Duration = Duration::from_secs(2);

/// Receiver of a result.
pub(super) type Waiting = oneshot::Sender<io::Result<()>>;

/// The wanted content of a path.
#[derive(Debug, Clone)]
pub(super) enum Content {
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
pub(super) struct Entry {
    pub(super) content: Content,
    /// Content to retry when this one cannot be written.
    kept: Option<Content>,
    /// All receivers waiting for this content or for one that it has replaced.
    pub(super) waiting: Vec<Waiting>,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) entries: BTreeMap<PathBuf, Entry>,
    /// Keys of `entries`, the oldest first.
    order: VecDeque<PathBuf>,
    /// Failed writes without a waiting caller.
    pub(super) failed: BTreeMap<PathBuf, Content>,
    pub(super) retry_at: Option<Instant>,
    /// Paths whose failure was logged.
    logged: BTreeSet<PathBuf>,
    /// The current write, and its start.
    pub(super) at_work: Option<(PathBuf, Instant)>,
    pub(super) flushes: Vec<oneshot::Sender<()>>,
    pub(super) closed: bool,
}

impl Queue {
    /// Requests a content of a path. Returns true when it replaces one that was not started.
    pub(super) fn add(&mut self, path: &Path, content: Content, waiting: Option<Waiting>) -> bool {
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
    pub(super) fn is_idle(&self, path: &Path) -> bool {
        !self.entries.contains_key(path) && !self.failed.contains_key(path)
    }

    pub(super) fn next(&mut self) -> Option<(PathBuf, Entry)> {
        let path = self.order.pop_front()?;
        let entry = self.entries.remove(&path)?;
        self.at_work = Some((path.clone(), Instant::now()));
        Some((path, entry))
    }

    pub(super) fn retry(&mut self) {
        for (path, content) in mem::take(&mut self.failed) {
            self.add(&path, content, None);
        }
    }

    /// Withdraws a write that was not started and that no caller waits for any more. False when it
    /// may still take effect.
    pub(super) fn withdraw(&mut self, path: &Path) -> bool {
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
    pub(super) fn settle(&mut self, path: PathBuf, entry: Entry, result: &io::Result<()>) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> Content {
        Content::File { bytes: bytes.into(), mode: 0o600 }
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
