//! Facts of a status that every kind of waiting uses.

use roost_ctl::ServiceStatus;
use roost_ident::ProcessState;

/// A process without a health check counts as up after this time: many broken ones fail within a
/// moment.
pub(super) const STEADY_MS: u64 = 3_000;
/// Failures after which a start counts as failed.
pub(super) const FAILURES: u64 = 2;
/// Roost's name of the phase in which a process runs and is to continue.
pub(super) const RUNNING: &str = "running";
/// Roost's name of the phase of a stop in progress.
pub(super) const STOPPING: &str = "stopping";
/// Why a command is not done while Roost's Supervisor reports it as pending.
pub(super) const NOT_APPLIED: &str = "the Supervisor has not applied the command yet";

/// True when it is currently crash-looping.
pub(super) fn is_failing(status: &ServiceStatus) -> bool {
    let code = status.extra.reason_code.as_deref();
    matches!(code, Some("run_exits" | "init_failed" | "start_failed"))
}

pub(super) fn why_not_up(status: &ServiceStatus) -> String {
    let extra = &status.extra;
    let mut text = match (&extra.reason, &extra.phase) {
        (Some(reason), _) => reason.clone(),
        (None, Some(phase)) if status.state == ProcessState::Down => {
            format!("its process does not run (phase {phase})")
        }
        (None, Some(phase)) => format!("its process is {phase}"),
        (None, None) => "its process does not run".into(),
    };
    if let Some(restarts) = extra.restarts.filter(|restarts| *restarts > 0) {
        text.push_str(&format!(", restarts after failures: {restarts}"));
    }
    text
}
