//! Writes that survive a power failure.

use std::{fs, io, path::Path};

use super::queue::Content;

/// Brings a path to a content; returns when it is on disk.
pub(super) fn carry_out(path: &Path, content: &Content) -> io::Result<()> {
    match content {
        Content::File { bytes, mode } => {
            if let Some(parent) = path.parent() {
                make_directory(parent)?;
            }
            roost_pkg::write::write_atomic(path, bytes, *mode)
        }
        Content::Form { of, bytes, mode } => {
            roost_files::replace_unchanged(path, of, bytes, *mode).map(drop)
        }
        Content::Nothing => {
            match fs::remove_file(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => result?,
            }
            // Without it a power failure would restore the file. Also for a missing one: an earlier
            // removal may have failed at this point.
            match path.parent() {
                Some(parent) if parent.is_dir() => roost_files::sync_directory(parent),
                _ => Ok(()),
            }
        }
    }
}

/// Creates a missing directory durably, so that it survives a power failure together with its
/// content.
fn make_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let Some(parent) = directory.parent() else { return Ok(()) };
    make_directory(parent)?;
    roost_files::create_directories(directory, roost_files::PUBLIC_DIRECTORY)?;
    roost_files::sync_directory(parent)
}
