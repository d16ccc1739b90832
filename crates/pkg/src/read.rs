//! Bounded reading of text files: one way to open a file that others wrote.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Why a text file could not be read. The text says which file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system refused.
    #[error("{}: {source}; check that this user may read it", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A directory, pipe or device.
    #[error("{}: is not a regular file; replace it by one", .0.display())]
    NotAFile(PathBuf),
    /// Longer than allowed there.
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
            Self::Io { path, .. } | Self::TooLarge { path, .. } | Self::NotUtf8 { path, .. } => {
                path
            }
            Self::NotAFile(path) => path,
        }
    }
}

/// Reads a regular file of at most `limit` bytes; symbolic links are followed. `None` when there
/// is no such file. A pipe or device is refused before it is opened, so reading never blocks.
///
/// # Errors
/// See [`ReadError`].
pub fn read_text(path: &Path, limit: u64) -> Result<Option<String>, ReadError> {
    let io_error = |source| ReadError::Io { path: path.into(), source };
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(io_error(error)),
    };
    if !found.is_file() {
        return Err(ReadError::NotAFile(path.into()));
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(io_error(error)),
    };
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(io_error)?;
    if bytes.len() as u64 > limit {
        return Err(ReadError::TooLarge { path: path.into(), limit });
    }
    String::from_utf8(bytes).map(Some).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        ReadError::NotUtf8 { path: path.into(), line }
    })
}

/// True when the error says that there is no such file: also below something that is no directory.
#[must_use]
pub fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
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
    fn bytes_that_are_no_text_are_named_with_their_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        fs::write(&path, b"a\nb\n\xff\n").unwrap();
        let error = read_text(&path, 99).unwrap_err().to_string();
        assert!(error.ends_with("f:3: is not UTF-8; save it as UTF-8"), "{error}");
    }

    #[test]
    fn a_directory_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(read_text(dir.path(), 9), Err(ReadError::NotAFile(_))));
    }
}
