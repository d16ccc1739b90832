//! Schedule and last result of the health checks of a running service (reference: services §10).
//!
//! Starts no processes: the machine starts the hook when [`Health::is_due`] and passes the result.

mod verdict;

use rand::Rng;
use roost_ident::HealthStatus;

use self::verdict::Found;
pub use self::verdict::{Rule, START_DEFAULT_MS, Streak, worse};
use crate::{event::Now, spec::Interval};

/// Least pause between checks of one service, whatever the interval.
pub const PAUSE_MIN_MS: u64 = 1_000;
/// Longest pause after a result other than OK.
pub const PAUSE_NOT_OK_MAX_MS: u64 = 30_000;
/// First pause after a start; the pauses grow from it until the first OK: servers often listen a
/// moment after their start, and their dependents should not wait for a whole interval.
pub const PAUSE_FIRST_MS: u64 = 250;

/// Stage of the check loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// There is nothing to check: the process is down, or has no hook.
    Idle,
    /// The next check comes at this time.
    Waiting { at_ms: u64 },
    /// The hook runs, until this deadline.
    Checking { until_ms: u64 },
    /// The hook missed its deadline and was stopped; its end is not yet known.
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
    /// Until the first OK of a start: the next pause.
    opening_ms: Option<u64>,
    /// When the status last changed, Unix milliseconds.
    since_unix_ms: u64,
    /// The loop was restarted while the hook ran: check again when the hook ends.
    again: bool,
    /// Results in a row.
    streak: Streak,
    /// When the process was started, on the caller's clock.
    started_ms: u64,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            stage: Stage::Idle,
            status: HealthStatus::Unknown,
            reason: None,
            had_ok: false,
            opening_ms: None,
            since_unix_ms: 0,
            again: false,
            streak: Streak::default(),
            started_ms: 0,
        }
    }
}

impl Health {
    /// The last result; unknown before the first one.
    #[must_use]
    pub fn status(&self) -> HealthStatus {
        self.status
    }

    /// Why it is unknown, unless the hook's output shows it.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// When the status last changed, Unix milliseconds.
    #[must_use]
    pub fn since_unix_ms(&self) -> u64 {
        self.since_unix_ms
    }

    /// False until the first OK of a start.
    #[must_use]
    pub fn has_passed(&self) -> bool {
        self.opening_ms.is_none()
    }

    /// Results in a row.
    #[must_use]
    pub fn streak(&self) -> Streak {
        self.streak
    }

    /// True when the results in a row restart the service.
    #[must_use]
    pub fn restarts(&self, rule: &Rule) -> bool {
        self.status == HealthStatus::Critical && self.streak.restarts(rule)
    }

    /// Restores the last result of a reattached process, and whether a check had passed.
    pub fn restore(&mut self, status: HealthStatus, since_unix_ms: u64, has_passed: bool) {
        self.status = status;
        self.since_unix_ms = since_unix_ms;
        self.opening_ms = (!has_passed).then_some(PAUSE_FIRST_MS);
    }

    /// Restores when the process of a former Supervisor was started, and its results in a row.
    pub fn restore_streak(&mut self, started_ms: u64, streak: Streak) {
        self.started_ms = started_ms;
        self.streak = streak;
    }

    /// The process is not checked any more.
    pub fn lose(&mut self, now: Now) {
        self.set(now, HealthStatus::Unknown);
    }

    fn set(&mut self, now: Now, status: HealthStatus) {
        if self.status != status {
            self.status = status;
            self.since_unix_ms = now.unix_ms;
        }
    }

    /// The process has started with a hook; the first check is due immediately.
    pub fn begin(&mut self, now: Now) {
        self.opening_ms = Some(PAUSE_FIRST_MS);
        self.streak = Streak::default();
        self.started_ms = now.mono_ms;
        self.resume(now.mono_ms);
    }

    /// The process is running and checked from now on; the first check is due immediately.
    pub fn resume(&mut self, now_ms: u64) {
        self.stage = Stage::Waiting { at_ms: now_ms };
        self.had_ok = false;
        self.again = false;
    }

