//! Programs, data and other files besides hooks and templates, copied into the release unchanged.

use std::{
    collections::BTreeMap,
    fs::Metadata,
    os::unix::fs::MetadataExt,
    path::{Component, Path},
};

use rustix::fs::FileType;

use super::{
    StageError,
    reach::{self, Dir, Found, Node},
    rules::{CACHE_SIGNATURE, CACHE_TAG, FILE, FILE_BYTES_MAX, Rules, Verdict},
};
use crate::sources::{MAX_DEPTH, SourceError};

/// Most files, directories and links.
pub(super) const MAX_ENTRIES: usize = 10_000;
/// Most bytes of all files: 1 GiB.
pub(super) const MAX_BYTES: u64 = 1 << 30;

/// Names with a special meaning at the top of a service directory.
const OWN_MEANING: [&str; 7] =
    ["hooks", "config", "config_install", "default.toml", "monitor.toml", "roost.toml", "plan.sh"];

/// Metafiles: a file of that name would be read as a fact of the package.
const METAFILES: [&str; 27] = [
    "BINDS",
    "BINDS_OPTIONAL",
    "BUILDTIME_ENVIRONMENT",
    "BUILD_DEPS",
    "BUILD_TDEPS",
    "DEPS",
    "EXPORTS",
    "EXPOSES",
    "FILES",
    "HOOK_TIMEOUTS",
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

/// Which entries are part of the release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Selection {
    /// All that no rule excludes.
    All,
    /// These paths, named in `roost.toml`.
    Named(Vec<String>),
}

impl Selection {
    /// The entries in `roost.toml`, else all; none beside a plan, which builds and installs its
    /// files itself and has its sources beside it.
    pub(super) fn of(named: Option<&[String]>, has_plan: bool) -> Self {
        match named {
            Some(named) => Self::Named(named.to_vec()),
            None if has_plan => Self::Named(Vec::new()),
            None => Self::All,
        }
    }

    /// The paths to start from, relative to the directory, sorted.
    fn roots(&self, dir: &Dir) -> Result<Vec<String>, StageError> {
        let refuse = |name: &str, problem: &str| StageError::Refused {
            path: dir.path().join("roost.toml"),
            problem: format!("'{name}' under 'files' {problem}"),
        };
        let is_run = |name: &str| -> Result<bool, StageError> {
            Ok(name == "run" && !matches!(dir.get(name)?, Some(Node::Dir(_))))
        };
        let mut names = Vec::new();
        match self {
            Self::Named(named) => {
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
                    if OWN_MEANING.contains(first) || is_run(first)? {
                        return Err(refuse(name, "is part of every service; leave it out there"));
                    }
                    let name = steps.join("/");
                    if dir.peek(&name)?.is_none() {
                        return Err(refuse(&name, "does not exist; correct or remove it"));
                    }
                    names.push(name);
                }
            }
            Self::All => {
                for name in dir.names(MAX_ENTRIES)? {
                    let name = utf8(dir, &name)?;
                    if !OWN_MEANING.contains(&name) && !is_run(name)? {
                        names.push(name.to_owned());
                    }
                }
            }
        }
        names.sort();
        names.dedup();
        Ok(names)
    }
}

fn utf8<'a>(dir: &Dir, name: &'a std::ffi::OsStr) -> Result<&'a str, StageError> {
    reach::text(name).ok_or_else(|| SourceError::Name(dir.path().join(name)).into())
}

/// One such entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Other {
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

/// State of a file; any write or replacement changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Stat {
    pub(super) size: u64,
    pub(super) modified_ns: i128,
    pub(super) changed_ns: i128,
    inode: u64,
    device: u64,
}

fn ns(s: i128, ns: i128) -> i128 {
    s * 1_000_000_000 + ns
}

