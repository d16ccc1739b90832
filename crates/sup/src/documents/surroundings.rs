//! The members that the binds of a service lead to, and the election of its group.

use roost_api::documents::surroundings::{Bind, BoundMember, Election};
use roost_census::{Census, Member};
use roost_fleet::{Fleet, Service};
use roost_ident::{MemberHealth, Topology};
use roost_service::BindReport;

use crate::services::built::Built;

/// Members of a bind that its document lists.
const MEMBERS_MAX: usize = 32;

/// The binds of a service.
pub(super) fn binds(census: &Census, reports: &[BindReport], redact: bool) -> Vec<Bind> {
    let bind = |report: &BindReport| {
        let group = report.group.parse().ok();
        let group = group.and_then(|group| census.group(&group));
        let members = || group.into_iter().flat_map(|group| group.population.values());
        let (alive, others) = (members().filter(|it| is_alive(it)), members());
        let listed = alive.chain(others.filter(|it| !is_alive(it))).take(MEMBERS_MAX);
        Bind {
            name: report.name.clone(),
            group: report.group.clone(),
            satisfied: report.is_satisfied(),
            message: report.line(),
            members_total: members().count(),
            members: match redact {
                true => Vec::new(),
                false => listed.map(|member| bound(member)).collect(),
            },
        }
    };
    reports.iter().map(bind).collect()
}

fn is_alive(member: &Member) -> bool {
    member.health == Some(MemberHealth::Alive)
}

fn bound(member: &Member) -> BoundMember {
    BoundMember {
        member_id: member.member_id.clone(),
        state: member.health.map(Into::into),
        hostname: member.sys.hostname.clone(),
        address: member.sys.ip.clone(),
        package: member.package.clone(),
        leader: member.leader,
    }
}

/// The election of the group of a service with a leader.
pub(super) fn election(fleet: &Fleet<Built>, service: &Service<Built>) -> Option<Election> {
    if service.spec().topology != Topology::Leader {
        return None;
    }
    let Some(group) = fleet.census().group(service.group()) else {
        return Some(Election::default());
    };
    let own = fleet.census().local_member_id();
    let voters = super::explanation::voters(fleet.census(), service.group());
    Some(Election {
        state: group.election_status.into(),
        leader: group.leader_id.clone(),
        is_leader: group.leader_id.as_deref() == Some(own),
        population: voters.len(),
        alive: voters.iter().filter(|it| it.health == MemberHealth::Alive).count(),
        needed: voters.len() / 2 + 1,
    })
}
