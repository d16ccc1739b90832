//! Times of the ring on the calendar.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use roost_ring::Now;
use tokio::time::Instant;

use crate::clock::unix_ms;

/// The calendar time moves against the monotonic clock by less than this unless it is set.
const SLEW_MS: u64 = 1_000;

/// Where the ring's clock begins on the calendar. It stays the same until the calendar is set, so
/// that one point in time has one text. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    start: Instant,
    unix_ms: Arc<AtomicU64>,
}

impl Origin {
    /// The ring's clock begins now.
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), unix_ms: Arc::new(AtomicU64::new(unix_ms())) }
    }

    /// The ring's time.
    pub(super) fn now(&self) -> Now {
        Now(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// The start of the ring's clock.
    pub(super) const fn start(&self) -> Instant {
        self.start
    }

    /// A time of the ring in milliseconds since 1970.
    pub(crate) fn unix_ms(&self, time: Now) -> u64 {
        let begun = unix_ms().saturating_sub(self.now().0 / 1_000);
        let known = self.unix_ms.load(Ordering::Relaxed);
        let origin = if begun.abs_diff(known) < SLEW_MS { known } else { begun };
        self.unix_ms.store(origin, Ordering::Relaxed);
        origin.saturating_add(time.0 / 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_keeps_its_text_until_the_calendar_is_set() {
        let origin = Origin::new();
        let first = origin.unix_ms(Now(5_000_000));
        assert_eq!(origin.unix_ms(Now(5_000_000)), first);
        let set_back = first - 3_600_000;
        origin.unix_ms.store(set_back, Ordering::Relaxed);
        let after = origin.unix_ms(Now(5_000_000));
        assert!(after.abs_diff(first) < 1_000 && after > set_back, "as the calendar now has it");
    }
}
