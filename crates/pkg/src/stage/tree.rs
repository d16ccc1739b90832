//! The files of a plain directory that become files of a release.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use roost_ident::Hook;

use super::StageError;
use crate::{
    metafile::MAX_METAFILE_BYTES,
    read::{is_absent, read_text},
    sources::{self, MAX_TEMPLATE_BYTES, MAX_TREE_BYTES, SourceError},
};

/// Most entries looked at in `hooks/`.
const MAX_HOOK_FILES: usize = 256;

/// A file of the release to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StagedFile {
    pub(super) text: String,
    pub(super) mode: u32,
}

impl StagedFile {
    /// A file that everybody may read.
    pub(super) fn public(text: String) -> Self {
        Self { text, mode: 0o644 }
    }
}

/// Files by their path in the release.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) files: BTreeMap<String, StagedFile>,
    /// The newest modification of any file, in seconds since 1970.
    pub(super) newest_s: i64,
    /// What the user should know, one line each.
    pub(super) warnings: Vec<String>,
    bytes: u64,
}

/// Reads hooks, templates, `default.toml` and `run`.
pub(super) fn read(context: &Path) -> Result<Tree, StageError> {
    let mut tree = Tree { newest_s: i64::MIN, ..Tree::default() };
    tree.add_hooks(&context.join("hooks"))?;
    for name in ["config", "config_install"] {
        let dir = context.join(name);
        for file in sources::files(&dir)?.iter().filter(|file| !is_editors(file)) {
            let path = dir.join(file);
            tree.add(&path, format!("{name}/{file}"), MAX_TEMPLATE_BYTES, false)?;
        }
    }
    tree.add(&context.join("default.toml"), "default.toml".into(), MAX_METAFILE_BYTES, false)?;
    if !tree.files.contains_key("hooks/run") {
        let run = context.join("run");
        if !run.is_dir() {
            tree.add(&run, "run".into(), MAX_TEMPLATE_BYTES, true)?;
        }
    }
    Ok(tree)
}

/// True for what editors leave behind: `*.sw?`, `*~`, `*.bak` (packages chapter 13.3).
pub(super) fn is_editors(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let swap = name.rsplit_once(".sw").is_some_and(|(_, rest)| rest.chars().count() == 1);
    swap || name.ends_with('~') || name.ends_with(".bak")
}

impl Tree {
    /// Takes notice of a file that is not copied itself.
    pub(super) fn notice(&mut self, path: &Path) -> Result<(), StageError> {
        let found = fs::metadata(path).map_err(|error| StageError::io(path, error))?;
        self.newest_s = self.newest_s.max(found.mtime());
        Ok(())
    }

    /// Adds a file if it exists.
    fn add(
        &mut self,
        path: &Path,
        name: String,
        limit: u64,
        executable: bool,
    ) -> Result<(), StageError> {
        let Some(text) = read_text(path, limit)? else { return Ok(()) };
        self.bytes += text.len() as u64;
        if self.bytes > MAX_TREE_BYTES {
            let what = format!("more than {MAX_TREE_BYTES} bytes in hooks and templates");
            let path = path.parent().unwrap_or(path).into();
            return Err(SourceError::Limit { path, what }.into());
        }
        self.notice(path)?;
        // What the user keeps from others stays so in the release.
        let found = fs::metadata(path).map_err(|error| StageError::io(path, error))?;
        let public = found.mode() & 0o004 != 0;
        let mode = match (executable, public) {
            (true, true) => 0o755,
            (true, false) => 0o700,
            (false, true) => 0o644,
            (false, false) => 0o600,
        };
        self.files.insert(name, StagedFile { text, mode });
        Ok(())
    }

    /// Adds `hooks/*`; the last extension is taken off the names.
    fn add_hooks(&mut self, dir: &Path) -> Result<(), StageError> {
        let mut sources: BTreeMap<Hook, PathBuf> = BTreeMap::new();
        for path in list(dir)? {
            let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
            if name.starts_with('.') || is_editors(&name) || path.is_dir() {
                continue;
            }
            let stem = path.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
            let Ok(hook) = stem.parse::<Hook>() else {
                let known: Vec<_> = Hook::ALL.iter().map(|hook| hook.as_str()).collect();
                let known = known.join(", ");
                let warning =
                    format!("{}: is no hook, left out; hooks are {known}", path.display());
                self.warnings.push(warning);
                continue;
            };
            if let Some(other) = sources.insert(hook, path.clone()) {
                return Err(StageError::TwoHooks { hook, one: other, other: path });
            }
        }
        for (hook, path) in sources {
            let name = format!("hooks/{hook}");
            self.add(&path, name.clone(), MAX_TEMPLATE_BYTES, true)?;
            let text = self.files.get(&name).map_or("", |file| file.text.as_str());
            if let Some(line) = text.split('\n').position(|line| line.ends_with('\r')) {
                let problem = "ends in CR LF, which no interpreter line survives; \
                               save the hook with LF"
                    .into();
                return Err(StageError::Fault { path, line: line + 1, problem });
            }
        }
        Ok(())
    }
}

/// Entries of a directory, sorted; a missing one is empty.
fn list(dir: &Path) -> Result<Vec<PathBuf>, StageError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(StageError::io(dir, error)),
    };
    let paths: io::Result<Vec<_>> =
        entries.take(MAX_HOOK_FILES + 1).map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(|error| StageError::io(dir, error))?;
    if paths.len() > MAX_HOOK_FILES {
        let what = format!("more than {MAX_HOOK_FILES} files");
        return Err(SourceError::Limit { path: dir.into(), what }.into());
    }
    paths.sort();
    Ok(paths)
}
