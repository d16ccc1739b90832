//! The share of the Supervisor's task that changes of the ring get: whoever can send gossip can
//! change the ring all the time, and health checks, commands and ends of processes must not wait.

use std::time::{Duration, Instant};

/// Work in debt that is followed by no rest: a change now and then is handled at once.
const FREE: Duration = Duration::from_millis(5);
/// Time that pays for work, as many times as long: at most a fifth of the task is used.
const FACTOR: u32 = 4;
/// The longest rest, after which nothing is owed. Services must see the ring.
const REST_MAX: Duration = Duration::from_secs(2);

/// Work that was done for the ring and is not paid for by rest yet.
#[derive(Debug, Default)]
pub(super) struct Governor {
    debt: Duration,
    /// When the debt was that.
    at: Option<Instant>,
    rests_until: Option<Instant>,
}

impl Governor {
    /// Until when no change of the ring is to be handled; `None` when one may be.
    pub(super) fn rests_until(&self, now: Instant) -> Option<Instant> {
        self.rests_until.filter(|until| now < *until)
    }

    /// A change was handled from `began` to `now`.
    pub(super) fn worked(&mut self, began: Instant, now: Instant) {
        let rested = self.at.map_or(Duration::MAX, |at| began.saturating_duration_since(at));
        self.debt = self.debt.saturating_sub(rested / FACTOR) + now.duration_since(began);
        self.at = Some(now);
        if self.debt > FREE {
            let rest = (self.debt * FACTOR).min(REST_MAX);
            self.rests_until = Some(now + rest);
            // A longest rest pays for everything.
            self.debt = rest / FACTOR;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Handles changes that are always there and take `cost` each, for a minute; the part of the
    /// time that it took, and the longest rest.
    fn flood(cost: Duration) -> (f64, Duration) {
        let (mut governor, start) = (Governor::default(), Instant::now());
        let (mut now, mut worked, mut longest) = (start, Duration::ZERO, Duration::ZERO);
        while now < start + Duration::from_mins(1) {
            if let Some(until) = governor.rests_until(now) {
                longest = longest.max(until - now);
                now = until;
            }
            governor.worked(now, now + cost);
            (now, worked) = (now + cost, worked + cost);
        }
        (worked.as_secs_f64() / (now - start).as_secs_f64(), longest)
    }

    #[test]
    fn changes_without_end_get_a_share_of_the_task_whatever_one_costs() {
        for micros in [50, 1_000, 4_900, 5_100, 50_000, 400_000] {
            let (share, longest) = flood(Duration::from_micros(micros));
            assert!((0.15..0.22).contains(&share), "{share} of the task at {micros} us");
            assert!(longest <= REST_MAX, "{longest:?} at {micros} us");
        }
    }

    #[test]
    fn however_long_one_takes_the_next_one_is_handled() {
        assert_eq!(flood(Duration::from_secs(5)).1, REST_MAX);
    }

    #[test]
    fn a_change_now_and_then_is_handled_at_once() {
        let (mut governor, mut now) = (Governor::default(), Instant::now());
        for _ in 0..1_000 {
            assert_eq!(governor.rests_until(now), None);
            governor.worked(now, now + Duration::from_millis(4));
            now += Duration::from_millis(24);
        }
    }
}
