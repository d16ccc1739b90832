//! What this member records: facts are made from its list and its rumors.

use std::net::{IpAddr, SocketAddr};

use roost_events::{Fact, Kind};

use super::Ring;
use crate::{
    id::MemberId,
    member::Health,
    record::{
        Subject,
        members::{self, Source, Who},
    },
    rumor::Service,
    stores::RumorStores,
    table::{Entry, Place, Table},
    time::Now,
};

/// How a member was before a record of it was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Former {
    pub(super) health: Health,
    pub(super) address: SocketAddr,
}

impl Former {
    pub(super) fn of(entry: &Entry) -> Self {
        Self { health: entry.health, address: address_of(entry) }
    }
}

fn address_of(entry: &Entry) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(entry.address), entry.swim_port)
}

/// Longest name of a machine that events show, in characters.
const HOSTNAME_CHARS: usize = 64;

impl Ring {
    /// A record of a member was taken, or its health changed. Nothing is recorded of what the data
    /// file held, and of this member itself: what ends it is recorded by the Supervisor.
    pub(super) fn record_member(
        &mut self,
        now: Now,
        place: Place,
        before: Option<Former>,
        source: Source,
    ) {
        let entry = self.table.at(place);
        let (id, after, incarnation) = (entry.id.clone(), entry.health, entry.incarnation);
        if self.restoring || id == self.me.id {
            return;
        }
        let Some(Former { health, address }) = before else {
            // One that is gone already has not joined.
            if matches!(after, Health::Alive | Health::Suspect) {
                self.record_about(now, place, Kind::MemberJoined, |who| {
                    members::joined(who, after, incarnation, source)
                });
            }
            return;
        };
        if address != address_of(entry) {
            self.record_about(now, place, Kind::MemberAddressChanged, |who| {
                members::moved(who, address, incarnation)
            });
        }
        if health != after {
            self.record_about(now, place, members::kind_of(after), |who| {
                members::health(who, health, after, incarnation, source)
            });
        }
    }

    fn record_about(
        &mut self,
        now: Now,
        place: Place,
        kind: Kind,
        fact: impl FnOnce(&Who) -> Fact,
    ) {
        let id = self.table.at(place).id.clone();
        let subject = Subject { kind, is_near: self.rumors.shares_own_group(&id) };
        let cause = self.chronicle.of_member(place);
        let (table, rumors, me) = (&self.table, &self.rumors, &self.me.id);
        let who = || describe(table, rumors, me, &id);
        let recorded = self.chronicle.record(now, subject, cause, || fact(&who()), || who().text());
        let is_alive = self.table.at(place).health == Health::Alive;
        if is_alive {
            self.chronicle.member_is_alive(place);
        }
        if let Some((report, next)) = recorded {
            if !is_alive {
                self.chronicle.member_is_down(place, next);
            }
            self.out.record(report);
        }
    }

    /// Records what was only counted.
    pub(super) fn record_folded(&mut self, now: Now) {
        if self.chronicle.next() <= now {
            for report in self.chronicle.take_folded(now) {
                self.out.record(report);
            }
        }
    }
}

/// What is known of a member.
fn describe(table: &Table, rumors: &RumorStores, me: &MemberId, id: &MemberId) -> Who {
    let text = id.to_string();
    let services = rumors.list::<Service>().list.values();
    let hostname = services.filter_map(|group| group.get(text.as_str())).find_map(|service| {
        let name = roost_text::shown(&service.sys.hostname);
        (!name.is_empty()).then(|| name.chars().take(HOSTNAME_CHARS).collect())
    });
    Who { is_self: id == me, address: table.get(id).map(address_of), hostname, id: text }
}
