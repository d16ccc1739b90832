//! The file on the disk: who may own it, who may read it, and how it is replaced.

use std::{
    fs::{self, File, Metadata},
    os::unix::fs::MetadataExt,
    path::Path,
    thread,
    time::Duration,
};

use roost_files::{Durability, Owner, PUBLIC_DIRECTORY, open, replace_at, text_of};
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use crate::{FILE_BYTES_MAX, Fault, Rules, form::parse};

/// Bits of a mode that a file must not have: write for others than the owner, read for all.
const FORBIDDEN: u32 = 0o026;
/// Bits of a mode that a rewritten file keeps.
const KEPT: u32 = 0o640;
/// Mode of a file that is made.
const PRIVATE: u32 = 0o600;
/// How often a change tries to get its turn: five seconds. Each user who can open the directory can
/// hold its lock, and must not be able to hang the revocation of a token.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// Reads the rules for a Supervisor that runs as this user.
///
/// # Errors
/// When the file is missing, can be changed or read by others, or has a fault.
pub fn read(path: &Path, user: u32) -> Result<Rules, Fault> {
    let (text, metadata) = content(path)?.ok_or_else(|| Fault::missing(path))?;
    check(path, &metadata, user)?;
    parse(path, &text)
}

/// Reads the rules for people, whoever owns the file.
///
/// # Errors
/// When the file is missing or has a fault.
pub fn read_to_show(path: &Path) -> Result<Rules, Fault> {
    let (text, _) = content(path)?.ok_or_else(|| Fault::missing(path))?;
    parse(path, &text)
}

/// Replaces the text of the file, atomically, by what `edit` makes of it; `None` stands for a
/// file that does not exist. Changes by other programs that call this wait for each other, for
/// seconds. A new file can be read by its owner alone; an existing one keeps its owner.
///
/// # Errors
/// Those of `edit`, which leave the file as it is, and those of the system.
pub fn change(
    path: &Path,
    edit: impl FnOnce(&Path, Option<&str>) -> Result<String, Fault>,
) -> Result<(), Fault> {
    let failed = |what: &str, error: std::io::Error| {
        Fault::new(
            path,
            format!("{what}: {error}"),
            "run this as the owner of the file, or as root",
        )
    };
    // Through a link its target is replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.into());
    let parent = match target.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Err(Fault::new(path, "names no file", "give the path of a file")),
    };
    let name = target
        .file_name()
        .ok_or_else(|| Fault::new(path, "names no file", "give the path of a file"))?;
    roost_files::create_directories(parent, PUBLIC_DIRECTORY)
        .map_err(|error| failed("its directory cannot be made", error))?;
    let directory =
        File::open(parent).map_err(|error| failed("its directory cannot be opened", error))?;
    // Held until the directory is closed.
    lock(&directory, TRIES).map_err(|error| match error {
        Errno::WOULDBLOCK => Fault::new(
            path,
            format!("another process holds the lock of the directory {}", parent.display()),
            format!("'fuser {}' lists processes that have it open", parent.display()),
        ),
        error => failed("its directory cannot be locked", error.into()),
    })?;
    let before = content(&target)?;
    let text = edit(path, before.as_ref().map(|(text, _)| text.as_str()))?;
    let (mode, owner) = before.as_ref().map_or((PRIVATE, None), |(_, metadata)| {
        let owner = Owner { uid: metadata.uid(), gid: metadata.gid() };
        (metadata.mode() & KEPT | PRIVATE, Some(owner))
    });
    replace_at(&directory, name, text.as_bytes(), mode, owner, Durability::State)
        .map_err(|error| failed("it cannot be written", error))
}

/// Locks the directory; fails with [`Errno::WOULDBLOCK`] when each try found it locked.
fn lock(directory: &File, tries: u32) -> Result<(), Errno> {
    for _ in 1..tries {
        match flock(directory, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK | Errno::INTR) => thread::sleep(PAUSE),
            result => return result,
        }
    }
    flock(directory, FlockOperation::NonBlockingLockExclusive)
}

fn content(path: &Path) -> Result<Option<(String, Metadata)>, Fault> {
    let unreadable = |error| Fault::unreadable(&error);
    let Some(file) = open(path).map_err(unreadable)? else { return Ok(None) };
    let metadata = file.metadata().map_err(|source| {
        Fault::unreadable(&roost_files::ReadError::Io { path: path.into(), source })
    })?;
    let text = text_of(path, file, FILE_BYTES_MAX).map_err(unreadable)?;
    Ok(Some((text, metadata)))
}

