//! Temporary directories for new releases, and the lock of the package tree.
//!
//! A release is made next to its destination, in a directory whose name does not count as
//! installed, and renamed when it is complete. The process that makes it holds an advisory lock on
//! that directory: the system releases it when the process ends, for whatever reason, so a
//! directory without a lock is abandoned, and the next process removes it.
//!
//! The package tree itself is locked while directories are made, renamed or removed, never while
//! an archive is unpacked or a hook runs.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::{fd::OwnedFd, unix::fs::DirBuilderExt},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use crate::{
    dirs,
    install::{self, STAGING_PREFIX},
    root::FsRoot,
};

/// Between the prefix and the process id in names of temporary directories.
const OURS: &str = "-roost-";

/// The lock of the package tree, held while this value lives.
#[derive(Debug)]
pub struct TreeLock {
    _directory: File,
}

impl TreeLock {
    /// Waits for the lock. Creates `hab/pkgs` if it is missing.
    ///
    /// # Errors
    /// Errors of the operating system.
    pub fn take(root: &FsRoot) -> io::Result<Self> {
        let tree = root.pkgs();
        dirs::create_ours(&tree)?;
        let directory = File::open(&tree)?;
        match flock(&directory, FlockOperation::LockExclusive) {
            // A file system without locks: there, only the renames are atomic.
            Ok(()) | Err(Errno::NOSYS | Errno::OPNOTSUPP | Errno::NOLCK) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Self { _directory: directory })
    }
}

/// A release being made. Dropping it removes the directory.
#[derive(Debug)]
pub struct Staging {
    path: PathBuf,
    directory: File,
    /// The destination.
    place: PathBuf,
    tree: PathBuf,
    done: bool,
}

impl Staging {
    /// Makes an empty directory next to the destination of a release, with its parents. Removes
    /// incomplete releases of other processes there.
    ///
    /// # Errors
    /// Errors of the operating system.
    pub fn new(root: &FsRoot, place: &Path, _lock: &TreeLock) -> io::Result<Self> {
        let parent = place.parent().unwrap_or(place);
        let tree = root.pkgs();
        let made = dirs::create_ours(parent).and_then(|()| {
            remove_abandoned(parent);
            let path = name_beside(parent);
            DirBuilder::new().mode(0o755).create(&path)?;
            let directory = File::open(&path)?;
            let _ = flock(&directory, FlockOperation::NonBlockingLockExclusive);
            Ok((path, directory))
        });
        let (path, directory) = match made {
            Ok(made) => made,
            Err(error) => {
                remove_empty_above(place, &tree);
                return Err(error);
            }
        };
        Ok(Self { path, directory, place: place.into(), tree, done: false })
    }

    /// The open directory, to create files in.
    ///
    /// # Errors
    /// Errors of the operating system.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        self.directory.try_clone().map(OwnedFd::from)
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes everything in it to disk.
    ///
    /// # Errors
    /// Errors of the operating system.
    pub fn sync(&self) -> io::Result<()> {
        // One call for thousands of files.
        Ok(rustix::fs::syncfs(&self.directory)?)
    }

    /// Renames it to its destination, durably.
    ///
    /// # Errors
    /// Errors of the operating system; the destination exists and is not empty.
    pub fn commit(mut self, _lock: &TreeLock) -> io::Result<()> {
        fs::rename(&self.path, &self.place)?;
        self.done = true;
        sync_directory(self.place.parent().unwrap_or(&self.place))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.done {
            // The rest does not count as installed, and the next process removes it.
            let _ = remove_tree(&self.path);
            remove_empty_above(&self.path, &self.tree);
        }
    }
}

/// Removes a release: it stops counting as installed atomically, then its files are removed, and
/// its parents if they are empty.
///
/// # Errors
/// Errors of the operating system. If the release is already renamed, the next process removes the
/// rest.
pub fn remove_release(root: &FsRoot, release: &Path, _lock: &TreeLock) -> io::Result<()> {
    let parent = release.parent().unwrap_or(release);
    let aside = name_beside(parent);
    fs::rename(release, &aside)?;
    sync_directory(parent)?;
    remove_tree(&aside)?;
    remove_abandoned(parent);
    remove_empty_above(release, &root.pkgs());
    Ok(())
}

/// Removes a tree, including directories that deny writing to their owner.
///
/// # Errors
/// Errors of the operating system.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(path);
            fs::remove_dir_all(path)
        }
        other => other,
    }
}

/// Restores the owner's right to change directories.
fn open_up(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    if !path.symlink_metadata().is_ok_and(|found| found.is_dir()) {
        return;
    }
    let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o700));
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        open_up(&entry.path());
    }
}

