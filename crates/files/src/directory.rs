//! Directories: created with an explicit mode, refused when other users may write them.

use std::{
    fmt,
    fs::{DirBuilder, File, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    process::{getegid, geteuid},
};

/// Creates a directory and its missing parents. Each new directory gets exactly this mode, whatever
/// the umask; existing ones stay unchanged.
///
/// # Errors
/// Errors of the operating system, or [`io::ErrorKind::NotADirectory`] when something else has the
/// name.
pub fn create_directories(dir: &Path, mode: u32) -> io::Result<()> {
    if dir.as_os_str().is_empty() || dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent() {
        create_directories(parent, mode)?;
    }
    match DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => {
            // By descriptor: only the directory that was just created can be opened.
            let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let made = File::from(openat(CWD, dir, flags, Mode::empty())?);
            made.set_permissions(Permissions::from_mode(mode))
        }
        // Another process created it first.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// A state directory that other users may write: they could replace the Supervisor's files. The
/// text contains the directory and the remedy.
#[derive(Debug)]
pub struct UnsafeDirectory {
    dir: PathBuf,
    owner: u32,
    mode: u32,
    is_others: bool,
}

impl fmt::Display for UnsafeDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.dir.display();
        if self.is_others {
            write!(
                f,
                "State directory '{shown}' belongs to user {}, who could exchange what the \
                 Supervisor keeps there. Give it to root or to the user of the Supervisor \
                 (uid {}): chown {1} '{shown}'",
                self.owner,
                geteuid().as_raw()
            )
        } else {
            write!(
                f,
                "State directory '{shown}' has mode {:04o}: others may write it, and could \
                 exchange what the Supervisor keeps there. Make sure that its content is yours, \
                 then: chmod go-w '{shown}'",
                self.mode & 0o7777
            )
        }
    }
}

impl std::error::Error for UnsafeDirectory {}

/// Checks that only root and the user of this process may change a directory. A directory that does
/// not exist, or cannot be examined, is not reported.
///
/// The group may have write access when it is root's, or when it is the private group of this user
/// (group and user have the same number), as on many systems.
///
/// # Errors
/// [`UnsafeDirectory`] when others may write it.
pub fn check_directory(dir: &Path) -> Result<(), UnsafeDirectory> {
    let Ok(found) = dir.metadata() else { return Ok(()) };
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    let is_others = found.uid() != 0 && found.uid() != user;
    let private_group = found.gid() == 0 || (found.gid() == group && group == user);
    let loose = found.mode() & 0o002 != 0 || (found.mode() & 0o020 != 0 && !private_group);
    if is_others || loose {
        let (owner, mode) = (found.uid(), found.mode());
        return Err(UnsafeDirectory { dir: dir.into(), owner, mode, is_others });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, process::Command};

    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().mode() & 0o7777
    }

    /// The umask belongs to the whole process, so each mask needs a separate process.
    #[test]
    fn directories_have_their_mode_under_any_umask() {
        if let Some(root) = std::env::var_os("ROOST_TEST_DIRECTORY") {
            let root = PathBuf::from(root);
            create_directories(&root.join("a/b/c"), 0o755).unwrap();
            create_directories(&root.join("private"), 0o700).unwrap();
            return;
        }
        for mask in ["000", "022", "077"] {
            let root = tempfile::tempdir().unwrap();
            let program = std::env::current_exe().unwrap();
            let test = "directory::tests::directories_have_their_mode_under_any_umask";
            let status = Command::new("sh")
                .args(["-c", "umask \"$0\"; exec \"$@\"", mask])
                .arg(program)
                .args(["--exact", test])
                .env("ROOST_TEST_DIRECTORY", root.path())
                .status()
                .unwrap();
            assert!(status.success());
            for dir in ["a", "a/b", "a/b/c"] {
                assert_eq!(mode(&root.path().join(dir)), 0o755, "{dir} with umask {mask}");
            }
            assert_eq!(mode(&root.path().join("private")), 0o700, "umask {mask}");
        }
    }

    #[test]
    fn existing_directories_stay_and_a_file_in_the_way_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        let (dir, link) = (root.path().join("dir"), root.path().join("link"));
        create_directories(&dir, 0o700).unwrap();
        symlink(&dir, &link).unwrap();
        // An operator may keep the state elsewhere.
        create_directories(&link, 0o755).unwrap();
        assert_eq!(mode(&dir), 0o700);
        fs::write(root.path().join("file"), "").unwrap();
        assert!(create_directories(&root.path().join("file/below"), 0o755).is_err());
        symlink(root.path().join("nowhere"), root.path().join("dangling")).unwrap();
        assert!(create_directories(&root.path().join("dangling"), 0o755).is_err());
    }

    #[test]
    fn a_directory_that_others_may_write_is_refused_with_the_remedy() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path();
        check_directory(&dir.join("missing")).unwrap();
        for (mode, is_fine) in [(0o755, true), (0o700, true), (0o757, false), (0o1777, false)] {
            fs::set_permissions(dir, Permissions::from_mode(mode)).unwrap();
            assert_eq!(check_directory(dir).is_ok(), is_fine, "{mode:o}");
        }
        let text = check_directory(dir).unwrap_err().to_string();
        assert!(text.contains("mode 1777") && text.contains("chmod go-w"), "{text}");
        if !geteuid().is_root() {
            return;
        }
        fs::set_permissions(dir, Permissions::from_mode(0o775)).unwrap();
        check_directory(dir).unwrap();
        std::os::unix::fs::chown(dir, Some(0), Some(65_534)).unwrap();
        assert!(check_directory(dir).is_err(), "another group may write");
        fs::set_permissions(dir, Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::chown(dir, Some(65_534), Some(0)).unwrap();
        let text = check_directory(dir).unwrap_err().to_string();
        assert!(text.contains("belongs to user 65534") && text.contains("chown 0 "), "{text}");
    }
}