    /// The process is up without a hook, which counts as OK.
    pub fn begin_without_hook(&mut self, now: Now) {
        self.stop(now);
        self.set(now, HealthStatus::Ok);
    }

    /// Restarts the loop, for example after a reconfiguration.
    pub fn restart(&mut self, now_ms: u64) {
        match self.stage {
            Stage::Idle => {}
            Stage::Waiting { .. } => self.resume(now_ms),
            Stage::Checking { .. } | Stage::Ending => {
                self.had_ok = false;
                self.again = true;
            }
        }
    }

    /// The process is down.
    pub fn stop(&mut self, now: Now) {
        self.set(now, HealthStatus::Unknown);
        *self = Self { since_unix_ms: self.since_unix_ms, status: self.status, ..Self::default() };
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

    /// True when the hook has exceeded its time limit.
    #[must_use]
    pub fn is_overdue(&self, now_ms: u64) -> bool {
        matches!(self.stage, Stage::Checking { until_ms } if until_ms <= now_ms)
    }

    /// The hook has exceeded its time limit and is being stopped: the result is unknown, with this
    /// reason.
    pub fn time_out(&mut self, now: Now, reason: String) {
        self.stage = Stage::Ending;
        self.set(now, HealthStatus::Unknown);
        self.reason = Some(reason);
    }

    /// The hook has ended with this result, which is ignored after [`Health::time_out`]. Returns
    /// the milliseconds until the next check.
    pub fn ended(
        &mut self,
        now: Now,
        status: HealthStatus,
        interval: Interval,
        rule: &Rule,
        rng: &mut impl Rng,
    ) -> u64 {
        let timed_out = self.stage == Stage::Ending;
        let status = if timed_out { HealthStatus::Unknown } else { status };
        let start_ms = now.mono_ms.saturating_sub(self.started_ms);
        let found = Found {
            now_ms: now.mono_ms,
            status,
            before: self.status,
            apart_ms: not_ok_pause_ms(interval),
            has_started: self.has_passed() || start_ms >= rule.start_ms,
        };
        let status = self.streak.add(found, rule);
        self.set(now, status);
        if !timed_out {
            self.reason = None;
        }
        let pause_ms = if self.again { 0 } else { self.pause_ms(interval, rng) };
        self.again = false;
        self.stage = Stage::Waiting { at_ms: now.mono_ms.saturating_add(pause_ms) };
        pause_ms
    }

    /// The pause after the last result.
    fn pause_ms(&mut self, interval: Interval, rng: &mut impl Rng) -> u64 {
        let interval_ms = interval.as_ms();
        if self.status == HealthStatus::Ok {
            self.opening_ms = None;
        } else if let Some(opening_ms) = &mut self.opening_ms {
            let pause_ms = *opening_ms;
            *opening_ms = pause_ms.saturating_mul(2);
            return pause_ms.min(not_ok_pause_ms(interval));
        }
        let pause_ms = if self.status != HealthStatus::Ok {
            not_ok_pause_ms(interval)
        } else if self.had_ok {
            interval_ms
        } else {
            // Random, so that services that started together are not always checked together.
            self.had_ok = true;
            rng.random_range(0..interval.secs.max(1)).saturating_mul(1_000)
        };
        pause_ms.max(PAUSE_MIN_MS)
    }

    /// Time of the next due action.
    #[must_use]
    pub fn next_wake_ms(&self) -> Option<u64> {
        match self.stage {
            Stage::Idle | Stage::Ending => None,
            Stage::Waiting { at_ms } => Some(at_ms),
            Stage::Checking { until_ms } => Some(until_ms),
        }
    }
}

/// The pause after a result other than OK.
fn not_ok_pause_ms(interval: Interval) -> u64 {
    interval.as_ms().clamp(PAUSE_MIN_MS, PAUSE_NOT_OK_MAX_MS)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn at(mono_ms: u64) -> Now {
        Now { mono_ms, unix_ms: mono_ms }
    }

    /// The pauses after consecutive checks with these results.
    fn pauses(interval_s: u64, seed: u64, results: &[HealthStatus]) -> Vec<u64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut health = Health::default();
        health.begin(at(0));
        let interval = Interval::from_secs(interval_s);
        results
            .iter()
            .map(|status| {
                health.check_started(0, 60_000);
                health.ended(at(0), *status, interval, &Rule::default(), &mut rng)
            })
            .collect()
    }

