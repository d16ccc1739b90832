//! Plain directories as releases: `hab sup run DIR`, `hab svc load DIR`.
//!
//! A service directory has the content of a package:
//!
//! | path | what |
//! |---|---|
//! | `hooks/run` | starts the program in the foreground, with `exec`; or `run`, copied as it is |
//! | `hooks/init`, `hooks/health-check`, `hooks/reconfigure`, … | further hooks; an extension such as `.sh` is taken off |
//! | `config/` | templates, rendered to `hab/svc/NAME/config` |
//! | `config_install/` | templates for install hooks |
//! | `default.toml` | default configuration |
//! | `monitor.toml` | how the service is checked; a template |
//! | `roost.toml` | facts, see below |
//! | everything else | programs and data, unchanged below `{{pkg.path}}`. Beside a plan, which installs files itself, only what `roost.toml` names |
//! | `.habignore` | what does not belong to the service, in the syntax of `.gitignore`; it applies to its own directory |
//! | `plan.sh` | facts too: the values of `pkg_name`, `pkg_exports` and so on are read, the script is never run. It may lie in `habitat/` or in a directory named after the platform; the files above then lie beside it, `roost.toml` too |
//!
//! Keys of `roost.toml`, all optional; they override the plan:
//!
//! | key | value | without it |
//! |---|---|---|
//! | `name` | name of the service | the directory's name |
//! | `origin` | origin of the package | `HAB_ORIGIN`, else `local` |
//! | `version` | version | `0.1.0` |
//! | `user`, `group` | user and group of the service, if the Supervisor may switch users | `hab` and `hab` if both exist, else the Supervisor's; with `user` alone the user's own group |
//! | `exports` | table: public key = "path.in.config" | none |
//! | `exposes` | list of ports, or of exports whose default is the port | none |
//! | `binds`, `binds_optional` | table: name = list of keys that the other side must export | none |
//! | `shutdown_signal` | `"TERM"`, `"INT"`, … | `TERM` |
//! | `shutdown_timeout` | seconds | 8 |
//! | `hook_timeouts` | table: hook = seconds it may run | limits of the Supervisor |
//! | `environment` | table of variables for all hooks; `PATH` goes before the inherited one | none |
//! | `files` | list of further paths of the service: `["bin", "lib/x.so"]` | everything; beside a plan nothing |
//! | `ignore` | list of rules as in `.habignore` | none |
//!
//! The release is the UTC time of the newest file. If the newest release has the same content, it
//! is used again; after any change, even within a second, backwards in time or by removal of a
//! file, the new release is later than all before. A release appears atomically.
//!
//! The name of the directory is the one in the given path: `app/current`, a link to
//! `app/releases/102`, gives the service `current`.
//!
//! Symbolic links: followed for `hooks/*`, `run`, `default.toml`, `monitor.toml` and the two fact
//! files, left out below `config/` and `config_install/`, as in packages. Files of editors, version
//! control and `hab plan render` are left out (see `rules`), as are the Supervisor's own root and,
//! except below `config/`, hidden files. Limits: those of [`crate::sources`]. Files that other
//! users cannot read in the directory, they cannot read in the release.
//!
//! As root: files that others than root may write are read with the rights of those others (see
//! `reach`), and with [`StageOptions::pinned`] the directory cannot change the user of the service.
//!
//! Everything else, programs and data: at most 10,000 files and 1 GiB. Symbolic links stay links:
//! absolute ones, and relative ones to a place inside. Pipes, sockets and devices are refused. A
//! file is read again only when its size, times or identity have changed since the last staging,
//! and an unchanged one is hard-linked from the previous release, not copied.

mod copies;
mod error;
mod facts;
mod metafiles;
mod others;
mod pinned;
mod place;
mod plan;
mod reach;
mod record;
mod rules;
mod survey;
mod tree;

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

use roost_ident::{PackageIdent, PackageTarget};

pub(crate) use self::plan::{Assigned, words_of};
pub use self::{
    error::{Located, StageError},
    pinned::{Pinned, Rights},
    survey::{Survey, above, survey},
};
use self::{
    others::Selection,
    pinned::frozen,
    place::{Content, Placed},
    reach::Dir,
};
use crate::root::FsRoot;

/// Inputs of staging besides the directory.
#[derive(Debug, Clone, Default)]
pub struct StageOptions {
    /// The environment variable `HAB_ORIGIN`.
    pub origin_env: Option<String>,
    /// Releases that must not be pruned, for example running ones.
    pub keep: Vec<PackageIdent>,
    /// Properties that the directory cannot change without the operator.
    pub pinned: Option<Pinned>,
    /// Files that are never part of a service, by device and number: this process's own log.
    pub leave_out: Vec<(u64, u64)>,
}

/// A staged directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    /// The release, fully qualified.
    pub ident: PackageIdent,
    /// False when the newest release already has the same content.
    pub changed: bool,
    /// The first file besides hooks and templates that differs from the previous release.
    pub changed_file: Option<String>,
    /// Warnings for the user, one line each.
    pub warnings: Vec<String>,
    /// User and group set by the directory.
    pub rights: Rights,
}

