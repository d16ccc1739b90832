//! What the results of health checks in a row add up to: the status that is shown, and whether the
//! service is restarted.

use roost_ident::HealthStatus;

/// After a start, critical results do not count for a restart until a check is OK, but at most for
/// this long: a database that recovers is not to be interrupted.
pub const START_DEFAULT_MS: u64 = 300_000;

/// How results become a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Critical results in a row until the status is critical; it is warning before. At least 1.
    pub failures_before_critical: u32,
    /// OK results in a row until the status is OK again. At least 1.
    pub successes_before_ok: u32,
    /// Critical results in a row, with the status critical, until the service is restarted; 0 is
    /// never.
    pub restart_after: u32,
    /// How long a start may take; see [`START_DEFAULT_MS`].
    pub start_ms: u64,
}

impl Default for Rule {
    /// That of Habitat: each result is the status, and none restarts.
    fn default() -> Self {
        Self {
            failures_before_critical: 1,
            successes_before_ok: 1,
            restart_after: 0,
            start_ms: START_DEFAULT_MS,
        }
    }
}

/// The worse of two results. A result that is not known may be a bad one, so only critical is
/// worse.
#[must_use]
pub fn worse(one: HealthStatus, other: HealthStatus) -> HealthStatus {
    let rank = |status: HealthStatus| match status {
        HealthStatus::Ok => 0,
        HealthStatus::Warning => 1,
        HealthStatus::Unknown => 2,
        HealthStatus::Critical => 3,
    };
    if rank(other) > rank(one) { other } else { one }
}

/// Results in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Streak {
    /// Critical ones.
    pub failures: u32,
    /// OK ones.
    pub successes: u32,
    /// Critical ones that count for a restart.
    pub criticals: u32,
    /// When the last critical one was counted, on the caller's clock.
    counted_at_ms: Option<u64>,
}

/// A result and what is known when it comes.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    /// When, on the caller's clock.
    pub now_ms: u64,
    /// The result.
    pub status: HealthStatus,
    /// The status before it.
    pub before: HealthStatus,
    /// The usual time between checks. Those of a starting service come sooner; of them only one
    /// counts in this time.
    pub apart_ms: u64,
    /// The service is past its start.
    pub has_started: bool,
}

impl Streak {
    /// The numbers of a former Supervisor.
    #[must_use]
    pub fn new(failures: u32, successes: u32, criticals: u32) -> Self {
        Self { failures, successes, criticals, counted_at_ms: None }
    }

    /// Adds a result; returns the status.
    pub fn add(&mut self, found: Found, rule: &Rule) -> HealthStatus {
        let Found { now_ms, status, before, apart_ms, has_started } = found;
        if status != HealthStatus::Critical {
            let successes = self.successes.saturating_add(1);
            let is_ok = status == HealthStatus::Ok;
            *self = Self { successes: if is_ok { successes } else { 0 }, ..Self::default() };
            let is_enough =
                before == HealthStatus::Ok || self.successes >= rule.successes_before_ok;
            return if is_ok && !is_enough { before } else { status };
        }
        self.successes = 0;
        let counts =
            self.counted_at_ms.is_none_or(|at_ms| now_ms.saturating_sub(at_ms) >= apart_ms);
        if counts {
            self.counted_at_ms = Some(now_ms);
            self.failures = self.failures.saturating_add(1);
        }
        let is_critical =
            before == HealthStatus::Critical || self.failures >= rule.failures_before_critical;
        if !is_critical {
            return HealthStatus::Warning;
        }
        if counts && has_started {
            self.criticals = self.criticals.saturating_add(1);
        }
        HealthStatus::Critical
    }

    /// True when the service is to be restarted.
    #[must_use]
    pub fn restarts(&self, rule: &Rule) -> bool {
        rule.restart_after > 0 && self.criticals >= rule.restart_after
    }
}

#[cfg(test)]
mod tests {
    use HealthStatus::{Critical, Ok, Unknown, Warning};
    use proptest::prelude::*;

    use super::*;

    const APART_MS: u64 = 10_000;

    /// The statuses after these results, each the usual time after the one before.
    fn shown(rule: &Rule, results: &[HealthStatus]) -> (Vec<HealthStatus>, Streak) {
        let (mut streak, mut before) = (Streak::default(), Unknown);
        let statuses = results.iter().zip(0..).map(|(status, place)| {
            let now_ms = place * APART_MS;
            let status = *status;
            let found = Found { now_ms, status, before, apart_ms: APART_MS, has_started: true };
            before = streak.add(found, rule);
            before
        });
        (statuses.collect(), streak)
    }

