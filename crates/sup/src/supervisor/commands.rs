//! What clients of the control gateway want (reference: control §6).
//!
//! Commands that change what is wanted of a service change its spec file; the Supervisor then
//! follows the file. They are done one after the other, beside this task, because they write
//! to disk; answers from the present state are given here.

use roost_ctl::{
    message,
    reply::{ErrorCode, Failure, Reply, ServiceStatus, StatusExtra},
    request::Request,
    responder::Responder,
};
use roost_events::Cause;
use roost_fleet::Service;
use roost_ident::{DesiredState, PackageIdent, ProcessState};
use roost_ring::{Command, MemberId};
use roost_service::{HookFailure, LastExit, Reason, Status};
use roost_template::{ConfigError, config::parse_toml};

use super::{Supervisor, event::Event};
use crate::{
    audit::{Audit, Outcome},
    documents::v1,
    ring::Made,
    services::built::Built,
    standing,
};

/// A configuration that a client gave to the ring.
struct Applied {
    group: String,
    version: u64,
}

impl Supervisor {
    pub(super) fn command(&mut self, request: Request, responder: Responder) {
        let audit = Audit::of(&request, &responder);
        match request {
            Request::Status { ident } => responder.finish(self.status_reply(ident.as_ref())),
            Request::DefaultConfig { ident } => responder.finish(self.default_config(&ident)),
            Request::ValidateConfig { group: _, config } => {
                responder.finish_with(validate(&config));
            }
            Request::SetConfig { group, config, version, encrypted } => {
                let text = format!("Setting new configuration version {version} for {group}");
                self.world.output.line("hab-sup", "CMD", &text);
                if let Some(why) =
                    standing::config(&self.outlook.view, group.as_str(), version, &config)
                {
                    return self.unchanged(why, audit, responder);
                }
                let applied = Applied { group: group.to_string(), version };
                let command = Command::SetServiceConfig {
                    group: group.to_string(),
                    incarnation: version,
                    encrypted,
                    config: config.into(),
                };
                self.spread(command, audit, Some(applied), responder);
            }
            Request::PutFile { group, filename, content, version, encrypted } => {
                let text =
                    format!("Receiving new version {version} of file {filename} for {group}");
                self.world.output.line("hab-sup", "CMD", &text);
                let name = filename.as_str();
                let why =
                    standing::file(&self.outlook.view, group.as_str(), name, version, &content);
                if let Some(why) = why {
                    return self.unchanged(why, audit, responder);
                }
                let command = Command::SetServiceFile {
                    group: group.to_string(),
                    incarnation: version,
                    encrypted,
                    filename,
                    body: content.into(),
                };
                self.spread(command, audit, None, responder);
            }
            Request::Depart { member_id } => {
                let text = format!("Attempting to depart member: {member_id}");
                self.world.output.line("hab-sup", "CMD", &text);
                if let Some(why) = standing::departure(&self.outlook.view, &member_id) {
                    return self.unchanged(why, audit, responder);
                }
                let command = Command::DepartMember(MemberId::new(&member_id));
                self.spread(command, audit, None, responder);
            }
            Request::Restart => {
                // The end of the connection is the answer.
                let fact = audit.map(|audit| audit.fact(Outcome::Done));
                let request = fact.map(|fact| self.world.recorder.record(None, fact));
                responder.finish(Reply::CloseAtEnd);
                self.tell_because(request, roost_fleet::Event::Restart);
            }
            request => self.world.specs.handle(request, responder),
        }
    }

    /// Gives the ring something to spread. The client is answered when it is on disk and the ring
    /// has it.
    fn spread(
        &self,
        command: Command,
        audit: Option<Audit>,
        applied: Option<Applied>,
        responder: Responder,
    ) {
        let (ring, events) = (self.world.ring.clone(), self.world.events.clone());
        tokio::spawn(async move {
            // A client of a process that is ending must not hear that it was done.
            let Some(Made { result, request }) = ring.change(command, audit).await else { return };
            if let Some(Applied { group, version }) = applied.filter(|_| result.is_ok()) {
                let cause = Cause::from(request);
                let applied = roost_fleet::Event::ConfigApplied { group, version, cause };
                drop(events.send(Event::Fleet(applied)));
            }
            responder.finish_with(result);
        });
    }

    /// There is nothing to change, for this reason.
    fn unchanged(&self, why: String, audit: Option<Audit>, responder: Responder) {
        if let Some(audit) = audit {
            self.world.recorder.record(None, audit.fact(Outcome::Unchanged(&why)));
        }
        responder.finish(Reply::Unchanged(why));
    }

    fn status_reply(&self, ident: Option<&PackageIdent>) -> Reply {
        let mut found: Vec<(&Service<Built>, Status)> = self
            .fleet
            .services()
            .filter(|service| ident.is_none_or(|ident| matches(service, ident)))
            .map(|service| (service, service.status()))
            .collect();
        match ident {
            Some(ident) if found.is_empty() => Failure::not_loaded(ident).into(),
            Some(_) => {
                found.truncate(1);
                self.statuses(&found)
            }
            None => {
                found.sort_by_key(|(_, status)| status.process.state == ProcessState::Down);
                self.statuses(&found)
            }
        }
    }

    fn statuses(&self, services: &[(&Service<Built>, Status)]) -> Reply {
        let now_ms = self.world.clock.now().unix_ms;
        let status = |(service, status): &(&Service<Built>, Status)| {
            let process = status.process;
            let group = self.fleet.census().group(service.group());
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
                    pending: Some(self.fleet.is_pending() || service.is_undecided()),
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
    fn default_config(&self, ident: &PackageIdent) -> Reply {
        let found = self.fleet.services().find(|service| {
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

fn validate(config: &[u8]) -> Result<(), Failure> {
    let bad = |what: &str, error: &dyn std::fmt::Display| {
        let text = format!("Unable to decode configuration {what}, {error}");
        Failure::new(ErrorCode::BadPayload, text)
    };
    let text = std::str::from_utf8(config).map_err(|error| bad("to string", &error))?;
    match parse_toml(text) {
        Ok(_) => Ok(()),
        Err(ConfigError::Toml(parser)) => Err(bad("as TOML", &parser)),
        Err(error) => Err(bad("as TOML", &error)),
    }
}
