//! Appending and rotating.

use std::{
    fs::{self, File, Permissions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use roost_files::{create_directories, set_aside};
use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::{
    FILES,
    line::MAX_LINE_BYTES,
    sections::{self, CURRENT},
};

/// Lines may contain secrets that a service printed: only owner and group can read them.
const DIRECTORY_MODE: u32 = 0o750;
const FILE_MODE: u32 = 0o640;

/// The files of one service, for their only writer.
#[derive(Debug)]
pub struct LogFile {
    directory: PathBuf,
    /// Largest size of one file in bytes.
    most_bytes: u64,
    file: File,
    /// Position of the first line of `file`.
    start: u64,
    len: u64,
}

impl LogFile {
    /// Opens `current`, or creates it with its missing parents. Removes an incomplete line at its
    /// end (a power failure, a full disk). Sets anything that is not a regular file aside.
    ///
    /// `total_bytes` is the total size of the service's files.
    ///
    /// # Errors
    /// Errors of the operating system.
    pub fn open(directory: &Path, total_bytes: u64) -> io::Result<Self> {
        create_directories(directory, DIRECTORY_MODE)?;
        let (file, len) = open_current(&directory.join(CURRENT))?;
        let start = start_of_current(directory)?;
        let most_bytes = total_bytes / FILES;
        Ok(Self { directory: directory.into(), most_bytes, file, start, len })
    }

    /// Appends whole lines, each with its line feed: all of them or none.
    ///
    /// # Errors
    /// The error of the system; the files end with the last whole line that was there before.
    pub fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.file.metadata()?.nlink() == 0 {
            // Removed by a user to free the space.
            *self = Self::open(&self.directory, self.most_bytes * FILES)?;
        }
        let count = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        if self.len > 0 && self.len.saturating_add(count) > self.most_bytes {
            self.rotate()?;
        }
        let written = self.file.write_all(lines);
        if written.is_err() {
            self.file.set_len(self.len)?;
            self.file.seek(SeekFrom::End(0))?;
        } else {
            self.len += count;
        }
        written
    }

    fn rotate(&mut self) -> io::Result<()> {
        let current = self.directory.join(CURRENT);
        fs::rename(&current, self.directory.join(sections::older_name(self.start)))?;
        self.start = self.start.saturating_add(self.len);
        (self.file, self.len) = open_current(&current)?;
        let older = sections::older_files(&self.directory)?;
        let surplus = older.len().saturating_sub(FILES as usize - 1);
        for (_, path) in &older[..surplus] {
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

fn start_of_current(directory: &Path) -> io::Result<u64> {
    match sections::older_files(directory)?.last() {
        Some((start, path)) => Ok(start.saturating_add(fs::symlink_metadata(path)?.len())),
        None => Ok(0),
    }
}

/// The file, positioned at its end, and its length.
fn open_current(path: &Path) -> io::Result<(File, u64)> {
    let is_foreign = fs::symlink_metadata(path).is_ok_and(|found| !found.is_file());
    if is_foreign {
        set_aside(path)?;
    }
    let mut file = open_regular(path)?;
    let len = whole_lines(&mut file)?;
    file.set_len(len)?;
    file.seek(SeekFrom::Start(len))?;
    Ok((file, len))
}

fn open_regular(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR
        | OFlags::CREATE
        | OFlags::NOFOLLOW
        | OFlags::NONBLOCK
        | OFlags::CLOEXEC
        | OFlags::NOCTTY;
    let file = File::from(openat(CWD, path, flags, Mode::from_raw_mode(0o600))?);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    if metadata.permissions().mode() & 0o7777 != FILE_MODE {
        file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    }
    Ok(file)
}

/// Length of a file up to its last line feed.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut buffer = vec![0; MAX_LINE_BYTES];
    while end > 0 {
        let from = end.saturating_sub(MAX_LINE_BYTES as u64);
        let room = &mut buffer[..(end - from) as usize];
        file.seek(SeekFrom::Start(from))?;
        file.read_exact(room)?;
        if let Some(at) = room.iter().rposition(|byte| *byte == b'\n') {
            return Ok(from + at as u64 + 1);
        }
        end = from;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::MIN_TOTAL_BYTES;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn files_rotate_within_their_room_and_positions_go_on() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("logs/redis.default");
        let mut log = LogFile::open(&dir, MIN_TOTAL_BYTES).unwrap();
        let line = [vec![b'x'; 99_999], vec![b'\n']].concat();
        for round in 0..50 {
            if round % 7 == 0 {
                log = LogFile::open(&dir, MIN_TOTAL_BYTES).unwrap();
            }
            log.append(&line).unwrap();
        }
        // Each of the 4 files holds 2 lines.
        assert_eq!(
            names(&dir),
            [
                sections::older_name(4_200_000),
                sections::older_name(4_400_000),
                sections::older_name(4_600_000),
                "current".into()
            ]
        );
        let sections = sections::open_all(&dir).unwrap();
        assert_eq!(sections.last().map(sections::Section::end), Some(5_000_000));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode(&dir), mode(&dir.join("current"))), (0o750, 0o640));
    }

    #[test]
    fn an_unfinished_line_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let current = dir.path().join("current");
        for (found, kept) in [("a\nb", "a\n"), ("b", ""), ("a\n", "a\n")] {
            fs::write(&current, found).unwrap();
            LogFile::open(dir.path(), MIN_TOTAL_BYTES).unwrap().append(b"new\n").unwrap();
            assert_eq!(fs::read_to_string(&current).unwrap(), format!("{kept}new\n"));
        }
        // Longer than any valid line: left by a damaged file system.
        fs::write(&current, vec![0; 3 * MAX_LINE_BYTES]).unwrap();
        LogFile::open(dir.path(), MIN_TOTAL_BYTES).unwrap().append(b"new\n").unwrap();
        assert_eq!(fs::read_to_string(&current).unwrap(), "new\n");
    }

    #[test]
    fn what_is_not_a_file_is_set_aside_and_a_removed_file_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let current = dir.path().join("current");
        let victim = dir.path().join("victim");
        fs::write(&victim, "kept").unwrap();
        symlink(&victim, &current).unwrap();
        let mut log = LogFile::open(dir.path(), MIN_TOTAL_BYTES).unwrap();
        log.append(b"1\n").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "kept");
        fs::remove_file(&current).unwrap();
        log.append(b"2\n").unwrap();
        assert_eq!(fs::read_to_string(&current).unwrap(), "2\n");
        fs::remove_file(&current).unwrap();
        fs::create_dir(&current).unwrap();
        log.append(b"3\n").unwrap();
        assert_eq!(fs::read_to_string(&current).unwrap(), "3\n");
    }
}
