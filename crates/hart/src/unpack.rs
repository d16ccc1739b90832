//! Unpacking into a staging directory: by descriptor, never through a link, never outside.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::{AsFd, OwnedFd},
};

use roost_ident::PackageIdent;
use rustix::{
    fs::{
        AtFlags, FileType, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, fchmod, futimens,
        linkat, mkdirat, openat, statat, symlinkat, utimensat,
    },
    io::Errno,
};

use crate::{
    error::{HartError, Result},
    layout::{Layout, Place},
    limits::DIRECTORY_NAME_BYTES,
    walk::{Entry, Flow, Kind, end, walk},
};

/// Size of copies in bytes.
const BLOCK_BYTES: usize = 128 * 1024;

/// Unpacks the tar of a release into an empty directory, which becomes the release. `bytes_max`
/// limits the size. Nothing outside the directory is touched; after an error it is incomplete.
///
/// # Errors
/// The first refused entry, a malformed tar, errors of the operating system.
pub fn unpack(
    mut tar: impl Read,
    ident: &PackageIdent,
    release: &OwnedFd,
    bytes_max: u64,
) -> Result<()> {
    let mut layout = Layout::new(ident);
    let mut writer = Writer::new(release)?;
    walk(&mut tar, bytes_max, |entry, content| {
        if let Place::Inside(path) = layout.place(entry)? {
            let written = match entry.kind {
                Kind::File => writer.file(&path, entry, content),
                Kind::Directory => writer.directory(path, entry),
                Kind::Symlink => writer.symlink(&path, entry),
                Kind::HardLink => {
                    let target = layout.hard_link_target(entry)?;
                    writer.hard_link(&path, &target)
                }
                Kind::Special(problem) => return Err(HartError::entry(&entry.name, problem)),
            };
            written.map_err(|error| explain(error, entry))?;
        }
        Ok(Flow::Continue)
    })?;
    end(tar)?;
    writer.finish()
}

/// Why an entry could not be created.
fn explain(error: io::Error, entry: &Entry) -> HartError {
    let problem = match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::EXIST) => "an entry of this name came before",
        Some(Errno::NOTDIR | Errno::LOOP) => "a file or link is in place of a parent directory",
        Some(Errno::ISDIR) => "a directory is in its place",
        Some(Errno::NOENT) if entry.kind == Kind::HardLink => "it is a hard link to a missing file",
        Some(Errno::NAMETOOLONG) => "its name is longer than any path",
        // For example a full or failing disk.
        Some(_) => return HartError::Io(error),
        None => return HartError::from(error),
    };
    HartError::entry(&entry.name, problem)
}

struct Writer<'a> {
    release: &'a OwnedFd,
    /// The last directory written to: entries of one directory are consecutive.
    parent: (Vec<u8>, OwnedFd),
    /// Final modes and times of directories, set after all writes.
    directories: Vec<(Vec<u8>, u32, u64)>,
    directory_name_bytes: usize,
    block: Vec<u8>,
}

impl<'a> Writer<'a> {
    fn new(release: &'a OwnedFd) -> Result<Self> {
        let again = release.try_clone().map_err(HartError::Io)?;
        Ok(Self {
            release,
            parent: (Vec::new(), again),
            directories: Vec::new(),
            directory_name_bytes: 0,
            block: vec![0; BLOCK_BYTES],
        })
    }

    fn file(&mut self, path: &[u8], entry: &Entry, content: &mut dyn Read) -> io::Result<()> {
        let name = self.enter_parent(path)?;
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let private = Mode::RUSR | Mode::WUSR;
        let mut file = File::from(openat(&self.parent.1, name, flags, private)?);
        loop {
            match content.read(&mut self.block) {
                Ok(0) => break,
                Ok(count) => file.write_all(&self.block[..count])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // Last, because writing clears set-user-id bits.
        dress(&file, entry.mode, entry.mtime_s)
    }

    fn directory(&mut self, path: Vec<u8>, entry: &Entry) -> io::Result<()> {
        self.directory_name_bytes += path.len();
        if self.directory_name_bytes > DIRECTORY_NAME_BYTES {
            let problem = "the archive has too many directories";
            return Err(HartError::entry(&entry.name, problem).into());
        }
        self.enter(&path)?;
        self.directories.push((path, entry.mode, entry.mtime_s));
        Ok(())
    }

    fn symlink(&mut self, path: &[u8], entry: &Entry) -> io::Result<()> {
        let name = self.enter_parent(path)?;
        symlinkat(entry.link.as_slice(), &self.parent.1, name)?;
        utimensat(&self.parent.1, name, &times(entry.mtime_s), AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(())
    }

    fn hard_link(&mut self, path: &[u8], target: &[u8]) -> io::Result<()> {
        let (target_parent, target_name) = split(target);
        let target_parent = self.open(target_parent, false)?;
        let found = statat(&target_parent, target_name, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
            return Err(Errno::NOENT.into());
        }
        let name = self.enter_parent(path)?;
        linkat(&target_parent, target_name, &self.parent.1, name, AtFlags::empty())?;
        Ok(())
    }

    /// Sets modes and times of directories, the deepest first.
    fn finish(mut self) -> Result<()> {
        let mut directories = std::mem::take(&mut self.directories);
        directories.sort_by(|a, b| b.0.cmp(&a.0));
        for (path, mode, mtime_s) in directories {
            let directory = File::from(self.open(&path, false).map_err(HartError::Io)?);
            dress(&directory, mode, mtime_s).map_err(HartError::Io)?;
        }
        Ok(())
    }

    /// Makes the parent of a path the current directory; returns the name in it.
    fn enter_parent<'p>(&mut self, path: &'p [u8]) -> io::Result<&'p [u8]> {
        let (parent, name) = split(path);
        self.enter(parent)?;
        Ok(name)
    }

    fn enter(&mut self, path: &[u8]) -> io::Result<()> {
        if self.parent.0 != path {
            let opened = self.open(path, true)?;
            self.parent = (path.to_vec(), opened);
        }
        Ok(())
    }

    /// Opens a directory of the release, without following links.
    fn open(&self, path: &[u8], make: bool) -> io::Result<OwnedFd> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut directory = self.release.try_clone()?;
        for part in path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
            let opened = openat(&directory, part, flags, Mode::empty());
            directory = match opened {
                Err(Errno::NOENT) if make => {
                    mkdirat(&directory, part, Mode::RWXU)?;
                    let made = openat(&directory, part, flags, Mode::empty())?;
                    fchmod(&made, Mode::from_raw_mode(0o755))?;
                    made
                }
                other => other?,
            };
        }
        Ok(directory)
    }
}

/// Directory and name of a path.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (&[], path),
    }
}

fn dress(file: &File, mode: u32, mtime_s: u64) -> io::Result<()> {
    fchmod(file.as_fd(), Mode::from_raw_mode(mode))?;
    futimens(file.as_fd(), &times(mtime_s))?;
    Ok(())
}

fn times(mtime_s: u64) -> Timestamps {
    let tv_sec = i64::try_from(mtime_s).unwrap_or_default();
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec, tv_nsec: 0 },
    }
}
