//! Schedule of writes of the data file.
//!
//! Other members do not repeat rumors that they count as sent (reference: ring §9). A Supervisor
//! that was killed must find them in its file: Habitat writes every 30 s and can lose a
//! configuration permanently.

use std::time::Duration;

use tokio::time::Instant;

/// Time between writes (`HAB_PERSIST_LOOP_PERIOD_SECS`, reference: ring §12.3).
const PERIOD_S: u64 = 30;
/// Longest period, so that times cannot overflow.
const PERIOD_MAX_S: u64 = 365 * 86_400;
/// Delay from a new rumor to the write; more of them usually follow.
const SOON: Duration = Duration::from_secs(1);
/// Least pause between writes caused by rumors.
const LEAST: Duration = Duration::from_secs(5);

/// Schedules writes.
#[derive(Debug)]
pub(super) struct Saving {
    period: Duration,
    /// The period was configured: then there are no additional writes.
    is_given: bool,
    due: Instant,
    /// The last write.
    last: Option<Instant>,
    unsaved: bool,
}

impl Saving {
    pub(super) fn new(period_s: Option<u64>) -> Self {
        let given = period_s.filter(|seconds| *seconds > 0);
        let period = Duration::from_secs(given.unwrap_or(PERIOD_S).min(PERIOD_MAX_S));
        let due = Instant::now() + period;
        Self { period, is_given: given.is_some(), due, last: None, unsaved: true }
    }

    /// When [`Self::begin`] is due.
    pub(super) const fn due(&self) -> Instant {
        self.due
    }

    /// Rumors changed, or only the state of members, which others repeat.
    pub(super) fn changed(&mut self, now: Instant, rumors: bool) {
        self.unsaved = true;
        if rumors && !self.is_given {
            let soon = self.last.map_or(now, |last| last + LEAST).max(now + SOON);
            self.due = self.due.min(soon);
        }
    }

    /// True when there is something to write.
    pub(super) fn begin(&mut self, now: Instant) -> bool {
        self.due = now + self.period;
        let unsaved = std::mem::take(&mut self.unsaved);
        if unsaved {
            self.last = Some(now);
        }
        unsaved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn rumors_are_written_soon_with_pauses() {
        let mut saving = Saving::new(None);
        let start = Instant::now();
        assert!(saving.begin(start), "at the start");
        saving.changed(start + s(10), false);
        assert_eq!(saving.due(), start + s(30));
        saving.changed(start + s(11), true);
        saving.changed(start + s(11), true);
        assert_eq!(saving.due(), start + s(12));
        assert!(saving.begin(start + s(12)));
        saving.changed(start + s(12), true);
        assert_eq!(saving.due(), start + s(17));
        assert!(saving.begin(start + s(17)));
        assert!(!saving.begin(start + s(47)), "nothing changed");
    }

    #[test]
    fn a_configured_period_is_kept() {
        let mut saving = Saving::new(Some(600));
        let start = Instant::now();
        saving.begin(start);
        saving.changed(start, true);
        assert_eq!(saving.due(), start + s(600));
        assert!(Saving::new(Some(u64::MAX)).begin(start));
    }
}
