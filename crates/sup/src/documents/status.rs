//! What clients of the control gateway see of services (reference: control §6).

use roost_ctl::{
    message,
    reply::{Failure, Reply, ServiceStatus, StatusExtra},
};
use roost_fleet::{Fleet, Service};
use roost_ident::{DesiredState, PackageIdent, ProcessState};
use roost_service::{HookFailure, LastExit, Reason, Status};

use super::v1;
use crate::services::built::Built;

/// The services of a package, or all of them: those that are up first.
pub(crate) fn statuses(fleet: &Fleet<Built>, now_ms: u64, ident: Option<&PackageIdent>) -> Reply {
    let mut found: Vec<(&Service<Built>, Status)> = fleet
        .services()
        .filter(|service| ident.is_none_or(|ident| matches(service, ident)))
        .map(|service| (service, service.status()))
        .collect();
    match ident {
        Some(ident) if found.is_empty() => Failure::not_loaded(ident).into(),
        Some(_) => reply(fleet, now_ms, &found[..1]),
        None => {
            found.sort_by_key(|(_, status)| status.process.state == ProcessState::Down);
            reply(fleet, now_ms, &found)
        }
    }
}

fn reply(fleet: &Fleet<Built>, now_ms: u64, services: &[(&Service<Built>, Status)]) -> Reply {
    let status = |(service, status): &(&Service<Built>, Status)| {
        let process = status.process;
        let group = fleet.census().group(service.group());
        ServiceStatus {
            ident: service.ident().clone(),
            group: service.group().clone(),
            desired: Some(status.desired_state),
            state: process.state,
            elapsed_s: (now_ms / 1_000).saturating_sub(process.state_entered_s),
            pid: process.pid,
            extra: StatusExtra {
                health: Some(status.health.upper().into()),
                restarts: Some(status.restart_count),
                since_unix_s: Some(process.state_entered_s),
                leader: group.and_then(|group| group.leader_id.clone()),
                update: Some(service.spec().update_strategy.to_string()),
                phase: Some(status.phase.as_str().into()),
                reason: status.why.as_ref().map(Reason::line),
                pending: Some(fleet.is_pending() || service.is_undecided()),
                service_state: Some(status.state.as_str().into()),
                reason_code: status.why.as_ref().map(|why| why.code.as_str().into()),
                evidence: {
                    let why = status.why.as_ref();
                    why.map(|why| why.evidence.lines().to_vec()).unwrap_or_default()
                },
                has_check: Some(status.has_check),
                up_ms: (process.state == ProcessState::Up)
                    .then(|| now_ms.saturating_sub(process.state_entered_ms)),
                last_exit: status.account.exit.as_ref().map(exit_message),
                last_hook: status.account.hook.as_ref().map(hook_message),
                restart_when_critical: Some(service.spec().restart_when_critical),
            },
        }
    };
    Reply::Statuses(services.iter().map(status).collect())
}

/// The default configuration of a service that is wanted up.
pub(crate) fn default_config(fleet: &Fleet<Built>, ident: &PackageIdent) -> Reply {
    let found = fleet.services().find(|service| {
        service.spec().desired_state == DesiredState::Up
            && service.release().is_some()
            && matches(service, ident)
    });
    match found {
        None => Failure::not_loaded(ident).into(),
        Some(service) => {
            let default = service.default_cfg().cloned().unwrap_or_default();
            // A table that was read from TOML can be written as TOML.
            Reply::DefaultConfig(toml::to_string_pretty(&default).unwrap_or_default())
        }
    }
}

fn exit_message(exit: &LastExit) -> message::LastExit {
    let (code, signal) = v1::code_and_signal(exit.status);
    message::LastExit {
        code,
        signal,
        at_unix_ms: exit.at_unix_ms,
        ran_ms: exit.ran_ms,
        cause: exit.cause.as_str().into(),
        stderr: exit.stderr.lines().to_vec(),
        pid: exit.pid,
    }
}

fn hook_message(failure: &HookFailure) -> message::LastHook {
    let (code, signal, error) = v1::outcome_parts(&failure.outcome);
    message::LastHook {
        hook: failure.hook.to_string(),
        code,
        signal,
        error,
        timed_out: failure.timed_out,
        at_unix_ms: failure.at_unix_ms,
        output: failure.printed.lines().to_vec(),
    }
}

fn matches(service: &Service<Built>, ident: &PackageIdent) -> bool {
    service.ident().satisfies(ident)
}
