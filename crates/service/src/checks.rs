//! The last results of each health check of a service, for people. No decision depends on them.

use std::{collections::VecDeque, sync::Arc};

use roost_ident::HealthStatus;

/// Results kept of each check.
pub const RESULTS_MAX: usize = 20;
/// Output kept of all results of one service together; equal outputs in a row are one.
pub const OUTPUT_BYTES_MAX: usize = 32 * 1024;

/// One result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckResult {
    /// What it found.
    pub status: HealthStatus,
    /// Exit code of the hook, if it exited.
    pub exit_code: Option<i32>,
    /// When it ended, Unix milliseconds.
    pub at_unix_ms: u64,
    /// How long it took.
    pub duration_ms: u64,
    /// What it printed; `None` when it was left out, because the outputs of later results need the
    /// room.
    pub output: Option<Arc<str>>,
}

/// The results of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckHistory {
    /// Its name.
    pub name: String,
    /// The oldest first.
    pub results: VecDeque<CheckResult>,
}

/// The results of all checks of a service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Histories(Vec<CheckHistory>);

impl Histories {
    /// By check.
    #[must_use]
    pub fn checks(&self) -> &[CheckHistory] {
        &self.0
    }

    /// The checks that exist, in this order; others are forgotten.
    pub(crate) fn arrange<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        let mut known = std::mem::take(&mut self.0);
        self.0 = names
            .map(|name| match known.iter().position(|history| history.name == name) {
                Some(place) => known.swap_remove(place),
                None => CheckHistory { name: name.into(), results: VecDeque::new() },
            })
            .collect();
    }

    /// Adds a result of a check that exists.
    pub(crate) fn add(&mut self, name: &str, mut result: CheckResult) {
        let Some(history) = self.0.iter_mut().find(|history| history.name == name) else { return };
        if let Some(last) = history.results.back()
            && last.output == result.output
        {
            result.output.clone_from(&last.output);
        }
        history.results.push_back(result);
        if history.results.len() > RESULTS_MAX {
            history.results.pop_front();
        }
        while self.output_bytes() > OUTPUT_BYTES_MAX {
            self.leave_out_oldest();
        }
    }

    /// Bytes of the outputs that are kept.
    fn output_bytes(&self) -> usize {
        let outputs = |history: &CheckHistory| {
            let mut before: Option<&Arc<str>> = None;
            let mut bytes = 0;
            for output in history.results.iter().filter_map(|result| result.output.as_ref()) {
                if !before.is_some_and(|before| Arc::ptr_eq(before, output)) {
                    bytes += output.len();
                }
                before = Some(output);
            }
            bytes
        };
        self.0.iter().map(outputs).sum()
    }

    fn leave_out_oldest(&mut self) {
        let results = self.0.iter_mut().flat_map(|history| history.results.iter_mut());
        let with_output =
            results.filter(|it| it.output.as_ref().is_some_and(|output| !output.is_empty()));
        if let Some(oldest) = with_output.min_by_key(|result| result.at_unix_ms) {
            oldest.output = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(at_unix_ms: u64, output: &str) -> CheckResult {
        let (status, output) = (HealthStatus::Ok, Some(output.into()));
        CheckResult { status, exit_code: Some(0), at_unix_ms, duration_ms: 1, output }
    }

    #[test]
    fn the_last_results_are_kept_and_equal_outputs_are_shared() {
        let mut histories = Histories::default();
        histories.arrange(["hook"].into_iter());
        for at_ms in 0..50 {
            histories.add("hook", result(at_ms, &"x".repeat(4_096)));
        }
        let [history] = histories.checks() else { panic!("{histories:?}") };
        assert_eq!(history.results.len(), RESULTS_MAX);
        assert_eq!(history.results[0].at_unix_ms, 30);
        assert_eq!(histories.output_bytes(), 4_096);
        histories.arrange(["new", "hook"].into_iter());
        let counts = histories.checks().iter().map(|history| history.results.len());
        assert_eq!(counts.collect::<Vec<_>>(), [0, RESULTS_MAX]);
        histories.arrange(["new"].into_iter());
        assert_eq!(histories.output_bytes(), 0);
    }

    #[test]
    fn outputs_are_bounded_and_the_oldest_are_left_out() {
        let mut histories = Histories::default();
        histories.arrange(["a", "b", "c"].into_iter());
        for at_ms in 0..1_000 {
            for name in ["a", "b", "c"] {
                histories.add(name, result(at_ms, &format!("{at_ms}{}", "x".repeat(4_090))));
            }
        }
        assert!(histories.output_bytes() <= OUTPUT_BYTES_MAX);
        for history in histories.checks() {
            assert_eq!(history.results.len(), RESULTS_MAX);
            assert!(history.results[0].output.is_none());
            assert!(history.results[RESULTS_MAX - 1].output.is_some());
        }
    }
}
