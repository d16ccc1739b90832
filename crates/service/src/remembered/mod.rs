//! State of a service kept outside the Supervisor, so that the next one can reattach to its process
//! without loss. A few lines of text, `key value` each; unknown keys are skipped, so that an older
//! Supervisor can read the text of a newer one.

use roost_ident::{HealthStatus, Hook, ShutdownSignal, TerminationReason};

use crate::{
    account::Account,
    event::Plan,
    excerpt::one_line,
    status::LastProcess,
    why::{Failure, ReasonCode},
};

mod account;

/// Upper limit of the length of [`Remembered::encode`].
pub const REMEMBERED_SIZE_MAX_BYTES: usize = 4_096;

/// The first line, with the version of the format.
const HEADER: &str = "roost-service 1";

/// The text does not come from [`Remembered::encode`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RememberedError {
    /// It has more than [`REMEMBERED_SIZE_MAX_BYTES`].
    #[error("remembered state has {0} bytes, more than the {REMEMBERED_SIZE_MAX_BYTES} allowed")]
    TooLarge(usize),
    /// It does not begin with the header of a known version.
    #[error("remembered state does not begin with '{HEADER}'")]
    Header,
}

/// Remembered state of a service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Remembered {
    /// Restarts after failures.
    pub restart_count: u64,
    /// The last restart.
    pub last_process_state: Option<LastProcess>,
    /// Last health result.
    pub health: HealthStatus,
    /// The last back-off drawn, in milliseconds.
    pub backoff_ms: Option<u64>,
    /// Start of the last restart, Unix milliseconds.
    pub restarted_at_unix_ms: Option<u64>,
    /// The process is being stopped.
    pub stopping: bool,
    /// The plan that the process was started from. Only release, hooks, signal and timeout are
    /// kept.
    pub plan: Option<Plan>,
    /// When the process last changed between up and down, Unix milliseconds.
    pub state_entered_unix_ms: Option<u64>,
    /// When the health last changed, Unix milliseconds.
    pub health_since_unix_ms: Option<u64>,
    /// A check of this process was OK.
    pub has_passed: bool,
    /// Earliest next start, Unix milliseconds.
    pub not_before_unix_ms: Option<u64>,
    /// The next start counts as a restart.
    pub restarting: bool,
    /// The last reason why it did not run.
    pub failure: Option<Failure>,
    /// The last unexpected ends, Unix milliseconds.
    pub crashes_unix_ms: Vec<u64>,
    /// The last events.
    pub account: Account,
}

/// A process that outlived its Supervisor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survivor {
    /// Its id.
    pub pid: u32,
    /// When it was started.
    pub started_unix_ms: u64,
    /// Remembered state of its service; the default when there is none.
    pub remembered: Remembered,
    /// All its processes have ended, but its stop is not complete: only `post-stop` remains.
    pub is_gone: bool,
}

