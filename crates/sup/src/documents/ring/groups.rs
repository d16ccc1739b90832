//! `/v1/ring/groups`.

use std::{collections::HashMap, sync::Arc};

use roost_api::documents::ring::groups::{
    RingConflict, RingElection, RingElectionStatus, RingGroup, RingGroupMember, RingQuorum,
    RingWarning, RingWarningCode,
};
use roost_ring::{Health, MemberId, Quorum, View, rumor};

type Healths<'a> = HashMap<&'a MemberId, Health>;

/// The groups of a view by name.
pub(super) fn documents(view: &View) -> Vec<RingGroup> {
    let healths: Healths<'_> =
        view.members.iter().map(|listed| (&listed.member.id, listed.health)).collect();
    let groups = view.services.list.iter().filter(|(_, services)| !services.is_empty());
    groups.map(|(name, services)| group(view, &healths, name, services.values())).collect()
}

fn group<'a>(
    view: &View,
    healths: &Healths<'_>,
    name: &str,
    services: impl Iterator<Item = &'a Arc<rumor::Service>> + Clone,
) -> RingGroup {
    let health = |id: &MemberId| healths.get(id).copied();
    let ids = services.clone().map(|service| &service.member_id);
    let quorum = Quorum::of(ids.clone().map(health));
    let alive: Vec<&MemberId> = ids.filter(|id| health(id) == Some(Health::Alive)).collect();
    let leading = view.elections.list.get(name).and_then(|group| group.values().next());
    let updating = view.update_elections.list.get(name).and_then(|group| group.values().next());
    let election = leading.map(|election| shown(election, &alive));
    let elected = leading.filter(|election| election.status == rumor::Status::Finished);
    let elected = elected.map(|election| &election.member_id);
    let is_alone = view.members.is_empty();
    let why = |election| why_no_leader(election, quorum, elected.map(health), is_alone);
    let why_no_leader = election.as_ref().and_then(why);
    // The election goes on naming a leader that has died.
    let leader = elected.filter(|_| why_no_leader.is_none());
    let members = services.map(|service| RingGroupMember {
        id: service.member_id.to_string(),
        own: service.member_id == view.id,
        hostname: service.sys.hostname.clone(),
        state: health(&service.member_id).map(Into::into),
        leader: leader == Some(&service.member_id),
        voted: leading.is_some_and(|election| election.votes.contains(&service.member_id)),
        package: service.pkg.clone(),
    });
    let conflict = view.conflicts.get(name).map(|conflict| RingConflict {
        term: conflict.term,
        leaders: conflict.leaders.iter().map(ToString::to_string).collect(),
    });
    RingGroup {
        id: name.into(),
        leader: leader.map(ToString::to_string),
        why_no_leader,
        warnings: warnings(quorum, election.as_ref(), conflict.as_ref(), elected.map(health)),
        quorum: RingQuorum {
            electorate: quorum.electorate as u64,
            alive: quorum.alive as u64,
            needed: quorum.needed() as u64,
            reached: quorum.is_reached(),
            spare: quorum.spare() as u64,
        },
        election,
        update_election: updating.map(|election| shown(election, &alive)),
        conflict,
        members: members.collect(),
    }
}

fn shown(election: &rumor::Election, alive: &[&MemberId]) -> RingElection {
    let missing = alive.iter().filter(|id| !election.votes.contains(id));
    RingElection {
        status: match election.status {
            rumor::Status::Running => RingElectionStatus::Running,
            rumor::Status::NoQuorum => RingElectionStatus::NoQuorum,
            rumor::Status::Finished => RingElectionStatus::Finished,
        },
        term: election.term,
        candidate: election.member_id.to_string(),
        suitability: election.suitability,
        votes: election.votes.iter().map(ToString::to_string).collect(),
        missing_votes: match election.status {
            rumor::Status::Finished => Vec::new(),
            _ => missing.map(ToString::to_string).collect(),
        },
    }
}

/// One sentence; `leader` is the health of the member that was elected, if one was.
fn why_no_leader(
    election: &RingElection,
    quorum: Quorum,
    leader: Option<Option<Health>>,
    is_alone: bool,
) -> Option<String> {
    let Quorum { electorate, alive } = quorum;
    let (term, needed) = (election.term, quorum.needed());
    Some(match (election.status, leader) {
        (RingElectionStatus::Finished, Some(Some(Health::Alive | Health::Suspect))) => return None,
        (RingElectionStatus::Finished, _) => format!(
            "the leader of term {term}, member {}, is not alive; the others elect another one \
             when they have noticed that and more than half of the group is alive ({alive} of \
             {electorate} are, {needed} are needed)",
            election.candidate
        ),
        _ if is_alone => "this Supervisor has not met another member of the ring".into(),
        _ if !quorum.is_reached() => format!(
            "{alive} of {electorate} members of the group are alive, and an election needs {needed}"
        ),
        (RingElectionStatus::NoQuorum, _) => {
            format!("enough members are alive again; the election of term {term} is to continue")
        }
        (RingElectionStatus::Running, _) if election.missing_votes.is_empty() => format!(
            "all members that are alive have voted in term {term}; the candidate, member {}, is \
             to announce that it leads",
            election.candidate
        ),
        (RingElectionStatus::Running, _) => format!(
            "the election of term {term} waits for the votes of {}",
            election.missing_votes.join(", ")
        ),
    })
}

