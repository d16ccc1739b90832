//! The files of one service, in the order of their lines.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use roost_files::ReadError;

/// Name of the file being written.
pub(crate) const CURRENT: &str = "current";
const OLDER_SUFFIX: &str = ".log";
const POSITION_DIGITS: usize = 20;
/// Most rotations tolerated while the directory is read.
const TRIES: u32 = 10;

/// One file and the positions of its lines.
#[derive(Debug)]
pub(crate) struct Section {
    /// Position of its first line.
    pub(crate) start: u64,
    /// Length in bytes when the directory was read.
    pub(crate) len: u64,
    pub(crate) file: File,
}

impl Section {
    /// Position after its last line.
    pub(crate) fn end(&self) -> u64 {
        self.start.saturating_add(self.len)
    }

    fn is_same_file(&self, other: &Self) -> bool {
        let identity = |section: &Self| {
            section.file.metadata().map(|metadata| (metadata.dev(), metadata.ino())).ok()
        };
        identity(self) == identity(other)
    }
}

/// The name of the file whose first line has this position.
pub(crate) fn older_name(start: u64) -> String {
    format!("{start:0POSITION_DIGITS$}{OLDER_SUFFIX}")
}

fn position_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(OLDER_SUFFIX)?;
    (digits.len() == POSITION_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().ok())?
}

/// Paths of the older files with the positions of their first lines, oldest first.
pub(crate) fn older_files(directory: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if let Some(start) = entry.file_name().to_str().and_then(position_of) {
            found.push((start, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// The newest file, as far as an append or a rotation changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Newest {
    device: u64,
    inode: u64,
    len: u64,
}

/// Looks at the newest file; `None` without one.
pub(crate) fn newest(directory: &Path) -> Option<Newest> {
    let metadata = fs::symlink_metadata(directory.join(CURRENT)).ok()?;
    let (device, inode, len) = (metadata.dev(), metadata.ino(), metadata.len());
    Some(Newest { device, inode, len })
}

/// Opens all files, oldest first, `current` last. Empty when the service never printed anything.
pub(crate) fn open_all(directory: &Path) -> io::Result<Vec<Section>> {
    for _ in 0..TRIES {
        // First, because a rotation renames it to an older file and never the reverse.
        let current = open(&directory.join(CURRENT), 0)?;
        let older = match older_files(directory) {
            Ok(older) => older,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut sections = Vec::with_capacity(older.len() + 1);
        for (start, path) in older {
            // Without a file the writer has removed the oldest one in between.
            sections.extend(open(&path, start)?);
        }
        let Some(mut current) = current else { return Ok(sections) };
        if sections.iter().any(|section| section.is_same_file(&current)) {
            continue;
        }
        current.start = sections.last().map_or(0, Section::end);
        sections.push(current);
        return Ok(sections);
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, "its files rotate faster than they are read"))
}

fn open(path: &Path, start: u64) -> io::Result<Option<Section>> {
    let file = match roost_files::open(path) {
        Ok(Some(file)) => file,
        Ok(None) => return Ok(None),
        Err(ReadError::Io { source, .. }) => return Err(source),
        Err(error) => return Err(io::Error::other(error.to_string())),
    };
    let len = file.metadata()?.len();
    Ok(Some(Section { start, len, file }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_positions() {
        assert_eq!(older_name(17), "00000000000000000017.log");
        for start in [0, 17, u64::MAX] {
            assert_eq!(position_of(&older_name(start)), Some(start));
        }
        for name in ["current", "17.log", "99999999999999999999.log", "+0000000000000000017.log"] {
            assert_eq!(position_of(name), None, "{name}");
        }
    }

    #[test]
    fn files_follow_each_other_and_what_is_not_ours_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        assert!(open_all(&dir.path().join("absent")).unwrap().is_empty());
        for (name, text) in [(older_name(10), "12345"), (older_name(3), "1234567")] {
            fs::write(dir.path().join(name), text).unwrap();
        }
        fs::write(dir.path().join("current"), "x").unwrap();
        fs::write(dir.path().join("notes.txt"), "x").unwrap();
        let sections = open_all(dir.path()).unwrap();
        let places: Vec<_> =
            sections.iter().map(|section| (section.start, section.end())).collect();
        assert_eq!(places, [(3, 10), (10, 15), (15, 16)]);
    }
}