impl Remembered {
    /// As text of at most [`REMEMBERED_SIZE_MAX_BYTES`]: leaves out what does not fit.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = format!("{HEADER}\n");
        let mut line = |key: &str, value: &str| {
            let fits = text.len() + key.len() + value.len() + 2 <= REMEMBERED_SIZE_MAX_BYTES;
            if fits && !value.contains('\n') {
                text.push_str(key);
                text.push(' ');
                text.push_str(value);
                text.push('\n');
            }
        };
        // State for decisions comes before state that is only shown.
        line("restart_count", &self.restart_count.to_string());
        if let Some(LastProcess { pid, reason, terminated_at_s }) = &self.last_process_state {
            // A restart without a process is stored with pid 0, which no process has.
            let pid = pid.unwrap_or(0);
            line("last_process", &format!("{pid} {reason} {terminated_at_s}"));
        }
        line("health", self.health.as_str());
        if let Some(backoff_ms) = self.backoff_ms {
            line("backoff_ms", &backoff_ms.to_string());
        }
        if let Some(at_ms) = self.restarted_at_unix_ms {
            line("restarted_at_unix_ms", &at_ms.to_string());
        }
        if self.stopping {
            line("stopping", "yes");
        }
        if let Some(plan) = &self.plan {
            line("ident", &plan.ident);
            let hooks: Vec<&str> = plan.hooks.iter().map(|hook| hook.as_str()).collect();
            line("hooks", &hooks.join(" "));
            line("signal", plan.shutdown_signal.as_str());
            if let Some(timeout_s) = plan.shutdown_timeout_s {
                line("timeout_s", &timeout_s.to_string());
            }
        }
        for (key, value) in [
            ("state_entered_unix_ms", self.state_entered_unix_ms),
            ("health_since_unix_ms", self.health_since_unix_ms),
            ("not_before_unix_ms", self.not_before_unix_ms),
        ] {
            if let Some(value) = value {
                line(key, &value.to_string());
            }
        }
        if self.has_passed {
            line("has_passed", "yes");
        }
        if self.restarting {
            line("restarting", "yes");
        }
        if !self.crashes_unix_ms.is_empty() {
            let times: Vec<String> = self.crashes_unix_ms.iter().map(u64::to_string).collect();
            line("crashes_unix_ms", &times.join(" "));
        }
        if let Some(failure) = &self.failure {
            line("failure", &failure_text(failure));
        }
        account::lines(&self.account, line);
        text
    }

    /// Reads the text of [`Remembered::encode`]. Skips unknown lines.
    ///
    /// # Errors
    /// When it is too large or of another version.
    pub fn decode(text: &str) -> Result<Self, RememberedError> {
        if text.len() > REMEMBERED_SIZE_MAX_BYTES {
            return Err(RememberedError::TooLarge(text.len()));
        }
        let mut lines = text.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(RememberedError::Header);
        }
        let mut remembered = Self::default();
        for (key, value) in lines.filter_map(|line| line.split_once(' ')) {
            remembered.take(key, value);
        }
        Ok(remembered)
    }

    fn take(&mut self, key: &str, value: &str) {
        match key {
            "restart_count" => self.restart_count = value.parse().unwrap_or_default(),
            "last_process" => self.last_process_state = last_process(value),
            "health" => self.health = value.parse().unwrap_or_default(),
            "backoff_ms" => self.backoff_ms = value.parse().ok(),
            "restarted_at_unix_ms" => self.restarted_at_unix_ms = value.parse().ok(),
            "stopping" => self.stopping = value == "yes",
            "ident" => self.plan = Some(Plan::bare(value)),
            "state_entered_unix_ms" => self.state_entered_unix_ms = value.parse().ok(),
            "health_since_unix_ms" => self.health_since_unix_ms = value.parse().ok(),
            "not_before_unix_ms" => self.not_before_unix_ms = value.parse().ok(),
            "has_passed" => self.has_passed = value == "yes",
            "restarting" => self.restarting = value == "yes",
            "crashes_unix_ms" => {
                let times = value.split(' ').filter_map(|at_ms| at_ms.parse().ok());
                self.crashes_unix_ms = times.take(2).collect();
            }
            "failure" => self.failure = failure(value),
            _ if account::take(&mut self.account, key, value) => {}
            _ => {
                if let Some(plan) = &mut self.plan {
                    take_plan(plan, key, value);
                }
            }
        }
    }
}

fn take_plan(plan: &mut Plan, key: &str, value: &str) {
    match key {
        "hooks" => {
            plan.hooks = value.split(' ').filter_map(|name| name.parse::<Hook>().ok()).collect();
        }
        "signal" => plan.shutdown_signal = value.parse::<ShutdownSignal>().unwrap_or_default(),
        "timeout_s" => plan.shutdown_timeout_s = value.parse().ok(),
        _ => {}
    }
}

fn failure_text(Failure { code, message, since_unix_ms }: &Failure) -> String {
    format!("{} {since_unix_ms} {}", code.as_str(), one_line(message))
}

fn failure(value: &str) -> Option<Failure> {
    let mut parts = value.splitn(3, ' ');
    let (code, since, message) = (parts.next()?, parts.next()?, parts.next()?);
    let code = ReasonCode::ALL.iter().find(|known| known.as_str() == code)?;
    Some(Failure { code: *code, message: message.into(), since_unix_ms: since.parse().ok()? })
}

