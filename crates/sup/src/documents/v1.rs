//! `/v1/services/{sg}`: how a service is, and why it is so.

use std::sync::Arc;

use roost_api::documents::{
    configuration::ConfigValue,
    surroundings::Links,
    v1::{
        Cause, HealthCheck, HookFailure, LastExit, Reason, Restarts, ServiceDocuments, ServiceV1,
    },
};
use roost_fleet::{Fleet, Service};
use roost_ident::time::rfc3339_ms;
use roost_service::{ExitCause, ExitStatus, HookOutcome, Status};

use super::{checks, explanation, surroundings};
use crate::{services::built::Built, stops::Stops};

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
    fleet: &Fleet<Built>,
    service: &Service<Built>,
    status: &Status,
    stops: &Stops,
    configuration: Arc<Vec<ConfigValue>>,
    redact: bool,
) -> ServiceDocuments {
    let id = service.group().as_str();
    let lines = |excerpt: &roost_service::Excerpt| match redact {
        true => Vec::new(),
        false => excerpt.lines().to_vec(),
    };
    let reason = |why: &roost_service::Reason| Reason {
        code: why.code,
        message: why.line_without_output(),
        since: rfc3339_ms(why.since_unix_ms),
        evidence: lines(&why.evidence),
    };
    let account = &status.account;
    let since_ms = status.health_since_unix_ms;
    let shown = ServiceV1 {
        id: id.into(),
        package: service.ident().to_string(),
        state: status.state,
        since: rfc3339_ms(status.process.state_entered_ms),
        desired: status.desired_state.into(),
        health: status.health.into(),
        health_since: (since_ms > 0).then(|| rfc3339_ms(since_ms)),
        pid: status.process.pid,
        restarts: Restarts {
            total: status.restart_count,
            last_hour: status.restarts_last_hour,
            backoff_ms: status.backoff_ms,
            next_at: status.next_restart_at_s.map(|at_s| rfc3339_ms(at_s.saturating_mul(1_000))),
        },
        why: status.why.as_ref().map(|why| match redact {
            true => why.line_without_output(),
            false => why.line(),
        }),
        reason: status.why.as_ref().map(reason),
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
        binds: surroundings::binds(fleet.census(), service.bind_reports(), redact),
        election: surroundings::election(fleet, service).filter(|_| !redact),
        conditions: status.conditions.iter().map(reason).collect(),
        links: Links::of(id, redact),
    };
    ServiceDocuments {
        service: shown.into(),
        explanation: explanation::document(fleet, service, stops, redact).into(),
        health: checks::document(service, status, redact).into(),
        configuration,
    }
}
