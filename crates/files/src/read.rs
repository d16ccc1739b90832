//! Bounded reading of regular files.

use std::{
    fs::{File, FileType},
    io::{self, Read},
    os::{fd::AsRawFd, unix::fs::FileTypeExt},
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, Mode, OFlags, openat};

/// Memory reserved before reading. Larger files grow it as they are read: the size of a sparse file
/// does not measure its content.
const RESERVED_BYTES: u64 = 64 * 1024;

/// Why a file could not be read. The text contains the file and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A system call failed.
    #[error("{}: {source}; check that this user may read it", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// A directory, pipe, socket or device.
    #[error("{}: is not a regular file but a {kind}; replace it by one", path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
        /// The actual file type.
        kind: &'static str,
    },
    /// Longer than the limit.
    #[error("{}: is larger than {limit} bytes; make it smaller", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// Not UTF-8.
    #[error("{}:{line}: is not UTF-8; save it as UTF-8", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Number of the first line with such bytes, from 1.
        line: usize,
    },
}

impl ReadError {
    /// The file that could not be read.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Io { path, .. }
            | Self::NotAFile { path, .. }
            | Self::TooLarge { path, .. }
            | Self::NotUtf8 { path, .. } => path,
        }
    }

    /// The problem without the path, for messages that already contain it.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Io { source, .. } => source.to_string(),
            Self::NotAFile { kind, .. } => format!("it is not a regular file but a {kind}"),
            Self::TooLarge { limit, .. } => format!("it is larger than {limit} bytes"),
            Self::NotUtf8 { line, .. } => format!("line {line} is not UTF-8"),
        }
    }

    /// True when this user may not read the file. Any other error means that the file, or its
    /// storage, is damaged.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied)
    }
}

/// Opens a regular file for reading; follows symbolic links. Checks the type before opening:
/// opening a pipe could block, and opening a device can have effects. The opened file is the
/// checked one, even if the path changes in between. `None` when the file does not exist.
///
/// # Errors
/// See [`ReadError`].
pub fn open(path: &Path) -> Result<Option<File>, ReadError> {
    let failed = |source| ReadError::Io { path: path.into(), source };
    // Refers to the file without opening it.
    let named = match openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
        Ok(named) => File::from(named),
        Err(error) => match io::Error::from(error) {
            error if is_absent(&error) => return Ok(None),
            error => return Err(failed(error)),
        },
    };
    let found = named.metadata().map_err(failed)?;
    if !found.is_file() {
        return Err(ReadError::NotAFile { path: path.into(), kind: kind(found.file_type()) });
    }
    let name = format!("/proc/self/fd/{}", named.as_raw_fd());
    match openat(CWD, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(file) => Ok(Some(file.into())),
        Err(error) => Err(failed(error.into())),
    }
}

/// Reads a regular file of at most `limit` bytes; see [`open`]. A longer one is refused by its
/// size, before reading.
///
/// # Errors
/// See [`ReadError`].
pub fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, ReadError> {
    let failed = |source| ReadError::Io { path: path.into(), source };
    let too_large = || ReadError::TooLarge { path: path.into(), limit };
    let Some(file) = open(path)? else { return Ok(None) };
    let size = file.metadata().map_err(failed)?.len();
    if size > limit {
        return Err(too_large());
    }
    let reserved = usize::try_from(size.min(RESERVED_BYTES)).unwrap_or_default();
    let mut bytes = Vec::with_capacity(reserved);
    // The file may grow in the meantime.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(too_large());
    }
    Ok(Some(bytes))
}

/// As [`read`], for text.
///
/// # Errors
/// See [`ReadError`].
pub fn read_text(path: &Path, limit: u64) -> Result<Option<String>, ReadError> {
    let Some(bytes) = read(path, limit)? else { return Ok(None) };
    to_text(path, bytes).map(Some)
}

/// The text of a regular file that is open, of at most `limit` bytes; `path` is for messages.
///
/// # Errors
/// See [`ReadError`].
pub fn text_of(path: &Path, file: File, limit: u64) -> Result<String, ReadError> {
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|source| ReadError::Io { path: path.into(), source })?;
    if bytes.len() as u64 > limit {
        return Err(ReadError::TooLarge { path: path.into(), limit });
    }
    to_text(path, bytes)
}

fn to_text(path: &Path, bytes: Vec<u8>) -> Result<String, ReadError> {
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        ReadError::NotUtf8 { path: path.into(), line }
    })
}

/// True when the file does not exist, including a path below something that is not a directory.
#[must_use]
pub fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn kind(found: FileType) -> &'static str {
    if found.is_dir() {
        "directory"
    } else if found.is_fifo() {
        "named pipe"
    } else if found.is_socket() {
        "socket"
    } else {
        "device"
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use rustix::fs::{FileType as Kind, mknodat};

    use super::*;

    #[test]
    fn a_missing_file_is_none_also_below_a_file() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "x").unwrap();
        assert!(read_text(&dir.path().join("no"), 9).unwrap().is_none());
        assert!(read_text(&dir.path().join("file/below"), 9).unwrap().is_none());
    }

    #[test]
    fn the_limit_is_inclusive() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        fs::write(&path, "12345").unwrap();
        assert_eq!(read_text(&path, 5).unwrap().as_deref(), Some("12345"));
        let error = read_text(&path, 4).unwrap_err().to_string();
        assert!(error.ends_with("f: is larger than 4 bytes; make it smaller"), "{error}");
    }

    #[test]
    fn invalid_utf8_is_reported_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        fs::write(&path, b"a\nb\n\xff\n").unwrap();
        let error = read_text(&path, 99).unwrap_err().to_string();
        assert!(error.ends_with("f:3: is not UTF-8; save it as UTF-8"), "{error}");
    }

    #[test]
    fn other_file_types_are_refused_at_once_with_their_type() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("directory")).unwrap();
        mknodat(CWD, at("pipe"), Kind::Fifo, Mode::RUSR, 0).unwrap();
        symlink("loop", at("loop")).unwrap();
        symlink("pipe", at("link")).unwrap();
        for (name, part) in [
            ("directory", "not a regular file but a directory"),
            ("pipe", "not a regular file but a named pipe"),
            ("link", "not a regular file but a named pipe"),
            ("loop", "symbolic links"),
        ] {
            let error = read(&at(name), 99).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
            assert_eq!(error.path(), at(name));
        }
        assert!(read(Path::new("/dev/null"), 99).unwrap_err().reason().ends_with("a device"));
    }

    #[test]
    fn a_huge_file_is_refused_by_its_size() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sparse");
        // Would take minutes to read and exceed the memory.
        File::create(&path).unwrap().set_len(1 << 43).unwrap();
        assert!(matches!(read(&path, 1 << 20), Err(ReadError::TooLarge { .. })));
    }
}
