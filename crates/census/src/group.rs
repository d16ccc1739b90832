//! A service group in the census.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use roost_ident::{ElectionStatus, GroupFile, MemberHealth, ServiceGroup};

use crate::{member::Member, reading::Content};

/// A service group (reference: http-api §12.2). The states before and after an update share
/// unchanged parts.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its name.
    pub service_group: ServiceGroup,
    /// Status of the leader election.
    pub election_status: ElectionStatus,
    /// Status of the update leader election.
    pub update_election_status: ElectionStatus,
    /// Highest package incarnation ever seen; it never decreases.
    pub pkg_incarnation: u64,
    /// The member that won the last finished election, kept while another one runs. `None` also
    /// when the winner has no service rumor.
    pub leader_id: Option<String>,
    /// The winner of the last finished update election.
    pub update_leader_id: Option<String>,
    /// Newest config that could be decrypted and parsed.
    pub service_config: Option<GroupConfig>,
    /// All members ever seen, by id.
    pub population: BTreeMap<String, Arc<Member>>,
    /// Names of files changed by the last update.
    pub changed_service_files: Vec<String>,
    /// Newest version of each file that could be decrypted, by name.
    pub service_files: BTreeMap<String, GroupFile>,
}

/// A configuration applied to a group, decrypted.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupConfig {
    /// Its version.
    pub incarnation: u64,
    /// Its content. For an invisible group, it may be anything.
    pub value: Arc<Content>,
}

impl Group {
    pub(crate) fn new(service_group: ServiceGroup) -> Self {
        Self {
            service_group,
            election_status: ElectionStatus::None,
            update_election_status: ElectionStatus::None,
            pkg_incarnation: 0,
            leader_id: None,
            update_leader_id: None,
            service_config: None,
            population: BTreeMap::new(),
            changed_service_files: Vec::new(),
            service_files: BTreeMap::new(),
        }
    }

    /// The leader, alive or dead.
    #[must_use]
    pub fn leader(&self) -> Option<&Arc<Member>> {
        self.population.get(self.leader_id.as_ref()?)
    }

    /// The update leader, alive or dead.
    #[must_use]
    pub fn update_leader(&self) -> Option<&Arc<Member>> {
        self.population.get(self.update_leader_id.as_ref()?)
    }

    /// `first` in templates: the leader, or else the member with the smallest id, alive or dead.
    #[must_use]
    pub fn first(&self) -> Option<&Arc<Member>> {
        self.leader().or_else(|| self.population.values().next())
    }

    /// Members whose Supervisor is alive or suspect, in the order of ids.
    pub fn active_members(&self) -> impl Iterator<Item = &Arc<Member>> {
        self.population.values().filter(|member| member.is_active())
    }

    /// The predecessor of `member_id` in a rolling update: the alive member with the nearest
    /// smaller id, or else the greatest. `None` when no other member is alive.
    #[must_use]
    pub fn previous_peer(&self, member_id: &str) -> Option<&Arc<Member>> {
        let is_peer = |member: &&Arc<Member>| {
            member.health == Some(MemberHealth::Alive) && member.member_id != member_id
        };
        let before =
            self.population.range::<str, _>((Bound::Unbounded, Bound::Excluded(member_id)));
        let before = before.map(|(_, member)| member).rfind(is_peer);
        before.or_else(|| self.population.values().rfind(is_peer))
    }

    /// True when all is as in `other` except the names of changed files, which describe an update
    /// and not a state. Members are equal when they are shared.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.election_status == other.election_status
            && self.update_election_status == other.update_election_status
            && self.pkg_incarnation == other.pkg_incarnation
            && self.leader_id == other.leader_id
            && self.update_leader_id == other.update_leader_id
            && self.service_config == other.service_config
            && self.service_files == other.service_files
            && shared(self.population.values(), other.population.values())
    }

    /// True when templates see the same values as in `other`.
    pub(crate) fn looks_same(&self, other: &Self, local_member_id: &str) -> bool {
        let me = |group: &Self| group.population.get(local_member_id).cloned();
        self.election_status == other.election_status
            && self.update_election_status == other.update_election_status
            && shared(self.active_members(), other.active_members())
            && shared(me(self).iter(), me(other).iter())
            && shared(self.leader().into_iter(), other.leader().into_iter())
            && shared(self.first().into_iter(), other.first().into_iter())
            && shared(self.update_leader().into_iter(), other.update_leader().into_iter())
    }
}

fn shared<'a>(
    mut a: impl Iterator<Item = &'a Arc<Member>>,
    mut b: impl Iterator<Item = &'a Arc<Member>>,
) -> bool {
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (Some(a), Some(b)) if Arc::ptr_eq(a, b) => {}
            _ => return false,
        }
    }
}
