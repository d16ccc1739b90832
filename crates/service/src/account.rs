//! The last events of a service: the end of its process, the failed hook, the last health check.
//! For people and for [`crate::why`]; no decision depends on them.

use roost_ident::{HealthStatus, Hook};

use crate::{
    event::{ExitStatus, HookOutcome},
    excerpt::{Excerpt, Printed},
    text,
};

/// Two unexpected ends within this time are a crash loop, until the process has run this long.
pub const CRASH_LOOP_MS: u64 = 60_000;

/// Why a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCause {
    /// Unexpectedly, while the service was up.
    Unexpected,
    /// On request.
    Stopped,
    /// On request, but it missed the deadline and was killed.
    StopTimeout {
        /// The deadline after the request.
        after_ms: u64,
    },
}

impl ExitCause {
    /// The word in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unexpected => "unexpected",
            Self::Stopped => "stopped",
            Self::StopTimeout { .. } => "stop_timeout",
        }
    }
}

/// The last end of the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastExit {
    /// Its process id.
    pub pid: u32,
    /// Exit code or signal.
    pub status: ExitStatus,
    /// Unix milliseconds.
    pub at_unix_ms: u64,
    /// How long it ran.
    pub ran_ms: u64,
    /// Why it ended.
    pub cause: ExitCause,
    /// The end of its stderr.
    pub stderr: Excerpt,
}

impl LastExit {
    /// One sentence: how it ended, and after how long.
    #[must_use]
    pub fn sentence(&self) -> String {
        let ran = text::rough_seconds(self.ran_ms);
        match (self.cause, self.status) {
            (ExitCause::StopTimeout { after_ms }, _) => format!(
                "the process did not end within {} s of the stop signal and was killed",
                text::seconds(after_ms)
            ),
            (_, ExitStatus::Code(code)) => {
                format!("the process exited with code {code} after {ran} s")
            }
            (_, ExitStatus::Signal(number)) => {
                format!("the process was killed by signal {} after {ran} s", text::signal(number))
            }
            (_, ExitStatus::Unknown) => format!("the process ended after {ran} s"),
        }
    }
}

/// The last failure of a hook other than `health-check`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookFailure {
    /// Which hook.
    pub hook: Hook,
    /// How it ended.
    pub outcome: HookOutcome,
    /// It exceeded its time limit and was stopped.
    pub timed_out: bool,
    /// Unix milliseconds.
    pub at_unix_ms: u64,
    /// The end of its output.
    pub printed: Excerpt,
}

impl HookFailure {
    /// One sentence: which hook failed, and how.
    #[must_use]
    pub fn sentence(&self) -> String {
        let hook = self.hook;
        match &self.outcome {
            _ if self.timed_out => {
                format!("the {hook} hook exceeded its time limit and was stopped")
            }
            HookOutcome::Exit(code) => format!("the {hook} hook exited with code {code}"),
            HookOutcome::Signal(number) => {
                format!("the {hook} hook was killed by signal {}", text::signal(*number))
            }
            HookOutcome::CouldNotRun(error) => format!("the {hook} hook could not be run: {error}"),
        }
    }
}

/// The last health check that gave a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastCheck {
    /// Result of the check.
    pub status: HealthStatus,
    /// Its exit code, if it exited.
    pub exit_code: Option<i32>,
    /// Unix milliseconds of its end.
    pub at_unix_ms: u64,
    /// How long it took.
    pub duration_ms: u64,
    /// Its output.
    pub printed: Printed,
}

/// The last events of a service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Account {
    /// The last end of the process.
    pub exit: Option<LastExit>,
    /// The last hook that failed and has not succeeded since.
    pub hook: Option<HookFailure>,
    /// The last health check of the running process.
    pub check: Option<LastCheck>,
}

impl Account {
    /// How a service that is not wanted up came down, by a command if that is known.
    pub(crate) fn stopped(&self, by: Option<&str>) -> String {
        let stopped = match by {
            Some(command) => format!("it was stopped by {command}"),
            None => "it was stopped".into(),
        };
        match self.exit {
            Some(LastExit { cause: ExitCause::StopTimeout { after_ms }, .. }) => {
                let after = text::seconds(after_ms);
                format!("{stopped} (killed, because it did not end within {after} s)")
            }
            _ => stopped,
        }
    }

