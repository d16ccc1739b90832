//! Elections alone: no ring, no messages, no time but the numbers given.

use std::net::Ipv4Addr;

use roost_ident::SysInfo;

use super::*;
use crate::{
    member::{Health, Member},
    rumor::Service,
};

const GROUP: &str = "db.default";

fn id(number: u8) -> MemberId {
    MemberId::from_bits(number.into())
}

const fn at(ms: u64) -> Now {
    Now(ms * 1000)
}

/// The elections of member 1, which all members know and which have a service in the group.
struct Alone {
    elections: Elections,
    table: Table,
    rumors: RumorStores,
}

impl Alone {
    fn new(members: u8) -> Self {
        let mut alone = Self {
            elections: Elections::default(),
            table: Table::new(0),
            rumors: RumorStores::default(),
        };
        for number in 1..=members {
            alone.set_health(number, Health::Alive);
            let service = Service {
                member_id: id(number),
                group: GROUP.into(),
                incarnation: 1,
                initialized: false,
                pkg: "example/db/1.0.0/20250101000000".into(),
                cfg: "".into(),
                sys: SysInfo::default(),
                pkg_incarnation: 0,
            };
            alone.rumors.take(Origin::Ring, service).unwrap();
        }
        alone
    }

    fn set_health(&mut self, number: u8, health: Health) {
        let member = Member {
            id: id(number),
            incarnation: 0,
            address: None,
            swim_port: 1,
            gossip_port: 1,
            persistent: false,
            departed: false,
            probe_ping: false,
        };
        self.table.put(&member, Ipv4Addr::new(10, 0, 0, number), health);
        self.elections.look();
    }

    /// Lets the elections act. Returns what they decide, without the notice that the view changed.
    fn act<T>(
        &mut self,
        act: impl FnOnce(&mut Elections, &mut Surroundings<'_>) -> T,
    ) -> (T, Vec<Decision>) {
        let mut at = Surroundings {
            me: &id(1),
            table: &self.table,
            rumors: &mut self.rumors,
            restoring: false,
        };
        let result = act(&mut self.elections, &mut at);
        let decisions = std::iter::from_fn(|| self.elections.poll());
        (result, decisions.filter(|decision| *decision != Decision::Show).collect())
    }

    fn receive(&mut self, now: Now, election: Election) -> (Result<bool, Dropped>, Vec<Decision>) {
        self.act(|elections, at| elections.receive(now, at, ElectionKind::Leader, election))
    }

    fn stored(&self) -> &Election {
        self.rumors.election(ElectionKind::Leader, GROUP).unwrap()
    }
}

fn candidacy(number: u8, term: u64, votes: &[u8]) -> Election {
    Election {
        member_id: id(number),
        group: GROUP.into(),
        term,
        suitability: 0,
        status: Status::Running,
        votes: votes.iter().map(|number| id(*number)).collect(),
    }
}

#[test]
fn a_member_without_a_service_is_no_candidate() {
    let mut alone = Alone::new(0);
    let started = alone.act(|elections, surroundings| {
        elections.start(at(0), surroundings, ElectionKind::Leader, GROUP, 0, 0, Reason::Service)
    });
    assert_eq!(started, (Err(Dropped::NoOwnService), Vec::new()));
}

#[test]
fn a_candidacy_that_comes_back_with_all_votes_is_finished() {
    let mut alone = Alone::new(2);
    let (started, _) = alone.act(|elections, surroundings| {
        elections.start(at(0), surroundings, ElectionKind::Leader, GROUP, 0, 7, Reason::Service)
    });
    started.unwrap();
    assert_eq!(alone.stored().status, Status::Running);
    let returned = Election { suitability: 7, ..candidacy(1, 0, &[1, 2]) };
    let (spread, decisions) = alone.receive(at(9), returned);
    assert_eq!(spread, Ok(true));
    assert_eq!(decisions, [Decision::Took { group: GROUP.into(), took_us: 9_000 }]);
    assert_eq!(alone.stored().status, Status::Finished);
}

#[test]
fn a_foreign_candidacy_waits_for_the_suitability_of_the_own_service() {
    let mut alone = Alone::new(2);
    let asked = Decision::AskSuitability { group: GROUP.into(), term: 4 };
    assert_eq!(alone.receive(at(0), candidacy(2, 4, &[2])), (Ok(true), vec![asked]));
    assert!(alone.rumors.election(ElectionKind::Leader, GROUP).is_none());
    assert_eq!(alone.receive(at(1), candidacy(2, 4, &[2])), (Ok(true), Vec::new()), "once");
    alone.act(|elections, surroundings| {
        elections.suitability_known(at(2), surroundings, GROUP, 3, 9);
    });
    assert!(alone.rumors.election(ElectionKind::Leader, GROUP).is_none(), "of another term");
    alone.act(|elections, surroundings| {
        elections.suitability_known(at(2), surroundings, GROUP, 4, 9);
    });
    let stored = alone.stored();
    assert_eq!((&stored.member_id, stored.suitability, stored.term), (&id(1), 9, 4));
    assert_eq!(stored.votes, [id(1), id(2)]);
}

#[test]
fn a_leader_that_lost_quorum_restarts_and_a_dead_leader_is_replaced() {
    let mut alone = Alone::new(3);
    let won = Election { status: Status::Finished, ..candidacy(1, 0, &[1, 2, 3]) };
    alone.rumors.put_election(Origin::Ring, ElectionKind::Leader, won).unwrap();
    alone.set_health(2, Health::Confirmed);
    let wake = |alone: &mut Alone| {
        let now = alone.elections.next();
        alone.act(|elections, surroundings| elections.wake(now, surroundings)).1
    };
    assert_eq!(wake(&mut alone), [], "two of three are more than half");
    alone.set_health(3, Health::Confirmed);
    let decisions = wake(&mut alone);
    let lost = Decision::Note(Event::QuorumLost { group: GROUP.into(), term: 0 });
    assert_eq!(decisions.first(), Some(&lost));
    let stored = alone.stored();
    assert_eq!((stored.term, stored.status, stored.suitability), (1, Status::NoQuorum, u64::MAX));
    let won = Election { status: Status::Finished, ..candidacy(2, 2, &[1, 2, 3]) };
    alone.rumors.put_election(Origin::Ring, ElectionKind::Leader, won).unwrap();
    alone.elections.look();
    let decisions = wake(&mut alone);
    let asked = Decision::AskSuitability { group: GROUP.into(), term: 3 };
    assert_eq!(decisions.last(), Some(&asked), "{decisions:?}");
}
