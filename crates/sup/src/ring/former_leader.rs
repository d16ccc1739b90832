//! A leader whose machine went down may have been replaced in the meantime. Habitat lets it run its
//! hooks as leader until it learns that; a database would accept data that its successor never
//! sees.

use std::collections::BTreeSet;

use roost_ring::{Health, MemberId, Status, Stores};

/// Makes this member a candidate again in the elections that it had won. If no other was elected,
/// the others answer that it has won (reference: ring §10.4 line 3), within a few rounds of gossip.
/// If no other member is left to answer, it stays the leader.
///
/// Does not apply to groups whose service is still running here: for them, nothing has changed. A
/// service that ended while no Supervisor ran counts as one of a failed machine, whatever else has
/// survived.
pub(super) fn doubt(stores: &mut Stores, me: &MemberId, still_running: &BTreeSet<String>) {
    let is_departed = |id: &MemberId| {
        let found = stores.members.iter().find(|membership| membership.member.id == *id);
        found.is_none_or(|membership| membership.health == Health::Departed)
    };
    let has_others = |group: &str| {
        let mut others = stores.services.iter().filter(|s| s.group == group && s.member_id != *me);
        others.any(|service| !is_departed(&service.member_id))
    };
    for election in &mut stores.elections {
        let has_won = election.member_id == *me && election.status == Status::Finished;
        if has_won && has_others(&election.group) && !still_running.contains(&election.group) {
            election.status = Status::Running;
            election.votes = vec![me.clone()];
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::Ipv4Addr;

    use roost_ring::{Election, Member, Membership, Service, SysInfo};

    use super::*;

    const GROUP: &str = "db.default";

    pub(in crate::ring) fn stores(others: &[(&str, Health)]) -> Stores {
        let mut stores = Stores::default();
        for (id, health) in others.iter().chain(&[("me", Health::Alive)]) {
            let id = MemberId::new(id);
            stores.members.push(Membership {
                member: Member {
                    id: id.clone(),
                    incarnation: 0,
                    address: Some(Ipv4Addr::LOCALHOST),
                    swim_port: 1,
                    gossip_port: 1,
                    persistent: false,
                    departed: false,
                    probe_ping: false,
                },
                health: *health,
            });
            stores.services.push(Service {
                member_id: id,
                group: GROUP.into(),
                incarnation: 1,
                initialized: false,
                pkg: "acme/db/1.0/20250101000000".into(),
                cfg: Vec::new().into(),
                sys: SysInfo::default(),
                pkg_incarnation: 0,
            });
        }
        stores.elections.push(Election {
            member_id: MemberId::new("me"),
            group: GROUP.into(),
            term: 3,
            suitability: 7,
            status: Status::Finished,
            votes: vec![MemberId::new("me"), MemberId::new("other")],
        });
        stores
    }

    fn doubted_while(mut stores: Stores, me: &str, still_running: &[&str]) -> Election {
        let still_running = still_running.iter().map(ToString::to_string).collect();
        doubt(&mut stores, &MemberId::new(me), &still_running);
        stores.elections.remove(0)
    }

    fn doubted(stores: Stores, me: &str) -> Election {
        doubted_while(stores, me, &[])
    }

    #[test]
    fn a_former_leader_asks_the_others() {
        let election = doubted(stores(&[("other", Health::Alive)]), "me");
        assert_eq!(election.status, Status::Running);
        assert_eq!(election.votes, [MemberId::new("me")]);
        assert_eq!((election.term, election.suitability), (3, 7));
    }

    #[test]
    fn other_surviving_services_do_not_confirm_a_leader() {
        let stores = stores(&[("other", Health::Alive)]);
        let election = doubted_while(stores.clone(), "me", &["web.default"]);
        assert_eq!(election.status, Status::Running);
        let election = doubted_while(stores.clone(), "me", &["web.default", GROUP]);
        assert_eq!(election, stores.elections[0], "its process keeps running");
    }

    #[test]
    fn the_last_member_stays_leader_and_results_of_others_stay() {
        let last = stores(&[("other", Health::Departed)]);
        assert_eq!(doubted(last.clone(), "me"), last.elections[0]);
        let follower = stores(&[("other", Health::Alive)]);
        assert_eq!(doubted(follower.clone(), "other"), follower.elections[0]);
    }
}
