//! The spec directory: when it is read, and which complaints about its files were logged.

use std::{collections::BTreeMap, path::PathBuf};

/// A directory that could not be read is read again after this.
const PAUSE_MS: u64 = 10_000;

/// Whether the directory is being read or written. It is read once at a time, and once more when it
/// has changed meanwhile. What a command writes is read when the command has ended, so that nothing
/// follows from half of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Known,
    /// It could not be read, and is read again then, also if no change is reported.
    Unread {
        again_at_ms: u64,
    },
    Reading,
    /// It is being read, and has changed since the reading began.
    Outdated,
    /// A command changes it.
    Written,
    /// A command changes it, and a reading that began before has not ended.
    WrittenInReading,
}

/// State of the spec directory.
#[derive(Debug, Default)]
pub(crate) struct SpecFolder {
    state: State,
    complaints: BTreeMap<PathBuf, String>,
}

/// What a listing that was just read is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Read {
    /// Something has changed meanwhile: another reading is due.
    pub(crate) again: bool,
    /// No command is about to change what was read.
    pub(crate) settled: bool,
}

impl SpecFolder {
    /// The directory may have changed; true when a reading begins.
    pub(crate) fn read(&mut self) -> bool {
        let (state, begins) = match self.state {
            State::Known | State::Unread { .. } => (State::Reading, true),
            State::Reading | State::Outdated => (State::Outdated, false),
            written @ (State::Written | State::WrittenInReading) => (written, false),
        };
        self.state = state;
        begins
    }

    /// A reading has ended.
    pub(crate) fn end_reading(&mut self) -> Read {
        let former = self.state;
        self.state = match former {
            State::Written | State::WrittenInReading => State::Written,
            _ => State::Known,
        };
        let again = former == State::Outdated;
        Read { again, settled: !again && self.state == State::Known }
    }

    /// It could not be read. What a command writes is read in any case.
    pub(crate) fn fail(&mut self, now_ms: u64) {
        if self.state == State::Known {
            self.state = State::Unread { again_at_ms: now_ms.saturating_add(PAUSE_MS) };
        }
    }

    /// When the next attempt to read it is due.
    pub(crate) fn next_wake_ms(&self) -> Option<u64> {
        match self.state {
            State::Unread { again_at_ms } => Some(again_at_ms),
            _ => None,
        }
    }

    /// A command begins to change specs.
    pub(crate) fn begin_command(&mut self) {
        self.state = match self.state {
            State::Known | State::Unread { .. } | State::Written => State::Written,
            State::Reading | State::Outdated | State::WrittenInReading => State::WrittenInReading,
        };
    }

    /// The command has ended; true when a reading begins.
    pub(crate) fn end_command(&mut self) -> bool {
        self.state = match self.state {
            State::Written => State::Known,
            State::WrittenInReading => State::Outdated,
            other => other,
        };
        self.read()
    }

    /// True while what is wanted of services may be about to change.
    pub(crate) fn is_pending(&self) -> bool {
        !matches!(self.state, State::Known | State::Unread { .. })
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
        folder.begin_command();
        assert!(!folder.read() && folder.is_pending(), "it is read when the command has ended");
        assert!(folder.end_command());
        folder.begin_command();
        assert_eq!(folder.end_reading(), Read { again: false, settled: false });
        folder.fail(5);
        assert_eq!(folder.next_wake_ms(), None, "the end of the command is awaited");
        assert!(folder.end_command());
        assert_eq!(folder.end_reading(), Read { again: false, settled: true });
    }

    #[test]
    fn a_command_that_ends_during_a_reading_is_read_after_it() {
        let mut folder = SpecFolder::default();
        assert!(folder.read());
        folder.begin_command();
        assert!(!folder.end_command());
        assert_eq!(folder.end_reading(), Read { again: true, settled: false });
        assert!(folder.read());
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
