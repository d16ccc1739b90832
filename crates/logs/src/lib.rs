//! Output of services, stored on disk.
//!
//! Each service group has a directory, `<root>/hab/sup/default/logs/NAME.GROUP`, with the file
//! `current` and a few older ones. Their lines have the format of Kubernetes' container logs
//! (CRI), which Fluent Bit, Vector, Promtail and others read:
//!
//! ```text
//! 2026-11-27T23:59:08.123Z stderr F Can't open the database
//! ```
//!
//! Time, stream, `F` for a whole line or `P` for a part of a longer one, text. A tag after a colon
//! marks lines of the launcher itself, `F:started`, `F:exited`, `F:lost`, and those of hooks,
//! `F:hook`.
//!
//! Every line has a *position*: the number of bytes before it since the first line of the service.
//! Positions only grow, so a reader resumes where it stopped, and sees how much was removed in
//! between. The name of an older file is the position of its first line.
//!
//! | module | holds |
//! |---|---|
//! | `line` | the format of a line |
//! | `sections` | the files of a directory, in order, with their positions |
//! | `write` | [`LogFile`]: appends and rotates; one writer per directory, the launcher |
//! | `read` | [`Selection`], [`read`], [`Follower`]: any number of readers, in any process |
//!
//! Nothing here waits for a lock, and nothing is synced: written data survives the death of every
//! process, and a power failure costs the last seconds.

mod line;
mod read;
mod sections;
mod write;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

pub use line::{Line, MAX_TEXT_BYTES, Stream, Tag};
pub use read::{Follower, Record, Selection, read};
pub use write::LogFile;

/// Files per service: `current` and the older ones.
pub const FILES: u64 = 4;
/// Least total size of one service's files, in bytes: each must hold a few of the longest lines.
pub const MIN_TOTAL_BYTES: u64 = 1024 * 1024;
/// Default total size of one service's files, in bytes.
pub const DEFAULT_TOTAL_BYTES: u64 = 8 * 1024 * 1024;

/// The directory of all services below `root` (`FS_ROOT`).
#[must_use]
pub fn directory(root: &Path) -> PathBuf {
    root.join("hab/sup/default/logs")
}

/// The directory of one service group; `None` for a name that is not a plain file name.
#[must_use]
pub fn directory_of(root: &Path, group: &str) -> Option<PathBuf> {
    let is_plain = !group.is_empty()
        && !group.starts_with('.')
        && group.len() <= 255
        && !group.bytes().any(|byte| byte == b'/' || byte < b' ');
    is_plain.then(|| directory(root).join(group))
}

/// The service groups with a directory below `root`, sorted: those that printed something since
/// their directory was last removed, whether or not they are still loaded.
///
/// # Errors
/// The error of the system. A root without a Supervisor's state has no groups.
pub fn groups(root: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(directory(root)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut groups = Vec::new();
    for entry in entries {
        let name = entry?.file_name().into_string().ok();
        groups.extend(name.filter(|name| directory_of(root, name).is_some()));
    }
    groups.sort();
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_cannot_name_another_directory() {
        let root = Path::new("/r");
        let expected = Path::new("/r/hab/sup/default/logs/redis.default@acme");
        assert_eq!(directory_of(root, "redis.default@acme").as_deref(), Some(expected));
        for group in ["", ".", "..", "../x", "a/b", "a\0b", "a\nb", &"x".repeat(256)] {
            assert_eq!(directory_of(root, group), None, "{group:?}");
        }
    }
}
