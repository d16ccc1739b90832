//! `/v1/services/{sg}`: how a service is, and why it is so.

use std::sync::Arc;

use roost_api::documents::{
    configuration::ConfigValue,
    explain::Explanation,
    v1::{
        Bind, Cause, HealthCheck, HookFailure, LastExit, Reason, Restarts, ServiceDocuments,
        ServiceHealthV1, ServiceV1,
    },
};
use roost_ident::time::rfc3339_ms;
use roost_service::{BindReport, ExitCause, ExitStatus, HookOutcome, Status};

/// Exit code and signal of a process.
pub(crate) fn code_and_signal(status: ExitStatus) -> (Option<i32>, Option<i32>) {
    match status {
        ExitStatus::Code(code) => (Some(code), None),
        ExitStatus::Signal(number) => (None, Some(number)),
        ExitStatus::Unknown => (None, None),
    }
}

/// Exit code and signal of a hook, and why it could not be run.
pub(crate) fn outcome_parts(outcome: &HookOutcome) -> (Option<i32>, Option<i32>, Option<String>) {
    match outcome {
        HookOutcome::Exit(code) => (Some(*code), None, None),
        HookOutcome::Signal(number) => (None, Some(*number), None),
        HookOutcome::CouldNotRun(error) => (None, None, Some(error.clone())),
    }
}

const fn cause(cause: ExitCause) -> Cause {
    match cause {
        ExitCause::Unexpected => Cause::Unexpected,
        ExitCause::Stopped => Cause::Stopped,
        ExitCause::StopTimeout { .. } => Cause::StopTimeout,
    }
}

/// The document of a service at this moment. What processes printed is left out of it when the
/// API is redacted: it may hold what the configuration does.
pub(crate) fn documents(
    id: &str,
    package: String,
    status: &Status,
    binds: &[BindReport],
    explanation: Explanation,
    health: ServiceHealthV1,
    configuration: Arc<Vec<ConfigValue>>,
    redact: bool,
) -> ServiceDocuments {
    let lines = |excerpt: &roost_service::Excerpt| match redact {
        true => Vec::new(),
        false => excerpt.lines().to_vec(),
    };
    let account = &status.account;
    let since_ms = status.health_since_unix_ms;
    let service = ServiceV1 {
        id: id.into(),
        package,
        state: status.state,
        since: rfc3339_ms(status.process.state_entered_ms),
        desired: status.desired_state.into(),
        health: status.health.into(),
        health_since: (since_ms > 0).then(|| rfc3339_ms(since_ms)),
        pid: status.process.pid,
        restarts: Restarts {
            total: status.restart_count,
            next_at: status.next_restart_at_s.map(|at_s| rfc3339_ms(at_s.saturating_mul(1_000))),
        },
        why: status.why.as_ref().map(|why| match redact {
            true => why.line_without_output(),
            false => why.line(),
        }),
        reason: status.why.as_ref().map(|why| Reason {
            code: why.code,
            message: why.line_without_output(),
            since: rfc3339_ms(why.since_unix_ms),
            evidence: lines(&why.evidence),
        }),
        last_exit: account.exit.as_ref().map(|exit| {
            let (code, signal) = code_and_signal(exit.status);
            LastExit {
                pid: exit.pid,
                code,
                signal,
                cause: cause(exit.cause),
                at: rfc3339_ms(exit.at_unix_ms),
                ran_ms: exit.ran_ms,
                stderr: lines(&exit.stderr),
            }
        }),
        last_hook_failure: account.hook.as_ref().map(|failure| {
            let (code, signal, error) = outcome_parts(&failure.outcome);
            HookFailure {
                hook: failure.hook.to_string(),
                code,
                signal,
                error,
                timed_out: failure.timed_out,
                at: rfc3339_ms(failure.at_unix_ms),
                output: lines(&failure.printed),
            }
        }),
        health_check: account.check.as_ref().map(|check| HealthCheck {
            status: check.status.into(),
            exit_code: check.exit_code,
            at: rfc3339_ms(check.at_unix_ms),
            output: check.printed.first.clone(),
        }),
        binds: binds
            .iter()
            .map(|report| Bind {
                name: report.name.clone(),
                group: report.group.clone(),
                satisfied: report.is_satisfied(),
                message: report.line(),
            })
            .collect(),
    };
    ServiceDocuments {
        service: service.into(),
        explanation: explanation.into(),
        health: health.into(),
        configuration,
    }
}
