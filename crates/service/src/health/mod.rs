//! Schedule and last result of the health checks of a running service (reference: services §10).
//!
//! Starts no processes: the machine starts a round of checks when [`Health::is_due`] and passes
//! their results. The worst one is the result of the round.

#[cfg(test)]
mod tests;
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
    /// Checks run.
    Round(Round),
}

/// One run of all checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Round {
    hook: HookStage,
    /// Other checks that have not ended.
    probes: usize,
    /// The worst result so far.
    worst: HealthStatus,
}

/// The hook in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HookStage {
    /// There is none, or it has ended.
    Over,
    /// It runs, until this deadline.
    Runs { until_ms: u64 },
    /// It missed its deadline and was stopped; its end is not yet known.
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
    /// The loop was restarted while checks ran: check again when they have ended.
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
            Stage::Round(_) => {
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

    /// True while the process is checked.
    #[must_use]
    pub fn is_checking(&self) -> bool {
        self.stage != Stage::Idle
    }

    /// The checks without a hook that run are given up; false when none runs. What has ended of a
    /// round without its hook has no result: the next one is due at once.
    pub fn drop_probes(&mut self, now_ms: u64) -> bool {
        let Stage::Round(round) = &mut self.stage else { return false };
        let drops = std::mem::take(&mut round.probes) > 0;
        if drops && round.hook == HookStage::Over {
            self.stage = Stage::Waiting { at_ms: now_ms };
        }
        drops
    }

    /// True when a round of checks is to be started.
    #[must_use]
    pub fn is_due(&self, now_ms: u64) -> bool {
        matches!(self.stage, Stage::Waiting { at_ms } if at_ms <= now_ms)
    }

    /// A round was started: the hook, with its time limit, and this many other checks.
    pub fn round_started(&mut self, now_ms: u64, hook_timeout_ms: Option<u64>, probes: usize) {
        let runs = |timeout_ms| HookStage::Runs { until_ms: now_ms.saturating_add(timeout_ms) };
        let hook = hook_timeout_ms.map_or(HookStage::Over, runs);
        self.stage = Stage::Round(Round { hook, probes, worst: HealthStatus::Ok });
        self.again = false;
    }

    /// True when the hook has exceeded its time limit.
    #[must_use]
    pub fn is_overdue(&self, now_ms: u64) -> bool {
        self.hook_until_ms().is_some_and(|until_ms| until_ms <= now_ms)
    }

    fn hook_until_ms(&self) -> Option<u64> {
        match self.stage {
            Stage::Round(Round { hook: HookStage::Runs { until_ms }, .. }) => Some(until_ms),
            _ => None,
        }
    }

    /// The hook has exceeded its time limit and is being stopped, with this result. Unknown shows
    /// at once, with the reason.
    pub fn time_out(&mut self, now: Now, status: HealthStatus, reason: String) {
        let Stage::Round(round) = &mut self.stage else { return };
        round.hook = HookStage::Ending;
        round.worst = worse(round.worst, status);
        if status == HealthStatus::Unknown {
            self.set(now, status);
            self.reason = Some(reason);
        }
    }

    /// The hook has ended with this result, which is ignored after [`Health::time_out`]. Returns
    /// true when it was.
    pub fn hook_ended(&mut self, status: HealthStatus) -> bool {
        let Stage::Round(round) = &mut self.stage else { return false };
        let timed_out = round.hook == HookStage::Ending;
        round.hook = HookStage::Over;
        if !timed_out {
            self.reason = None;
            round.worst = worse(round.worst, status);
        }
        timed_out
    }

    /// A check without a hook has ended with this result.
    pub fn probe_ended(&mut self, status: HealthStatus) {
        if let Stage::Round(round) = &mut self.stage {
            round.probes = round.probes.saturating_sub(1);
            round.worst = worse(round.worst, status);
        }
    }

    /// Ends the round when all its checks have ended. Returns the milliseconds until the next one.
    pub fn finish_round(
        &mut self,
        now: Now,
        interval: Interval,
        rule: &Rule,
        rng: &mut impl Rng,
    ) -> Option<u64> {
        let Stage::Round(Round { hook: HookStage::Over, probes: 0, worst }) = self.stage else {
            return None;
        };
        let start_ms = now.mono_ms.saturating_sub(self.started_ms);
        let found = Found {
            now_ms: now.mono_ms,
            status: worst,
            before: self.status,
            apart_ms: not_ok_pause_ms(interval),
            has_started: self.has_passed() || start_ms >= rule.start_ms,
        };
        let status = self.streak.add(found, rule);
        self.set(now, status);
        if status != HealthStatus::Unknown {
            self.reason = None;
        }
        let pause_ms = if self.again { 0 } else { self.pause_ms(interval, rng) };
        self.again = false;
        self.stage = Stage::Waiting { at_ms: now.mono_ms.saturating_add(pause_ms) };
        Some(pause_ms)
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

    /// When the next round starts; `None` while one runs, and when there is nothing to check.
    #[must_use]
    pub fn next_round_ms(&self) -> Option<u64> {
        match self.stage {
            Stage::Waiting { at_ms } => Some(at_ms),
            Stage::Idle | Stage::Round(_) => None,
        }
    }

    /// Time of the next due action.
    #[must_use]
    pub fn next_wake_ms(&self) -> Option<u64> {
        match self.stage {
            Stage::Idle => None,
            Stage::Waiting { at_ms } => Some(at_ms),
            Stage::Round(_) => self.hook_until_ms(),
        }
    }
}

/// The pause after a result other than OK.
fn not_ok_pause_ms(interval: Interval) -> u64 {
    interval.as_ms().clamp(PAUSE_MIN_MS, PAUSE_NOT_OK_MAX_MS)
}