fn warnings(
    quorum: Quorum,
    election: Option<&RingElection>,
    conflict: Option<&RingConflict>,
    leader: Option<Option<Health>>,
) -> Vec<RingWarning> {
    if election.is_none() {
        return Vec::new();
    }
    let Quorum { electorate, alive } = quorum;
    let mut warnings = Vec::new();
    let mut warn = |code, message| warnings.push(RingWarning { code, message });
    if let Some(RingConflict { term, leaders }) = conflict {
        let leaders = leaders.join(" and ");
        let message = format!(
            "two leaders of term {term}: {leaders}. Restart the service on one of them to start a \
             new election"
        );
        warn(RingWarningCode::LeaderConflict, message);
    }
    if leader.is_some_and(|health| health != Some(Health::Alive)) {
        warn(RingWarningCode::LeaderNotAlive, "the leader is not alive".into());
    }
    if !quorum.is_reached() {
        let needed = quorum.needed();
        let message = format!("{alive} of {electorate} members are alive, {needed} are needed");
        warn(RingWarningCode::NoQuorum, message);
    }
    if quorum.is_even() {
        let fewer = electorate - 1;
        let message =
            format!("{electorate} members bear no more failures than {fewer}; add or depart one");
        warn(RingWarningCode::EvenGroup, message);
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn election(status: RingElectionStatus, missing: &[&str]) -> RingElection {
        RingElection {
            status,
            term: 3,
            candidate: "c".into(),
            missing_votes: missing.iter().map(|id| (*id).into()).collect(),
            ..RingElection::default()
        }
    }

    #[test]
    fn one_sentence_names_what_is_missing() {
        use RingElectionStatus::{Finished, NoQuorum, Running};
        let enough = Quorum { electorate: 3, alive: 2 };
        let few = Quorum { electorate: 3, alive: 1 };
        let why = |status, missing: &[&str], quorum, leader, alone| {
            why_no_leader(&election(status, missing), quorum, leader, alone).unwrap_or_default()
        };
        assert_eq!(why(Finished, &[], enough, Some(Some(Health::Alive)), false), "");
        for dead in [Some(Health::Confirmed), Some(Health::Departed), None] {
            assert!(why(Finished, &[], few, Some(dead), false).contains("member c, is not alive"));
        }
        assert_eq!(
            why(NoQuorum, &[], few, None, false),
            "1 of 3 members of the group are alive, and an election needs 2"
        );
        assert!(why(NoQuorum, &[], enough, None, false).contains("alive again"));
        assert!(why(Running, &["a", "b"], enough, None, false).ends_with("the votes of a, b"));
        assert!(why(Running, &[], enough, None, false).contains("have voted"));
        assert!(why(NoQuorum, &[], Quorum::default(), None, true).contains("has not met"));
    }

    /// The group of a finished election whose leader, "c", is a member with this health.
    fn group_led_by(health: Health) -> RingGroup {
        const GROUP: &str = "db.default";
        let leader = MemberId::new("c");
        let mut view = View::empty(MemberId::new("a"));
        let service = rumor::Service {
            member_id: leader.clone(),
            group: GROUP.into(),
            incarnation: 1,
            initialized: false,
            pkg: "acme/db/1.0/20250101000000".into(),
            cfg: Vec::new().into(),
            sys: roost_ring::SysInfo::default(),
            pkg_incarnation: 0,
        };
        let election = rumor::Election {
            member_id: leader.clone(),
            group: GROUP.into(),
            term: 3,
            suitability: 7,
            status: rumor::Status::Finished,
            votes: Vec::new(),
        };
        let elections = Arc::new([("election".into(), Arc::new(election))].into());
        Arc::make_mut(&mut view.elections).list.insert(GROUP.into(), elections);
        group(&view, &[(&leader, health)].into(), GROUP, [Arc::new(service)].iter())
    }

    #[test]
    fn a_group_has_a_leader_or_the_sentence_why_not() {
        for (health, leads) in [
            (Health::Alive, true),
            (Health::Suspect, true),
            (Health::Confirmed, false),
            (Health::Departed, false),
        ] {
            let group = group_led_by(health);
            assert_eq!(group.leader.as_deref(), leads.then_some("c"), "{health:?}");
            assert_eq!(group.why_no_leader.is_some(), !leads, "{health:?}");
            assert_eq!(group.members[0].leader, leads, "{health:?}");
            let warns = |it: &RingWarning| it.code == RingWarningCode::LeaderNotAlive;
            assert_eq!(group.warnings.iter().any(warns), health != Health::Alive, "{health:?}");
        }
    }

    #[test]
    fn groups_without_an_election_have_no_warnings() {
        let four = Quorum { electorate: 4, alive: 2 };
        let codes = |election: Option<&RingElection>, leader| {
            let found = warnings(four, election, None, leader);
            found.into_iter().map(|warning| warning.code).collect::<Vec<_>>()
        };
        assert_eq!(codes(None, None), []);
        let finished = election(RingElectionStatus::Finished, &[]);
        assert_eq!(
            codes(Some(&finished), Some(Some(Health::Confirmed))),
            [
                RingWarningCode::LeaderNotAlive,
                RingWarningCode::NoQuorum,
                RingWarningCode::EvenGroup
            ]
        );
    }
}
