//! Small files of services that no other step reads: logs of hooks (reference: services §6.5),
//! `PID`, statuses of install hooks.
//!
//! A thread writes them, so that a hanging disk blocks neither hooks nor the Supervisor. The queue
//! is bounded however long the disk hangs: of a `PID` or status only the newest is kept, and log
//! lines are dropped when too many wait. Logs grow to 64 KiB while a hook runs; if a hook prints
//! more, its log has the last part once it has ended.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs::{self, File, OpenOptions},
    io::{self, Write},
    mem,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use roost_files::{Durability, PUBLIC_DIRECTORY, create_directories, replace};
use tokio::sync::oneshot;

use crate::{metrics::Metrics, vital};

/// Mode of each of these files: world-readable.
const MODE: u32 = 0o644;
/// Bytes of log lines waiting for the disk; further ones are dropped. The same lines are in the
/// Supervisor's output and in `/health`.
const LOG_BYTES_MAX: usize = 1 << 20;
/// Size of a message besides its texts.
const MESSAGE_BYTES: usize = 128;

/// Handle of the writing thread. All clones share one queue.
#[derive(Debug, Clone)]
pub(crate) struct SmallFiles(Arc<Handle>);

/// The thread ends with the last of the clones.
#[derive(Debug)]
struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.change(|waiting| waiting.closed = true);
    }
}

#[derive(Debug)]
struct Shared {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    metrics: Metrics,
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // The thread that panicked with the lock held has ended the process.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Waiting) -> T) -> T {
        let result = change(&mut self.waiting());
        self.wake.notify_all();
        result
    }
}

/// Messages waiting for the disk.
#[derive(Debug, Default)]
struct Waiting {
    logs: VecDeque<Log>,
    log_bytes: usize,
    /// Runs with open logs. There are as many as running hooks.
    open: BTreeSet<u64>,
    /// The newest of each path: as many as services.
    pids: BTreeMap<PathBuf, Option<u32>>,
    /// The newest of each package.
    statuses: BTreeMap<PathBuf, i32>,
    flushes: Vec<oneshot::Sender<()>>,
    closed: bool,
}

/// Output streams by number: 0 is stdout, 1 is stderr.
pub(crate) type Streams<T> = [T; 2];

#[derive(Debug)]
enum Log {
    Open { run: u64, paths: Streams<PathBuf> },
    Line { run: u64, stream: usize, line: String },
    Close { run: u64, whole: Streams<Option<String>> },
}

impl Log {
    fn bytes(&self) -> usize {
        MESSAGE_BYTES
            + match self {
                Self::Open { paths, .. } => paths.iter().map(|path| path.as_os_str().len()).sum(),
                Self::Line { line, .. } => line.len(),
                Self::Close { whole, .. } => whole.iter().flatten().map(String::len).sum(),
            }
    }
}

impl Waiting {
    /// Adds a message if there is room for it.
    fn log(&mut self, log: Log) -> bool {
        let fits = self.log_bytes + log.bytes() <= LOG_BYTES_MAX;
        if fits {
            self.log_bytes += log.bytes();
            self.logs.push_back(log);
        }
        fits
    }

    /// The end of an open run is always added: its files are open.
    fn close(&mut self, run: u64, whole: Streams<Option<String>>) -> bool {
        if !self.open.remove(&run) {
            return true;
        }
        if self.log(Log::Close { run, whole }) {
            return true;
        }
        self.log_bytes += MESSAGE_BYTES;
        self.logs.push_back(Log::Close { run, whole: [None, None] });
        false
    }

    fn is_empty(&self) -> bool {
        self.logs.is_empty() && self.pids.is_empty() && self.statuses.is_empty()
    }
}

impl SmallFiles {
    /// Starts the thread; it ends with the last handle.
    ///
    /// # Errors
    /// When the system cannot start a thread.
    pub(crate) fn start(metrics: Metrics) -> io::Result<Self> {
        let (waiting, wake) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { waiting, wake, metrics });
        let handle = Handle(Arc::clone(&shared));
        vital::spawn_thread("hab-files", 64 * 1024, move || write_all(&shared))?;
        Ok(Self(Arc::new(handle)))
    }

    /// Truncates the files of a run.
    pub(crate) fn open(&self, run: u64, paths: Streams<PathBuf>) {
        self.log(|waiting| {
            let taken = waiting.log(Log::Open { run, paths });
            if taken {
                waiting.open.insert(run);
            }
            taken
        });
    }

    /// Adds a line. The caller bounds their number per run.
    pub(crate) fn line(&self, run: u64, stream: usize, line: &str) {
        self.log(|waiting| {
            let line = format!("{line}\n");
            !waiting.open.contains(&run) || waiting.log(Log::Line { run, stream, line })
        });
    }

    /// Ends a run. A truncated stream is replaced by its kept part.
    pub(crate) fn close(&self, run: u64, whole: Streams<Option<String>>) {
        self.log(|waiting| waiting.close(run, whole));
    }

    /// Writes a PID file, or removes it.
    pub(crate) fn pid(&self, path: PathBuf, pid: Option<u32>) {
        self.0.0.change(|waiting| waiting.pids.insert(path, pid));
    }

    /// Removes a file, if it exists.
    pub(crate) fn remove(&self, path: PathBuf) {
        self.pid(path, None);
    }

    /// Stores the exit code of a package's install hook.
    pub(crate) fn install_status(&self, package: PathBuf, code: i32) {
        self.0.0.change(|waiting| waiting.statuses.insert(package, code));
    }

    /// Waits until all earlier messages are written.
    pub(crate) async fn flush(&self) {
        let (done, written) = oneshot::channel();
        self.0.0.change(|waiting| waiting.flushes.push(done));
        // The thread is gone only when the process is ending.
        let _ = written.await;
    }

    fn log(&self, add: impl FnOnce(&mut Waiting) -> bool) {
        let shared = &self.0.0;
        if !shared.change(add) {
            shared.metrics.queue_dropped("hook-logs");
        }
    }
}

