//! Facts about a service, as they appear in the record. When each is made is decided in
//! `machine/reporting.rs`.

use roost_events::{Fact, Kind, PRINTED_OUTPUT, PRINTED_STDERR, Severity};
use roost_ident::{HealthStatus, Hook, ServiceGroup, ServiceState};

use crate::{
    account::{ExitCause, LastCheck, LastExit},
    binds::BindReport,
    event::{ExitStatus, HookOutcome},
    excerpt::Excerpt,
    text,
    why::Reason,
};

/// The type of the fact that a service entered a state.
#[must_use]
pub(crate) const fn kind_of(state: ServiceState) -> Kind {
    match state {
        ServiceState::Starting => Kind::ServiceStarting,
        ServiceState::Up => Kind::ServiceUp,
        ServiceState::Stopping => Kind::ServiceStopping,
        ServiceState::Down => Kind::ServiceDown,
        ServiceState::BackingOff => Kind::ServiceBackingOff,
        ServiceState::Blocked => Kind::ServiceBlocked,
        ServiceState::Failed => Kind::ServiceFailed,
    }
}

/// The service entered a state, for a reason if there is one.
pub(crate) fn state(
    group: &ServiceGroup,
    before: Option<ServiceState>,
    after: ServiceState,
    reason: Option<&Reason>,
) -> Fact {
    let what = match after {
        ServiceState::Starting => "starts",
        ServiceState::Up => "is up",
        ServiceState::Stopping => "stops",
        ServiceState::Down => "is down",
        ServiceState::BackingOff => "failed and waits before it starts again",
        ServiceState::Blocked => "waits",
        ServiceState::Failed => "cannot start",
    };
    let reason = reason.filter(|_| {
        matches!(after, ServiceState::BackingOff | ServiceState::Blocked | ServiceState::Failed)
    });
    let message = match reason {
        Some(reason) => format!("{group} {what}: {}", reason.line_without_output()),
        None => format!("{group} {what}"),
    };
    Fact::new(kind_of(after), message)
        .of(group.as_str())
        .change(before.map(ServiceState::as_str), after.as_str())
        .with_some("reason", reason.map(|reason| reason.code.as_str()))
}

/// Nothing is wanted of the service any more.
#[must_use]
pub fn unloaded(group: &ServiceGroup) -> Fact {
    Fact::new(Kind::ServiceUnloaded, format!("{group} was unloaded")).of(group.as_str())
}

/// The process of the service started.
pub(crate) fn process_started(group: &ServiceGroup, pid: u32) -> Fact {
    Fact::new(Kind::ProcessStarted, format!("{group}: process {pid} started"))
        .of(group.as_str())
        .with("pid", pid)
}

/// The process of the service ended.
pub(crate) fn process_exited(group: &ServiceGroup, exit: &LastExit) -> Fact {
    let severity = match exit.cause {
        ExitCause::Stopped => Severity::Info,
        ExitCause::Unexpected | ExitCause::StopTimeout { .. } => Severity::Warning,
    };
    let (code, signal) = match exit.status {
        ExitStatus::Code(code) => (Some(code), None),
        ExitStatus::Signal(number) => (None, Some(number)),
        ExitStatus::Unknown => (None, None),
    };
    let fact = Fact::new(Kind::ProcessExited, format!("{group}: {}", exit.sentence()))
        .severity(severity)
        .of(group.as_str())
        .with("pid", exit.pid)
        .with("ran_ms", exit.ran_ms)
        .with("cause", exit.cause.as_str())
        .with_some("exit_code", code)
        .with_some("signal", signal);
    with_printed(fact, PRINTED_STDERR, &exit.stderr)
}

/// A hook ended with an error.
#[must_use]
pub fn hook_failed(
    group: &ServiceGroup,
    hook: Hook,
    outcome: &HookOutcome,
    printed: &Excerpt,
) -> Fact {
    let (how, code, signal, error) = match outcome {
        HookOutcome::Exit(code) => (format!("exited with code {code}"), Some(*code), None, None),
        HookOutcome::Signal(number) => {
            let how = format!("was killed by signal {}", text::signal(*number));
            (how, None, Some(*number), None)
        }
        HookOutcome::CouldNotRun(error) => {
            (format!("could not be run: {error}"), None, None, Some(error.as_str()))
        }
    };
    let fact = Fact::new(Kind::HookFailed, format!("{group}: the {hook} hook {how}"))
        .of(group.as_str())
        .with("hook", hook.as_str())
        .with_some("exit_code", code)
        .with_some("signal", signal)
        .with_some("error", error);
    with_printed(fact, PRINTED_OUTPUT, printed)
}

