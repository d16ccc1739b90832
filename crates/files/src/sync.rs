//! Durability of new and removed names.

use std::{fs::File, io, path::Path};

use rustix::io::Errno;

/// Syncs the names in a directory to disk. Does nothing on a file system without support.
///
/// # Errors
/// Errors of the operating system.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    match rustix::fs::fsync(File::open(directory)?) {
        Ok(()) | Err(Errno::INVAL) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
