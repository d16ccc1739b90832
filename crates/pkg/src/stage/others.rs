//! Programs, data and whatever else lies beside hooks and templates: part of the release as it is.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Component, Path, PathBuf},
};

use super::{StageError, tree::is_editors};
use crate::{
    read::is_absent,
    sources::{MAX_DEPTH, SourceError},
};

/// Most files, directories and links.
pub(super) const MAX_ENTRIES: usize = 10_000;
/// Most bytes of all files: 1 GiB.
pub(super) const MAX_BYTES: u64 = 1 << 30;

/// What has a meaning of its own at the top of a service directory.
const OWN_MEANING: [&str; 6] =
    ["hooks", "config", "config_install", "default.toml", "roost.toml", "plan.sh"];

/// Metafiles: a file of that name would be read as a fact about the package.
const METAFILES: [&str; 26] = [
    "BINDS",
    "BINDS_OPTIONAL",
    "BUILDTIME_ENVIRONMENT",
    "BUILD_DEPS",
    "BUILD_TDEPS",
    "DEPS",
    "EXPORTS",
    "EXPOSES",
    "FILES",
    "IDENT",
    "INSTALL_HOOK_STATUS",
    "INTERPRETERS",
    "MANIFEST",
    "PACKAGE_TYPE",
    "PATH",
    "RUNTIME_ENVIRONMENT",
    "RUNTIME_ENVIRONMENT_PATHS",
    "RUNTIME_PATH",
    "SHUTDOWN_SIGNAL",
    "SHUTDOWN_TIMEOUT",
    "STAGED",
    "STAGED_FILES",
    "SVC_GROUP",
    "SVC_USER",
    "TARGET",
    "TDEPS",
];

/// Which of them are part of the release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Selection {
    /// All but hidden ones.
    All,
    /// These paths, as `roost.toml` names them.
    Named(Vec<String>),
}

impl Selection {
    /// What `roost.toml` says, else all; a plan says by itself what is built and installed, and
    /// beside it lie the sources, so there it is nothing.
    pub(super) fn of(named: Option<&[String]>, has_plan: bool) -> Self {
        match named {
            Some(named) => Self::Named(named.to_vec()),
            None if has_plan => Self::Named(Vec::new()),
            None => Self::All,
        }
    }

    /// The paths to begin at, relative to the directory, sorted.
    pub(super) fn roots(&self, dir: &Path) -> Result<Vec<String>, StageError> {
        let refuse = |name: &str, problem: &str| StageError::Refused {
            path: dir.join("roost.toml"),
            problem: format!("'{name}' under 'files' {problem}"),
        };
        match self {
            Self::Named(named) => {
                let mut names = Vec::new();
                for name in named {
                    let steps = Path::new(name).components().map(|step| match step {
                        Component::Normal(step) => step.to_str(),
                        _ => None,
                    });
                    let steps: Option<Vec<_>> = steps.collect();
                    let Some(steps @ [first, ..]) = steps.as_deref() else {
                        return Err(refuse(name, "must be a path below the directory"));
                    };
                    if name.split('/').any(|step| step.starts_with('.')) {
                        return Err(refuse(name, "is hidden; give it another name"));
                    }
                    let is_run = *first == "run" && !dir.join(first).is_dir();
                    if is_run || OWN_MEANING.contains(first) {
                        return Err(refuse(name, "is part of every service; leave it out there"));
                    }
                    if dir.join(name).symlink_metadata().is_err() {
                        return Err(refuse(name, "does not exist; correct or remove it"));
                    }
                    names.push(steps.join("/"));
                }
                names.sort();
                names.dedup();
                Ok(names)
            }
            Self::All => {
                let mut names = Vec::new();
                for (name, path) in entries(dir)? {
                    let is_run = name == "run" && !path.is_dir();
                    if !is_run && !OWN_MEANING.contains(&name.as_str()) {
                        names.push(name);
                    }
                }
                names.sort();
                Ok(names)
            }
        }
    }
}

/// Names and paths in a directory, without hidden files and what editors leave behind.
fn entries(dir: &Path) -> Result<Vec<(String, PathBuf)>, StageError> {
    let listing = match fs::read_dir(dir) {
        Ok(listing) => listing,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(StageError::io(dir, error)),
    };
    let mut found = Vec::new();
    for entry in listing {
        let entry = entry.map_err(|error| StageError::io(dir, error))?;
        let name = entry.file_name().into_string().map_err(|_| SourceError::Name(entry.path()))?;
        if !name.starts_with('.') && !is_editors(&name) {
            found.push((name, entry.path()));
        }
    }
    Ok(found)
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Other {
    pub(super) source: PathBuf,
    pub(super) kind: Kind,
    /// Mode in the release.
    pub(super) mode: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    File(Stat),
    /// A symbolic link and its text.
    Link(String),
}

/// A state of a file, which any write and any replacement makes another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) size: u64,
    pub(super) modified_ns: i128,
    pub(super) changed_ns: i128,
    inode: u64,
    device: u64,
}

