//! The share of the Supervisor's task for changes of the ring: any peer can change the ring all the
//! time, and health checks, commands and ends of processes must not wait.

use std::time::Duration;

/// Work without a following pause: an occasional change is handled immediately.
const FREE: Duration = Duration::from_millis(5);
/// Ratio of rest to work: at most a fifth of the task is used.
const FACTOR: u32 = 4;
/// The longest rest, which clears any debt. Services must see the ring.
const REST_MAX: Duration = Duration::from_secs(2);

/// Work done for the ring that rest has not compensated yet. Times are those since some start.
#[derive(Debug, Default)]
pub struct Governor {
    debt: Duration,
    /// Time of that debt.
    at: Option<Duration>,
    rests_until: Option<Duration>,
}

impl Governor {
    /// End of the rest before the next change of the ring; `None` when one may be handled.
    #[must_use]
    pub fn rests_until(&self, now: Duration) -> Option<Duration> {
        self.rests_until.filter(|until| now < *until)
    }

    /// A change was handled from `began` to `now`.
    pub fn worked(&mut self, began: Duration, now: Duration) {
        let rested = self.at.map_or(Duration::MAX, |at| began.saturating_sub(at));
        self.debt = self.debt.saturating_sub(rested / FACTOR) + now.saturating_sub(began);
        self.at = Some(now);
        if self.debt > FREE {
            let rest = (self.debt * FACTOR).min(REST_MAX);
            self.rests_until = Some(now + rest);
            // The longest rest compensates everything.
            self.debt = rest / FACTOR;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Handles constant changes of the given `cost` for a minute; returns the share of time used,
    /// and the longest rest.
    fn flood(cost: Duration) -> (f64, Duration) {
        let mut governor = Governor::default();
        let (mut now, mut worked, mut longest) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
        while now < Duration::from_mins(1) {
            if let Some(until) = governor.rests_until(now) {
                longest = longest.max(until - now);
                now = until;
            }
            governor.worked(now, now + cost);
            (now, worked) = (now + cost, worked + cost);
        }
        (worked.as_secs_f64() / now.as_secs_f64(), longest)
    }

    #[test]
    fn constant_changes_get_a_share_of_the_task_whatever_their_cost() {
        for micros in [50, 1_000, 4_900, 5_100, 50_000, 400_000] {
            let (share, longest) = flood(Duration::from_micros(micros));
            assert!((0.15..0.22).contains(&share), "{share} of the task at {micros} us");
            assert!(longest <= REST_MAX, "{longest:?} at {micros} us");
        }
    }

    #[test]
    fn a_long_change_does_not_block_the_next_one() {
        assert_eq!(flood(Duration::from_secs(5)).1, REST_MAX);
    }

    #[test]
    fn a_change_now_and_then_is_handled_at_once() {
        let (mut governor, mut now) = (Governor::default(), Duration::ZERO);
        for _ in 0..1_000 {
            assert_eq!(governor.rests_until(now), None);
            governor.worked(now, now + Duration::from_millis(4));
            now += Duration::from_millis(24);
        }
    }
}
