//! The paths to watch in a service directory, and a fingerprint of its state.
//!
//! The same rules as in staging decide what belongs to the service, so that changes of excluded
//! files trigger nothing.

use std::{
    collections::{BTreeSet, VecDeque},
    ffi::OsString,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

use roost_ident::PackageTarget;

use super::{
    StageError, StageOptions, facts, left_out,
    others::{self, Kind, Stat},
    reach::{Dir, Node},
    rules::{self, Verdict},
    tree,
};
use crate::root::FsRoot;

/// Most links in one path.
const LINKS_MAX: usize = 40;
/// Most names read from one directory.
const NAMES_MAX: usize = 10_000;

/// A state of a service directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// The directories where a change of the service shows.
    pub directories: BTreeSet<PathBuf>,
    /// Changes with everything that may change the release: names, sizes, times, modes, identities
    /// of files.
    pub fingerprint: u64,
}

/// Surveys a service directory; reads only the files with facts and rules. A missing or broken
/// directory has a state too.
#[must_use]
pub fn survey(root: &FsRoot, dir: &Path, options: &StageOptions) -> Survey {
    let mut seen = Seen::default();
    seen.directories.extend(above(dir));
    match Dir::open(dir) {
        Ok(top) => seen.look(root, &top, options),
        Err(error) => seen.fail(&error),
    }
    Survey { directories: seen.directories, fingerprint: seen.hasher.finish() }
}

/// The directories that contain links on the way to a path, and the one that contains its target: a
/// change of the target shows there. For a missing directory, its nearest existing parent.
#[must_use]
pub fn above(path: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut steps: VecDeque<OsString> = steps(path);
    let (mut at, mut links) = (PathBuf::from("/"), 0);
    while let Some(step) = steps.pop_front() {
        if step == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&step);
        let Ok(kind) = fs::symlink_metadata(&next) else {
            found.insert(at);
            return found;
        };
        if kind.is_symlink() && links < LINKS_MAX {
            links += 1;
            found.insert(at.clone());
            let target = fs::read_link(&next).unwrap_or_default();
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            for step in self::steps(&target).into_iter().rev() {
                steps.push_front(step);
            }
        } else {
            at = next;
        }
    }
    found.extend(at.parent().map(Path::to_path_buf));
    found
}

fn steps(path: &Path) -> VecDeque<OsString> {
    let step = |step| match step {
        Component::Normal(name) => Some(OsString::from(name)),
        Component::ParentDir => Some("..".into()),
        _ => None,
    };
    path.components().filter_map(step).collect()
}

#[derive(Default)]
struct Seen {
    directories: BTreeSet<PathBuf>,
    hasher: DefaultHasher,
}

impl Seen {
    /// The error distinguishes states that cannot be staged.
    fn fail(&mut self, error: &StageError) {
        error.to_string().hash(&mut self.hasher);
    }

    fn look(&mut self, root: &FsRoot, top: &Dir, options: &StageOptions) {
        let target = PackageTarget::active().to_string();
        for place in facts::plan_places(&target).iter().flatten() {
            if let Ok(Some(dir)) = top.dir(place) {
                self.directories.insert(dir.path().to_owned());
                self.file(&dir, "plan.sh");
            }
        }
        let (context, selection, rules) = facts::glance(top, &target);
        for name in ["roost.toml", rules::FILE, "default.toml", "monitor.toml", "run"] {
            self.file(&context, name);
        }
        self.scripts(&context);
        if let Ok(Some(hooks)) = context.dir("hooks") {
            self.directories.insert(hooks.path().to_owned());
            match tree::hook_names(&hooks, &rules) {
                Ok(names) => names.iter().for_each(|name| self.file(&hooks, name)),
                Err(error) => self.fail(&error),
            }
        }
        for name in ["config", "config_install"] {
            let Ok(Some(dir)) = context.dir(name) else { continue };
            let walked = tree::templates(&dir, name, &rules, &mut |dir, last, path| {
                path.hash(&mut self.hasher);
                match last {
                    None => drop(self.directories.insert(dir.path().to_owned())),
                    Some(last) => {
                        let found = dir.peek(last)?;
                        found
                            .map(|found| (found.st_mode, Stat::of_found(&found)))
                            .hash(&mut self.hasher);
                    }
                }
                Ok(())
            });
            if let Err(error) = walked {
                self.fail(&error);
            }
        }
        match others::read(&context, &selection, &rules, &left_out(root, options)) {
            Err(error) => self.fail(&error),
            Ok(others) => {
                for (name, other) in &others.entries {
                    (name, other.mode).hash(&mut self.hasher);
                    match &other.kind {
                        Kind::Directory => {
                            self.directories.insert(context.path().join(name));
                        }
                        Kind::File(stat) => {
                            stat.hash(&mut self.hasher);
                            // A file named individually shows in its directory.
                            let path = context.path().join(name);
                            self.directories.extend(path.parent().map(Path::to_path_buf));
                        }
                        Kind::Link(target) => target.hash(&mut self.hasher),
                    }
                }
            }
        }
    }

    /// A file that may be a link.
    fn file(&mut self, dir: &Dir, name: &str) {
        name.hash(&mut self.hasher);
        match dir.get(name) {
            Ok(Some(Node::File(file))) => {
                (file.found.mode(), Stat::of(&file.found)).hash(&mut self.hasher);
            }
            Ok(Some(Node::Dir(_))) => "directory".hash(&mut self.hasher),
            Ok(node) => node.is_some().hash(&mut self.hasher),
            Err(error) => self.fail(&error),
        }
    }

    /// Scripts beside a plan, which the plan may read.
    fn scripts(&mut self, context: &Dir) {
        let names = context.names(NAMES_MAX).unwrap_or_default();
        let common = rules::Rules::common();
        for name in names.iter().filter_map(|name| name.to_str()) {
            if name.ends_with(".sh") && common.verdict(name, false) != Verdict::Out {
                self.file(context, name);
            }
        }
    }
}
