//! The member list and the groups of each member: a change of a member affects only its groups.

use std::collections::{BTreeSet, HashMap};

use roost_ident::MemberHealth;

use crate::input::MemberFact;

/// Members by id. Only for look-up, so its order never shows. It never shrinks, and is bounded by
/// the limits of the ring, which does not forget members and services either.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownMembers(HashMap<String, Known>);

#[derive(Debug, Clone, Default)]
struct Known {
    /// `None` until the member list contains it.
    seen: Option<Seen>,
    /// Groups with a service of the member.
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
    /// The member's entry in the member list.
    pub(crate) fn seen(&self, member_id: &str) -> Option<&Seen> {
        self.0.get(member_id)?.seen.as_ref()
    }

    /// Stores an entry of the member list; if it changed, returns the member's groups.
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

    /// Records that a member has a service in a group.
    pub(crate) fn serves(&mut self, member_id: &str, group: &str) {
        let known = self.0.entry(member_id.into()).or_default();
        if !known.groups.contains(group) {
            known.groups.insert(group.into());
        }
    }
}
