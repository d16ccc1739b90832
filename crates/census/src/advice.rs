//! Warnings about groups whose elections cannot work as users expect. They are local: Habitat has
//! none, and they are not on the wire.

use std::fmt;

use roost_ident::{ElectionStatus, Topology};

use crate::group::Group;

/// A problem of a group as one of its members sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advice {
    /// A leader is elected among an even number of members.
    EvenMembers {
        /// The group.
        group: String,
        /// Members that are alive or suspect.
        members: usize,
    },
    /// Others elect a leader in a group that this member runs with topology standalone.
    MixedTopologies {
        /// The group.
        group: String,
    },
}

impl Group {
    /// Advice for a member with this topology. An even number counts only once there is a leader:
    /// before that members are still joining.
    #[must_use]
    pub fn advice(&self, topology: Topology) -> Option<Advice> {
        let group = self.service_group.to_string();
        let members = self.active_members().count();
        let finished = self.election_status == ElectionStatus::Finished;
        match topology {
            Topology::Leader if finished && members > 0 && members.is_multiple_of(2) => {
                Some(Advice::EvenMembers { group, members })
            }
            Topology::Standalone if self.election_status != ElectionStatus::None => {
                Some(Advice::MixedTopologies { group })
            }
            Topology::Leader | Topology::Standalone => None,
        }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EvenMembers { group, members } => write!(
                f,
                "{group} elects its leader among {members} members. When the network splits them \
                 in halves, neither half has a quorum and both are without a leader: run an odd \
                 number of members, 3 or 5."
            ),
            Self::MixedTopologies { group } => write!(
                f,
                "Other members of {group} run it with topology leader, this one standalone: it \
                 takes no part in their elections. Load it with the same topology everywhere."
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use roost_ident::{MemberHealth, ServiceGroup, SysInfo};

    use super::*;
    use crate::{Census, ElectionFact, Input, MemberFact, ServiceFact};

    /// A group with this many alive members and a finished election.
    fn group(members: usize, status: Option<ElectionStatus>) -> Census {
        let sys = SysInfo::default();
        let name: ServiceGroup = "db.default".parse().expect("a group");
        let ids: Vec<String> = (0..members).map(|number| format!("m{number}")).collect();
        let services = ids
            .iter()
            .map(|id| ServiceFact {
                member_id: id,
                group: &name,
                incarnation: 1,
                pkg_incarnation: 0,
                pkg: "acme/db/1/1",
                cfg: b"",
                sys: &sys,
            })
            .collect();
        let members = ids
            .iter()
            .map(|id| MemberFact {
                member_id: id,
                address: "127.0.0.1",
                gossip_port: 1,
                health: MemberHealth::Alive,
            })
            .collect();
        let elections = status
            .map(|status| ElectionFact { group: "db.default", candidate: "m0", status })
            .into_iter()
            .collect();
        let mut census = Census::new("m0");
        let input = Input { services, members, elections, ..Input::default() };
        census.update(&input, &mut |_| Err(crate::Closed::Refused("no keys".into())));
        census
    }

    fn advice(census: &Census, topology: Topology) -> Option<Advice> {
        census.groups().next().and_then(|group| group.advice(topology))
    }

    #[test]
    fn an_even_number_is_reported_once_there_is_a_leader() {
        let finished = Some(ElectionStatus::Finished);
        let even = Advice::EvenMembers { group: "db.default".into(), members: 4 };
        assert_eq!(advice(&group(4, finished), Topology::Leader), Some(even));
        assert_eq!(advice(&group(3, finished), Topology::Leader), None);
        assert_eq!(advice(&group(4, Some(ElectionStatus::InProgress)), Topology::Leader), None);
    }

    #[test]
    fn a_standalone_member_is_warned_about_elections_of_others() {
        let mixed = Advice::MixedTopologies { group: "db.default".into() };
        let running = Some(ElectionStatus::InProgress);
        assert_eq!(advice(&group(2, running), Topology::Standalone), Some(mixed));
        assert_eq!(advice(&group(2, None), Topology::Standalone), None);
    }
}