fn check(path: &Path, metadata: &Metadata, user: u32) -> Result<(), Fault> {
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    if owner != 0 && owner != user {
        let problem = format!("it belongs to user {owner}, who could grant access with it");
        return Err(Fault::new(path, problem, format!("chown {user} {}", path.display())));
    }
    if mode & FORBIDDEN != 0 {
        let problem = format!("its mode {mode:04o} lets others read or change it");
        return Err(Fault::new(path, problem, format!("chmod 600 {}", path.display())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        fs::Permissions,
        os::unix::fs::{PermissionsExt, chown, symlink},
    };

    use super::*;
    use crate::{NewToken, Scopes, added, removed};

    fn token(name: &str) -> NewToken<'_> {
        let digest = crate::digest_of(name).expect("short");
        NewToken { name, digest, scopes: Scopes::all(), expires_ms: None }
    }

    #[test]
    fn a_new_file_is_private_and_an_old_one_keeps_its_owner_and_its_link() {
        let dir = tempfile::tempdir().expect("a directory");
        let (path, link) = (dir.path().join("a/tokens"), dir.path().join("link"));
        change(&path, |path, text| added(path, text, &token("a"))).expect("written");
        let mode = |path: &Path| fs::metadata(path).expect("there").mode() & 0o7777;
        assert_eq!(mode(&path), 0o600);
        fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("changed");
        let is_root = chown(&path, Some(12), Some(34)).is_ok();
        symlink(&path, &link).expect("a link");
        change(&link, |path, text| added(path, text, &token("b"))).expect("written");
        assert!(link.is_symlink());
        assert_eq!(mode(&path), 0o640, "what all may read is corrected");
        if is_root {
            let found = fs::metadata(&path).expect("there");
            assert_eq!((found.uid(), found.gid()), (12, 34));
        }
        change(&path, |path, text| removed(path, text.unwrap_or_default(), "a")).expect("written");
        assert_eq!(read_to_show(&path).expect("valid").tokens.len(), 1);
        let error = change(&path, |path, text| removed(path, text.unwrap_or_default(), "a"));
        assert!(error.expect_err("gone").to_string().contains("there is no token 'a'"));
    }

    #[test]
    fn a_lock_that_another_process_keeps_is_an_error() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("tokens");
        let other = File::open(dir.path()).expect("opened");
        flock(&other, FlockOperation::LockExclusive).expect("locked");
        let fault = change(&path, |path, text| added(path, text, &token("a")));
        let fault = fault.expect_err("locked").to_string();
        assert!(fault.contains("another process holds the lock of the directory /"), "{fault}");
        assert!(!path.exists());
        drop(other);
        change(&path, |path, text| added(path, text, &token("a"))).expect("written");
    }

    #[test]
    fn files_that_others_can_read_or_change_are_refused_with_the_remedy() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("tokens");
        let user = rustix::process::geteuid().as_raw();
        let fault = || read(&path, user).map(drop).expect_err("refused").to_string();
        assert!(fault().ends_with("tokens: the file does not exist; 'hab sup token new' makes it"));
        change(&path, |path, text| added(path, text, &token("a"))).expect("written");
        for (mode, fine) in [(0o400, true), (0o600, true), (0o640, true), (0o644, false)]
            .into_iter()
            .chain([(0o620, false), (0o602, false), (0o604, false), (0o660, false)])
        {
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("changed");
            assert_eq!(read(&path, user).is_ok(), fine, "{mode:o}");
            if !fine {
                assert!(fault().contains("; chmod 600 /"), "{}", fault());
            }
        }
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("changed");
        if chown(&path, Some(12), None).is_ok() {
            assert!(fault().contains("it belongs to user 12, who could"), "{}", fault());
            assert!(read(&path, 12).is_ok());
        }
        fs::write(&path, "#".repeat(FILE_BYTES_MAX as usize + 1)).expect("written");
        assert!(read_to_show(&path).expect_err("huge").to_string().contains("larger than 262144"));
        fs::remove_file(&path).expect("removed");
        fs::create_dir(&path).expect("a directory");
        assert!(fault().contains("not a regular file but a directory; replace"), "{}", fault());
    }
}
