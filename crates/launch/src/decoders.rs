//! Internal parsers of this crate, for the fuzz targets.

use crate::{shebang, table};

/// Reads a process table of the boot with this id. Returns the number of processes.
///
/// # Errors
/// The problem.
pub fn process_table(text: &str, boot_id: &str) -> Result<usize, String> {
    let entries = table::parse(text, boot_id)?.entries;
    assert!(entries.iter().all(|entry| entry.pid > 1 && table::is_name(&entry.name)));
    Ok(entries.len())
}

/// Parses the first line of a script: its interpreter and the argument.
#[must_use]
pub fn shebang(head: &[u8]) -> Option<(std::path::PathBuf, Option<std::ffi::OsString>)> {
    shebang::parse(head)
}
