//! Plain directories as releases: `hab sup run DIR`, `hab svc load DIR`.
//!
//! A service directory holds what a package would:
//!
//! | path | what |
//! |---|---|
//! | `hooks/run` | starts the program in the foreground, with `exec`; or `run`, copied as it is |
//! | `hooks/init`, `hooks/health-check`, `hooks/reconfigure`, … | further hooks; an extension such as `.sh` is taken off |
//! | `config/` | templates, rendered to `hab/svc/NAME/config` |
//! | `config_install/` | templates for install hooks |
//! | `default.toml` | default configuration |
//! | `roost.toml` | facts, see below |
//! | everything else | programs, data: as it is below `{{pkg.path}}`. Not beside a plan, which says itself what is installed, unless `roost.toml` names it |
//! | `plan.sh` | facts too: literal assignments of `pkg_name`, `pkg_exports` and so on are read, the script is never run. It may lie in `habitat/` or in a directory named after the platform; the files above then lie beside it, `roost.toml` too |
//!
//! Keys of `roost.toml`, all optional; they win over the plan:
//!
//! | key | value | without it |
//! |---|---|---|
//! | `name` | name of the service | the directory's name |
//! | `origin` | who makes it | `HAB_ORIGIN`, else `local` |
//! | `version` | version | `0.1.0` |
//! | `user`, `group` | who the service runs as, when the Supervisor may change that | `hab` and `hab` if both exist, else the Supervisor's; with `user` alone the user's own group |
//! | `exports` | table: public key = "path.in.config" | none |
//! | `exposes` | list of ports, or of exports whose default is the port | none |
//! | `binds`, `binds_optional` | table: name = list of keys needed of the other side | none |
//! | `shutdown_signal` | `"TERM"`, `"INT"`, … | `TERM` |
//! | `shutdown_timeout` | seconds | 8 |
//! | `environment` | table of variables for all hooks; `PATH` goes before the inherited one | none |
//! | `files` | list of what else belongs to the service: `["bin", "lib/x.so"]` | everything; beside a plan nothing |
//!
//! The release is the UTC time of the newest file. If the content is that of the newest release,
//! that release is used; if it changed, also within a second, backwards in time or by removal
//! of a file, the new release is later than any before. A release appears in one step.
//!
//! Symbolic links: followed for `hooks/*`, `run`, `default.toml` and the two fact files, left out
//! below `config/` and `config_install/`, as in packages. Files of editors (`*~`, `*.bak`, `*.sw?`)
//! and hidden files are left out. Limits: those of [`crate::sources`]. What others may not read in
//! the directory they may not read in the release.
//!
//! Everything else, programs and data: at most 10,000 files and 1 GiB. Symbolic links stay links:
//! absolute ones, and relative ones to a place inside. Pipes, sockets and devices are refused. A
//! file is read again only when its size, times or identity are others than at the last staging,
//! and one that did not change is linked from the release before, not copied.

mod copies;
mod facts;
mod metafiles;
mod others;
mod place;
mod plan;
mod record;
mod tree;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use roost_ident::{Hook, PackageIdent, PackageTarget};

use self::{
    others::Selection,
    place::{Content, Placed},
};
use crate::{metafile::Fault, read::ReadError, root::FsRoot, sources::SourceError};

/// What staging needs to know of the world around the directory.
#[derive(Debug, Clone, Default)]
pub struct StageOptions {
    /// The environment variable `HAB_ORIGIN`.
    pub origin_env: Option<String>,
    /// Releases that must not be pruned, such as running ones.
    pub keep: Vec<PackageIdent>,
}

/// A staged directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    /// The release, fully qualified.
    pub ident: PackageIdent,
    /// False when the directory was staged before just as it is.
    pub changed: bool,
    /// The first file beside hooks and templates that differs from the release before.
    pub changed_file: Option<String>,
    /// What the user should know, one line each.
    pub warnings: Vec<String>,
}

/// Why a directory was not staged. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// Nothing to run.
    #[error(
        "{}: is no service directory: it has no hooks/run. A service directory holds hooks/run \
         (a script that starts the program in the foreground, with exec) and, as needed, \
         hooks/health-check, hooks/init, config/, default.toml and roost.toml",
        .0.display()
    )]
    NotAService(PathBuf),
    /// The plan could be one or the other.
    #[error("{} and {}: two plans; remove one", one.display(), other.display())]
    TwoPlans {
        /// A plan.
        one: PathBuf,
        /// Another.
        other: PathBuf,
    },
    /// A hook could be one or the other.
    #[error("{} and {}: both are the hook {hook}; remove one", one.display(), other.display())]
    TwoHooks {
        /// The hook.
        hook: Hook,
        /// A file.
        one: PathBuf,
        /// Another.
        other: PathBuf,
    },
    /// A file says what it cannot say.
    #[error("{}:{line}: {problem}", path.display())]
    Fault {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// The facts do not fit together.
    #[error("{}: {problem}", dir.display())]
    Facts {
        /// The directory.
        dir: PathBuf,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// Something in the directory that cannot be part of a release.
    #[error("{}: {problem}", path.display())]
    Refused {
        /// Where.
        path: PathBuf,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// An installed release has a name that sorts behind every time.
    #[error(
        "{}: is newer than anything staged from a directory can be; \
         uninstall it, or set another version in roost.toml",
        path.display()
    )]
    NotNewer {
        /// The release.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Templates cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl StageError {
    fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }

    fn fault(path: &Path, fault: Fault) -> Self {
        Self::Fault { path: path.into(), line: fault.line, problem: fault.problem }
    }
}

