//! The only writer of state files (decision: one queue, temporary file, fsync, rename).
//!
//! One thread, because fsync takes as long as the disk wants. A write that somebody waits for
//! fails at once with its error; one that nobody waits for is tried again until it succeeds,
//! because the state behind it exists only in memory until then.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::mpsc::{self, RecvTimeoutError},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::vital;

/// Pause before a failed write is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(2);

/// Handle of the writing thread. All clones write through the same queue, in order.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    jobs: mpsc::Sender<Job>,
}

#[derive(Debug)]
enum Job {
    Write {
        path: PathBuf,
        bytes: Vec<u8>,
        mode: u32,
        done: Option<oneshot::Sender<io::Result<()>>>,
    },
    Remove {
        path: PathBuf,
        done: oneshot::Sender<io::Result<()>>,
    },
    Flush {
        done: oneshot::Sender<io::Result<()>>,
    },
}

impl Store {
    /// Starts the thread; it ends with the last handle.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (jobs, inbox) = mpsc::channel();
        vital::spawn_thread("hab-store", 128 * 1024, move || run(&inbox))?;
        Ok(Self { jobs })
    }

    /// Writes a file; the answer comes when it is on disk, or the error at once.
    pub(crate) async fn write(&self, path: &Path, bytes: Vec<u8>, mode: u32) -> io::Result<()> {
        let path = path.to_owned();
        self.ask(|done| Job::Write { path, bytes, mode, done: Some(done) }).await
    }

    /// Writes a file some time soon; a failure is told once and the write tried again. Of
    /// several writes of one file only the last counts.
    pub(crate) fn write_later(&self, path: &Path, bytes: Vec<u8>, mode: u32) {
        let job = Job::Write { path: path.to_owned(), bytes, mode, done: None };
        // Without the thread the process is ending.
        let _ = self.jobs.send(job);
    }

    /// Removes a file; one that does not exist is removed.
    pub(crate) async fn remove(&self, path: &Path) -> io::Result<()> {
        let path = path.to_owned();
        self.ask(|done| Job::Remove { path, done }).await
    }

    /// Waits until everything said before was tried.
    pub(crate) async fn flush(&self) -> io::Result<()> {
        self.ask(|done| Job::Flush { done }).await
    }

    async fn ask(
        &self,
        job: impl FnOnce(oneshot::Sender<io::Result<()>>) -> Job,
    ) -> io::Result<()> {
        let (done, answer) = oneshot::channel();
        let gone = || io::Error::other("the writer of state files has ended");
        self.jobs.send(job(done)).map_err(|_| gone())?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }
}

/// Files whose last write failed, with what they shall hold.
type Failed = BTreeMap<PathBuf, (Vec<u8>, u32)>;

fn run(inbox: &mpsc::Receiver<Job>) {
    let mut failed = Failed::new();
    let mut retry_at = Instant::now();
    loop {
        let job = if failed.is_empty() {
            inbox.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            inbox.recv_timeout(retry_at.saturating_duration_since(Instant::now()))
        };
        match job {
            Ok(job) => handle(job, &mut failed),
            Err(RecvTimeoutError::Timeout) => retry(&mut failed),
            Err(RecvTimeoutError::Disconnected) => return retry(&mut failed),
        }
        if retry_at <= Instant::now() {
            retry_at = Instant::now() + RETRY_PAUSE;
        }
    }
}

fn handle(job: Job, failed: &mut Failed) {
    // An answer that nobody waits for any more is dropped.
    match job {
        Job::Write { path, bytes, mode, done } => {
            let newly = !failed.contains_key(&path);
            failed.remove(&path);
            let result = write(&path, &bytes, mode);
            match (result, done) {
                (result, Some(done)) => drop(done.send(result)),
                (Ok(()), None) => {}
                (Err(error), None) => {
                    if newly {
                        tracing::error!(
                            "Unable to write {}: {error}; trying again",
                            path.display()
                        );
                    }
                    failed.insert(path, (bytes, mode));
                }
            }
        }
        Job::Remove { path, done } => {
            failed.remove(&path);
            let result = match fs::remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                result => result,
            };
            drop(done.send(result));
        }
        Job::Flush { done } => {
            retry(failed);
            drop(done.send(Ok(())));
        }
    }
}

fn retry(failed: &mut Failed) {
    failed.retain(|path, (bytes, mode)| match write(path, bytes, *mode) {
        Ok(()) => {
            tracing::error!("{} is written again", path.display());
            false
        }
        Err(_) => true,
    });
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        roost_files::create_directories(parent, roost_files::PUBLIC_DIRECTORY)?;
    }
    roost_pkg::write::write_atomic(path, bytes, mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_write_is_on_disk_when_it_is_answered() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::start().unwrap();
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
        let store = Store::start().unwrap();
        assert!(store.write(&directory.path().join("file/x"), vec![], 0o600).await.is_err());
    }

    #[tokio::test]
    async fn a_write_that_nobody_waits_for_succeeds_once_it_can() {
        let directory = tempfile::tempdir().unwrap();
        let obstacle = directory.path().join("data");
        fs::write(&obstacle, "in the way").unwrap();
        let store = Store::start().unwrap();
        store.write_later(&obstacle.join("INCARNATION"), b"1".into(), 0o600);
        store.write_later(&obstacle.join("INCARNATION"), b"2".into(), 0o600);
        store.flush().await.unwrap();
        fs::remove_file(&obstacle).unwrap();
        store.flush().await.unwrap();
        assert_eq!(fs::read(obstacle.join("INCARNATION")).unwrap(), b"2");
    }
}
