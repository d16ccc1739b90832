//! `<root>/hab/sup/default/LOCK`: one launcher per root, found by `hab sup term` (reference:
//! services §1.8 and §2.2).

use std::{
    fmt,
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read, Seek, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::FlockOperation,
    process::{Pid, Signal},
};

/// Whoever can open the file can lock it, so only its owner may.
const MODE: u32 = 0o600;
/// Longest content that can be a process id.
const MAX_CONTENT_BYTES: u64 = 32;

/// The lock, held while this value lives. The file is never deleted.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Path of the lock of a root.
#[must_use]
pub fn path(root: &Path) -> PathBuf {
    root.join("hab/sup/default/LOCK")
}

/// Why this process does not hold the lock. The first line is Habitat's, a second one names the
/// holders; the exit code is 86.
#[derive(Debug)]
pub(crate) struct LockError {
    path: PathBuf,
    source: io::Error,
    holders: Vec<Holder>,
}

/// A process that holds the lock.
#[derive(Debug, PartialEq, Eq)]
struct Holder {
    pid: u32,
    name: String,
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Lock file error -> Could not acquire exclusive lock on lock file '{}'. \
             Is another Supervisor process running? -> {}",
            self.path.display(),
            self.source
        )?;
        if self.holders.is_empty() {
            return Ok(());
        }
        let holders: Vec<String> = self
            .holders
            .iter()
            .map(|Holder { pid, name }| format!("process {pid} ({name})"))
            .collect();
        write!(f, "\nThe lock is held by {}", holders.join(", "))
    }
}

impl Lock {
    /// Takes the lock and writes this process's id into the file.
    ///
    /// The exclusive lock becomes a shared one when the id is written. That conversion releases it
    /// for an instant, in which another launcher could take it; that one would write its own id
    /// before our shared lock is granted, so the id is read again afterwards: a process that does
    /// not find its own gives up.
    pub(crate) fn acquire(root: &Path) -> Result<Lock, LockError> {
        let path = path(root);
        let attempt = || -> io::Result<Lock> {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(MODE)
                .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
                .open(&path)?;
            if !file.metadata()?.is_file() {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "this is not a regular file",
                ));
            }
            rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
            let own = std::process::id().to_string();
            file.set_permissions(Permissions::from_mode(MODE))?;
            file.set_len(0)?;
            file.write_all(own.as_bytes())?;
            rustix::fs::flock(&file, FlockOperation::LockShared)?;
            if read_content(&mut file)? != own {
                return Err(io::Error::from_raw_os_error(libc::EAGAIN));
            }
            Ok(Lock { _file: file })
        };
        attempt().map_err(|source| {
            let is_held = source.kind() == io::ErrorKind::WouldBlock;
            let holders = if is_held { holders(&path) } else { Vec::new() };
            LockError { path, source, holders }
        })
    }
}

/// Holders of the lock: from the kernel's list of locks, else the process in the file.
fn holders(path: &Path) -> Vec<Holder> {
    let own = std::process::id();
    let holder = |pid: u32| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        let name = name.trim_end().chars().filter(|c| !c.is_control()).collect();
        (pid != own).then_some(Holder { pid, name })
    };
    let listed = fs::metadata(path).ok().map(|found| {
        let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
        holders_in(&locks, found.dev(), found.ino())
    });
    let holders: Vec<Holder> = listed.into_iter().flatten().filter_map(holder).collect();
    if holders.is_empty() {
        let content = File::open(path).and_then(|mut file| read_content(&mut file));
        let named = content.ok().and_then(|text| text.trim().parse().ok());
        return named.and_then(holder).into_iter().collect();
    }
    holders
}

/// Process ids of a list of locks (`/proc/locks`, proc(5)) for a file.
fn holders_in(locks: &str, device: u64, inode: u64) -> Vec<u32> {
    let (major, minor) = (libc::major(device), libc::minor(device));
    let place = format!("{major:02x}:{minor:02x}:{inode}");
    let mut pids: Vec<u32> = locks
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_ascii_whitespace().skip(1);
            let (kind, pid, at) = (fields.next()?, fields.nth(2)?, fields.next()?);
            (kind == "FLOCK" && at == place).then(|| pid.parse().ok()).flatten()
        })
        .collect();
    pids.sort_unstable();
    pids.dedup();
    pids
}

fn read_content(file: &mut File) -> io::Result<String> {
    file.rewind()?;
    let mut text = String::new();
    file.take(MAX_CONTENT_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// Why `hab sup term` stopped nothing. The texts are Habitat's.
#[derive(Debug)]
pub enum TermError {
    /// No process holds the lock, or the file is unusable. Print it on stdout; exit code 0.
    Lock(String),
    /// The process could not be signalled. Exit code 86.
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

/// Implements `hab sup term`: sends TERM to the launcher of this root, without waiting for its end.
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
    use std::time::{Duration, Instant};

    use super::*;

    fn root() -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("temporary directory");
        fs::create_dir_all(root.path().join("hab/sup/default")).expect("created");
        root
    }

    /// Takes a lock that was released before. A process forked by another test also holds it until
    /// it executes its program.
    fn acquire_released(root: &Path) {
        let patience = Instant::now() + Duration::from_secs(40);
        while let Err(error) = Lock::acquire(root) {
            assert!(Instant::now() < patience, "not free again: {error}");
            std::thread::sleep(Duration::from_millis(5));
        }
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
        assert_eq!(text, expected, "no other process holds it");
        drop(first);
        acquire_released(root.path());
    }

    #[test]
    fn only_its_owner_may_open_the_lock() {
        let root = root();
        let mode = || path(root.path()).metadata().expect("there").mode() & 0o7777;
        drop(Lock::acquire(root.path()).expect("free"));
        assert_eq!(mode(), 0o600);
        // as older versions made it
        fs::set_permissions(path(root.path()), Permissions::from_mode(0o644)).expect("set");
        acquire_released(root.path());
        assert_eq!(mode(), 0o600);
    }

    #[test]
    fn a_lock_that_is_a_link_or_no_file_is_refused() {
        let root = root();
        let victim = root.path().join("victim");
        fs::write(&victim, "precious").expect("written");
        std::os::unix::fs::symlink(&victim, path(root.path())).expect("linked");
        Lock::acquire(root.path()).expect_err("a link");
        assert_eq!(fs::read(&victim).expect("there"), b"precious");
        fs::remove_file(path(root.path())).expect("removed");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            path(root.path()),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from(0o600),
            0,
        )
        .expect("made");
        let text = Lock::acquire(root.path()).expect_err("a pipe").to_string();
        assert!(text.contains("this is not a regular file"), "{text}");
    }

    #[test]
    fn holders_are_found_in_the_list_of_the_kernel() {
        let locks = "1: POSIX  ADVISORY  WRITE 10 08:01:77 0 EOF\n\
                     2: FLOCK  ADVISORY  READ  12 08:01:77 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE  15 08:01:77 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 11 08:01:77 0 EOF\n\
                     4: FLOCK  ADVISORY  WRITE 13 08:01:78 0 EOF\nrubbish\n";
        assert_eq!(holders_in(locks, libc::makedev(8, 1), 77), [11, 12]);
        assert!(holders_in(locks, libc::makedev(8, 2), 77).is_empty());
    }

    #[test]
    fn term_reports_why_it_stopped_nothing() {
        let root = root();
        let file = path(root.path());
        let reason = |root: &Path| term(root).expect_err("no launcher").to_string();
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
