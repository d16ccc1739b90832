//! Atomic replacement of files: a reader sees either the old content or the new.
//!
//! Rendered files are in directories of the service user. A symbolic link there must not lead a
//! Supervisor with more rights elsewhere, so every directory below the service's own is opened by
//! descriptor, without following links.

use std::{
    ffi::OsStr,
    fs::{File, Permissions},
    io::{self, Read},
    os::{
        fd::OwnedFd,
        unix::fs::{PermissionsExt, fchown},
    },
    path::{Component, Path, PathBuf},
};

use roost_files::{Durability, Owner, replace_at};
use roost_ident::Hook;
use rustix::{
    fs::{CWD, Mode, OFlags, mkdirat, openat},
    io::Errno,
};

use crate::{
    dirs,
    root::SvcPaths,
    user::{Credentials, with_rights_of},
};

/// Effect of writing a rendered file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The file already had this content; its mode and owner were not touched either.
    Unchanged,
    /// The file did not exist.
    Created,
    /// The file had other content, or was not a regular file.
    Modified,
}

impl Change {
    /// True when the content on disk changed.
    #[must_use]
    pub fn is_change(self) -> bool {
        self != Self::Unchanged
    }
}

/// A rendered file of a service, which determines its path, mode and owner (reference: services
/// §5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rendered<'a> {
    /// `config/PATH`, 0740, owned by the service user.
    Config(&'a str),
    /// `config_install/PATH`, 0740, owned by the service user.
    ConfigInstall(&'a str),
    /// `files/NAME`, 0640, owned by the service user.
    File(&'a str),
    /// `hooks/HOOK`, 0755, owned by the Supervisor.
    Hook(Hook),
    /// `run`, 0755, owned by the Supervisor.
    Run,
}

impl Rendered<'_> {
    /// The path in the service's directory.
    #[must_use]
    pub fn path(&self, svc: &SvcPaths) -> PathBuf {
        svc.root.join(self.relative())
    }

    fn relative(&self) -> PathBuf {
        let (dir, rest) = match self {
            Self::Config(rest) => ("config", *rest),
            Self::ConfigInstall(rest) => ("config_install", *rest),
            Self::File(name) => ("files", *name),
            Self::Hook(hook) => ("hooks", hook.as_str()),
            Self::Run => return PathBuf::from("run"),
        };
        Path::new(dir).join(rest)
    }

    fn mode(&self) -> u32 {
        match self {
            Self::Config(_) | Self::ConfigInstall(_) => 0o740,
            Self::File(_) => 0o640,
            Self::Hook(_) | Self::Run => 0o755,
        }
    }

    fn is_the_services(&self) -> bool {
        !matches!(self, Self::Hook(_) | Self::Run)
    }
}

/// A file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}; the old content is in place", path.display())]
pub struct WriteError {
    /// The affected path.
    pub path: PathBuf,
    /// Error of the operating system.
    pub source: io::Error,
}

/// Writes a rendered file if its content on disk differs. Creates missing directories. The mode
/// does not depend on the umask. `owner` is `None` when this process is not
/// [`crate::user::capable`]: the process then owns the file.
///
/// The file is renamed to its destination, so a program that has it open keeps the old content. It
/// is not fsynced: each start renders it again and compares it with the disk, which repairs damage
/// from a power failure.
///
/// # Errors
/// When the path climbs out of its directory, a directory on it is a symbolic link, or a system
/// call fails.
pub fn write_rendered(
    svc: &SvcPaths,
    file: Rendered<'_>,
    content: &[u8],
    owner: Option<&Credentials>,
) -> Result<Change, WriteError> {
    let owner = owner.filter(|_| file.is_the_services());
    let write = || {
        let relative = file.relative();
        let (parent, name) = split(&relative)?;
        dirs::create_ours(&svc.root)?;
        let base = openat(CWD, &svc.root, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let given_to = owner.map(|owner| Owner { uid: owner.uid, gid: owner.gid });
        with_rights_of(owner, || {
            let dir = open_directory(base, parent, file.is_the_services(), owner)?;
            let before = compare(&dir, name, content);
            if before != Change::Unchanged {
                replace_at(&dir, name, content, file.mode(), given_to, Durability::Cache)?;
            }
            Ok(before)
        })
    };
    write().map_err(|source| WriteError { path: file.path(svc), source })
}

/// Writes a state file: temporary file in the same directory, explicit mode, fsync, rename, fsync
/// of the directory. The directory must exist.
///
/// # Errors
/// Errors of the operating system; the old content is then still in place, except when the last
/// step, the fsync of the directory, failed.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    roost_files::replace(path, bytes, mode, Durability::State)
}

/// Like [`write_atomic`] without the fsyncs, for a file that others must find immediately and that
/// is written durably right afterwards.
///
/// # Errors
/// Errors of the operating system; the old content is then still in place.
pub fn write_at_once(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    roost_files::replace(path, bytes, mode, Durability::Cache)
}

/// Directories and name of a relative path that does not climb.
fn split(relative: &Path) -> io::Result<(&Path, &OsStr)> {
    let climbs = relative.components().any(|part| !matches!(part, Component::Normal(_)));
    match (relative.parent(), relative.file_name()) {
        (Some(parent), Some(name)) if !climbs => Ok((parent, name)),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "climbs out of its directory")),
    }
}

/// Opens `base/relative`, creating missing directories. `base` belongs to the user of this process,
/// who may have placed a symbolic link directly in it; below, links are refused.
fn open_directory(
    base: OwnedFd,
    relative: &Path,
    private: bool,
    owner: Option<&Credentials>,
) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut dir = base;
    for (depth, part) in relative.components().enumerate() {
        let part = part.as_os_str();
        let flags = if depth == 0 { flags } else { flags | OFlags::NOFOLLOW };
        let open = |dir: &OwnedFd| openat(dir, part, flags, Mode::empty());
        dir = match open(&dir) {
            Ok(found) => found,
            Err(Errno::NOENT) => {
                mkdirat(&dir, part, Mode::RWXU)?;
                let made = File::from(openat(&dir, part, flags | OFlags::NOFOLLOW, Mode::empty())?);
                dress(&made, if private { 0o770 } else { 0o755 }, owner)?;
                made.into()
            }
            Err(Errno::LOOP | Errno::NOTDIR) if depth > 0 => {
                let text = format!("{} on the path is not a directory; remove it", part.display());
                return Err(io::Error::new(io::ErrorKind::NotADirectory, text));
            }
            Err(error) => return Err(error.into()),
        };
    }
    Ok(dir)
}

/// Sets mode, then owner: after giving a file away, changing its mode needs more rights.
fn dress(file: &File, mode: u32, owner: Option<&Credentials>) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode))?;
    match owner {
        Some(owner) => fchown(file, Some(owner.uid), Some(owner.gid)),
        None => Ok(()),
    }
}

/// The change that writing this content would be.
fn compare(dir: &OwnedFd, name: &OsStr, content: &[u8]) -> Change {
    // NONBLOCK: a pipe put there must not block us.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match openat(dir, name, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Change::Created,
        Err(_) => return Change::Modified,
    };
    let same_size =
        file.metadata().is_ok_and(|found| found.is_file() && found.len() == content.len() as u64);
    let mut found = Vec::new();
    let same = same_size
        && file.take(content.len() as u64 + 1).read_to_end(&mut found).is_ok()
        && found == content;
    if same { Change::Unchanged } else { Change::Modified }
}
