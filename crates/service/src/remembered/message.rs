//! What is remembered as a Protocol Buffers message. Words stand for what has a word elsewhere: one
//! that a reader does not know means the default, or that the part is left out.

use prost::{Message, Oneof};
use roost_ident::Hook;

use super::Remembered;
use crate::{
    account::{Account, ExitCause, HookFailure, LastCheck, LastExit},
    event::{ExitStatus, HookOutcome, Plan},
    excerpt::{Excerpt, Printed, STDERR_BYTES_MAX},
    health::Streak,
    recent::Span,
    status::LastProcess,
    why::{Failure, ReasonCode},
};

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct State {
    #[prost(uint32, tag = "1")]
    pub(super) version: u32,
    #[prost(uint64, tag = "2")]
    restart_count: u64,
    #[prost(message, tag = "3")]
    last_process: Option<Process>,
    #[prost(string, tag = "4")]
    pub(super) health: String,
    #[prost(uint64, optional, tag = "5")]
    backoff_ms: Option<u64>,
    #[prost(uint64, optional, tag = "6")]
    restarted_at_unix_ms: Option<u64>,
    #[prost(bool, tag = "7")]
    stopping: bool,
    #[prost(message, tag = "8")]
    pub(super) plan: Option<Started>,
    #[prost(uint64, optional, tag = "9")]
    state_entered_unix_ms: Option<u64>,
    #[prost(uint64, optional, tag = "10")]
    health_since_unix_ms: Option<u64>,
    #[prost(bool, tag = "11")]
    has_passed: bool,
    #[prost(uint64, optional, tag = "12")]
    not_before_unix_ms: Option<u64>,
    #[prost(bool, tag = "13")]
    restarting: bool,
    #[prost(message, tag = "14")]
    pub(super) failure: Option<Reason>,
    #[prost(uint64, repeated, tag = "15")]
    crashes_unix_ms: Vec<u64>,
    /// Restarts of the last hour: when each span began, and how many there were.
    #[prost(uint64, repeated, tag = "23")]
    recent_unix_ms: Vec<u64>,
    #[prost(uint32, repeated, tag = "24")]
    recent_counts: Vec<u32>,
    #[prost(message, tag = "16")]
    pub(super) exit: Option<Exit>,
    #[prost(message, tag = "17")]
    hook: Option<HookEnd>,
    #[prost(message, tag = "18")]
    check: Option<Check>,
    /// Health results in a row: critical ones, OK ones, those that count for a restart.
    #[prost(uint32, tag = "20")]
    failures: u32,
    #[prost(uint32, tag = "21")]
    successes: u32,
    #[prost(uint32, tag = "22")]
    criticals: u32,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Process {
    #[prost(uint32, optional, tag = "1")]
    pid: Option<u32>,
    #[prost(string, tag = "2")]
    reason: String,
    #[prost(uint64, tag = "3")]
    terminated_at_s: u64,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Started {
    #[prost(string, tag = "1")]
    ident: String,
    #[prost(string, repeated, tag = "2")]
    pub(super) hooks: Vec<String>,
    #[prost(string, tag = "3")]
    signal: String,
    #[prost(uint32, optional, tag = "4")]
    timeout_s: Option<u32>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Reason {
    #[prost(string, tag = "1")]
    pub(super) code: String,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(uint64, tag = "3")]
    since_unix_ms: u64,
    #[prost(string, tag = "4")]
    printed: String,
}

/// How a process ended; none means that nothing knows.
#[derive(Clone, PartialEq, Eq, Oneof)]
enum End {
    #[prost(sint32, tag = "14")]
    Code(i32),
    #[prost(int32, tag = "15")]
    Signal(i32),
    #[prost(string, tag = "16")]
    CouldNotRun(String),
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Exit {
    #[prost(uint32, tag = "1")]
    pid: u32,
    #[prost(uint64, tag = "2")]
    at_unix_ms: u64,
    #[prost(uint64, tag = "3")]
    ran_ms: u64,
    #[prost(string, tag = "4")]
    pub(super) cause: String,
    /// Of a time-out.
    #[prost(uint64, tag = "5")]
    after_ms: u64,
    #[prost(string, tag = "6")]
    stderr: String,
    #[prost(oneof = "End", tags = "14, 15, 16")]
    end: Option<End>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct HookEnd {
    #[prost(string, tag = "1")]
    hook: String,
    #[prost(bool, tag = "2")]
    timed_out: bool,
    #[prost(uint64, tag = "3")]
    at_unix_ms: u64,
    #[prost(string, tag = "4")]
    printed: String,
    #[prost(oneof = "End", tags = "14, 15, 16")]
    end: Option<End>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Check {
    #[prost(string, tag = "1")]
    status: String,
    #[prost(int32, optional, tag = "2")]
    exit_code: Option<i32>,
    #[prost(uint64, tag = "3")]
    at_unix_ms: u64,
    #[prost(string, tag = "4")]
    first: String,
    #[prost(string, tag = "5")]
    stdout: String,
    #[prost(string, tag = "6")]
    stderr: String,
    #[prost(uint64, tag = "7")]
    duration_ms: u64,
}

impl State {
    /// What is left out, in this order, until the rest fits: what is only shown comes before what
    /// decisions depend on.
    pub(super) const EXPENDABLE: [fn(&mut Self); 8] = [
        |state| {
            if let Some(Check { stdout, stderr, .. }) = &mut state.check {
                stdout.clear();
                stderr.clear();
            }
        },
        |state| state.hook.iter_mut().for_each(|hook| hook.printed.clear()),
        |state| state.exit.iter_mut().for_each(|exit| exit.stderr.clear()),
        |state| state.check = None,
        |state| state.hook = None,
        |state| state.exit = None,
        |state| state.failure = None,
        |state| state.plan = None,
    ];
}

impl From<&Remembered> for State {
    fn from(remembered: &Remembered) -> Self {
        let Account { exit, hook, check } = &remembered.account;
        Self {
            version: super::VERSION,
            restart_count: remembered.restart_count,
            last_process: remembered.last_process_state.map(Process::from),
            health: remembered.health.as_str().into(),
            backoff_ms: remembered.backoff_ms,
            restarted_at_unix_ms: remembered.restarted_at_unix_ms,
            stopping: remembered.stopping,
            plan: remembered.plan.as_ref().map(Started::from),
            state_entered_unix_ms: remembered.state_entered_unix_ms,
            health_since_unix_ms: remembered.health_since_unix_ms,
            has_passed: remembered.has_passed,
            not_before_unix_ms: remembered.not_before_unix_ms,
            restarting: remembered.restarting,
            failure: remembered.failure.as_ref().map(Reason::from),
            crashes_unix_ms: remembered.crashes_unix_ms.clone(),
            recent_unix_ms: remembered.recent.iter().map(|span| span.since_ms).collect(),
            recent_counts: remembered.recent.iter().map(|span| span.count).collect(),
            exit: exit.as_ref().map(Exit::from),
            hook: hook.as_ref().map(HookEnd::from),
            check: check.as_ref().map(Check::from),
            failures: remembered.streak.failures,
            successes: remembered.streak.successes,
            criticals: remembered.streak.criticals,
        }
    }
}

impl From<State> for Remembered {
    fn from(state: State) -> Self {
        let mut crashes_unix_ms = state.crashes_unix_ms;
        crashes_unix_ms.truncate(2);
        Self {
            restart_count: state.restart_count,
            last_process_state: state.last_process.as_ref().and_then(Process::read),
            health: state.health.parse().unwrap_or_default(),
            backoff_ms: state.backoff_ms,
            restarted_at_unix_ms: state.restarted_at_unix_ms,
            stopping: state.stopping,
            plan: state.plan.as_ref().map(Started::read),
            state_entered_unix_ms: state.state_entered_unix_ms,
            health_since_unix_ms: state.health_since_unix_ms,
            has_passed: state.has_passed,
            streak: Streak::new(state.failures, state.successes, state.criticals),
            not_before_unix_ms: state.not_before_unix_ms,
            restarting: state.restarting,
            failure: state.failure.and_then(Reason::read),
            crashes_unix_ms,
            recent: {
                let spans = state.recent_unix_ms.into_iter().zip(state.recent_counts);
                spans.map(|(since_ms, count)| Span { since_ms, count }).collect()
            },
            account: Account {
                exit: state.exit.and_then(Exit::read),
                hook: state.hook.and_then(HookEnd::read),
                check: state.check.and_then(Check::read),
            },
        }
    }
}

impl From<LastProcess> for Process {
    fn from(LastProcess { pid, reason, terminated_at_s }: LastProcess) -> Self {
        Self { pid, reason: reason.to_string(), terminated_at_s }
    }
}

impl Process {
    fn read(&self) -> Option<LastProcess> {
        let reason = self.reason.parse().ok()?;
        Some(LastProcess { pid: self.pid, reason, terminated_at_s: self.terminated_at_s })
    }
}

impl From<&Plan> for Started {
    fn from(plan: &Plan) -> Self {
        Self {
            ident: plan.ident.clone(),
            hooks: plan.hooks.iter().map(|hook| hook.as_str().into()).collect(),
            signal: plan.shutdown_signal.as_str().into(),
            timeout_s: plan.shutdown_timeout_s,
        }
    }
}

impl Started {
    fn read(&self) -> Plan {
        Plan {
            hooks: self.hooks.iter().filter_map(|name| name.parse::<Hook>().ok()).collect(),
            shutdown_signal: self.signal.parse().unwrap_or_default(),
            shutdown_timeout_s: self.timeout_s,
            ..Plan::bare(&self.ident)
        }
    }
}

impl From<&Failure> for Reason {
    fn from(Failure { code, message, since_unix_ms, printed }: &Failure) -> Self {
        let (message, printed) = (message.clone(), printed.text());
        Self { code: code.as_str().into(), message, since_unix_ms: *since_unix_ms, printed }
    }
}

impl Reason {
    fn read(self) -> Option<Failure> {
        let code = *ReasonCode::ALL.iter().find(|known| known.as_str() == self.code)?;
        let Self { message, since_unix_ms, .. } = self;
        Some(Failure { code, message, since_unix_ms, printed: excerpt(&self.printed) })
    }
}

impl From<&LastExit> for Exit {
    fn from(exit: &LastExit) -> Self {
        let after_ms = match exit.cause {
            ExitCause::StopTimeout { after_ms } => after_ms,
            ExitCause::Unexpected | ExitCause::Stopped => 0,
        };
        Self {
            pid: exit.pid,
            at_unix_ms: exit.at_unix_ms,
            ran_ms: exit.ran_ms,
            cause: exit.cause.as_str().into(),
            after_ms,
            stderr: exit.stderr.text(),
            end: match exit.status {
                ExitStatus::Code(code) => Some(End::Code(code)),
                ExitStatus::Signal(number) => Some(End::Signal(number)),
                ExitStatus::Unknown => None,
            },
        }
    }
}

impl Exit {
    fn read(self) -> Option<LastExit> {
        let timeout = ExitCause::StopTimeout { after_ms: self.after_ms };
        let mut causes = [ExitCause::Unexpected, ExitCause::Stopped, timeout].into_iter();
        let cause = causes.find(|known| known.as_str() == self.cause)?;
        let status = match self.end {
            Some(End::Code(code)) => ExitStatus::Code(code),
            Some(End::Signal(number)) => ExitStatus::Signal(number),
            Some(End::CouldNotRun(_)) | None => ExitStatus::Unknown,
        };
        let Self { pid, at_unix_ms, ran_ms, .. } = self;
        Some(LastExit { pid, status, at_unix_ms, ran_ms, cause, stderr: excerpt(&self.stderr) })
    }
}

impl From<&HookFailure> for HookEnd {
    fn from(failure: &HookFailure) -> Self {
        Self {
            hook: failure.hook.as_str().into(),
            timed_out: failure.timed_out,
            at_unix_ms: failure.at_unix_ms,
            printed: failure.printed.text(),
            end: Some(match &failure.outcome {
                HookOutcome::Exit(code) => End::Code(*code),
                HookOutcome::Signal(number) => End::Signal(*number),
                HookOutcome::CouldNotRun(error) => End::CouldNotRun(error.clone()),
            }),
        }
    }
}

impl HookEnd {
    fn read(self) -> Option<HookFailure> {
        let outcome = match self.end? {
            End::Code(code) => HookOutcome::Exit(code),
            End::Signal(number) => HookOutcome::Signal(number),
            End::CouldNotRun(error) => HookOutcome::CouldNotRun(error),
        };
        let hook = self.hook.parse().ok()?;
        let Self { timed_out, at_unix_ms, .. } = self;
        Some(HookFailure { hook, outcome, timed_out, at_unix_ms, printed: excerpt(&self.printed) })
    }
}

impl From<&LastCheck> for Check {
    fn from(check: &LastCheck) -> Self {
        Self {
            status: check.status.as_str().into(),
            exit_code: check.exit_code,
            at_unix_ms: check.at_unix_ms,
            duration_ms: check.duration_ms,
            first: check.printed.first.clone(),
            stdout: check.printed.stdout.text(),
            stderr: check.printed.stderr.text(),
        }
    }
}

impl Check {
    fn read(self) -> Option<LastCheck> {
        let status = self.status.parse().ok()?;
        let (stdout, stderr) = (excerpt(&self.stdout), excerpt(&self.stderr));
        let output = format!("{}{}", stdout.text(), stderr.text()).into();
        let printed = Printed { first: self.first, stdout, stderr, output };
        let Self { exit_code, at_unix_ms, duration_ms, .. } = self;
        Some(LastCheck { status, exit_code, at_unix_ms, duration_ms, printed })
    }
}

fn excerpt(text: &str) -> Excerpt {
    Excerpt::last_of(text, STDERR_BYTES_MAX)
}