struct LogFile {
    path: PathBuf,
    file: Option<File>,
}

/// The next messages to write.
#[derive(Default)]
struct Work {
    logs: VecDeque<Log>,
    pids: BTreeMap<PathBuf, Option<u32>>,
    statuses: BTreeMap<PathBuf, i32>,
}

/// Waits for work; `None` at the end.
fn wait(shared: &Shared) -> Option<Work> {
    let mut waiting = shared.waiting();
    loop {
        if !waiting.is_empty() {
            shared.metrics.queued("hook-logs", waiting.logs.len());
            let work = Work {
                // One message at a time, so that a hanging one is counted until it is written.
                logs: waiting.logs.pop_front().into_iter().collect(),
                pids: mem::take(&mut waiting.pids),
                statuses: mem::take(&mut waiting.statuses),
            };
            waiting.log_bytes -= work.logs.iter().map(Log::bytes).sum::<usize>();
            return Some(work);
        }
        for flush in mem::take(&mut waiting.flushes) {
            // The receiver may be gone.
            let _ = flush.send(());
        }
        if waiting.closed {
            return None;
        }
        waiting = shared.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
    }
}

/// A log that cannot be written is dropped.
fn write_all(shared: &Shared) {
    let mut open: BTreeMap<u64, Streams<LogFile>> = BTreeMap::new();
    while let Some(work) = wait(shared) {
        for log in work.logs {
            write_log(&mut open, log);
        }
        for (path, pid) in work.pids {
            match pid {
                Some(pid) => {
                    if let Err(error) = write_pid(&path, pid) {
                        tracing::error!("Unable to write {}: {error}", path.display());
                    }
                }
                // It may already be gone.
                None => drop(fs::remove_file(path)),
            }
        }
        for (package, code) in work.statuses {
            if let Err(error) = roost_pkg::package::write_install_hook_status(&package, code) {
                let package = package.display();
                tracing::error!("Unable to write INSTALL_HOOK_STATUS of {package}: {error}");
            }
        }
    }
}

fn write_log(open: &mut BTreeMap<u64, Streams<LogFile>>, log: Log) {
    match log {
        Log::Open { run, paths } => {
            let files = paths.map(|path| LogFile { file: open_log(&path).ok(), path });
            open.insert(run, files);
        }
        Log::Line { run, stream, line } => {
            let file = open.get_mut(&run).and_then(|files| files[stream].file.as_mut());
            if let Some(file) = file {
                let _ = file.write_all(line.as_bytes());
            }
        }
        Log::Close { run, whole } => {
            let files = open.remove(&run).into_iter().flatten();
            for (log, whole) in files.zip(whole) {
                if let Some(whole) = whole {
                    let _ = replace(&log.path, whole.as_bytes(), MODE, Durability::Cache);
                }
            }
        }
    }
}

/// People and scripts read the file: they never see a partial one.
fn write_pid(path: &Path, pid: u32) -> io::Result<()> {
    replace(path, pid.to_string().as_bytes(), MODE, Durability::Cache)
}

/// A log starts as an empty file and is then written line by line.
fn open_log(path: &Path) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        create_directories(parent, PUBLIC_DIRECTORY)?;
    }
    replace(path, b"", MODE, Durability::Cache)?;
    OpenOptions::new().append(true).custom_flags(no_link()).open(path)
}

/// The flag that refuses a link in place of the file.
fn no_link() -> i32 {
    rustix::fs::OFlags::NOFOLLOW.bits().cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_is_bounded_while_a_disk_hangs() {
        let mut waiting = Waiting::default();
        let paths = || [PathBuf::from("out"), PathBuf::from("err")];
        for run in 0..20_000 {
            if waiting.log(Log::Open { run, paths: paths() }) {
                waiting.open.insert(run);
            }
            if waiting.open.contains(&run) {
                waiting.log(Log::Line { run, stream: 0, line: "x".repeat(1000) });
            }
            waiting.close(run, [Some("x".repeat(60_000)), None]);
            waiting.pids.insert("PID".into(), Some(7));
        }
        let held: usize = waiting.logs.iter().map(Log::bytes).sum();
        assert_eq!(held, waiting.log_bytes);
        assert!(held <= 2 * LOG_BYTES_MAX, "{held}");
        assert!(waiting.open.is_empty(), "every run was closed");
        assert_eq!(waiting.pids.len(), 1);
    }

    #[tokio::test]
    async fn a_log_contains_the_output() {
        let directory = tempfile::tempdir().unwrap();
        let files = SmallFiles::start(Metrics::new(prometheus::Registry::new())).unwrap();
        let path = |name: &str| directory.path().join("logs").join(name);
        files.open(1, [path("out"), path("err")]);
        files.line(1, 0, "one");
        files.line(1, 1, "two");
        files.close(1, [None, Some("the end of it".into())]);
        files.flush().await;
        assert_eq!(fs::read_to_string(path("out")).unwrap(), "one\n");
        assert_eq!(fs::read_to_string(path("err")).unwrap(), "the end of it");
    }
}
