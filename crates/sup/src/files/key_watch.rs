//! When to retry encrypted rumors: a key may have been added.

use std::{fs, path::Path, time::SystemTime};

/// Retry interval without any sign of a new key: a key file that is written slowly changes its
/// directory before it is complete.
const PAUSE_MS: u64 = 30_000;

/// Watches the directory of keys.
#[derive(Debug, Default)]
pub(crate) struct KeyWatch {
    changed: Option<SystemTime>,
    tried_ms: Option<u64>,
}

impl KeyWatch {
    /// True when there may be a new key since the last call.
    pub(crate) fn may_have_changed(&mut self, directory: &Path, now_ms: u64) -> bool {
        let changed = fs::metadata(directory).and_then(|metadata| metadata.modified()).ok();
        let is_due = self.tried_ms.is_none_or(|tried| tried + PAUSE_MS <= now_ms);
        let may_have = is_due || changed != self.changed;
        if may_have {
            (self.changed, self.tried_ms) = (changed, Some(now_ms));
        }
        may_have
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_or_a_long_time_triggers_a_retry() {
        let keys = tempfile::tempdir().unwrap();
        let mut watch = KeyWatch::default();
        assert!(watch.may_have_changed(keys.path(), 0));
        assert!(!watch.may_have_changed(keys.path(), 1));
        let later = SystemTime::now() + std::time::Duration::from_secs(5);
        fs::File::open(keys.path()).unwrap().set_modified(later).unwrap();
        assert!(watch.may_have_changed(keys.path(), 2));
        assert!(!watch.may_have_changed(keys.path(), 3));
        assert!(watch.may_have_changed(keys.path(), 3 + PAUSE_MS));
    }
}
