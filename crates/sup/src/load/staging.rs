//! Directories that become packages.

use std::{env, fs, os::unix::fs::MetadataExt, path::PathBuf, time::Duration};

use roost_ctl::reply::{ErrorCode, Failure};
use roost_ident::PackageIdent;
use roost_pkg::{
    FsRoot,
    followed::Followed,
    stage::{self as staging, Pinned, StageError, StageOptions, Staged},
};

use super::SpecWriter;
use crate::vital::{self, guarded};

/// How long a client waits for a directory of its own to be copied.
const STAGING_PATIENCE: Duration = Duration::from_secs(300);

impl SpecWriter {
    /// Stages the directory that a client made its package of: what this Supervisor finds in it is
    /// what the operator agrees to.
    pub(super) async fn stage_for(
        &self,
        ident: &PackageIdent,
        directory: PathBuf,
    ) -> Result<Followed, Failure> {
        let invalid = |text: String| Failure::new(ErrorCode::InvalidPayload, text);
        if !directory.is_absolute() {
            return Err(invalid(format!("{}: is not an absolute path", directory.display())));
        }
        let wanted = Wanted {
            root: self.config.root.clone(),
            directory: directory.clone(),
            origin: Some(ident.origin.clone()),
            keep: ident.release.is_some().then(|| ident.clone()).into_iter().collect(),
            pinned: None,
        };
        let staging = vital::spawn_blocking("staging", move || stage(wanted));
        let staged = match tokio::time::timeout(STAGING_PATIENCE, staging).await {
            Ok(Ok(staged)) => staged.map_err(|error| match error {
                NotStaged::Absent(text) => invalid(format!(
                    "{text}: a directory is loaded on the machine of its Supervisor"
                )),
                NotStaged::Refused(text) => invalid(text),
            })?,
            Ok(Err(error)) => return Err(Failure::new(ErrorCode::Internal, error.to_string())),
            Err(_) => {
                return Err(invalid(format!(
                    "{}: could not be read within {} secs; nothing was changed",
                    directory.display(),
                    STAGING_PATIENCE.as_secs()
                )));
            }
        };
        if (&staged.ident.origin, &staged.ident.name) != (&ident.origin, &ident.name) {
            return Err(invalid(format!(
                "{}: is {} for the Supervisor and {ident} for its client",
                directory.display(),
                staged.ident
            )));
        }
        for warning in &staged.warnings {
            self.output.sup(warning);
        }
        Ok(Followed::new(&directory, &staged))
    }
}

/// A directory that is to be staged.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) root: FsRoot,
    pub(crate) directory: PathBuf,
    /// Origin of its package if it names none; without it that of the environment.
    pub(crate) origin: Option<String>,
    /// Releases that must stay.
    pub(crate) keep: Vec<PackageIdent>,
    /// What it may not change by itself.
    pub(crate) pinned: Option<Pinned>,
}

/// Why a directory was not staged, for the user. There may be several lines.
#[derive(Debug)]
pub(crate) enum NotStaged {
    /// It is not there.
    Absent(String),
    Refused(String),
}

impl NotStaged {
    pub(crate) fn into_text(self) -> String {
        match self {
            Self::Absent(text) | Self::Refused(text) => text,
        }
    }
}

/// Makes a release of a plain directory.
///
/// # Errors
/// Lines for the user.
pub(crate) fn stage(wanted: Wanted) -> Result<Staged, NotStaged> {
    let Wanted { root, directory, origin, keep, pinned } = wanted;
    let origin_env = origin.or_else(|| env::var("HAB_ORIGIN").ok());
    let options = StageOptions { origin_env, keep, pinned, leave_out: own_output() };
    let staged = guarded(|| staging::stage_directory(&root, &directory, &options));
    staged.map_err(NotStaged::Refused)?.map_err(|error| {
        let absent = matches!(&error, StageError::Io { path, source }
            if *path == directory && roost_pkg::read::is_absent(source));
        match absent {
            true => NotStaged::Absent(error.to_string()),
            false => NotStaged::Refused(error.to_string()),
        }
    })
}

/// The files that this process and its launcher print to, by device and number: a log that lies in
/// a directory is not part of it. Into a file the launcher writes for both.
pub(crate) fn own_output() -> Vec<(u64, u64)> {
    let identity = |path: &str| {
        let found = fs::metadata(path).ok()?;
        found.is_file().then(|| (found.dev(), found.ino()))
    };
    let parent = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
    let paths = ["self".to_owned(), parent.to_string()]
        .into_iter()
        .flat_map(|process| [format!("/proc/{process}/fd/1"), format!("/proc/{process}/fd/2")]);
    paths.filter_map(|path| identity(&path)).collect()
}
