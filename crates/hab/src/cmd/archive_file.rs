//! Arguments that name a package archive.

use std::path::{Path, PathBuf};

/// An existing file.
pub(crate) fn parse(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    if path.is_file() { Ok(path.into()) } else { Err("is not a valid file".into()) }
}
