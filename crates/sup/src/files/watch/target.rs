//! What is watched, the directories in which its changes show, and the number that tells its states
//! apart.

use std::{
    collections::BTreeSet,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use roost_pkg::{
    FsRoot,
    stage::{self, StageOptions, Survey},
};

/// Most files of a tree that are looked at; what lies beyond is not watched.
const TREE_ENTRIES_MAX: usize = 10_000;
/// Deepest nesting of a tree that is looked at.
const TREE_DEPTH_MAX: usize = 16;

/// What is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// One file: it appears, changes or disappears.
    File(PathBuf),
    /// The files directly inside a directory.
    Directory(PathBuf),
    /// All files below a directory.
    Tree(PathBuf),
    /// What a service in a plain directory consists of.
    Service {
        /// The root with the Supervisor's own files.
        root: FsRoot,
        /// The directory.
        directory: PathBuf,
        /// Files that are no part of it, by device and number.
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

    /// What belongs to the service; of other targets nothing.
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

/// The directories in which a change of the target shows: its parent, or the nearest ancestor
/// that exists; for trees every directory inside; and those that hold links on the way.
pub(super) fn directories_of(target: &Target, wanted: &mut BTreeSet<PathBuf>) {
    let start = match target {
        Target::File(path) => path.parent().unwrap_or(path),
        Target::Directory(path) | Target::Tree(path) => path,
        Target::Service { .. } => return wanted.extend(target.survey().directories),
    };
    // A link on the way that is switched shows where it lies.
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
        // A tree that is replaced as a whole shows in its parent.
        if let Some(parent) = path.parent().filter(|parent| parent.is_dir()) {
            wanted.insert(parent.to_owned());
        }
    }
}

/// A number that differs when a target differs in names, sizes, times or identity of files.
pub(super) fn fingerprint(targets: &[Target]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for target in targets {
        let path = target.path();
        match target {
            Target::File(_) => hash_file(fs::metadata(path).ok().as_ref(), &mut hasher),
            Target::Directory(_) => {
                // A file that came and went between two looks shows in the time of the directory.
                let times = fs::metadata(path).ok().map(|m| (m.mtime(), m.mtime_nsec()));
                times.hash(&mut hasher);
                let mut names: Vec<_> = fs::read_dir(path)
                    .into_iter()
                    .flatten()
                    .flatten()
                    .map(|e| e.file_name())
                    .collect();
                names.sort();
                for name in names.iter().take(TREE_ENTRIES_MAX) {
                    name.hash(&mut hasher);
                    hash_file(fs::metadata(path.join(name)).ok().as_ref(), &mut hasher);
                }
            }
            Target::Service { .. } => target.survey().fingerprint.hash(&mut hasher),
            Target::Tree(_) => {
                for (path, metadata) in tree(path) {
                    path.hash(&mut hasher);
                    // The time of a directory changes with temporary files of editors.
                    hash_file((!metadata.is_dir()).then_some(&metadata), &mut hasher);
                }
            }
        }
    }
    hasher.finish()
}

/// Of what is no file only that it is there counts: a directory in the place of a file that is
/// removed is a change too.
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
