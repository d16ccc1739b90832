//! When a running service is checked, and what the last check said (services chapter 10).
//!
//! Knows nothing of processes: the machine starts the hook when [`Health::is_due`] and hands
//! in what came of it.

use rand::Rng;
use roost_ident::HealthStatus;

use crate::spec::Interval;

/// Checks of one service are at least this far apart, whatever interval was chosen.
pub const PAUSE_MIN_MS: u64 = 1_000;
/// After a result other than OK the next check comes no later than this.
pub const PAUSE_NOT_OK_MAX_MS: u64 = 30_000;

/// What the loop is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// There is nothing to check: the process is down, or there is no hook.
    Idle,
    /// The next check comes at this time.
    Waiting { at_ms: u64 },
    /// The hook runs, until this time at the latest.
    Checking { until_ms: u64 },
    /// The hook ran too long and was ended; its end has not been seen yet.
    Ending,
}

/// The health of one service.
#[derive(Debug, Clone)]
pub struct Health {
    stage: Stage,
    status: HealthStatus,
    reason: Option<String>,
    /// A check of this loop was OK.
    had_ok: bool,
    /// The loop began anew while the hook ran: check again as soon as it has ended.
    again: bool,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            stage: Stage::Idle,
            status: HealthStatus::Unknown,
            reason: None,
            had_ok: false,
            again: false,
        }
    }
}

impl Health {
    /// The last result; unknown before the first one.
    #[must_use]
    pub fn status(&self) -> HealthStatus {
        self.status
    }

    /// Why it is unknown, where the hook itself does not say.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// Takes over the last result of a process that was taken back.
    pub fn restore(&mut self, status: HealthStatus) {
        self.status = status;
    }

    /// The process is up and will be checked by a hook, at once for the first time.
    pub fn begin(&mut self, now_ms: u64) {
        self.stage = Stage::Waiting { at_ms: now_ms };
        self.had_ok = false;
        self.again = false;
    }

    /// The process is up and there is no hook: that is as healthy as it gets.
    pub fn begin_without_hook(&mut self) {
        *self = Self { status: HealthStatus::Ok, ..Self::default() };
    }

    /// Begins the loop anew, for example after a reconfiguration.
    pub fn restart(&mut self, now_ms: u64) {
        match self.stage {
            Stage::Idle => {}
            Stage::Waiting { .. } => self.begin(now_ms),
            Stage::Checking { .. } | Stage::Ending => {
                self.had_ok = false;
                self.again = true;
            }
        }
    }

    /// The process is down.
    pub fn stop(&mut self) {
        *self = Self::default();
    }

    /// True when the hook is to be started.
    #[must_use]
    pub fn is_due(&self, now_ms: u64) -> bool {
        matches!(self.stage, Stage::Waiting { at_ms } if at_ms <= now_ms)
    }

    /// The hook was started.
    pub fn check_started(&mut self, now_ms: u64, timeout_ms: u64) {
        self.stage = Stage::Checking { until_ms: now_ms.saturating_add(timeout_ms) };
        self.again = false;
    }

    /// True when the hook has run too long.
    #[must_use]
    pub fn is_overdue(&self, now_ms: u64) -> bool {
        matches!(self.stage, Stage::Checking { until_ms } if until_ms <= now_ms)
    }

    /// The hook has run too long and is being ended: the result is unknown, for this reason.
    pub fn time_out(&mut self, reason: String) {
        self.stage = Stage::Ending;
        self.status = HealthStatus::Unknown;
        self.reason = Some(reason);
    }

    /// The hook has ended with this result; a result after [`Health::time_out`] does not
    /// count. Gives the milliseconds until the next check.
    pub fn ended(
        &mut self,
        now_ms: u64,
        status: HealthStatus,
        interval: Interval,
        rng: &mut impl Rng,
    ) -> u64 {
        if self.stage != Stage::Ending {
            self.status = status;
            self.reason = None;
        }
        let pause_ms = if self.again { 0 } else { self.pause_ms(interval, rng) };
        self.again = false;
        self.stage = Stage::Waiting { at_ms: now_ms.saturating_add(pause_ms) };
        pause_ms
    }