/// The install hooks of the package or of its dependencies did not succeed.
pub(crate) fn install_failed(group: &ServiceGroup, error: &str, printed: &Excerpt) -> Fact {
    let fact = Fact::new(Kind::HookFailed, format!("{group}: the install hook failed: {error}"))
        .of(group.as_str())
        .with("hook", Hook::Install.as_str())
        .with("error", error);
    with_printed(fact, PRINTED_OUTPUT, printed)
}

/// A hook exceeded its time limit and was stopped.
#[must_use]
pub fn hook_timed_out(group: &ServiceGroup, hook: Hook, limit_ms: u64) -> Fact {
    let limit = text::seconds(limit_ms);
    let message = format!("{group}: the {hook} hook ran longer than {limit} s and was stopped");
    Fact::new(Kind::HookTimedOut, message)
        .of(group.as_str())
        .with("hook", hook.as_str())
        .with("limit_ms", limit_ms)
}

/// What a change of health follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HealthSource<'a> {
    /// The result of a check.
    Check(&'a LastCheck),
    /// The text about a check that gave no result.
    NoResult(&'a str),
    /// There is no result: the process has no check yet, or does not run.
    Process,
}

/// The health of the service changed.
pub(crate) fn health(
    group: &ServiceGroup,
    before: Option<HealthStatus>,
    after: HealthStatus,
    source: HealthSource<'_>,
) -> Fact {
    let severity = match (after, source) {
        (HealthStatus::Ok, _) | (HealthStatus::Unknown, HealthSource::Process) => Severity::Info,
        (HealthStatus::Warning | HealthStatus::Unknown, _) => Severity::Warning,
        (HealthStatus::Critical, _) => Severity::Error,
    };
    let word = |status: HealthStatus| status.as_str().to_ascii_lowercase();
    let mut message = match before {
        Some(before) => {
            format!("{group}: health changed from {} to {}", word(before), word(after))
        }
        None => format!("{group}: health is {}", word(after)),
    };
    let check = match source {
        HealthSource::Check(check) => {
            if let Some(code) = check.exit_code {
                message.push_str(&format!("; the check exited with code {code}"));
            }
            Some(check)
        }
        HealthSource::NoResult(text) => {
            message.push_str(&format!("; {text}"));
            None
        }
        HealthSource::Process => None,
    };
    let before = before.map(word);
    let fact = Fact::new(Kind::HealthChanged, message)
        .severity(severity)
        .of(group.as_str())
        .change(before.as_deref(), &word(after))
        .with_some("exit_code", check.and_then(|check| check.exit_code));
    match check {
        Some(check) => with_printed(fact, PRINTED_OUTPUT, check.printed.end()),
        None => fact,
    }
}

/// A bind of the service has members, or has none.
pub(crate) fn bind(group: &ServiceGroup, report: &BindReport) -> Fact {
    let kind = match report.is_satisfied() {
        true => Kind::BindSatisfied,
        false => Kind::BindMissing,
    };
    Fact::new(kind, format!("{group}: {}", report.line()))
        .of(group.as_str())
        .with("bind", report.name.as_str())
        .with("group", report.group.as_str())
}

/// Something newer of what the service is made of cannot be used; the former one stays in force.
#[must_use]
pub fn rejected(group: &ServiceGroup, what: &str, error: &str) -> Fact {
    Fact::new(Kind::ConfigRejected, format!("{group}: {error}"))
        .of(group.as_str())
        .with("what", what)
}

fn with_printed(fact: Fact, key: &str, lines: &Excerpt) -> Fact {
    let lines = (!lines.is_empty()).then(|| lines.lines().to_vec());
    fact.with_some(key, lines)
}
