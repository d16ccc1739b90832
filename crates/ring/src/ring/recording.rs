//! What this member records: facts are made from its list and its rumors.

use std::net::{IpAddr, SocketAddr};

use roost_events::{Cause, Fact, Kind};

use super::Ring;
use crate::{
    election::{Reason, Turn},
    id::MemberId,
    member::Health,
    record::{
        Subject, elections,
        members::{self, Who},
    },
    rumor::{ElectionKind, Service},
    standing::Source,
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
        let subject = Subject::Members { kind, share_group: self.rumors.shares_own_group(&id) };
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
                self.chronicle.member_is_down(now, place, next);
            }
            self.out.record(report);
        }
    }

    /// Records a step of an election. It follows from the step before, or from what became of a
    /// member of the group.
    pub(super) fn record_turn(
        &mut self,
        now: Now,
        elects: ElectionKind,
        group: String,
        turn: &Turn,
    ) {
        let Some(kind) = elections::kind_of(elects, turn) else { return };
        let chronicle = &self.chronicle;
        let of = |id: &MemberId| {
            self.table.find(id).map(|place| chronicle.of_member(place)).unwrap_or_default()
        };
        let before = chronicle.of_election(elects, &group, turn.term());
        let down = || {
            let population = self.rumors.population(&group);
            chronicle.of_members(population.filter_map(|id| self.table.find(id)))
        };
        let cause = match turn {
            Turn::Started { reason, former, .. } => match reason {
                Reason::LeaderDead(dead) | Reason::CandidateDead(dead) => of(dead),
                Reason::QuorumLost => down(),
                Reason::Joined => former.as_ref().map(of).unwrap_or_default(),
                Reason::Service | Reason::Triggered => Cause::Unknown,
            },
            Turn::NoQuorum { is_new: true, .. } | Turn::Finished { .. } => before,
            Turn::NoQuorum { is_new: false, .. } => down().or(before),
            Turn::LeaderChanged { before: former, .. } => {
                before.or(former.as_ref().map(of).unwrap_or_default())
            }
            Turn::Conflict { .. } => Cause::Unknown,
        };
        let (table, rumors, me) = (&self.table, &self.rumors, &self.me.id);
        let who = |id: &MemberId| describe(table, rumors, me, id);
        let fact = || elections::turn(&group, elects, turn, who);
        let subject = Subject::Group { kind, group: group.clone() };
        let term = || format!("term {}", turn.term());
        let recorded = self.chronicle.record(now, subject, cause, fact, term);
        let Some((report, next)) = recorded else { return };
        self.out.record(report);
        self.chronicle.election_goes_on(elects, group, turn.term(), next);
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
