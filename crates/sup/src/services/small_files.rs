//! Small files of services that nobody waits for: logs of hooks (services chapter 6.5), `PID`,
//! statuses of install hooks.
//!
//! A thread writes them in the order in which they come, so that a disk that hangs stops no hook
//! and no Supervisor. Logs grow to 64 KiB while a hook runs; of a hook that printed more they hold
//! the last part once it has ended.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::mpsc,
};

use roost_files::{Durability, PUBLIC_DIRECTORY, create_directories, replace};
use tokio::sync::oneshot;

use crate::vital;

/// Mode of each of these files: everybody may read them.
const MODE: u32 = 0o644;

/// Handle of the writing thread.
#[derive(Debug, Clone)]
pub(crate) struct SmallFiles {
    messages: mpsc::Sender<Message>,
}

/// Output streams by number: 0 is stdout, 1 is stderr.
pub(crate) type Streams<T> = [T; 2];

#[derive(Debug)]
enum Message {
    Open { run: u64, paths: Streams<PathBuf> },
    Line { run: u64, stream: usize, line: String },
    Close { run: u64, whole: Streams<Option<String>> },
    Pid { path: PathBuf, pid: Option<u32> },
    InstallStatus { package: PathBuf, code: i32 },
    Flush { done: oneshot::Sender<()> },
}

impl SmallFiles {
    /// Starts the thread; it ends with the last handle.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (messages, inbox) = mpsc::channel();
        vital::spawn_thread("hab-files", 64 * 1024, move || write_all(&inbox))?;
        Ok(Self { messages })
    }

    /// Begins the files of a run anew.
    pub(crate) fn open(&self, run: u64, paths: Streams<PathBuf>) {
        self.say(Message::Open { run, paths });
    }

    /// Adds a line. The caller bounds how many there are.
    pub(crate) fn line(&self, run: u64, stream: usize, line: &str) {
        self.say(Message::Line { run, stream, line: format!("{line}\n") });
    }

    /// Ends a run. A stream that was cut is replaced by what was kept of it.
    pub(crate) fn close(&self, run: u64, whole: Streams<Option<String>>) {
        self.say(Message::Close { run, whole });
    }

    /// Writes a PID file, or removes it.
    pub(crate) fn pid(&self, path: PathBuf, pid: Option<u32>) {
        self.say(Message::Pid { path, pid });
    }

    /// Keeps with a package how its install hook ended.
    pub(crate) fn install_status(&self, package: PathBuf, code: i32) {
        self.say(Message::InstallStatus { package, code });
    }

    /// Waits until all that was said before is written.
    pub(crate) async fn flush(&self) {
        let (done, written) = oneshot::channel();
        self.say(Message::Flush { done });
        // Without the thread the process is ending.
        let _ = written.await;
    }

    fn say(&self, message: Message) {
        // Without the thread the process is ending.
        let _ = self.messages.send(message);
    }
}

struct LogFile {
    path: PathBuf,
    file: Option<File>,
}

/// A log that cannot be written is left out: the same lines are in the Supervisor's output
/// and in `/health`.
fn write_all(inbox: &mpsc::Receiver<Message>) {
    let mut open: BTreeMap<u64, Streams<LogFile>> = BTreeMap::new();
    for message in inbox {
        match message {
            Message::Open { run, paths } => {
                let files = paths.map(|path| LogFile { file: open_log(&path).ok(), path });
                open.insert(run, files);
            }
            Message::Line { run, stream, line } => {
                let file = open.get_mut(&run).and_then(|files| files[stream].file.as_mut());
                if let Some(file) = file {
                    let _ = file.write_all(line.as_bytes());
                }
            }
            Message::Close { run, whole } => {
                let files = open.remove(&run).into_iter().flatten();
                for (log, whole) in files.zip(whole) {
                    if let Some(whole) = whole {
                        let _ = replace(&log.path, whole.as_bytes(), MODE, Durability::Cache);
                    }
                }
            }
            Message::Pid { path, pid: Some(pid) } => {
                if let Err(error) = write_pid(&path, pid) {
                    tracing::error!("Unable to write {}: {error}", path.display());
                }
            }
            // Gone already is as good.
            Message::Pid { path, pid: None } => drop(fs::remove_file(path)),
            Message::InstallStatus { package, code } => {
                if let Err(error) = roost_pkg::package::write_install_hook_status(&package, code) {
                    let package = package.display();
                    tracing::error!("Unable to write INSTALL_HOOK_STATUS of {package}: {error}");
                }
            }
            Message::Flush { done } => drop(done.send(())),
        }
    }
}

/// The file is for people and scripts: they never see half of it.
fn write_pid(path: &Path, pid: u32) -> io::Result<()> {
    replace(path, pid.to_string().as_bytes(), MODE, Durability::Cache)
}

/// A log begins with an empty file, which is then written line by line.
fn open_log(path: &Path) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        create_directories(parent, PUBLIC_DIRECTORY)?;
    }
    replace(path, b"", MODE, Durability::Cache)?;
    OpenOptions::new().append(true).custom_flags(no_link()).open(path)
}

/// The flag by which a link in the place of a file is refused.
fn no_link() -> i32 {
    rustix::fs::OFlags::NOFOLLOW.bits().cast_signed()
}
