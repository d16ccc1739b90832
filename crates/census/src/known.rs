//! What the member list said of each member, and where its services are: a change of a member is
//! a change of its groups, and of no other.

use std::collections::{BTreeSet, HashMap};

use roost_ident::MemberHealth;

use crate::input::MemberFact;

/// Members by id. For look-up only; its order never shows. Never shrinks, and needs no bound of its
/// own: the ring keeps no more members and services than its limits allow, and forgets none either.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownMembers(HashMap<String, Known>);

#[derive(Debug, Clone, Default)]
struct Known {
    /// `None` before the member list knows it.
    seen: Option<Seen>,
    /// Groups that it has a service in.
    groups: BTreeSet<String>,
}

/// An entry of the member list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) address: String,
    pub(crate) gossip_port: u16,
    pub(crate) health: MemberHealth,
}

impl KnownMembers {
    /// What the member list said of a member.
    pub(crate) fn seen(&self, member_id: &str) -> Option<&Seen> {
        self.0.get(member_id)?.seen.as_ref()
    }

    /// Notes what the member list says; if that is new, gives the groups of the member.
    pub(crate) fn see(&mut self, fact: &MemberFact<'_>) -> impl Iterator<Item = &String> {
        let known = self.0.entry(fact.member_id.into()).or_default();
        let is_known = known.seen.as_ref().is_some_and(|seen| {
            (seen.address.as_str(), seen.gossip_port, seen.health)
                == (fact.address, fact.gossip_port, fact.health)
        });
        if !is_known {
            known.seen = Some(Seen {
                address: fact.address.into(),
                gossip_port: fact.gossip_port,
                health: fact.health,
            });
        }
        known.groups.iter().filter(move |_| !is_known)
    }

    /// Notes that a member has a service in a group.
    pub(crate) fn serves(&mut self, member_id: &str, group: &str) {
        let known = self.0.entry(member_id.into()).or_default();
        if !known.groups.contains(group) {
            known.groups.insert(group.into());
        }
    }
}
