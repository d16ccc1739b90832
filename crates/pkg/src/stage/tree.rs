//! The files of a plain directory that become files of a release.

use std::{collections::BTreeMap, os::unix::fs::MetadataExt, path::PathBuf};

use roost_ident::Hook;
use rustix::fs::FileType;

use super::{
    StageError,
    others::mode_of,
    reach::{self, Dir, Node, Opened},
    rules::{Rules, Verdict},
};
use crate::{
    metafile::MAX_METAFILE_BYTES,
    sources::{MAX_DEPTH, MAX_TEMPLATE_BYTES, MAX_TEMPLATES, MAX_TREE_BYTES, SourceError},
};

/// Most entries read from `hooks/`.
const MAX_HOOK_FILES: usize = 256;

/// A file of the new release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StagedFile {
    pub(super) text: String,
    pub(super) mode: u32,
}

impl StagedFile {
    /// A world-readable file.
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
    /// Warnings for the user, one line each.
    pub(super) warnings: Vec<String>,
    bytes: u64,
}

/// Reads hooks, templates, `default.toml`, `monitor.toml` and `run`.
pub(super) fn read(context: &Dir, rules: &Rules) -> Result<Tree, StageError> {
    let mut tree = Tree { newest_s: i64::MIN, ..Tree::default() };
    if let Some(hooks) = context.dir("hooks")? {
        tree.add_hooks(&hooks, rules)?;
    }
    for name in ["config", "config_install"] {
        if let Some(dir) = context.dir(name)? {
            templates(&dir, name, rules, &mut |dir, last, name| {
                let Some(last) = last else { return Ok(()) };
                let Some(Node::File(file)) = dir.get_itself(last)? else { return Ok(()) };
                tree.add(file, name.into(), MAX_TEMPLATE_BYTES, false)
            })?;
        }
    }
    for name in ["default.toml", "monitor.toml"] {
        if let Some(file) = context.file(name)? {
            tree.add(file, name.into(), MAX_METAFILE_BYTES, false)?;
        }
    }
    if !tree.files.contains_key("hooks/run") {
        match context.get("run")? {
            None | Some(Node::Dir(_)) => {}
            Some(Node::File(file)) => tree.add(file, "run".into(), MAX_TEMPLATE_BYTES, true)?,
            Some(node) => return Err(node.not_a_file(&context.path().join("run"))),
        }
    }
    Ok(tree)
}

/// Called with each file: its directory, its name there, its path in the release. Without a name it
/// is the directory itself.
type Visit<'a> = dyn FnMut(&Dir, Option<&str>, &str) -> Result<(), StageError> + 'a;

/// Visits the directories and regular files below `config/`, by path; links are not followed.
pub(super) fn templates(
    dir: &Dir,
    name: &str,
    rules: &Rules,
    visit: &mut Visit<'_>,
) -> Result<(), StageError> {
    fn go(
        dir: &Dir,
        name: &str,
        depth: usize,
        count: &mut usize,
        rules: &Rules,
        visit: &mut Visit<'_>,
    ) -> Result<(), StageError> {
        let limit = |what| Err(SourceError::Limit { path: dir.path().into(), what }.into());
        if depth > MAX_DEPTH {
            return limit(format!("directories deeper than {MAX_DEPTH}"));
        }
        visit(dir, None, name)?;
        for last in dir.names(MAX_TEMPLATES)? {
            let Some(found) = dir.peek(&last)? else { continue };
            let kind = FileType::from_raw_mode(found.st_mode);
            let is_dir = kind == FileType::Directory;
            if !is_dir && kind != FileType::RegularFile {
                continue;
            }
            let last =
                reach::text(&last).ok_or_else(|| SourceError::Name(dir.path().join(&last)))?;
            let path = format!("{name}/{last}");
            if rules.verdict_on_template(&path, is_dir) == Verdict::Out {
                continue;
            }
            if !is_dir {
                *count += 1;
                if *count > MAX_TEMPLATES {
                    return limit(format!("more than {MAX_TEMPLATES} templates"));
                }
                visit(dir, Some(last), &path)?;
            } else if let Some(Node::Dir(below)) = dir.get_itself(last)? {
                go(&below, &path, depth + 1, count, rules, visit)?;
            }
        }
        Ok(())
    }
    go(dir, name, 0, &mut 0, rules, visit)
}

/// Names in `hooks/` that may be hooks.
pub(super) fn hook_names(dir: &Dir, rules: &Rules) -> Result<Vec<String>, StageError> {
    let names = dir.names(MAX_HOOK_FILES)?;
    if names.len() > MAX_HOOK_FILES {
        let what = format!("more than {MAX_HOOK_FILES} files");
        return Err(SourceError::Limit { path: dir.path().into(), what }.into());
    }
    let mut found = Vec::new();
    for name in names {
        let text = reach::text(&name).ok_or_else(|| SourceError::Name(dir.path().join(&name)))?;
        if rules.verdict(&format!("hooks/{text}"), false) != Verdict::Out {
            found.push(text.to_owned());
        }
    }
    Ok(found)
}

impl Tree {
    /// Adds a file.
    fn add(
        &mut self,
        file: Opened,
        name: String,
        limit: u64,
        executable: bool,
    ) -> Result<(), StageError> {
        let path = file.path.clone();
        let (mode, modified_s) = (file.found.mode(), file.found.mtime());
        let text = file.text(limit)?;
        self.bytes += text.len() as u64;
        if self.bytes > MAX_TREE_BYTES {
            let what = format!("more than {MAX_TREE_BYTES} bytes in hooks and templates");
            let path = path.parent().unwrap_or(&path).into();
            return Err(SourceError::Limit { path, what }.into());
        }
        self.newest_s = self.newest_s.max(modified_s);
        let mode = mode_of(if executable { mode | 0o100 } else { mode & !0o100 });
        self.files.insert(name, StagedFile { text, mode });
        Ok(())
    }

    /// Adds `hooks/*`, without the last extension of the names.
    fn add_hooks(&mut self, dir: &Dir, rules: &Rules) -> Result<(), StageError> {
        let mut sources: BTreeMap<Hook, Opened> = BTreeMap::new();
        for name in hook_names(dir, rules)? {
            let path = dir.path().join(&name);
            let file = match dir.get(&name)? {
                None | Some(Node::Dir(_)) => continue,
                Some(node) => node,
            };
            let stem = path.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
            let Ok(hook) = stem.parse::<Hook>() else {
                let known: Vec<_> = Hook::ALL.iter().map(|hook| hook.as_str()).collect();
                let known = known.join(", ");
                let warning =
                    format!("{}: is not a hook, left out; hooks are {known}", path.display());
                self.warnings.push(warning);
                continue;
            };
            let Node::File(file) = file else { return Err(file.not_a_file(&path)) };
            if let Some(other) = sources.insert(hook, file) {
                return Err(StageError::TwoHooks { hook, one: other.path, other: path });
            }
        }
        for (hook, file) in sources {
            let (name, path): (_, PathBuf) = (format!("hooks/{hook}"), file.path.clone());
            self.add(file, name.clone(), MAX_TEMPLATE_BYTES, true)?;
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
