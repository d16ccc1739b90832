//! Atomic replacement of files.

use std::{
    ffi::OsStr,
    fs::{File, Permissions},
    io::{self, Write},
    os::{
        fd::AsFd,
        unix::fs::{PermissionsExt, fchown},
    },
    path::Path,
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags, openat, renameat, unlinkat},
    io::Errno,
};

/// Whether a file must survive a power failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The file is synced before it is renamed, its directory afterwards.
    State,
    /// Nothing is synced: a lost or damaged file is written again.
    Cache,
}

/// Owner to set on a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// Replaces a file: creates a temporary file in the same directory, exclusively and never through a
/// link, sets the mode, and renames it. The directory must exist. A link with the name of the file
/// is replaced, not followed.
///
/// # Errors
/// Errors of the operating system; the old content is then still in place, except when the last
/// step, the sync of the directory, failed.
pub fn replace(path: &Path, bytes: &[u8], mode: u32, durability: Durability) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "names no file"));
    };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let dir = openat(CWD, parent, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    replace_at(&dir, name, bytes, mode, None, durability)
}

/// As [`replace`], in an open directory, with an optional change of owner.
///
/// # Errors
/// As [`replace`].
pub fn replace_at(
    dir: &impl AsFd,
    name: &OsStr,
    bytes: &[u8],
    mode: u32,
    owner: Option<Owner>,
    durability: Durability,
) -> io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // Hidden and with its own suffix, so that a service that reads `*.conf` never sees it.
    let temporary = format!(".roost-{}-{count}.tmp", process::id());
    let write = || {
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let private = Mode::RUSR | Mode::WUSR;
        let file = match openat(dir, &temporary, flags, private) {
            // Left by a dead process with the same id.
            Err(Errno::EXIST) => {
                unlinkat(dir, &temporary, AtFlags::empty())?;
                openat(dir, &temporary, flags, private)?
            }
            other => other?,
        };
        let mut file = File::from(file);
        file.write_all(bytes)?;
        // The mode first: after giving a file away, changing its mode needs more rights. No mode
        // used here has bits that a change of owner clears.
        file.set_permissions(Permissions::from_mode(mode))?;
        if let Some(Owner { uid, gid }) = owner {
            fchown(&file, Some(uid), Some(gid))?;
        }
        if durability == Durability::State {
            file.sync_all()?;
        }
        renameat(dir, &temporary, dir, name)?;
        Ok(())
    };
    let written: io::Result<()> = write();
    if written.is_err() {
        // Best effort: the caller needs the first error.
        let _ = unlinkat(dir, &temporary, AtFlags::empty());
    }
    written?;
    if durability == Durability::Cache {
        return Ok(());
    }
    match rustix::fs::fsync(dir) {
        // Some file systems cannot sync a directory.
        Ok(()) | Err(Errno::INVAL) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{MetadataExt, symlink},
    };

    use super::*;

    #[test]
    fn a_link_in_the_place_of_a_file_is_replaced_and_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let (path, precious) = (root.path().join("state"), root.path().join("precious"));
        fs::write(&precious, "precious").unwrap();
        symlink(&precious, &path).unwrap();
        for durability in [Durability::State, Durability::Cache] {
            replace(&path, b"new", 0o600, durability).unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"new");
            assert_eq!(fs::read(&precious).unwrap(), b"precious");
            assert_eq!(path.symlink_metadata().unwrap().mode(), 0o100_600);
        }
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2, "no temporary file is left");
    }

    #[test]
    fn a_link_in_the_place_of_a_temporary_file_is_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let precious = root.path().join("precious");
        fs::write(&precious, "precious").unwrap();
        for count in 0..64 {
            let name = format!(".roost-{}-{count}.tmp", process::id());
            symlink(&precious, root.path().join(name)).unwrap();
        }
        replace(&root.path().join("state"), b"new", 0o644, Durability::Cache).unwrap();
        assert_eq!(fs::read(&precious).unwrap(), b"precious");
    }

    #[test]
    fn a_path_without_file_name_or_directory_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        assert!(replace(Path::new("/"), b"", 0o600, Durability::Cache).is_err());
        assert!(replace(&root.path().join("a/b"), b"", 0o600, Durability::Cache).is_err());
    }
}