impl Stat {
    pub(super) fn of(found: &fs::Metadata) -> Self {
        let ns = |s: i64, ns: i64| i128::from(s) * 1_000_000_000 + i128::from(ns);
        Self {
            size: found.len(),
            modified_ns: ns(found.mtime(), found.mtime_nsec()),
            changed_ns: ns(found.ctime(), found.ctime_nsec()),
            inode: found.ino(),
            device: found.dev(),
        }
    }

    /// One word.
    pub(super) fn word(&self) -> String {
        let Self { size, modified_ns, changed_ns, inode, device } = self;
        format!("{size}:{modified_ns}:{changed_ns}:{inode}:{device}")
    }
}

/// All of them, by their path in the release, and the newest modification in seconds since 1970.
#[derive(Debug, Default)]
pub(super) struct Others {
    pub(super) entries: BTreeMap<String, Other>,
    pub(super) newest_s: Option<i64>,
    bytes: u64,
}

/// Looks at them all; nothing is read yet.
pub(super) fn read(dir: &Path, selection: &Selection) -> Result<Others, StageError> {
    let mut others = Others::default();
    for name in selection.roots(dir)? {
        let first = name.split('/').next().unwrap_or_default();
        if METAFILES.contains(&first) {
            let path = dir.join(first);
            let problem = "has the name of a metafile of packages; rename it (facts about the \
                           service belong into roost.toml)";
            return Err(StageError::Refused { path, problem: problem.into() });
        }
        others.add(dir, &name, 0)?;
    }
    Ok(others)
}

impl Others {
    fn add(&mut self, dir: &Path, name: &str, depth: usize) -> Result<(), StageError> {
        let path = dir.join(name);
        let refuse = |problem: &str| {
            Err(StageError::Refused { path: path.clone(), problem: problem.into() })
        };
        if name.contains(char::is_control) {
            return refuse("has a control character in its name; rename it");
        }
        let found = match path.symlink_metadata() {
            Ok(found) => found,
            // Gone since it was listed.
            Err(error) if is_absent(&error) => return Ok(()),
            Err(error) => return Err(StageError::io(&path, error)),
        };
        if self.entries.len() >= MAX_ENTRIES || depth > MAX_DEPTH {
            let what = format!("more than {MAX_ENTRIES} files, or deeper than {MAX_DEPTH}");
            return Err(too_much(dir, &what));
        }
        let mode = found.permissions().mode();
        let kind = if found.is_dir() {
            Kind::Directory
        } else if found.is_file() {
            self.bytes = self.bytes.saturating_add(found.len());
            if self.bytes > MAX_BYTES {
                return Err(too_much(dir, &format!("more than {} MiB of files", MAX_BYTES >> 20)));
            }
            self.newest_s = self.newest_s.max(Some(found.mtime()));
            Kind::File(Stat::of(&found))
        } else if found.is_symlink() {
            let target = fs::read_link(&path).map_err(|error| StageError::io(&path, error))?;
            let target = target.into_os_string().into_string();
            let target = target.map_err(|_| SourceError::Name(path.clone()))?;
            if leads_out(name, &target) {
                return refuse(
                    "is a symbolic link to a place outside of the directory, which would be \
                     another one seen from the release; make it absolute, or copy what it means",
                );
            }
            Kind::Link(target)
        } else {
            return refuse("is a pipe, socket or device; remove it, or hide it (.name)");
        };
        // What the user keeps from others stays so in the release.
        let (own, all) = match kind {
            Kind::Directory => (0o700, 0o755),
            _ if mode & 0o100 != 0 => (0o700, 0o755),
            _ => (0o600, 0o644),
        };
        let mode = if mode & 0o004 != 0 { all } else { own };
        let is_directory = kind == Kind::Directory;
        self.entries.insert(name.to_owned(), Other { source: path.clone(), kind, mode });
        if is_directory {
            for (below, _) in entries(&path)? {
                self.add(dir, &format!("{name}/{below}"), depth + 1)?;
            }
        }
        Ok(())
    }
}

fn too_much(dir: &Path, what: &str) -> StageError {
    let problem = format!(
        "holds {what} beside hooks and templates; name what belongs to the service under \
         'files' in roost.toml: files = [\"bin\"]"
    );
    StageError::Refused { path: dir.into(), problem }
}

/// True for a relative link that climbs above the top of the directory.
fn leads_out(name: &str, target: &str) -> bool {
    if target.starts_with('/') {
        return false;
    }
    let mut depth = name.split('/').count() - 1;
    for step in Path::new(target).components() {
        match step {
            Component::ParentDir if depth == 0 => return true,
            Component::ParentDir => depth -= 1,
            Component::Normal(_) => depth += 1,
            _ => {}
        }
    }
    false
}
