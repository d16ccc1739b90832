//! Files that commands about package archives take.

use std::path::{Path, PathBuf};

/// A file that is there.
pub(crate) fn parse(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    if path.is_file() { Ok(path.into()) } else { Err("is not a valid file".into()) }
}
