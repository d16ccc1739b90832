//! Elections that an operator restarts with a file (reference: ring §10.7), if
//! `HAB_FEAT_TRIGGER_ELECTION` is set.

use std::{fs, path::PathBuf, time::Duration};

/// Interval of checks for files.
pub(super) const PERIOD: Duration = Duration::from_secs(1);

/// Location of the files.
#[derive(Debug)]
pub(super) struct Triggers {
    data: PathBuf,
    /// Groups whose file cannot be removed, so that each is logged once.
    stuck: Vec<String>,
}

impl Triggers {
    pub(super) const fn new(data: PathBuf) -> Self {
        Self { data, stuck: Vec::new() }
    }

    /// Whether the file of a group existed. Removes it, so that it counts once.
    pub(super) fn take(&mut self, group: &str) -> bool {
        // The name of a group comes from the network; it must be a file name here, not a path.
        if group.contains('/') {
            return false;
        }
        let path = self.data.join(format!("trigger_{group}_election"));
        if !fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_file()) {
            self.stuck.retain(|stuck| stuck != group);
            return false;
        }
        let Err(error) = fs::remove_file(&path) else { return true };
        if !self.stuck.iter().any(|stuck| stuck == group) {
            tracing::warn!(
                "Unable to remove {}, so it starts no election: {error}",
                path.display()
            );
            self.stuck.push(group.into());
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_counts_once_and_for_its_group_alone() {
        let data = tempfile::tempdir().unwrap();
        let mut triggers = Triggers::new(data.path().into());
        let file = |name: &str| fs::write(data.path().join(name), "").unwrap();
        assert!(!triggers.take("db.default"));
        file("trigger_db.default_election");
        assert!(!triggers.take("web.default"));
        assert!(triggers.take("db.default"));
        assert!(!triggers.take("db.default"));
        fs::create_dir_all(data.path().join("trigger_web.default_election/x")).unwrap();
        assert!(!triggers.take("web.default"), "a directory is not a file");
        fs::create_dir(data.path().join("trigger_a")).unwrap();
        file("trigger_a/b_election");
        assert!(!triggers.take("a/b"));
    }
}