    /// Records the end of a hook other than `health-check`.
    pub(crate) fn hook_ended(
        &mut self,
        hook: Hook,
        outcome: &HookOutcome,
        timed_out: bool,
        printed: &Printed,
        at_unix_ms: u64,
    ) {
        if *outcome != HookOutcome::Exit(0) {
            let (outcome, printed) = (outcome.clone(), printed.end().clone());
            self.hook = Some(HookFailure { hook, outcome, timed_out, at_unix_ms, printed });
        } else if self.hook.as_ref().is_some_and(|failure| failure.hook == hook) {
            self.hook = None;
        }
    }
}

/// Times of the last two unexpected ends, on the caller's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Crashes {
    before_ms: Option<u64>,
    last_ms: Option<u64>,
}

impl Crashes {
    pub(crate) fn new(times_ms: &[u64]) -> Self {
        let mut crashes = Self::default();
        times_ms.iter().for_each(|at_ms| crashes.note(*at_ms));
        crashes
    }

    pub(crate) fn note(&mut self, now_ms: u64) {
        self.before_ms = self.last_ms.replace(now_ms);
    }

    /// True from the second of two ends within a minute.
    pub(crate) fn is_loop(&self) -> bool {
        match (self.before_ms, self.last_ms) {
            (Some(before_ms), Some(last_ms)) => last_ms.saturating_sub(before_ms) <= CRASH_LOOP_MS,
            _ => false,
        }
    }

    /// Time when the process has run long enough to forget the ends.
    pub(crate) fn over_at_ms(&self) -> Option<u64> {
        self.last_ms.map(|last_ms| last_ms.saturating_add(CRASH_LOOP_MS))
    }

    /// The known times, the older first.
    pub(crate) fn times_ms(&self) -> Vec<u64> {
        [self.before_ms, self.last_ms].into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ends_within_a_minute_are_a_loop() {
        let mut crashes = Crashes::default();
        crashes.note(1_000);
        assert!(!crashes.is_loop());
        crashes.note(61_000);
        assert!(crashes.is_loop());
        assert_eq!(crashes.over_at_ms(), Some(121_000));
        crashes.note(121_001);
        assert!(!crashes.is_loop());
        assert_eq!(Crashes::new(&crashes.times_ms()), crashes);
    }

    #[test]
    fn sentences_contain_the_end_and_its_time() {
        let mut exit = LastExit {
            pid: 7,
            status: ExitStatus::Code(1),
            at_unix_ms: 0,
            ran_ms: 312,
            cause: ExitCause::Unexpected,
            stderr: Excerpt::default(),
        };
        assert_eq!(exit.sentence(), "the process exited with code 1 after 0.3 s");
        exit.status = ExitStatus::Signal(11);
        exit.ran_ms = 3_600_400;
        assert_eq!(exit.sentence(), "the process was killed by signal 11 (SEGV) after 3600 s");
        exit.cause = ExitCause::StopTimeout { after_ms: 8_000 };
        assert_eq!(
            exit.sentence(),
            "the process did not end within 8 s of the stop signal and was killed"
        );
    }

    #[test]
    fn a_hook_that_succeeds_again_is_not_a_failure() {
        let mut account = Account::default();
        let printed = Printed::of("", "no database\n");
        account.hook_ended(Hook::Reconfigure, &HookOutcome::Exit(4), false, &printed, 5);
        let failure = account.hook.clone().expect("a failure");
        assert_eq!(failure.sentence(), "the reconfigure hook exited with code 4");
        assert_eq!(failure.printed.last(), Some("no database"));
        account.hook_ended(Hook::Init, &HookOutcome::Exit(0), false, &printed, 6);
        assert!(account.hook.is_some());
        account.hook_ended(Hook::Reconfigure, &HookOutcome::Exit(0), false, &printed, 7);
        assert_eq!(account.hook, None);
    }
}