    use HealthStatus::{Critical, Ok, Unknown, Warning};

    #[test]
    fn until_the_first_good_result_checks_come_soon() {
        let results =
            [Critical, Warning, Unknown, Critical, Critical, Critical, Critical, Critical];
        let growing = [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000];
        assert_eq!(pauses(300, 0, &results), growing);
        assert_eq!(pauses(1, 0, &results[..4]), [250, 500, 1_000, 1_000], "at most the interval");
        assert_eq!(pauses(0, 0, &results[..4]), [250, 500, 1_000, 1_000]);
        assert_eq!(pauses(300, 0, &[Critical, Ok, Critical])[2], 30_000, "not after it");
    }

    #[test]
    fn a_process_that_had_passed_before_it_was_taken_back_is_not_starting() {
        for (has_passed, pause_ms) in [(true, 30_000), (false, 250)] {
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            let mut health = Health::default();
            health.restore(Critical, 5, has_passed);
            health.resume(10);
            health.check_started(10, 100);
            assert_eq!(
                health.ended(at(11), Critical, Interval::from_secs(60), &Rule::default(), &mut rng),
                pause_ms
            );
            assert_eq!(health.since_unix_ms(), 5, "unchanged");
        }
    }

    #[test]
    fn after_a_bad_result_the_next_check_comes_within_thirty_seconds() {
        assert_eq!(pauses(300, 0, &[Ok, Critical, Warning, Unknown])[1..], [30_000; 3]);
        assert_eq!(pauses(5, 0, &[Ok, Critical, Warning])[1..], [5_000; 2]);
    }

    #[test]
    fn the_first_good_result_is_followed_by_a_random_pause_below_the_interval() {
        let firsts: Vec<u64> = (0..60).map(|seed| pauses(300, seed, &[Ok])[0]).collect();
        assert!(firsts.iter().all(|pause| *pause < 300_000 && pause % 1_000 == 0));
        assert!(firsts.iter().max() > firsts.iter().min());
        assert_eq!(pauses(300, 0, &[Ok, Ok, Critical, Ok])[1..], [300_000, 30_000, 300_000]);
    }

    #[test]
    fn an_interval_of_zero_pauses_a_second() {
        assert_eq!(pauses(0, 0, &[Ok, Ok, Critical]), [1_000; 3]);
    }

    #[test]
    fn a_check_that_times_out_is_unknown_with_a_reason() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut health = Health::default();
        health.begin(at(5));
        assert!(health.is_due(5));
        health.check_started(5, 100);
        assert!(!health.is_overdue(104) && health.is_overdue(105));
        health.time_out(at(106), "too long".into());
        assert_eq!(health.next_wake_ms(), None, "nothing to do until the hook has ended");
        let pause_ms =
            health.ended(at(110), Ok, Interval::from_secs(7), &Rule::default(), &mut rng);
        assert_eq!((health.status(), health.reason()), (Unknown, Some("too long")));
        assert_eq!((pause_ms, health.next_wake_ms()), (250, Some(360)));
    }

    #[test]
    fn a_restarted_loop_checks_at_once_or_right_after_the_running_check() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut health = Health::default();
        health.begin(at(0));
        health.check_started(0, 100);
        health.restart(1);
        assert_eq!(health.ended(at(2), Ok, Interval::from_secs(60), &Rule::default(), &mut rng), 0);
        assert!(health.is_due(2));
        health.check_started(2, 100);
        health.ended(at(3), Ok, Interval::from_secs(60), &Rule::default(), &mut rng);
        health.restart(4);
        assert!(health.is_due(4));
    }
}