/// Stages a directory: makes a release of what it holds, unless the newest one is just that, and
/// prunes old staged releases. Install hooks are not run, see [`crate::package`].
///
/// # Errors
/// See [`StageError`].
pub fn stage_directory(
    root: &FsRoot,
    dir: &Path,
    options: &StageOptions,
) -> Result<Staged, StageError> {
    let dir = fs::canonicalize(dir).map_err(|error| StageError::io(dir, error))?;
    if !dir.is_dir() {
        return Err(StageError::io(&dir, io::ErrorKind::NotADirectory.into()));
    }
    let wrong = |problem| StageError::Facts { dir: dir.clone(), problem };
    let read = facts::read(root, &dir, &PackageTarget::active().to_string())?;
    let mut tree = tree::read(&read.context)?;
    for path in read.plan.iter().chain(&read.toml) {
        tree.notice(path)?;
    }
    let directory_name = dir.file_name().and_then(|name| name.to_str());
    let ident = metafiles::ident(&read.facts, options.origin_env.as_deref(), directory_name)
        .map_err(wrong)?;

    if !tree.files.contains_key("hooks/run") && !tree.files.contains_key("run") {
        let Some(command) = &read.facts.svc_run else { return Err(StageError::NotAService(dir)) };
        let svc = root.svc(&ident.name);
        let (svc_path, data) = (svc.root.to_string_lossy(), svc.data());
        let command = command.replace(plan::NAME_PLACEHOLDER, &ident.name);
        let script = metafiles::run_script(&command, &svc_path, &data.to_string_lossy());
        tree.files.insert("run".into(), tree::StagedFile { text: script, mode: 0o755 });
    }

    let default_toml = tree.files.get("default.toml").map(|file| file.text.as_str());
    if let Some(text) = default_toml {
        let path = read.context.join("default.toml");
        facts::check_toml(text).map_err(|fault| StageError::fault(&path, fault))?;
    }
    let native = read.plan.is_none();
    let metafiles = metafiles::files(&read.facts, native, default_toml).map_err(wrong)?;
    tree.files.extend(metafiles);

    let selection = Selection::of(read.facts.files.as_deref(), read.plan.is_some());
    let others = others::read(&read.context, &selection)?;
    let newest_s = others.newest_s.map_or(tree.newest_s, |newest_s| newest_s.max(tree.newest_s));
    let content = Content { files: tree.files, others: others.entries, newest_s };
    let Placed { ident, changed, changed_file } = place::place(root, &ident, content)?;
    let mut warnings = tree.warnings;
    warnings.extend(read.warning);
    if changed {
        warnings.extend(place::prune(root, &ident, &options.keep));
    }
    Ok(Staged { ident, changed, changed_file, warnings })
}

/// A place whose changes may change what a directory stages.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Watch {
    /// The directory.
    pub path: PathBuf,
    /// Whether directories below it count too.
    pub recursive: bool,
}

/// What to watch in a service directory. Ask again after each staging: a directory such as
/// `config/` that appears is seen in the one above it, and is a place of its own then.
#[must_use]
pub fn watch_paths(dir: &Path) -> Vec<Watch> {
    let target = PackageTarget::active().to_string();
    let contexts =
        [dir.into(), dir.join("habitat"), dir.join(&target), dir.join("habitat").join(&target)];
    let mut watches = Vec::new();
    for context in contexts {
        for (place, recursive) in
            [("", false), ("hooks", false), ("config", true), ("config_install", true)]
        {
            let path = if place.is_empty() { context.clone() } else { context.join(place) };
            if path.is_dir() {
                watches.push(Watch { path, recursive });
            }
        }
    }
    let (context, selection) = facts::glance(dir, &target);
    for name in selection.roots(&context).unwrap_or_default() {
        let path = context.join(name);
        // A file shows in its directory.
        let path = match path.symlink_metadata() {
            Ok(found) if found.is_dir() => Some((path, true)),
            _ => path.parent().map(|parent| (parent.to_owned(), false)),
        };
        watches.extend(path.map(|(path, recursive)| Watch { path, recursive }));
    }
    watches.sort();
    watches.dedup();
    watches
}
