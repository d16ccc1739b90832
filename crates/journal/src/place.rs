//! The place of the journal: opened with care, set aside when it cannot be used.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use redb::backends::FileBackend;
use roost_events::Seq;
use roost_files::Durability;
use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::file::{FileError, JournalFile, Opened};

/// Only the user of the Supervisor reads it: output of services can hold anything.
const MODE: u32 = 0o600;
/// After so many openings that did not return, the file is considered damaged.
const OPENINGS_MAX: u8 = 2;
const MARK_BYTES_MAX: u64 = 16;

/// Identity and size of the file, as the system reports them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    /// Which file it is.
    pub(crate) inode: u64,
    /// What it takes on the disk.
    pub(crate) bytes: u64,
}

/// Where the journal lies.
#[derive(Debug, Clone)]
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Opens the journal, or begins one whose first event follows `base`.
    ///
    /// Damaged bytes can end the process, or keep it busy until it is ended. So a mark counts the
    /// openings that have not returned.
    pub(crate) fn open(&self, base: Seq) -> Result<(JournalFile, Opened), FileError> {
        let before = roost_files::read(&self.mark(), MARK_BYTES_MAX).ok().flatten();
        let before = before.and_then(|bytes| bytes.first().copied()).unwrap_or(0);
        if before >= OPENINGS_MAX {
            self.unmark();
            let text = format!("{before} Supervisors ended while they opened it");
            return Err(FileError::Damaged(text));
        }
        // A disk that cannot be written shows when the journal itself is opened.
        let _ = roost_files::replace(&self.mark(), &[before + 1], MODE, Durability::Cache);
        let opened = self.open_file().and_then(|file| {
            let backend = FileBackend::new(file)?;
            JournalFile::open(backend, base)
        });
        self.unmark();
        opened
    }

    fn open_file(&self) -> Result<File, FileError> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // Without waiting: a pipe can have the name.
        let flags = flags | OFlags::NONBLOCK;
        let file = match openat(CWD, &self.0, flags, Mode::from_raw_mode(MODE)) {
            Ok(file) => File::from(file),
            Err(rustix::io::Errno::LOOP) => return Err(damaged("a symbolic link")),
            Err(rustix::io::Errno::ISDIR) => return Err(damaged("a directory")),
            Err(rustix::io::Errno::NXIO | rustix::io::Errno::NODEV) => {
                return Err(damaged("a socket or device"));
            }
            Err(error) => return Err(io::Error::from(error).into()),
        };
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(damaged("a pipe or device")),
        }
    }

    pub(crate) fn size(&self) -> io::Result<Size> {
        let found = fs::symlink_metadata(&self.0)?;
        Ok(Size { inode: found.ino(), bytes: found.blocks().saturating_mul(512) })
    }

    /// When a Supervisor with this journal was last seen, in milliseconds since 1970.
    pub(crate) fn last_seen_ms(&self) -> Option<u64> {
        let bytes = roost_files::read(&self.seen(), MARK_BYTES_MAX * 2).ok().flatten()?;
        std::str::from_utf8(&bytes).ok()?.trim().parse().ok()
    }

    /// Notes that this Supervisor runs. Without a sync: the system writes it within seconds, and an
    /// older time is not wrong.
    pub(crate) fn note_seen(&self, now_ms: u64) {
        let text = format!("{now_ms:020}\n");
        // It is noted again soon.
        let _ = roost_files::replace(&self.seen(), text.as_bytes(), MODE, Durability::Cache);
    }

    fn seen(&self) -> PathBuf {
        self.0.with_extension("seen")
    }

    /// Renames what cannot be used, and returns its new name.
    pub(crate) fn set_aside(&self) -> io::Result<PathBuf> {
        roost_files::set_aside(&self.0)
    }

    fn mark(&self) -> PathBuf {
        self.0.with_extension("opening")
    }

    fn unmark(&self) {
        // It does not exist on a disk that cannot be written.
        let _ = fs::remove_file(self.mark());
    }
}

fn damaged(what: &str) -> FileError {
    FileError::Damaged(format!("it is not a regular file but {what}"))
}
