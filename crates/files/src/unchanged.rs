//! Replacing a file that people edit, without ever losing an edit.

use std::{
    ffi::OsString,
    fs, io,
    path::Path,
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::{Durability, read, replace, sync_directory};

/// Replaces a file if it still has the expected content; returns whether it did. A check before a
/// rename would miss an edit in between, so both files change places at once, and change back when
/// the one that was there is not the expected one. Where the file system cannot do that, nothing is
/// replaced.
///
/// # Errors
/// As [`replace`].
pub fn replace_unchanged(
    path: &Path,
    expected: &[u8],
    bytes: &[u8],
    mode: u32,
) -> io::Result<bool> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    if !holds(path, expected) {
        return Ok(false);
    }
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let beside = OsString::from(format!(".roost-{}-{count}-beside.tmp", process::id()));
    let beside = path.with_file_name(beside);
    replace(&beside, bytes, mode, Durability::State)?;
    let exchange = || renameat_with(CWD, &beside, CWD, path, RenameFlags::EXCHANGE).is_ok();
    let exchanged = exchange();
    let replaced = exchanged && holds(&beside, expected);
    if exchanged && !replaced {
        // An edit came in between: it is put back, and another one that came since wins.
        let is_back = exchange();
        if !is_back || !holds(&beside, bytes) && !exchange() {
            return Err(io::Error::other(format!("an edit is kept in '{}'", beside.display())));
        }
    }
    fs::remove_file(&beside)?;
    match path.parent() {
        Some(parent) => sync_directory(parent).map(|()| replaced),
        None => Ok(replaced),
    }
}

/// A file that cannot be read holds something else.
fn holds(path: &Path, expected: &[u8]) -> bool {
    read(path, expected.len() as u64).is_ok_and(|found| found.as_deref() == Some(expected))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn only_the_expected_content_is_replaced() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("web.spec");
        assert!(!replace_unchanged(&path, b"short", b"long", 0o600).expect("nothing there"));
        fs::write(&path, "short").expect("written");
        assert!(replace_unchanged(&path, b"short", b"long", 0o600).expect("replaced"));
        assert_eq!(fs::read(&path).expect("there"), b"long");
        assert!(!replace_unchanged(&path, b"short", b"other", 0o600).expect("left"));
        assert_eq!(fs::read(&path).expect("there"), b"long");
        assert_eq!(fs::read_dir(place.path()).expect("listed").count(), 1);
    }

    #[test]
    fn an_edit_at_any_moment_is_kept() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("web.spec");
        for round in 0..60 {
            fs::write(&path, "short").expect("written");
            let editor = {
                let path = path.clone();
                thread::spawn(move || {
                    for _ in 0..round * 100 {
                        std::hint::spin_loop();
                    }
                    replace(&path, b"edited", 0o600, Durability::Cache).expect("written");
                })
            };
            replace_unchanged(&path, b"short", b"long", 0o600).expect("no error");
            editor.join().expect("it ends");
            assert_eq!(fs::read(&path).expect("there"), b"edited", "round {round}");
        }
        assert_eq!(fs::read_dir(place.path()).expect("listed").count(), 1);
    }
}
