//! What makes a new or removed name survive a power cut.

use std::{fs::File, io, path::Path};

use rustix::io::Errno;

/// Brings the names in a directory to the disk. A file system that cannot do that is left alone.
///
/// # Errors
/// Errors of the operating system.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    match rustix::fs::fsync(File::open(directory)?) {
        Ok(()) | Err(Errno::INVAL) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
