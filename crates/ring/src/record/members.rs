//! Facts about members.

use std::net::SocketAddr;

use roost_events::{Fact, Kind};

use crate::{member::Health, standing::Source};

/// A member as events describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) id: String,
    pub(crate) address: Option<SocketAddr>,
    /// The name of its machine, if one of its services has spread it.
    pub(crate) hostname: Option<String>,
    /// It is this member.
    pub(crate) is_self: bool,
}

impl Who {
    /// Its id, with what else is known of it.
    pub(crate) fn text(&self) -> String {
        let own = self.is_self.then(|| "this member".to_owned());
        let address = self.address.map(|address| address.to_string());
        let known: Vec<String> =
            own.into_iter().chain(self.hostname.clone()).chain(address).collect();
        match known.is_empty() {
            true => self.id.clone(),
            false => format!("{} ({})", self.id, known.join(", ")),
        }
    }

    fn about(&self, fact: Fact) -> Fact {
        fact.with("member", self.id.as_str())
            .with_some("address", self.address.map(|address| address.to_string()))
            .with_some("hostname", self.hostname.as_deref())
    }
}

/// A member is known that was not.
pub(crate) fn joined(who: &Who, health: Health, incarnation: u64, source: Source) -> Fact {
    let fact = Fact::new(Kind::MemberJoined, format!("Member {} joined the ring", who.text()));
    who.about(fact.change(None, health.lower()))
        .with("incarnation", incarnation)
        .with("source", source.as_str())
}

/// The type of the event that a member has this health now.
pub(crate) const fn kind_of(health: Health) -> Kind {
    match health {
        Health::Alive => Kind::MemberAlive,
        Health::Suspect => Kind::MemberSuspect,
        Health::Confirmed => Kind::MemberConfirmed,
        Health::Departed => Kind::MemberDeparted,
    }
}

/// The health of a member changed.
pub(crate) fn health(
    who: &Who,
    before: Health,
    after: Health,
    incarnation: u64,
    source: Source,
) -> Fact {
    let what = match (after, source) {
        (Health::Alive, Source::News(_)) => "is alive again: it contradicted the suspicion",
        (Health::Alive, _) => "is alive again: it was heard from",
        (Health::Suspect, Source::News(_)) => "may be dead: another member does not reach it",
        (Health::Suspect, _) => "may be dead: it did not answer",
        (Health::Confirmed, Source::Probe) => {
            "counts as dead: another member confirmed that, and it did not answer"
        }
        (Health::Confirmed, _) => "counts as dead: it did not answer in time",
        (Health::Departed, Source::Command) => "was departed from the ring by hand",
        (Health::Departed, Source::Timeout) => "counts as departed: it was dead for too long",
        (Health::Departed, Source::Replaced) => {
            "counts as departed: a new member took its place in a group without quorum"
        }
        (Health::Departed, _) => "left the ring",
    };
    let fact = Fact::new(kind_of(after), format!("Member {} {what}", who.text()));
    who.about(fact.change(Some(before.lower()), after.lower()))
        .with("incarnation", incarnation)
        .with("source", source.as_str())
}

/// A member has another address or other ports.
pub(crate) fn moved(who: &Who, before: SocketAddr, incarnation: u64) -> Fact {
    let message = format!("Member {} had the address {before} before", who.text());
    let after = who.address.map(|address| address.to_string()).unwrap_or_default();
    let fact = Fact::new(Kind::MemberAddressChanged, message);
    who.about(fact.change(Some(&before.to_string()), &after)).with("incarnation", incarnation)
}
