//! Slow work for services that is under way: reading what they are made of, rendering.
//!
//! One piece of a kind runs at a time for each service, and the fleet does not wait for it without
//! limit: a file system that does not answer (a dead mount) must hold up neither the stop of its
//! service nor the documents of all others. The service then counts as refused, with the reason.
//! Work that was given up stays under way, because nothing can end it, and when it has ended at
//! last the service is tried again.

use std::{collections::BTreeMap, time::Duration};

/// How long the fleet waits for the files of a service: enough for a disk that is busy, and far
/// less than one that is gone takes to report an error.
pub const DISK_PATIENCE: Duration = Duration::from_secs(5);

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A service is read, to be started.
    Build,
    /// A service is read for the documents alone.
    Look,
    /// What would replace that which it runs from is read and rendered.
    Check,
    /// Its templates are rendered.
    Render,
    /// An install hook is rendered.
    Install,
}

/// One piece of work.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Piece {
    pub(crate) service: String,
    pub(crate) kind: Kind,
}

/// Work under way, with the time when it is given up; `None` once it was.
#[derive(Debug, Default)]
pub(crate) struct Work(BTreeMap<Piece, Option<u64>>);

impl Work {
    pub(crate) fn is_under_way(&self, service: &str, kind: Kind) -> bool {
        self.0.contains_key(&Piece { service: service.to_owned(), kind })
    }

    /// Notes that work begins. False when the one before it, which was given up, has not ended.
    pub(crate) fn begin(&mut self, service: &str, kind: Kind, now_ms: u64) -> bool {
        if self.is_under_way(service, kind) {
            return false;
        }
        let patience_ms = u64::try_from(DISK_PATIENCE.as_millis()).unwrap_or(u64::MAX);
        let until_ms = now_ms.saturating_add(patience_ms);
        self.0.insert(Piece { service: service.to_owned(), kind }, Some(until_ms));
        true
    }

    /// Work has ended: true when the fleet still waits for what came of it.
    pub(crate) fn end(&mut self, service: &str, kind: Kind) -> bool {
        self.0.remove(&Piece { service: service.to_owned(), kind }).flatten().is_some()
    }

    pub(crate) fn next_wake_ms(&self) -> Option<u64> {
        self.0.values().flatten().copied().min()
    }

    /// Gives up what takes too long, and returns it.
    pub(crate) fn give_up(&mut self, now_ms: u64) -> Vec<Piece> {
        let is_late = |until_ms: &mut u64| *until_ms <= now_ms;
        let late = self
            .0
            .iter_mut()
            .filter_map(|(piece, until_ms)| until_ms.take_if(is_late).map(|_| piece.clone()));
        late.collect()
    }
}

/// What is wrong with a service whose files do not come.
pub(crate) fn unread() -> String {
    format!(
        "its files could not be read or written within {} secs; does a file system not answer? \
         It is tried again once they can be",
        DISK_PATIENCE.as_secs()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_a_kind_runs_at_a_time_for_each_service() {
        let mut work = Work::default();
        assert!(work.begin("web", Kind::Build, 0));
        assert!(!work.begin("web", Kind::Build, 1));
        assert!(work.begin("web", Kind::Render, 1) && work.begin("db", Kind::Build, 1));
        assert!(work.end("web", Kind::Build));
        assert!(!work.end("web", Kind::Build), "it ended before");
        assert!(work.begin("web", Kind::Build, 2));
    }

    #[test]
    fn what_was_given_up_stays_under_way_until_it_ends() {
        let mut work = Work::default();
        assert!(work.begin("web", Kind::Build, 10));
        assert_eq!(work.next_wake_ms(), Some(5_010));
        assert!(work.give_up(5_009).is_empty());
        assert_eq!(work.give_up(5_010), [Piece { service: "web".into(), kind: Kind::Build }]);
        assert!(work.give_up(9_999).is_empty() && work.next_wake_ms().is_none());
        assert!(!work.begin("web", Kind::Build, 9_999), "two would write the same files");
        assert!(!work.end("web", Kind::Build), "the fleet waits for it no longer");
        assert!(work.begin("web", Kind::Build, 9_999));
    }
}
