//! What clients of the control gateway want (control chapter 6).
//!
//! Commands that change what is wanted of a service change its spec file; the Supervisor then
//! follows the file. They are done one after the other, beside this task, because they write
//! to disk; answers from the present state are given here.

use roost_ctl::{
    reply::{ErrorCode, Failure, Reply, ServiceStatus, StatusExtra},
    request::Request,
    responder::Responder,
};
use roost_ident::{DesiredState, PackageIdent, ProcessState};
use roost_ring::{Command, MemberId};
use roost_service::Status;
use roost_template::{ConfigError, config::parse_toml};

use super::{Supervisor, managed::Managed};
use crate::ring::Refused;

impl Supervisor {
    pub(super) fn command(&mut self, request: Request, responder: Responder) {
        match request {
            Request::Status { ident } => responder.finish(self.status_reply(ident.as_ref())),
            Request::DefaultConfig { ident } => responder.finish(self.default_config(&ident)),
            Request::ValidateConfig { group: _, config } => {
                responder.finish_with(validate(&config));
            }
            Request::SetConfig { group, config, version, encrypted } => {
                let text = format!("Setting new configuration version {version} for {group}");
                self.world.output.line("hab-sup", "CMD", &text);
                let command = Command::SetServiceConfig {
                    group: group.to_string(),
                    incarnation: version,
                    encrypted,
                    config: config.into(),
                };
                self.spread(command, responder);
            }
            Request::PutFile { group, filename, content, version, encrypted } => {
                let text =
                    format!("Receiving new version {version} of file {filename} for {group}");
                self.world.output.line("hab-sup", "CMD", &text);
                let command = Command::SetServiceFile {
                    group: group.to_string(),
                    incarnation: version,
                    encrypted,
                    filename,
                    body: content.into(),
                };
                self.spread(command, responder);
            }
            Request::Depart { member_id } => {
                let text = format!("Attempting to depart member: {member_id}");
                self.world.output.line("hab-sup", "CMD", &text);
                self.spread(Command::DepartMember(MemberId::new(&member_id)), responder);
            }
            Request::Restart => {
                // The end of the connection is the answer.
                responder.finish(Reply::CloseAtEnd);
                self.restart();
            }
            request => self.world.specs.handle(request, responder),
        }
    }

    /// Gives the ring something to spread. The client is answered when it is on disk and the ring
    /// has it.
    fn spread(&self, command: Command, responder: Responder) {
        let ring = self.world.ring.clone();
        tokio::spawn(async move {
            let failure = |refused: Refused| {
                let code = match refused {
                    Refused::Ring(_) | Refused::Busy => ErrorCode::Internal,
                    Refused::Disk(_) => ErrorCode::Io,
                };
                Failure::new(code, refused.to_string())
            };
            // A client of a process that is ending must not hear that it was done.
            if let Some(result) = ring.change(command).await {
                responder.finish_with(result.map_err(failure));
            }
        });
    }

    fn status_reply(&self, ident: Option<&PackageIdent>) -> Reply {
        let mut found: Vec<(&Managed, Status)> = self
            .services
            .values()
            .filter(|managed| ident.is_none_or(|ident| matches(managed, ident)))
            .map(|managed| (managed, managed.machine.status()))
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

    fn statuses(&self, services: &[(&Managed, Status)]) -> Reply {
        let now_s = self.world.clock.now().unix_ms / 1000;
        let status = |(managed, status): &(&Managed, Status)| {
            let process = status.process;
            let group = self.census.group(managed.group());
            ServiceStatus {
                ident: shown_ident(managed),
                group: managed.group().clone(),
                desired: Some(status.desired_state),
                state: process.state,
                elapsed_s: now_s.saturating_sub(process.state_entered_s),
                pid: process.pid,
                extra: StatusExtra {
                    health: Some(status.health.upper().into()),
                    restarts: Some(status.restart_count),
                    since_unix_s: Some(process.state_entered_s),
                    leader: group.and_then(|group| group.leader_id.clone()),
                    update: Some(managed.spec().update_strategy.to_string()),
                    phase: Some(status.phase.as_str().into()),
                    reason: status.reason.clone(),
                    pending: Some(self.specs_being_written || self.specs_being_read),
                },
            }
        };
        Reply::Statuses(services.iter().map(status).collect())
    }

    /// The default configuration of a service that is wanted up.
    fn default_config(&self, ident: &PackageIdent) -> Reply {
        let found = self.services.values().find(|managed| {
            managed.spec().desired_state == DesiredState::Up
                && managed.built.is_some()
                && matches(managed, ident)
        });
        match found {
            None => Failure::not_loaded(ident).into(),
            Some(managed) => {
                let default = managed.layers.default.clone().unwrap_or_default();
                // A table that was read from TOML can be written as TOML.
                Reply::DefaultConfig(toml::to_string_pretty(&default).unwrap_or_default())
            }
        }
    }
}

/// The release in use, or what the spec says while none is known.
fn shown_ident(managed: &Managed) -> PackageIdent {
    let package = managed.built.as_ref().map(|built| built.package.ident.clone());
    package.unwrap_or_else(|| managed.spec().ident.clone())
}

fn matches(managed: &Managed, ident: &PackageIdent) -> bool {
    shown_ident(managed).satisfies(ident)
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
