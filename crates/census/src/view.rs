//! The template values `svc` and `bind` (reference: templates §3.1 and §3.3). The order of fields
//! is the order of keys.

use std::{collections::BTreeMap, sync::Arc};

use roost_ident::{BindState, ElectionStatus, MemberHealth, PackageIdent, ServiceGroup, SysInfo};
use serde::Serialize;
use serde_json::Value;

use crate::{bind::Bind, census::Census, group::Group, member::Member};

impl Census {
    /// The value `svc` for a service of this Supervisor; `None` before its own service rumor was
    /// applied.
    #[must_use]
    pub fn svc_value(&self, group: &ServiceGroup) -> Option<Value> {
        let group = self.group(group)?;
        let me = group.population.get(self.local_member_id())?;
        Some(value(&SvcView::new(group, me)))
    }

    /// The value `bind`: the satisfied ones of these binds.
    #[must_use]
    pub fn bind_value(&self, binds: &[Bind<'_>]) -> Value {
        let satisfied = binds.iter().filter(|bind| self.check_bind(bind) == BindState::Satisfied);
        let view = satisfied.filter_map(|bind| Some((bind.name, self.group(bind.group)?)));
        value(&view.map(|(name, group)| (name, BindView::new(group))).collect::<BTreeMap<_, _>>())
    }
}

fn value(view: &impl Serialize) -> Value {
    serde_json::to_value(view).expect("text, numbers and tables have a JSON form")
}

#[derive(Serialize)]
struct SvcView<'a> {
    service: &'a str,
    group: &'a str,
    org: Option<&'a str>,
    #[serde(flatten)]
    elections: ElectionView,
    me: MemberView<'a>,
    members: Vec<MemberView<'a>>,
    leader: Option<MemberView<'a>>,
    first: Option<MemberView<'a>>,
    update_leader: Option<MemberView<'a>>,
}

#[derive(Serialize)]
struct BindView<'a> {
    first: Option<MemberView<'a>>,
    leader: Option<MemberView<'a>>,
    members: Vec<MemberView<'a>>,
}

#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "these are the keys that templates see")]
struct ElectionView {
    election_is_running: bool,
    election_is_no_quorum: bool,
    election_is_finished: bool,
    update_election_is_running: bool,
    update_election_is_no_quorum: bool,
    update_election_is_finished: bool,
}

#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "these are the keys that templates see")]
struct MemberView<'a> {
    member_id: &'a str,
    pkg: &'a PackageIdent,
    pkg_incarnation: u64,
    package: &'a str,
    service: &'a str,
    group: &'a str,
    org: Option<&'a str>,
    persistent: bool,
    leader: bool,
    follower: bool,
    update_leader: bool,
    update_follower: bool,
    #[serde(flatten)]
    elections: ElectionView,
    sys: &'a SysInfo,
    alive: bool,
    suspect: bool,
    confirmed: bool,
    departed: bool,
    cfg: &'a toml::Table,
}

impl<'a> SvcView<'a> {
    fn new(group: &'a Group, me: &'a Member) -> Self {
        Self {
            service: group.service_group.service(),
            group: group.service_group.group(),
            org: group.service_group.organization(),
            elections: ElectionView::new(group.election_status, group.update_election_status),
            me: MemberView::new(me),
            members: members(group),
            leader: member(group.leader()),
            first: member(group.first()),
            update_leader: member(group.update_leader()),
        }
    }
}

impl<'a> BindView<'a> {
    fn new(group: &'a Group) -> Self {
        Self {
            first: member(group.first()),
            leader: member(group.leader()),
            members: members(group),
        }
    }
}

fn member(member: Option<&Arc<Member>>) -> Option<MemberView<'_>> {
    member.map(|member| MemberView::new(member))
}

fn members(group: &Group) -> Vec<MemberView<'_>> {
    group.active_members().map(|member| MemberView::new(member)).collect()
}

impl ElectionView {
    fn new(election: ElectionStatus, update_election: ElectionStatus) -> Self {
        Self {
            election_is_running: election == ElectionStatus::InProgress,
            election_is_no_quorum: election == ElectionStatus::NoQuorum,
            election_is_finished: election == ElectionStatus::Finished,
            update_election_is_running: update_election == ElectionStatus::InProgress,
            update_election_is_no_quorum: update_election == ElectionStatus::NoQuorum,
            update_election_is_finished: update_election == ElectionStatus::Finished,
        }
    }
}

impl<'a> MemberView<'a> {
    fn new(member: &'a Member) -> Self {
        let is = |health| member.health == Some(health);
        Self {
            member_id: &member.member_id,
            pkg: &member.pkg,
            pkg_incarnation: member.pkg_incarnation,
            package: &member.package,
            service: member.service_group.service(),
            group: member.service_group.group(),
            org: member.service_group.organization(),
            persistent: member.persistent,
            leader: member.leader,
            follower: member.follower,
            update_leader: member.update_leader,
            update_follower: member.update_follower,
            elections: ElectionView::new(member.election_status, member.update_election_status),
            sys: &member.sys,
            alive: is(MemberHealth::Alive),
            suspect: is(MemberHealth::Suspect),
            confirmed: is(MemberHealth::Confirmed),
            departed: is(MemberHealth::Departed),
            cfg: member.cfg.table(),
        }
    }
}
