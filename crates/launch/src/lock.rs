//! `<root>/hab/sup/default/LOCK`: one launcher per root, and how `hab sup term` finds it
//! (services chapters 1.8 and 2.2).

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use rustix::process::{Pid, Signal};

/// Longest content that can be a process id.
const MAX_CONTENT_BYTES: u64 = 32;

/// The lock, held as long as this lives. The file is never deleted.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Where the lock of a root is.
#[must_use]
pub fn path(root: &Path) -> PathBuf {
    root.join("hab/sup/default/LOCK")
}

/// Why this process does not hold the lock. Its text is Habitat's; the exit code is 86.
#[derive(Debug)]
pub(crate) struct LockError {
    path: PathBuf,
    source: io::Error,
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Lock file error -> Could not acquire exclusive lock on lock file '{}'. \
             Is another Supervisor process running? -> {}",
            self.path.display(),
            self.source
        )
    }
}

impl Lock {
    /// Takes the lock and writes this process's id into the file.
    ///
    /// The exclusive lock becomes a shared one when the id is written. That conversion lets go for
    /// an instant, in which another launcher could slip in; it would write its own id before it
    /// can be asked for, so the id is read again afterwards: who does not find its own gives up.
    pub(crate) fn acquire(root: &Path) -> Result<Lock, LockError> {
        let path = path(root);
        let attempt = || -> io::Result<Lock> {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)?;
            rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
            let own = std::process::id().to_string();
            file.set_len(0)?;
            file.write_all(own.as_bytes())?;
            rustix::fs::flock(&file, FlockOperation::LockShared)?;
            if read_content(&mut file)? != own {
                return Err(io::Error::from_raw_os_error(libc::EAGAIN));
            }
            Ok(Lock { _file: file })
        };
        attempt().map_err(|source| LockError { path, source })
    }
}

fn read_content(file: &mut File) -> io::Result<String> {
    file.rewind()?;
    let mut text = String::new();
    file.take(MAX_CONTENT_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// Why `hab sup term` ended nothing. The texts are Habitat's.
#[derive(Debug)]
pub enum TermError {
    /// Nothing holds the lock, or the file cannot be used. Print it on stdout; exit code 0.
    Lock(String),
    /// The process was not to be signalled. Exit code 86.
    Signal,
}

impl fmt::Display for TermError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TermError::Lock(reason) => {
                write!(f, "Supervisor not terminated: Lock file error -> {reason}")
            }
            TermError::Signal => f.write_str("Failed to send a signal to the child process"),
        }
    }
}

impl std::error::Error for TermError {}

/// What `hab sup term` does: TERM to the launcher of this root, without waiting for its end.
///
/// # Errors
/// See [`TermError`] for texts and exit codes.
pub fn term(root: &Path) -> Result<(), TermError> {
    let path = path(root);
    let shown = path.display();
    let io_error =
        |_: io::Error| TermError::Lock(format!("I/O error manipulating lock file '{shown}'"));
    let mut file = fs::OpenOptions::new().read(true).open(&path).map_err(io_error)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {
            let text = format!(
                "The lock file '{shown}' appears to be leftover from a prior Supervisor process"
            );
            return Err(TermError::Lock(text));
        }
        Err(rustix::io::Errno::WOULDBLOCK) => (),
        Err(error) => return Err(io_error(error.into())),
    }
    let content = read_content(&mut file).map_err(io_error)?;
    let pid = content.trim().parse().ok().filter(|pid: &i32| *pid > 0);
    let pid = pid
        .and_then(Pid::from_raw)
        .ok_or_else(|| TermError::Lock(format!("Contents of '{shown}' are corrupt")))?;
    rustix::process::kill_process(pid, Signal::TERM).map_err(|_| TermError::Signal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("temporary directory");
        fs::create_dir_all(root.path().join("hab/sup/default")).expect("created");
        root
    }

    #[test]
    fn the_lock_is_taken_once_and_holds_the_process_id() {
        let root = root();
        fs::write(path(root.path()), "old content, longer than a pid").expect("written");
        let first = Lock::acquire(root.path()).expect("free");
        let content = fs::read_to_string(path(root.path())).expect("readable");
        assert_eq!(content, std::process::id().to_string());
        let text = Lock::acquire(root.path()).expect_err("held").to_string();
        let expected = format!(
            "Lock file error -> Could not acquire exclusive lock on lock file '{}'. Is another \
             Supervisor process running? -> Resource temporarily unavailable (os error 11)",
            path(root.path()).display()
        );
        assert_eq!(text, expected);
        drop(first);
        Lock::acquire(root.path()).expect("free again");
    }

    #[test]
    fn term_says_why_it_ended_nothing() {
        let root = root();
        let file = path(root.path());
        let reason = |root: &Path| term(root).expect_err("nobody there").to_string();
        let expected = |text: &str| format!("Supervisor not terminated: Lock file error -> {text}");
        let missing = format!("I/O error manipulating lock file '{}'", file.display());
        assert_eq!(reason(root.path()), expected(&missing));

        fs::write(&file, "4194303").expect("written");
        let leftover = format!(
            "The lock file '{}' appears to be leftover from a prior Supervisor process",
            file.display()
        );
        assert_eq!(reason(root.path()), expected(&leftover));

        let _held = Lock::acquire(root.path()).expect("free");
        for bad in ["", "x", "0", "-1", "99999999999999"] {
            fs::write(&file, bad).expect("written");
            let corrupt = format!("Contents of '{}' are corrupt", file.display());
            assert_eq!(reason(root.path()), expected(&corrupt), "{bad:?}");
        }
    }
}
