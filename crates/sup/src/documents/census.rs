//! `/census` (reference: http-api §12).

use std::{collections::BTreeMap, sync::Arc};

use roost_api::documents::{
    ConfigTable, TableSource,
    census::{Census as Document, CensusGroup, CensusMember, GroupConfig},
};
use roost_census::{Census, Content, Group, Member};
use roost_ident::{ElectionStatus, MemberHealth};

/// Keeps documents of unchanged groups and members: a change of one member in a large ring costs
/// one member. Bounded like the census, whose groups and members stay as long as those of the ring.
#[derive(Debug, Default)]
pub(crate) struct CensusDocuments {
    groups: BTreeMap<String, (Arc<Group>, Arc<CensusGroup>)>,
    members: BTreeMap<(String, String), (Arc<Member>, Arc<CensusMember>)>,
}

impl CensusDocuments {
    /// The document of the census; `changed` when it differs from the one published before.
    pub(crate) fn document(&mut self, census: &Census, changed: bool) -> Document {
        let local = census.local_member_id();
        let groups = census.groups().map(|group| {
            let name = group.service_group.to_string();
            let shown = match self.groups.get(&name) {
                Some((known, shown)) if Arc::ptr_eq(known, group) => Arc::clone(shown),
                _ => {
                    let shown = Arc::new(self.group(group, local));
                    let kept = (Arc::clone(group), Arc::clone(&shown));
                    self.groups.insert(name.clone(), kept);
                    shown
                }
            };
            (name, shown)
        });
        let census_groups = groups.collect();
        let counters = census.counters();
        Document {
            changed,
            census_groups,
            local_member_id: local.into(),
            last_service_counter: counters.service,
            last_election_counter: counters.election,
            last_election_update_counter: counters.election_update,
            last_membership_counter: counters.membership,
            last_service_config_counter: counters.service_config,
            last_service_file_counter: counters.service_file,
        }
    }

    fn group(&mut self, group: &Group, local_member_id: &str) -> CensusGroup {
        let name = group.service_group.as_str();
        let population = group.population.iter().map(|(id, known)| {
            let key = (name.to_owned(), id.clone());
            let shown = match self.members.get(&key) {
                Some((before, shown)) if Arc::ptr_eq(before, known) => Arc::clone(shown),
                _ => {
                    let shown = Arc::new(member(known));
                    self.members.insert(key, (Arc::clone(known), Arc::clone(&shown)));
                    shown
                }
            };
            (id.clone(), shown)
        });
        let population = population.collect();
        CensusGroup {
            service_group: name.into(),
            election_status: group.election_status,
            update_election_status: group.update_election_status,
            pkg_incarnation: group.pkg_incarnation,
            leader_id: group.leader_id.clone(),
            service_config: group.service_config.as_ref().map(|config| GroupConfig {
                incarnation: config.incarnation,
                value: ConfigTable::from_source(Peek(Arc::clone(&config.value))),
            }),
            local_member_id: local_member_id.into(),
            population,
            update_leader_id: group.update_leader_id.clone(),
            changed_service_files: group.changed_service_files.clone(),
            service_files: group.service_files.clone(),
        }
    }
}

/// Content from the ring, parsed while serialised.
#[derive(Debug)]
struct Peek(Arc<Content>);

impl TableSource for Peek {
    fn table(&self) -> Arc<toml::Table> {
        self.0.peek()
    }
}

fn member(member: &Member) -> CensusMember {
    let is = |status: ElectionStatus| {
        let in_state = |state| status == state;
        (
            in_state(ElectionStatus::InProgress),
            in_state(ElectionStatus::NoQuorum),
            in_state(ElectionStatus::Finished),
        )
    };
    let election = is(member.election_status);
    let update = is(member.update_election_status);
    let health = |wanted| member.health == Some(wanted);
    CensusMember {
        member_id: member.member_id.clone(),
        pkg: member.pkg.clone(),
        pkg_incarnation: member.pkg_incarnation,
        package: member.package.clone(),
        service: member.service_group.service().into(),
        group: member.service_group.group().into(),
        org: member.service_group.organization().map(Into::into),
        persistent: member.persistent,
        leader: member.leader,
        follower: member.follower,
        update_leader: member.update_leader,
        update_follower: member.update_follower,
        election_is_running: election.0,
        election_is_no_quorum: election.1,
        election_is_finished: election.2,
        update_election_is_running: update.0,
        update_election_is_no_quorum: update.1,
        update_election_is_finished: update.2,
        sys: member.sys.clone(),
        alive: health(MemberHealth::Alive),
        suspect: health(MemberHealth::Suspect),
        confirmed: health(MemberHealth::Confirmed),
        departed: health(MemberHealth::Departed),
        cfg: ConfigTable::from_source(Peek(Arc::clone(&member.cfg))),
    }
}
