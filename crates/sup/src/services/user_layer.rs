//! `user.toml` of a service, and its last usable copy.
//!
//! People edit the file by hand, so it may contain an error whenever it is read. The copy is a
//! state file: it is used until the file is corrected, even after a restart of the Supervisor or of
//! the machine. An empty copy represents a missing file.

use roost_pkg::{FsRoot, metafile::MAX_METAFILE_BYTES, read::read_text};
use roost_template::config;

use super::built::toml_fault;

/// The settings in use.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct UserLayer {
    pub(crate) table: Option<toml::Table>,
    /// Why the copy is used instead of the file.
    pub(crate) fault: Option<String>,
    /// New content of the copy; `None` when it is up to date.
    pub(crate) to_keep: Option<String>,
}

/// Reads the file, or returns why it cannot be used.
pub(crate) fn read(root: &FsRoot, service: &str) -> Result<UserLayer, String> {
    let path = root.user_toml(service);
    let text = read_text(&path, MAX_METAFILE_BYTES)
        .map_err(|error| format!("Failed to read 'user.toml', {error}"))?;
    let fault = |error| toml_fault(&path.display().to_string(), &error);
    let table = text.as_deref().map(config::parse_toml).transpose().map_err(fault)?;
    let text = text.unwrap_or_default();
    let to_keep = (kept(root, service).as_ref() != Some(&text)).then_some(text);
    Ok(UserLayer { table, fault: None, to_keep })
}

/// Reads the file, or the copy when the file cannot be used. Fails without a copy: a service must
/// not run with other settings than its user's.
pub(crate) fn read_or_kept(root: &FsRoot, service: &str) -> Result<UserLayer, String> {
    read(root, service).or_else(|error| {
        let Some(text) = kept(root, service) else { return Err(error) };
        let Ok(table) = config::parse_toml(&text) else { return Err(error) };
        let table = (!text.is_empty()).then_some(table);
        Ok(UserLayer { table, fault: Some(not_in_force(&error)), to_keep: None })
    })
}

/// The log line about an unusable file.
pub(crate) fn not_in_force(error: &str) -> String {
    format!(
        "Reloading user-config failed: {error}; until that is corrected, the last content without \
         an error stays in force"
    )
}

/// A copy that cannot be read counts as missing.
fn kept(root: &FsRoot, service: &str) -> Option<String> {
    read_text(&root.sup().user_copy(service), MAX_METAFILE_BYTES).ok().flatten()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_a_file_with_an_error_is_replaced_by_the_copy() {
        let place = tempfile::tempdir().expect("a directory");
        let root = FsRoot::new(place.path().into()).expect("absolute");
        let (file, copy) = (root.user_toml("web"), root.sup().user_copy("web"));
        for path in [&file, &copy] {
            fs::create_dir_all(path.parent().expect("one")).expect("made");
        }
        let no_file = read_or_kept(&root, "web").expect("a service without the file");
        assert_eq!((no_file.table, no_file.to_keep), (None, Some(String::new())));
        fs::write(&file, "a = = 1\n").expect("written");
        assert!(
            read_or_kept(&root, "web").expect_err("nothing to go by").contains("user.toml:1:5")
        );
        fs::write(&copy, "").expect("written");
        let without = read_or_kept(&root, "web").expect("there was no file");
        assert_eq!((without.table, without.to_keep), (None, None));
        assert!(without.fault.is_some_and(|fault| fault.contains("user.toml:1:5")));
        fs::write(&copy, "a = 1\n").expect("written");
        let former = read_or_kept(&root, "web").expect("the copy");
        assert_eq!(former.table.expect("a table")["a"].as_integer(), Some(1));
        fs::write(&file, "a = 1\n").expect("written");
        let same = read_or_kept(&root, "web").expect("the file");
        assert_eq!((same.fault, same.to_keep), (None, None));
        fs::write(&file, "a = 2\n").expect("written");
        let newer = read_or_kept(&root, "web").expect("the file");
        assert_eq!(newer.to_keep.as_deref(), Some("a = 2\n"));
        fs::write(&copy, "a = = 1\n").expect("written");
        fs::remove_file(&file).expect("removed");
        fs::create_dir(&file).expect("made");
        assert!(read_or_kept(&root, "web").is_err(), "a damaged copy does not count");
    }
}
