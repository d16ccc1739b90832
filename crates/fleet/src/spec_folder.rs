//! The spec directory: when it is read, and which complaints about its files were logged.

use std::{collections::BTreeMap, path::PathBuf};

/// A directory that could not be read is read again after this.
const PAUSE_MS: u64 = 10_000;

/// Whether the directory is being read: once at a time, and once more when something has changed
/// meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Reading {
    #[default]
    No,
    UnderWay,
    /// It has changed since the reading began.
    Outdated,
}

/// State of the spec directory.
#[derive(Debug, Default)]
pub(crate) struct SpecFolder {
    reading: Reading,
    /// A command that changes specs is under way: what it writes is read when it has ended, so that
    /// nothing follows from half of it.
    is_written: bool,
    /// It could not be read: it is read again then, also if no change is reported.
    again_at_ms: Option<u64>,
    complaints: BTreeMap<PathBuf, String>,
}

/// What a listing that was just read is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Read {
    /// Something has changed meanwhile: another reading begins.
    pub(crate) again: bool,
    /// No command is about to change what was read.
    pub(crate) settled: bool,
}

impl SpecFolder {
    /// The directory may have changed; true when a reading begins.
    pub(crate) fn read(&mut self) -> bool {
        self.again_at_ms = None;
        let begins = self.reading == Reading::No;
        self.reading = if begins { Reading::UnderWay } else { Reading::Outdated };
        begins
    }

    /// A reading has ended.
    pub(crate) fn end_reading(&mut self) -> Read {
        let again = self.reading == Reading::Outdated;
        self.reading = Reading::No;
        Read { again, settled: !again && !self.is_written }
    }

    /// It could not be read.
    pub(crate) fn fail(&mut self, now_ms: u64) {
        self.again_at_ms = Some(now_ms.saturating_add(PAUSE_MS));
    }

    /// When the next attempt to read it is due.
    pub(crate) fn next_wake_ms(&self) -> Option<u64> {
        self.again_at_ms
    }

    /// A command begins to change specs.
    pub(crate) fn begin_command(&mut self) {
        self.is_written = true;
    }

    /// The command has ended; the directory is then to be read.
    pub(crate) fn end_command(&mut self) {
        self.is_written = false;
    }

    /// True when a change on disk is to be followed now.
    pub(crate) fn follows_changes(&self) -> bool {
        !self.is_written
    }

    /// True while what is wanted of services may be about to change.
    pub(crate) fn is_pending(&self) -> bool {
        self.is_written || self.reading != Reading::No
    }

    /// Takes the complaints of a listing; returns those that were not logged before.
    pub(crate) fn complain(&mut self, complaints: BTreeMap<PathBuf, String>) -> Vec<String> {
        let is_new = |(path, line): &(&PathBuf, &String)| self.complaints.get(*path) != Some(*line);
        let news = complaints.iter().filter(is_new).map(|(_, line)| line.clone()).collect();
        self.complaints = complaints;
        news
    }

    /// Adds one complaint; true when it was not logged before.
    pub(crate) fn complain_of(&mut self, path: PathBuf, line: &str) -> bool {
        self.complaints.insert(path, line.to_owned()).as_deref() != Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_reading_at_a_time_and_no_change_is_lost() {
        let mut folder = SpecFolder::default();
        assert!(folder.read());
        assert!(!folder.read(), "the change is read after the reading under way");
        assert_eq!(folder.end_reading(), Read { again: true, settled: false });
        assert!(folder.read());
        assert_eq!(folder.end_reading(), Read { again: false, settled: true });
        assert!(!folder.is_pending());
    }

    #[test]
    fn what_could_not_be_read_is_read_again() {
        let mut folder = SpecFolder::default();
        assert!(folder.read());
        folder.end_reading();
        folder.fail(5);
        assert_eq!(folder.next_wake_ms(), Some(10_005));
        assert!(folder.read());
        assert_eq!(folder.next_wake_ms(), None);
    }

    #[test]
    fn nothing_follows_from_half_a_command() {
        let mut folder = SpecFolder::default();
        assert!(folder.read());
        folder.begin_command();
        assert!(!folder.follows_changes() && folder.is_pending());
        assert_eq!(folder.end_reading(), Read { again: false, settled: false });
        folder.end_command();
        assert!(folder.follows_changes() && !folder.is_pending());
    }

    #[test]
    fn a_complaint_is_logged_once_until_it_changes() {
        let mut folder = SpecFolder::default();
        let listing = |line: &str| BTreeMap::from([(PathBuf::from("web.spec"), line.to_owned())]);
        assert_eq!(folder.complain(listing("bad")), ["bad"]);
        assert!(folder.complain(listing("bad")).is_empty());
        assert_eq!(folder.complain(listing("worse")), ["worse"]);
        assert!(folder.complain(BTreeMap::new()).is_empty());
        assert_eq!(folder.complain(listing("worse")), ["worse"], "it was mended in between");
        assert!(!folder.complain_of("web.spec".into(), "worse"));
        assert!(folder.complain_of("web.spec".into(), "another group"));
    }
}
