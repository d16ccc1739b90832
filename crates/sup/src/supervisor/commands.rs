//! What clients of the control gateway want (reference: control §6).
//!
//! Commands that change what is wanted of a service change its spec file; the Supervisor then
//! follows the file. They are done one after the other, beside this task, because they write
//! to disk; answers from the present state are given here.

use roost_ctl::{reply::Reply, request::Request, responder::Responder};
use roost_ring::{Command, MemberId};

use super::Supervisor;
use crate::{
    audit::{Audit, Outcome},
    documents::status,
    ring::Made,
    standing,
};

impl Supervisor {
    pub(super) fn command(&mut self, request: Request, responder: Responder) {
        let audit = Audit::of(&request, &responder);
        match request {
            Request::Status { ident } => {
                let now_ms = self.world.clock.now().unix_ms;
                responder.finish(status::statuses(&self.fleet, now_ms, ident.as_ref()));
            }
            Request::DefaultConfig { ident } => {
                responder.finish(status::default_config(&self.fleet, &ident));
            }
            Request::ValidateConfig { group: _, config } => {
                responder.finish_with(standing::validate(&config));
            }
            Request::SetConfig { group, config, version, encrypted } => {
                let text = format!("Setting new configuration version {version} for {group}");
                self.world.output.line("hab-sup", "CMD", &text);
                if let Some(why) =
                    standing::config(&self.outlook.view, group.as_str(), version, &config)
                {
                    return self.unchanged(why, audit, responder);
                }
                let command = Command::SetServiceConfig {
                    group: group.to_string(),
                    incarnation: version,
                    encrypted,
                    config: config.into(),
                };
                self.spread(command, audit, responder);
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
                self.spread(command, audit, responder);
            }
            Request::Depart { member_id } => {
                let text = format!("Attempting to depart member: {member_id}");
                self.world.output.line("hab-sup", "CMD", &text);
                if let Some(why) = standing::departure(&self.outlook.view, &member_id) {
                    return self.unchanged(why, audit, responder);
                }
                let command = Command::DepartMember(MemberId::new(&member_id));
                self.spread(command, audit, responder);
            }
            Request::Restart => {
                // The end of the connection is the answer.
                let fact = audit.map(|audit| audit.fact(Outcome::Done));
                let request = fact.map(|fact| self.world.recorder.record(None, fact));
                responder.finish(Reply::CloseAtEnd);
                self.notify_fleet_because(request, roost_fleet::FleetEvent::Restart);
            }
            request => self.world.specs.handle(request, responder),
        }
    }

    /// Gives the ring something to spread. The client is answered when it is on disk and the ring
    /// has it.
    fn spread(&self, command: Command, audit: Option<Audit>, responder: Responder) {
        let ring = self.world.ring.clone();
        tokio::spawn(async move {
            // A client of a process that is ending must not hear that it was done.
            let Some(Made { result, .. }) = ring.change(command, audit).await else { return };
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
}