/// Stages a directory: makes a release of its content, unless the newest release already has that
/// content, and prunes old staged releases. Install hooks are not run, see [`crate::package`].
///
/// # Errors
/// See [`StageError`].
pub fn stage_directory(
    root: &FsRoot,
    dir: &Path,
    options: &StageOptions,
) -> Result<Staged, StageError> {
    let path = std::path::absolute(dir).map_err(|error| StageError::io(dir, error))?;
    let top = Dir::open(&path)?;
    let wrong = |problems| StageError::Facts { dir: path.clone(), problems };
    let read = facts::read(root, &top, &PackageTarget::active().to_string())?;
    let mut tree = tree::read(&read.context, &read.rules)?;
    tree.newest_s = tree.newest_s.max(read.newest_s);
    let directory_name = name_of(&path);
    let ident =
        metafiles::ident(&read.facts, options.origin_env.as_deref(), directory_name.as_deref())
            .map_err(|problem| wrong(vec![problem]))?;

    if !tree.files.contains_key("hooks/run") && !tree.files.contains_key("run") {
        let Some(command) = &read.facts.svc_run else { return Err(StageError::NotAService(path)) };
        let svc = root.svc(&ident.name);
        let (svc_path, data) = (svc.root.to_string_lossy(), svc.data());
        let command = command.replace(plan::NAME_PLACEHOLDER, &ident.name);
        let script = metafiles::run_script(&command, &svc_path, &data.to_string_lossy());
        tree.files.insert("run".into(), tree::StagedFile { text: script, mode: 0o755 });
    }

    let default_toml = tree.files.get("default.toml").map(|file| file.text.as_str());
    if let Some(text) = default_toml {
        let path = read.context.path().join("default.toml");
        facts::check_toml(text).map_err(|fault| StageError::fault(&path, fault))?;
    }
    let native = !read.has_plan;
    let metafiles = metafiles::files(&read.facts, native, default_toml).map_err(wrong)?;
    tree.files.extend(metafiles);

    let selection = Selection::of(read.facts.files.as_deref(), read.has_plan);
    let others = others::read(&read.context, &selection, &read.rules, &left_out(root, options))?;
    let newest_s = others.newest_s.map_or(tree.newest_s, |newest_s| newest_s.max(tree.newest_s));
    let rights = metafiles::user_and_group(&read.facts);
    let rights = Rights {
        user: rights.as_ref().map(|(user, _)| user.clone()),
        group: rights.map(|(_, group)| group),
    };
    let mut warnings = tree.warnings;
    warnings.extend(read.warnings);
    warnings.extend(others.warnings);
    let stranger = top.stranger();
    let frozen = frozen(&path, &ident, &rights, stranger, options, &mut warnings)?;
    let content = Content {
        context: &read.context,
        files: tree.files,
        others: others.entries,
        newest_s,
        frozen,
    };
    let Placed { ident, changed, changed_file } = place::place(root, &ident, content)?;
    if changed {
        warnings.extend(place::prune(root, &ident, &options.keep));
    }
    Ok(Staged { ident, changed, changed_file, warnings, rights })
}

/// The name of a directory: the last component of its path, without resolving links.
fn name_of(path: &Path) -> Option<String> {
    let last = path.components().next_back();
    let named = match last {
        Some(Component::Normal(name)) => Some(name.to_owned()),
        // `..` is not a name.
        _ => fs::canonicalize(path).ok()?.file_name().map(ToOwned::to_owned),
    };
    named?.into_string().ok()
}

/// The source of a staged file in its directory, for messages, such as `hooks/run.sh` for
/// `hooks/run`; when there is none, the path where it would be.
#[must_use]
pub fn original(dir: &Path, file: &str) -> PathBuf {
    let target = PackageTarget::active().to_string();
    let habitat = dir.join("habitat");
    let contexts = [habitat.join(&target), dir.join(&target), habitat, dir.to_owned()];
    let found = contexts.iter().find_map(|context| {
        let path = context.join(file);
        if path.exists() {
            return Some(path);
        }
        // A hook may have one extension; names of editors' backup files have more.
        let mut entries = fs::read_dir(path.parent()?).ok()?.flatten().map(|entry| entry.path());
        entries.find(|entry| {
            let backup = entry.extension().is_some_and(|extension| extension == "bak");
            file.starts_with("hooks/") && entry.file_stem() == path.file_name() && !backup
        })
    });
    found.unwrap_or_else(|| dir.join(file))
}

/// The root with the Supervisor's own files, which may be inside the directory, and the files that
/// the caller leaves out.
fn left_out(root: &FsRoot, options: &StageOptions) -> Vec<(u64, u64)> {
    let own = [root.path().to_owned(), root.hab_dir()];
    let own = own.iter().filter_map(|path| fs::metadata(path).ok());
    own.map(|found| (found.dev(), found.ino())).chain(options.leave_out.iter().copied()).collect()
}