    fn rule(failures: u32, successes: u32, restart_after: u32) -> Rule {
        Rule {
            failures_before_critical: failures,
            successes_before_ok: successes,
            restart_after,
            ..Rule::default()
        }
    }

    #[test]
    fn without_thresholds_each_result_is_the_status() {
        let results = [Critical, Ok, Warning, Unknown, Critical, Critical];
        let (statuses, streak) = shown(&Rule::default(), &results);
        assert_eq!(statuses, results);
        assert!(!streak.restarts(&Rule::default()));
    }

    #[test]
    fn failures_warn_until_there_are_enough_in_a_row() {
        let results = [Ok, Critical, Critical, Ok, Critical, Critical, Critical, Critical];
        let expected = [Ok, Warning, Warning, Ok, Warning, Warning, Critical, Critical];
        assert_eq!(shown(&rule(3, 1, 0), &results).0, expected);
        assert_eq!(shown(&rule(2, 1, 0), &[Critical, Unknown, Critical]).0[2], Warning);
    }

    #[test]
    fn the_status_stays_until_there_are_enough_successes_in_a_row() {
        let results = [Ok, Ok, Critical, Ok, Critical, Ok, Ok, Ok, Warning, Ok];
        let expected =
            [Unknown, Ok, Critical, Critical, Critical, Critical, Ok, Ok, Warning, Warning];
        assert_eq!(shown(&rule(1, 2, 0), &results).0, expected);
    }

    #[test]
    fn a_restart_follows_critical_results_in_a_row() {
        let restarts =
            |rule: Rule, results: &[HealthStatus]| shown(&rule, results).1.restarts(&rule);
        assert!(!restarts(rule(1, 1, 3), &[Ok, Critical, Critical]));
        assert!(restarts(rule(1, 1, 3), &[Ok, Critical, Critical, Critical]));
        assert!(!restarts(rule(1, 1, 3), &[Critical, Critical, Warning, Critical, Critical]));
        // Those that only warn do not count.
        assert!(!restarts(rule(3, 1, 2), &[Critical, Critical, Critical]));
        assert!(restarts(rule(3, 1, 2), &[Critical, Critical, Critical, Critical]));
    }

    #[test]
    fn results_that_come_sooner_than_usual_count_once() {
        let (mut streak, rule) = (Streak::default(), rule(2, 1, 2));
        let mut add = |now_ms, before, has_started| {
            let apart_ms = APART_MS;
            let found = Found { now_ms, status: Critical, before, apart_ms, has_started };
            (streak.add(found, &rule), streak.restarts(&rule))
        };
        assert_eq!(add(0, Unknown, false), (Warning, false));
        assert_eq!(add(250, Warning, false), (Warning, false));
        assert_eq!(add(9_999, Warning, false), (Warning, false));
        assert_eq!(add(10_000, Warning, false), (Critical, false));
        // A service that starts is not restarted.
        assert_eq!(add(20_000, Critical, false), (Critical, false));
        assert_eq!(add(30_000, Critical, true), (Critical, false));
        assert_eq!(add(40_000, Critical, true), (Critical, true));
    }

    #[test]
    fn only_critical_is_worse_than_unknown() {
        assert_eq!([Ok, Warning, Unknown, Warning].into_iter().fold(Ok, worse), Unknown);
        assert_eq!([Unknown, Critical, Ok].into_iter().fold(Ok, worse), Critical);
        assert_eq!(worse(Ok, Warning), Warning);
    }

    proptest! {
        #[test]
        fn a_status_is_never_better_than_the_result_unless_it_warns(
            results in prop::collection::vec(prop::sample::select(vec![Ok, Warning, Unknown, Critical]), 1..40),
            failures in 1..4u32,
            successes in 1..4u32,
        ) {
            let (statuses, streak) = shown(&rule(failures, successes, 1), &results);
            for (status, result) in statuses.iter().zip(&results) {
                let warns = *result == Critical && *status == Warning;
                prop_assert!(warns || worse(*status, *result) == *status, "{status:?} for {result:?}");
            }
            let in_a_row = results.iter().rev().take_while(|result| **result == Critical).count();
            prop_assert_eq!(streak.failures as usize, in_a_row);
        }
    }
}
