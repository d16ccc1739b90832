//! Templates of a package, or of a `config_from` directory used in its place.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use roost_ident::Hook;

use crate::{
    metafile::MAX_METAFILE_BYTES,
    read::{ReadError, is_absent, read_text},
};

/// Largest template in bytes.
pub const MAX_TEMPLATE_BYTES: u64 = 4 * 1024 * 1024;
/// Most templates below one `config/`.
pub const MAX_TEMPLATES: usize = 4096;
/// Most bytes of all templates below one `config/`.
pub const MAX_TREE_BYTES: u64 = 64 * 1024 * 1024;
/// Deepest directory below `config/`.
pub const MAX_DEPTH: usize = 32;

/// Why templates could not be read. The text names the file and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A directory cannot be listed.
    #[error("{}: {source}; check that this user may list it", path.display())]
    Directory {
        /// The affected path.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// A file name is not UTF-8.
    #[error("{}: the name is not UTF-8; rename the file", .0.display())]
    Name(PathBuf),
    /// A directory exceeds a limit for templates.
    #[error("{}: holds {what}; move what is not a template elsewhere", path.display())]
    Limit {
        /// The affected path.
        path: PathBuf,
        /// The exceeded limit, for the message.
        what: String,
    },
}

/// The hooks of a package, in the order of [`Hook::ALL`]. Files with other names are ignored; the
/// mode of the files does not matter.
///
/// # Errors
/// When a file is not text or too large.
pub fn hooks(dir: &Path) -> Result<Vec<(Hook, String)>, SourceError> {
    let mut found = Vec::new();
    for hook in Hook::ALL {
        if let Some(text) = self::hook(dir, *hook)? {
            found.push((*hook, text));
        }
    }
    Ok(found)
}

/// One hook of a package; `None` when it does not exist.
///
/// # Errors
/// As [`hooks`].
pub fn hook(dir: &Path, hook: Hook) -> Result<Option<String>, SourceError> {
    let path = dir.join("hooks").join(hook.as_str());
    if path.is_dir() {
        return Ok(None);
    }
    Ok(read_text(&path, MAX_TEMPLATE_BYTES)?)
}

/// The text of a package's `default.toml`; `None` when it does not exist.
///
/// # Errors
/// When it is not text or too large.
pub fn default_toml(dir: &Path) -> Result<Option<String>, SourceError> {
    Ok(read_text(&dir.join("default.toml"), MAX_METAFILE_BYTES)?)
}

/// All templates below a directory such as `<package>/config`: relative path and text, sorted by
/// path. Includes hidden files, but not symbolic links and special files. A missing directory
/// counts as empty.
///
/// # Errors
/// When a file is not text, a name is not UTF-8, a directory cannot be listed, or a limit is
/// exceeded.
pub fn config_tree(dir: &Path) -> Result<Vec<(String, String)>, SourceError> {
    let mut templates = Vec::new();
    let mut bytes = 0;
    for file in files(dir)? {
        let Some(text) = read_text(&dir.join(&file), MAX_TEMPLATE_BYTES)? else { continue };
        bytes += text.len() as u64;
        if bytes > MAX_TREE_BYTES {
            let what = format!("more than {MAX_TREE_BYTES} bytes of templates");
            return Err(SourceError::Limit { path: dir.into(), what });
        }
        templates.push((file, text));
    }
    Ok(templates)
}

/// Relative paths of the regular files below a directory, sorted; links are not followed.
pub(crate) fn files(dir: &Path) -> Result<Vec<String>, SourceError> {
    let mut found = Vec::new();
    collect(dir, "", 0, &mut found)?;
    found.sort();
    Ok(found)
}

fn collect(
    dir: &Path,
    prefix: &str,
    depth: usize,
    found: &mut Vec<String>,
) -> Result<(), SourceError> {
    let limit = |what| SourceError::Limit { path: dir.into(), what };
    if depth > MAX_DEPTH {
        return Err(limit(format!("directories deeper than {MAX_DEPTH}")));
    }
    let failed = |source| SourceError::Directory { path: dir.into(), source };
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        if !kind.is_file() && !kind.is_dir() {
            continue;
        }
        let name = entry.file_name().into_string().map_err(|_| SourceError::Name(entry.path()))?;
        let relative = format!("{prefix}{name}");
        if kind.is_dir() {
            collect(&entry.path(), &format!("{relative}/"), depth + 1, found)?;
        } else if found.len() == MAX_TEMPLATES {
            return Err(limit(format!("more than {MAX_TEMPLATES} templates")));
        } else {
            found.push(relative);
        }
    }
    Ok(())
}
