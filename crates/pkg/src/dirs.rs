//! The service directory below `hab/svc` (reference: services §5.3, packages §3.3).

use std::{
    fs::{self, DirBuilder, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
};

use crate::{
    root::SvcPaths,
    user::{self, Credentials},
};

/// Mode of the Supervisor's own directories.
const OURS: u32 = roost_files::PUBLIC_DIRECTORY;
/// Mode of the directories that belong to the service user.
const THEIRS: u32 = 0o770;

/// A directory of a service could not be created.
#[derive(Debug, thiserror::Error)]
#[error("Can't create directory {}: {source}", dir.display())]
pub struct DirError {
    /// The directory.
    pub dir: PathBuf,
    /// Error of the operating system.
    pub source: io::Error,
}

impl DirError {
    /// Advice for the user, logged as a second line.
    pub const HINT: &'static str = "If this Supervisor does not run as root, make sure that its \
        user may write there, or set FS_ROOT to a directory of its own";
}

/// Makes the directories of a service. The service directory itself, `hooks` and `logs` belong to
/// the Supervisor with mode 0755, which each call restores; the same holds for `hab/svc` if the
/// Supervisor owns it. The others belong to the service user with mode 0770, set only at creation.
/// `owner` is `None` when this process is not [`user::capable`].
///
/// # Errors
/// When one cannot be created; those before it exist then.
pub fn prepare(svc: &SvcPaths, owner: Option<&Credentials>) -> Result<(), DirError> {
    let failed = |dir: &Path| {
        let dir = dir.to_path_buf();
        move |source| DirError { dir, source }
    };
    for dir in [svc.root.clone(), svc.hooks(), svc.logs()] {
        create_ours(&dir).map_err(failed(&dir))?;
        open_ancestors(&dir).map_err(failed(&dir))?;
    }
    let theirs =
        [svc.config(), svc.config_install(), svc.data(), svc.files(), svc.var(), svc.static_()];
    for dir in theirs {
        create_theirs(&dir, owner).map_err(failed(&dir))?;
    }
    Ok(())
}

/// Makes a directory and its missing parents, each 0755 whatever the umask.
pub(crate) fn create_ours(dir: &Path) -> io::Result<()> {
    roost_files::create_directories(dir, OURS)
}

/// Forces 0755 on a directory and its parents below the one named `hab`, as far as this process
/// owns them: services must be able to reach their files under any umask.
fn open_ancestors(dir: &Path) -> io::Result<()> {
    let ours = user::effective_ids();
    for dir in dir.ancestors().take_while(|dir| dir.file_name().is_some_and(|name| name != "hab")) {
        let found = fs::metadata(dir)?;
        if (found.uid(), found.gid()) == ours && found.mode() & 0o7777 != OURS {
            fs::set_permissions(dir, Permissions::from_mode(OURS))?;
        }
    }
    Ok(())
}

/// Makes a directory with mode and owner atomically: creates it under another name and renames it,
/// so that a crash cannot leave a directory that the service may not use.
fn create_theirs(dir: &Path, owner: Option<&Credentials>) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let temporary = dir.with_file_name(format!(".{name}.tmp"));
    match fs::remove_dir(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    DirBuilder::new().mode(0o700).create(&temporary)?;
    // The mode first: after giving a directory away, changing its mode needs more rights.
    fs::set_permissions(&temporary, Permissions::from_mode(THEIRS))?;
    if let Some(owner) = owner {
        chown(&temporary, Some(owner.uid), Some(owner.gid))?;
    }
    fs::rename(&temporary, dir)
}