impl Stat {
    pub(super) fn of(found: &Metadata) -> Self {
        Self {
            size: found.len(),
            modified_ns: ns(found.mtime().into(), found.mtime_nsec().into()),
            changed_ns: ns(found.ctime().into(), found.ctime_nsec().into()),
            inode: found.ino(),
            device: found.dev(),
        }
    }

    pub(super) fn of_found(found: &Found) -> Self {
        Self {
            size: u64::try_from(found.st_size).unwrap_or(0),
            modified_ns: ns(found.st_mtime.into(), found.st_mtime_nsec.into()),
            changed_ns: ns(found.st_ctime.into(), found.st_ctime_nsec.into()),
            inode: found.st_ino,
            device: found.st_dev,
        }
    }

    /// The state as one word.
    pub(super) fn word(&self) -> String {
        let Self { size, modified_ns, changed_ns, inode, device } = self;
        format!("{size}:{modified_ns}:{changed_ns}:{inode}:{device}")
    }
}

/// Mode of a file in the release: access that the user denies to others stays denied, and nothing
/// is set-user-id.
pub(super) fn mode_of(mode: u32) -> u32 {
    match (mode & 0o100 != 0, mode & 0o004 != 0) {
        (true, true) => 0o755,
        (true, false) => 0o700,
        (false, true) => 0o644,
        (false, false) => 0o600,
    }
}

/// All entries by their path in the release, and the newest modification in seconds since 1970.
#[derive(Debug, Default)]
pub(super) struct Others {
    pub(super) entries: BTreeMap<String, Other>,
    pub(super) newest_s: Option<i64>,
    /// Warnings about entries left out by a built-in rule.
    pub(super) warnings: Vec<String>,
    bytes: u64,
}

/// Lists all entries without reading content. `left_out` are files and directories that are never
/// part of a service, by device and number.
pub(super) fn read(
    dir: &Dir,
    selection: &Selection,
    rules: &Rules,
    left_out: &[(u64, u64)],
) -> Result<Others, StageError> {
    let mut others = Others::default();
    let named = matches!(selection, Selection::Named(_));
    for name in selection.roots(dir)? {
        let first = name.split('/').next().unwrap_or_default();
        if METAFILES.contains(&first) {
            let path = dir.path().join(first);
            let problem = "has the name of a metafile of packages; rename it (facts about the \
                           service belong into roost.toml)";
            return Err(StageError::Refused { path, problem: problem.into() });
        }
        let (above, last) = match name.rsplit_once('/') {
            None => (dir.clone(), name.as_str()),
            Some((above, last)) => match dir.get_itself(above)? {
                Some(Node::Dir(above)) => (above, last),
                // Exchanged since it was listed.
                _ => continue,
            },
        };
        Walk { top: dir, left_out, others: &mut others }
            .add(&above, last, &name, rules, named, 0)?;
    }
    Ok(others)
}

struct Walk<'a> {
    top: &'a Dir,
    left_out: &'a [(u64, u64)],
    others: &'a mut Others,
}