    /// The pause after the last result.
    fn pause_ms(&mut self, interval: Interval, rng: &mut impl Rng) -> u64 {
        let interval_ms = interval.as_ms();
        let pause_ms = if self.status != HealthStatus::Ok {
            interval_ms.min(PAUSE_NOT_OK_MAX_MS)
        } else if self.had_ok {
            interval_ms
        } else {
            // Services that started together shall not be checked together for ever.
            self.had_ok = true;
            rng.random_range(0..interval.secs.max(1)).saturating_mul(1_000)
        };
        pause_ms.max(PAUSE_MIN_MS)
    }

    /// When the machine has to look again.
    #[must_use]
    pub fn next_wake_ms(&self) -> Option<u64> {
        match self.stage {
            Stage::Idle | Stage::Ending => None,
            Stage::Waiting { at_ms } => Some(at_ms),
            Stage::Checking { until_ms } => Some(until_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// The pauses after these results, one check after the other.
    fn pauses(interval_s: u64, seed: u64, results: &[HealthStatus]) -> Vec<u64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut health = Health::default();
        health.begin(0);
        let interval = Interval::from_secs(interval_s);
        results
            .iter()
            .map(|status| {
                health.check_started(0, 60_000);
                health.ended(0, *status, interval, &mut rng)
            })
            .collect()
    }

    use HealthStatus::{Critical, Ok, Unknown, Warning};

    #[test]
    fn after_a_bad_result_the_next_check_comes_within_thirty_seconds() {
        assert_eq!(pauses(300, 0, &[Critical, Warning, Unknown]), [30_000; 3]);
        assert_eq!(pauses(5, 0, &[Critical, Warning]), [5_000; 2]);
    }

    #[test]
    fn the_first_good_result_is_followed_by_a_random_pause_below_the_interval() {
        let firsts: Vec<u64> = (0..60).map(|seed| pauses(300, seed, &[Ok])[0]).collect();
        assert!(firsts.iter().all(|pause| *pause < 300_000 && pause % 1_000 == 0));
        assert!(firsts.iter().max() > firsts.iter().min());
        assert_eq!(
            pauses(300, 0, &[Critical, Ok, Ok, Critical, Ok])[2..],
            [300_000, 30_000, 300_000]
        );
    }

    #[test]
    fn an_interval_of_zero_pauses_a_second() {
        assert_eq!(pauses(0, 0, &[Ok, Ok, Critical]), [1_000; 3]);
    }

    #[test]
    fn a_check_that_takes_too_long_is_unknown_with_a_reason() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut health = Health::default();
        health.begin(5);
        assert!(health.is_due(5));
        health.check_started(5, 100);
        assert!(!health.is_overdue(104) && health.is_overdue(105));
        health.time_out("too long".into());
        assert_eq!(health.next_wake_ms(), None, "nothing to do until the hook has ended");
        let pause_ms = health.ended(110, Ok, Interval::from_secs(7), &mut rng);
        assert_eq!((health.status(), health.reason()), (Unknown, Some("too long")));
        assert_eq!((pause_ms, health.next_wake_ms()), (7_000, Some(7_110)));
    }

    #[test]
    fn a_loop_begun_anew_checks_at_once_or_right_after_the_running_check() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut health = Health::default();
        health.begin(0);
        health.check_started(0, 100);
        health.restart(1);
        assert_eq!(health.ended(2, Ok, Interval::from_secs(60), &mut rng), 0);
        assert!(health.is_due(2));
        health.check_started(2, 100);
        health.ended(3, Ok, Interval::from_secs(60), &mut rng);
        health.restart(4);
        assert!(health.is_due(4));
    }
}
