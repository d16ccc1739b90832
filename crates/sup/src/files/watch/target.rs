//! Watched targets, the directories where their changes show, and the fingerprint of their state.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use roost_pkg::{
    FsRoot,
    stage::{self, StageOptions, Survey},
};

/// Most files of a tree that are checked; further ones are not watched.
const TREE_ENTRIES_MAX: usize = 10_000;
/// Deepest nesting of a tree that is checked.
const TREE_DEPTH_MAX: usize = 16;

/// A watched target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// One file: it appears, changes or disappears.
    File(PathBuf),
    /// The files directly inside a directory.
    Directory(PathBuf),
    /// All files below a directory.
    Tree(PathBuf),
    /// The files of a service in a plain directory.
    Service {
        /// The root with the Supervisor's own files.
        root: FsRoot,
        /// The directory.
        directory: PathBuf,
        /// Excluded files, by device and number.
        leave_out: Vec<(u64, u64)>,
    },
}

impl Target {
    fn path(&self) -> &Path {
        match self {
            Self::File(path) | Self::Directory(path) | Self::Tree(path) => path,
            Self::Service { directory, .. } => directory,
        }
    }

    /// The survey of a service directory; empty for other targets.
    fn survey(&self) -> Survey {
        match self {
            Self::Service { root, directory, leave_out } => {
                let leave_out = leave_out.clone();
                let options = StageOptions { leave_out, ..StageOptions::default() };
                stage::survey(root, directory, &options)
            }
            Self::File(_) | Self::Directory(_) | Self::Tree(_) => Survey::default(),
        }
    }
}

/// The directories where a change of the target shows: its parent, or the nearest existing
/// ancestor; for trees every directory inside; and those that contain links on the path.
pub(super) fn directories_of(target: &Target, wanted: &mut BTreeSet<PathBuf>) {
    let start = match target {
        Target::File(path) => path.parent().unwrap_or(path),
        Target::Directory(path) | Target::Tree(path) => path,
        Target::Service { .. } => return wanted.extend(target.survey().directories),
    };
    // A changed link shows in the directory that contains it.
    wanted.extend(stage::above(target.path()));
    if let Some(existing) = start.ancestors().find(|path| path.is_dir()) {
        wanted.insert(existing.to_owned());
    }
    if let Target::Tree(path) = target {
        for entry in tree(path) {
            if entry.1.is_dir() {
                wanted.insert(entry.0);
            }
        }
        // A replaced tree shows in its parent.
        if let Some(parent) = path.parent().filter(|parent| parent.is_dir()) {
            wanted.insert(parent.to_owned());
        }
    }
}

/// What the files of the targets were like. It differs when names, sizes, times or identity differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fingerprint {
    all: u64,
    /// The entries of the directories among the targets.
    entries: BTreeMap<PathBuf, u64>,
}

impl Fingerprint {
    /// Whether directories have new entries and nothing that was there before has changed.
    pub(super) fn only_adds_to(&self, before: &Self) -> bool {
        self.entries.len() > before.entries.len()
            && before.entries.iter().all(|(path, file)| self.entries.get(path) == Some(file))
    }
}

pub(super) fn fingerprint(targets: &[Target]) -> Fingerprint {
    let mut hasher = DefaultHasher::new();
    let mut entries = BTreeMap::new();
    for target in targets {
        let path = target.path();
        match target {
            Target::File(_) => {
                let found = fs::metadata(path).ok();
                hash_file(found.as_ref(), &mut hasher);
                // One that could not be read becomes readable.
                found.map(|m| (m.mode(), m.uid(), m.gid())).hash(&mut hasher);
            }
            Target::Directory(_) => {
                // A file that appeared and disappeared between two checks shows in the directory's
                // timestamp.
                let times = fs::metadata(path).ok().map(|m| (m.mtime(), m.mtime_nsec()));
                times.hash(&mut hasher);
                entries.extend(entries_of(path));
            }
            Target::Service { .. } => target.survey().fingerprint.hash(&mut hasher),
            Target::Tree(_) => {
                for (path, metadata) in tree(path) {
                    path.hash(&mut hasher);
                    // Temporary files of editors change the timestamp of a directory.
                    hash_file((!metadata.is_dir()).then_some(&metadata), &mut hasher);
                }
            }
        }
    }
    Fingerprint { all: hasher.finish(), entries }
}

/// The entries of a directory, each with a fingerprint of its own.
fn entries_of(directory: &Path) -> BTreeMap<PathBuf, u64> {
    let found = fs::read_dir(directory).into_iter().flatten().flatten();
    // Sorted before the rest is left out, so that it is always the same rest.
    let paths: BTreeSet<PathBuf> = found.map(|entry| entry.path()).collect();
    let with_fingerprint = |path: PathBuf| {
        let mut hasher = DefaultHasher::new();
        hash_file(fs::metadata(&path).ok().as_ref(), &mut hasher);
        (path, hasher.finish())
    };
    paths.into_iter().take(TREE_ENTRIES_MAX).map(with_fingerprint).collect()
}

/// For other types than files only the existence counts: the removal of a directory in place of a
/// file is a change too.
fn hash_file(metadata: Option<&fs::Metadata>, hasher: &mut DefaultHasher) {
    match metadata {
        Some(m) if m.is_file() || m.is_symlink() => {
            (1, m.mtime(), m.mtime_nsec(), m.len(), m.ino(), m.dev()).hash(hasher);
        }
        Some(m) => (2, m.ino(), m.dev()).hash(hasher),
        None => 0.hash(hasher),
    }
}

/// Everything below a directory, sorted, without hidden files; links are not followed.
fn tree(root: &Path) -> Vec<(PathBuf, fs::Metadata)> {
    let mut found = Vec::new();
    let mut pending = vec![(root.to_owned(), 0)];
    while let Some((directory, depth)) = pending.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            if found.len() >= TREE_ENTRIES_MAX {
                break;
            }
            let hidden = entry.file_name().as_bytes().starts_with(b".");
            let Ok(metadata) = entry.metadata() else { continue };
            if hidden {
                continue;
            }
            if metadata.is_dir() && depth < TREE_DEPTH_MAX {
                pending.push((entry.path(), depth + 1));
            }
            found.push((entry.path(), metadata));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}