impl Walk<'_> {
    /// `named`: the user names the entry, which overrides the rules.
    fn add(
        &mut self,
        above: &Dir,
        last: &str,
        name: &str,
        rules: &Rules,
        named: bool,
        depth: usize,
    ) -> Result<(), StageError> {
        let path = above.path().join(last);
        let refuse = |problem: &str| {
            Err(StageError::Refused { path: path.clone(), problem: problem.into() })
        };
        // Gone since it was listed.
        let Some(found) = above.peek(last)? else { return Ok(()) };
        if self.left_out.contains(&(found.st_dev, found.st_ino)) {
            return Ok(());
        }
        let kind = FileType::from_raw_mode(found.st_mode);
        let verdict = rules.verdict(name, kind == FileType::Directory);
        if verdict == Verdict::Out && !named {
            // A directory that excludes itself needs no warning.
            let says_so =
                || above.peek(format!("{last}/{FILE}")).is_ok_and(|found| found.is_some());
            if name == "results" && !says_so() {
                self.others.warnings.push(format!(
                    "{}: left out, because builds and 'hab plan render' write there; a line '!results' \
                     in .habignore takes it along",
                    path.display()
                ));
            }
            return Ok(());
        }
        if name.contains(char::is_control) {
            return refuse("has a control character in its name; rename it");
        }
        let others = &mut *self.others;
        if others.entries.len() >= MAX_ENTRIES || depth > MAX_DEPTH {
            let what = format!("more than {MAX_ENTRIES} files, or deeper than {MAX_DEPTH}");
            return Err(too_much(self.top.path(), &what));
        }
        let kind = match kind {
            FileType::Directory => {
                let Some(Node::Dir(dir)) = above.get_itself(last)? else { return Ok(()) };
                let explicit = named || verdict == Verdict::In;
                return self.add_directory(&dir, name, &found, rules, explicit, depth);
            }
            FileType::RegularFile => {
                let stat = Stat::of_found(&found);
                others.bytes = others.bytes.saturating_add(stat.size);
                if others.bytes > MAX_BYTES {
                    let what = format!("more than {} MiB of files", MAX_BYTES >> 20);
                    return Err(too_much(self.top.path(), &what));
                }
                others.newest_s = others.newest_s.max(Some(found.st_mtime));
                Kind::File(stat)
            }
            FileType::Symlink => {
                let target = above.link(last)?.into_string();
                let target = target.map_err(|_| SourceError::Name(path.clone()))?;
                if leads_out(name, &target) {
                    return refuse(
                        "is a symbolic link to a place outside of the directory, which would be \
                         another one seen from the release; make it absolute, or copy what it means",
                    );
                }
                Kind::Link(target)
            }
            _ => return refuse("is a pipe, socket or device; remove it, or hide it (.name)"),
        };
        let mode = mode_of(found.st_mode);
        others.entries.insert(name.to_owned(), Other { kind, mode });
        Ok(())
    }

    fn add_directory(
        &mut self,
        dir: &Dir,
        name: &str,
        found: &Found,
        rules: &Rules,
        explicit: bool,
        depth: usize,
    ) -> Result<(), StageError> {
        let names = dir.names(MAX_ENTRIES)?;
        if !explicit && names.iter().any(|name| name == CACHE_TAG) && is_cache(dir)? {
            self.others.warnings.push(format!(
                "{}: left out, {CACHE_TAG} in it marks it as a cache of a program; name \
                 what belongs to the service under 'files' in roost.toml",
                dir.path().display()
            ));
            return Ok(());
        }
        let mut own = None;
        if names.iter().any(|name| name == FILE)
            && let Some(file) = dir.file(FILE)?
        {
            let path = file.path.clone();
            let text = file.text(FILE_BYTES_MAX)?;
            let rules = rules.with(name, text.lines());
            own = Some(rules.map_err(|fault| StageError::fault(&path, fault))?);
            // A directory whose rules exclude everything does not belong to the service, nor does
            // its entry: programs mark their output this way.
            if !explicit && text.lines().any(|line| line.trim() == "*") {
                return Ok(());
            }
        }
        let rules = own.as_ref().unwrap_or(rules);
        let mode = if found.st_mode & 0o004 != 0 { 0o755 } else { 0o700 };
        self.others.entries.insert(name.to_owned(), Other { kind: Kind::Directory, mode });
        for below in names {
            let below = utf8(dir, &below)?;
            self.add(dir, below, &format!("{name}/{below}"), rules, false, depth + 1)?;
        }
        Ok(())
    }
}

/// True when the directory has a valid cache mark.
fn is_cache(dir: &Dir) -> Result<bool, StageError> {
    let Some(file) = dir.file(CACHE_TAG)? else { return Ok(false) };
    // Without the signature it is an ordinary file of the user.
    Ok(file.text(FILE_BYTES_MAX).is_ok_and(|text| text.starts_with(CACHE_SIGNATURE)))
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
