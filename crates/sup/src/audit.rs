//! Commands of clients that change something, for the record: the client, the request and its
//! result.

use roost_ctl::{
    reply::Failure,
    request::Request,
    responder::{Origin, Responder},
};
use roost_events::{Fact, Kind, Severity};

/// A command that changes something.
#[derive(Debug, Clone)]
pub(crate) struct Audit {
    /// The words after `hab`.
    command: &'static str,
    /// What it is about: a package, a service group, a member.
    about: Option<String>,
    /// The service group, once it is known.
    group: Option<String>,
    origin: Option<Origin>,
}

/// What came of a command.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outcome<'a> {
    /// It was carried out.
    Done,
    /// There was nothing to change.
    Unchanged(&'a str),
    Failed(&'a Failure),
}

impl<'a> Outcome<'a> {
    pub(crate) fn of(result: &'a Result<Option<String>, Failure>) -> Self {
        match result {
            Ok(None) => Self::Done,
            Ok(Some(why)) => Self::Unchanged(why),
            Err(failure) => Self::Failed(failure),
        }
    }
}

impl Audit {
    /// `None` for a request that only reads.
    pub(crate) fn of(request: &Request, responder: &Responder) -> Option<Self> {
        let of_group = |command, group: String| (command, Some(group.clone()), Some(group));
        let of_package =
            |command, ident: &roost_ident::PackageIdent| (command, Some(ident.to_string()), None);
        let (command, about, group) = match request {
            Request::Load { ident, .. } => of_package("svc load", ident),
            Request::Update { ident, .. } => of_package("svc update", ident),
            Request::Unload { ident, .. } => of_package("svc unload", ident),
            Request::Start { ident } => of_package("svc start", ident),
            Request::Stop { ident, .. } => of_package("svc stop", ident),
            Request::SetConfig { group, .. } => of_group("config apply", group.to_string()),
            Request::PutFile { group, .. } => of_group("file upload", group.to_string()),
            Request::Depart { member_id } => ("sup depart", Some(member_id.clone()), None),
            Request::Restart => ("sup restart", None, None),
            Request::Status { .. }
            | Request::DefaultConfig { .. }
            | Request::ValidateConfig { .. } => return None,
        };
        Some(Self { command, about, group, origin: responder.origin().cloned() })
    }

    /// The service group that it is about.
    pub(crate) fn of_group(mut self, group: Option<String>) -> Self {
        self.group = self.group.or(group);
        self
    }

    /// What is recorded of it.
    pub(crate) fn fact(&self, outcome: Outcome<'_>) -> Fact {
        let Self { command, about, group, origin } = self;
        let (result, detail) = match outcome {
            Outcome::Done => ("done", None),
            Outcome::Unchanged(why) => ("unchanged", Some(why)),
            Outcome::Failed(failure) => ("failed", Some(failure.text.as_str())),
        };
        let mut message = format!("hab {command}");
        if let Some(about) = about {
            message.push_str(&format!(" {about}"));
        }
        if let Some(Origin { address, certificate }) = origin {
            message.push_str(&format!(" from {address}"));
            if let Some(subject) = certificate {
                message.push_str(&format!(" ({subject})"));
            }
        }
        message.push_str(&format!(": {result}"));
        if let Some(detail) = detail {
            message.push_str(&format!(", {detail}"));
        }
        let fact = Fact::new(Kind::ControlRequest, message)
            .with("command", *command)
            .with("result", result)
            .with_some("about", about.as_deref())
            .with_some("detail", detail)
            .with_some("address", origin.as_ref().map(|origin| origin.address.to_string()))
            .with_some("certificate", origin.as_ref().and_then(|it| it.certificate.as_deref()));
        let fact = match outcome {
            Outcome::Failed(_) => fact.severity(Severity::Warning),
            Outcome::Done | Outcome::Unchanged(_) => fact,
        };
        match group {
            Some(group) => fact.of(group),
            None => fact,
        }
    }
}

#[cfg(test)]
mod tests {
    use roost_ctl::reply::ErrorCode;

    use super::*;

    #[test]
    fn a_command_shows_who_asked_for_what_and_what_came_of_it() {
        let ident: roost_ident::PackageIdent = "acme/web".parse().unwrap();
        let (responder, _answers) = Responder::channel();
        let read = Request::Status { ident: Some(ident.clone()) };
        assert!(Audit::of(&read, &responder).is_none(), "it only reads");
        let mut audit = Audit::of(&Request::Start { ident }, &responder).unwrap();
        let address = "192.0.2.7:4711".parse().unwrap();
        audit.origin = Some(Origin { address, certificate: Some("CN=ops".into()) });
        let audit = audit.of_group(Some("web.default".into()));
        let fact = audit.fact(Outcome::Done);
        assert_eq!(fact.message, "hab svc start acme/web from 192.0.2.7:4711 (CN=ops): done");
        assert_eq!(fact.service.as_deref(), Some("web.default"));
        assert_eq!(
            (&fact.data["address"], &fact.data["certificate"]),
            (&"192.0.2.7:4711".into(), &"CN=ops".into())
        );
        let failure = Failure::new(ErrorCode::Io, "the disk is full");
        let fact = audit.fact(Outcome::Failed(&failure));
        assert_eq!(fact.severity, Severity::Warning);
        assert_eq!(
            (&fact.data["result"], &fact.data["detail"]),
            (&"failed".into(), &"the disk is full".into())
        );
    }
}
