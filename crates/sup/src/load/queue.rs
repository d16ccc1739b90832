//! The task that carries out one command after the other.

use roost_ctl::{reply::Reply, request::Request, responder::Responder};
use roost_events::Cause;
use roost_fleet::{FleetEvent, Watched};
use roost_ident::PackageIdent;
use tokio::sync::mpsc;

use super::SpecWriter;
use crate::{
    audit::{Audit, Outcome},
    supervisor::event::{Event, Watch},
    vital,
};

/// Where commands wait for their turn. The queue needs no limit of its own: each belongs to a
/// conversation of the control gateway, which has no more than
/// [`roost_ctl::server::MAX_CONVERSATIONS`].
#[derive(Debug, Clone)]
pub(crate) struct SpecCommands(mpsc::UnboundedSender<(Request, Responder)>);

impl SpecCommands {
    /// Starts the task that carries out one command after the other and reports to the Supervisor.
    pub(crate) fn start(writer: SpecWriter, events: mpsc::UnboundedSender<Event>) -> Self {
        let (commands, mut inbox) = mpsc::unbounded_channel();
        vital::spawn("commands that change specs", async move {
            while let Some((request, responder)) = inbox.recv().await {
                // Without a receiver the process is ending; the files are right.
                let will_change = |service: String, timeout_s, cause| {
                    let event = FleetEvent::WillChange { service, timeout_s, cause };
                    drop(events.send(Event::Fleet(event)));
                };
                drop(events.send(Event::Fleet(FleetEvent::SpecsBeingWritten)));
                let stops = stop_of(&request);
                let directory = directory_of(&request);
                if let Some((service, timeout_s)) = stops.clone() {
                    will_change(service, timeout_s, Cause::Unknown);
                }
                let audit = Audit::of(&request, &responder);
                let ident = ident_of(&request).cloned();
                // Before it is unloaded, or after it was loaded.
                let group = writer.group_of(ident.as_ref()).await;
                let loaded = |spec, release| {
                    let event = FleetEvent::Read { spec: Box::new(spec), release };
                    drop(events.send(Event::Fleet(event)));
                };
                let result = writer.carry_out(request, &responder, loaded).await;
                let group = match group {
                    None => writer.group_of(ident.as_ref()).await,
                    group => group,
                };
                let timeout_s =
                    stops.and_then(|(_, timeout_s)| timeout_s).filter(|_| result.is_ok());
                let recorded = audit.map(|audit| {
                    let fact = audit.of_group(group).fact(Outcome::of(&result));
                    writer.stops.note(&fact);
                    writer.recorder.record(None, fact)
                });
                if let Some(ident) = ident {
                    let cause = recorded.filter(|_| result.is_ok()).into();
                    will_change(ident.name, timeout_s, cause);
                }
                drop(events.send(Event::Fleet(FleetEvent::SpecsWritten)));
                if let Some(service) = directory.filter(|_| result.is_ok()) {
                    // What was refused before was agreed to by loading it again.
                    let directory = Watch::Fleet(Watched::Directory(service));
                    drop(events.send(Event::Changed(directory)));
                }
                responder.finish(match result {
                    Ok(None) => Reply::Ok,
                    Ok(Some(why)) => Reply::Unchanged(why),
                    Err(failure) => failure.into(),
                });
            }
        });
        Self(commands)
    }

    pub(crate) fn handle(&self, request: Request, responder: Responder) {
        // Dropped with its responder, the command ends without an answer.
        let _ = self.0.send((request, responder));
    }
}

/// The service that a request loads from a directory.
fn directory_of(request: &Request) -> Option<String> {
    match request {
        Request::Load { ident, directory: Some(_), .. } => Some(ident.name.clone()),
        _ => None,
    }
}

/// The package of a request.
fn ident_of(request: &Request) -> Option<&PackageIdent> {
    match request {
        Request::Load { ident, .. }
        | Request::Update { ident, .. }
        | Request::Unload { ident, .. }
        | Request::Start { ident }
        | Request::Stop { ident, .. } => Some(ident),
        _ => None,
    }
}

/// The service that a request is to stop, and how long that may take.
fn stop_of(request: &Request) -> Option<(String, Option<u32>)> {
    match request {
        Request::Unload { ident, timeout_s } | Request::Stop { ident, timeout_s } => {
            Some((ident.name.clone(), *timeout_s))
        }
        _ => None,
    }
}