fn last_process(value: &str) -> Option<LastProcess> {
    let mut parts = value.split(' ');
    let pid: u32 = parts.next()?.parse().ok()?;
    let reason: TerminationReason = parts.next()?.parse().ok()?;
    let terminated_at_s = parts.next()?.parse().ok()?;
    Some(LastProcess { pid: (pid != 0).then_some(pid), reason, terminated_at_s })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        account::{ExitCause, HookFailure, LastCheck, LastExit},
        event::{ExitStatus, HookOutcome},
        excerpt::{Excerpt, HOOK_BYTES_MAX, Printed, STDERR_BYTES_MAX},
    };

    fn some() -> Remembered {
        Remembered {
            restart_count: 3,
            last_process_state: Some(LastProcess {
                pid: Some(42),
                reason: TerminationReason::RunHookFailed,
                terminated_at_s: 1_795_362_328,
            }),
            health: HealthStatus::Warning,
            backoff_ms: Some(6_960),
            restarted_at_unix_ms: Some(1_795_362_330_123),
            stopping: true,
            plan: Some(Plan {
                hooks: vec![Hook::Run, Hook::PostStop, Hook::HealthCheck],
                shutdown_signal: ShutdownSignal::Int,
                shutdown_timeout_s: Some(20),
                ..Plan::bare("o/n/1.0/20250101000000")
            }),
            ..Remembered::default()
        }
    }

    /// All fields at their largest.
    fn much() -> Remembered {
        let text = |c: &str| c.repeat(199) + "\n";
        let stream = |c: &str| Excerpt::last_of(&text(c).repeat(9), HOOK_BYTES_MAX);
        Remembered {
            state_entered_unix_ms: Some(1_795_362_330_124),
            health_since_unix_ms: Some(1_795_362_330_125),
            has_passed: true,
            not_before_unix_ms: Some(1_795_362_330_126),
            restarting: true,
            failure: Some(Failure {
                code: ReasonCode::TemplateError,
                message: one_line(&text("m")),
                since_unix_ms: 9,
            }),
            crashes_unix_ms: vec![7, 8],
            account: Account {
                exit: Some(LastExit {
                    pid: 42,
                    status: ExitStatus::Signal(9),
                    at_unix_ms: 10,
                    ran_ms: 11,
                    cause: ExitCause::StopTimeout { after_ms: 8_000 },
                    stderr: Excerpt::last_of(&text("e").repeat(9), STDERR_BYTES_MAX),
                }),
                hook: Some(HookFailure {
                    hook: Hook::Init,
                    outcome: HookOutcome::CouldNotRun("it's \\ gone".into()),
                    timed_out: true,
                    at_unix_ms: 12,
                    printed: stream("h"),
                }),
                check: Some(LastCheck {
                    status: HealthStatus::Critical,
                    exit_code: Some(2),
                    at_unix_ms: 13,
                    printed: Printed {
                        first: "first".into(),
                        stdout: stream("o"),
                        stderr: stream("r"),
                    },
                }),
            },
            ..some()
        }
    }

    #[test]
    fn the_last_events_are_kept_and_fit() {
        let remembered = much();
        assert_eq!(Remembered::decode(&remembered.encode()), Ok(remembered));
        for outcome in [HookOutcome::Exit(-1), HookOutcome::Signal(15)] {
            for status in [ExitStatus::Code(3), ExitStatus::Unknown] {
                for cause in [ExitCause::Stopped, ExitCause::Unexpected] {
                    let mut remembered = much();
                    let exit = remembered.account.exit.as_mut().expect("one");
                    (exit.status, exit.cause) = (status, cause);
                    let hook = remembered.account.hook.as_mut().expect("one");
                    (hook.outcome, hook.timed_out) = (outcome.clone(), false);
                    assert_eq!(Remembered::decode(&remembered.encode()), Ok(remembered));
                }
            }
        }
    }

    #[test]
    fn the_encoded_text_is_a_few_plain_lines() {
        assert_eq!(
            some().encode(),
            "roost-service 1\nrestart_count 3\nlast_process 42 run_hook_failed 1795362328\n\
             health Warning\nbackoff_ms 6960\nrestarted_at_unix_ms 1795362330123\nstopping yes\n\
             ident o/n/1.0/20250101000000\nhooks run post-stop health-check\nsignal INT\n\
             timeout_s 20\n"
        );
    }

    #[test]
    fn encoded_state_decodes_and_unknown_lines_are_skipped() {
        assert_eq!(Remembered::decode(&some().encode()), Ok(some()));
        let text = some().encode().replace("health Warning", "future thing\nhealth Warning");
        assert_eq!(Remembered::decode(&text), Ok(some()));
        let none = Remembered::default();
        assert_eq!(Remembered::decode(&none.encode()), Ok(none));
    }

    #[test]
    fn other_versions_and_large_texts_are_refused() {
        assert_eq!(Remembered::decode("roost-service 2\n"), Err(RememberedError::Header));
        assert_eq!(Remembered::decode(""), Err(RememberedError::Header));
        let large = format!("{HEADER}\nx {}", "y".repeat(REMEMBERED_SIZE_MAX_BYTES));
        assert_eq!(Remembered::decode(&large), Err(RememberedError::TooLarge(large.len())));
    }

    #[test]
    fn fields_beyond_the_size_limit_are_left_out() {
        let mut remembered = some();
        remembered.plan = Some(Plan::bare(&"x".repeat(REMEMBERED_SIZE_MAX_BYTES)));
        let text = remembered.encode();
        assert!(text.len() <= REMEMBERED_SIZE_MAX_BYTES);
        assert_eq!(Remembered::decode(&text), Ok(Remembered { plan: None, ..some() }));
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in "(\\PC|\n){0,200}") {
            let _ = Remembered::decode(&format!("{HEADER}\n{text}"));
            let _ = Remembered::decode(&text);
        }
    }
}