/// A temporary name that does not count as installed.
fn name_beside(parent: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    parent.join(format!("{STAGING_PREFIX}{OURS}{}-{count}", process::id()))
}

/// Removes incomplete and half-removed releases of processes that no longer exist; returns how
/// many.
fn remove_abandoned(parent: &Path) -> usize {
    let begin = format!("{STAGING_PREFIX}{OURS}");
    let mut removed = 0;
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let ours = entry.file_name().as_encoded_bytes().starts_with(begin.as_bytes());
        if ours && is_abandoned(&entry.path()) && remove_tree(&entry.path()).is_ok() {
            removed += 1;
        }
    }
    removed
}

/// Removes abandoned directories anywhere in the package tree, with their parents if they are
/// empty.
pub fn sweep(root: &FsRoot, _lock: &TreeLock) {
    let tree = root.pkgs();
    let below = |path: PathBuf| {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|e| e.path())
    };
    let versions = below(tree.clone()).flat_map(below).flat_map(below);
    for version in versions.take(install::MAX_ENTRIES) {
        if remove_abandoned(&version) > 0 {
            remove_empty_above(&version.join("release"), &tree);
        }
    }
}

/// True when no process holds the lock of the directory.
fn is_abandoned(path: &Path) -> bool {
    let named = path.file_name().and_then(|name| name.to_str()).and_then(|name| {
        name.strip_prefix(STAGING_PREFIX)?.strip_prefix(OURS)?.split('-').next()?.parse().ok()
    });
    // Its process may be staging a plain directory, which does not use the lock.
    let alive = |pid: u32| Path::new("/proc").join(pid.to_string()).exists();
    let maker_is_gone = named.is_some_and(|pid| pid != process::id() && !alive(pid));
    maker_is_gone
        && File::open(path).is_ok_and(|directory| {
            flock(&directory, FlockOperation::NonBlockingLockExclusive).is_ok()
        })
}

/// Removes the empty parents of a path, below the tree.
fn remove_empty_above(path: &Path, tree: &Path) {
    let above = path.ancestors().skip(1);
    for directory in above.take_while(|at| at.starts_with(tree) && *at != tree) {
        if fs::remove_dir(directory).is_err() {
            break;
        }
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    match File::open(path)?.sync_all() {
        // Some file systems cannot sync a directory.
        Err(error) if error.raw_os_error() != Some(Errno::INVAL.raw_os_error()) => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, FsRoot, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let root = FsRoot::new(directory.path().into()).unwrap();
        let release = root.pkgs().join("o/n/1/2");
        (directory, root, release)
    }

    #[test]
    fn a_release_appears_at_once_and_goes_without_a_trace() {
        let (_directory, root, release) = place();
        let lock = TreeLock::take(&root).unwrap();
        let staging = Staging::new(&root, &release, &lock).unwrap();
        fs::write(staging.path().join("TARGET"), "x").unwrap();
        staging.sync().unwrap();
        assert!(!release.exists());
        staging.commit(&lock).unwrap();
        assert!(release.join("TARGET").is_file());
        remove_release(&root, &release, &lock).unwrap();
        assert_eq!(fs::read_dir(root.pkgs()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_not_committed_leaves_nothing() {
        let (_directory, root, release) = place();
        let lock = TreeLock::take(&root).unwrap();
        let staging = Staging::new(&root, &release, &lock).unwrap();
        fs::create_dir(staging.path().join("d")).unwrap();
        drop(staging);
        assert_eq!(fs::read_dir(root.pkgs()).unwrap().count(), 0);
    }

    #[test]
    fn leftovers_of_the_dead_are_removed_and_those_of_the_living_are_not() {
        let (_directory, root, release) = place();
        let lock = TreeLock::take(&root).unwrap();
        let parent = release.parent().unwrap();
        dirs::create_ours(parent).unwrap();
        let named = |text: &str| parent.join(format!("{STAGING_PREFIX}{text}"));
        // Process ids end at 4 million.
        let dead = named("-roost-99999999-0");
        let held = named("-roost-99999998-0");
        let alive = named("-roost-1-0");
        let others = named("-2025abcdef");
        for path in [&dead, &held, &alive, &others] {
            fs::create_dir_all(path.join("x")).unwrap();
        }
        let holder = File::open(&held).unwrap();
        flock(&holder, FlockOperation::LockExclusive).unwrap();
        let staging = Staging::new(&root, &release, &lock).unwrap();
        assert!(!dead.exists());
        for path in [&held, &alive, &others] {
            assert!(path.exists(), "{}", path.display());
        }
        drop(staging);
    }
}
