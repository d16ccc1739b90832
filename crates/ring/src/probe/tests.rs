//! Tests of the prober alone: no ring, no messages.

use std::net::Ipv4Addr;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;

fn id(number: u8) -> MemberId {
    MemberId::from_bits(number.into())
}

fn member(number: u8) -> Member {
    Member {
        id: id(number),
        incarnation: 7,
        address: Some(Ipv4Addr::new(10, 0, 0, number)),
        swim_port: 9638,
        gossip_port: 9638,
        persistent: false,
        departed: false,
        probe_ping: false,
    }
}

/// The prober of member 1 alone in a ring of this size: no ring, no messages.
struct Alone {
    prober: Prober,
    table: Table,
    rng: ChaCha8Rng,
}

impl Alone {
    fn new(members: u8, peers: &[SocketAddr]) -> Self {
        let mut table = Table::new(0);
        for number in 1..=members {
            let member = member(number);
            table.put(&member, member.address.expect("an address"), Health::Alive);
        }
        let prober = Prober::new(Now(0), peers);
        Self { prober, table, rng: ChaCha8Rng::seed_from_u64(1) }
    }

    /// All due actions.
    fn steps(&mut self, now: Now) -> Vec<Step> {
        let Self { prober, table, rng } = self;
        std::iter::from_fn(|| prober.step(now, &id(1), table, rng)).collect()
    }
}

#[test]
fn a_member_that_does_not_answer_is_suspected_after_helpers_were_asked() {
    let mut alone = Alone::new(2, &[]);
    let to = member(2).swim_addr().expect("an address");
    assert_eq!(alone.steps(Now(0)), [Step::Ping { id: id(2), to }]);
    let helpers = Vec::new();
    let asked = alone.steps(alone.prober.next());
    assert_eq!(asked, [Step::AskHelpers { target: member(2), helpers }]);
    assert_eq!(alone.prober.next(), Now(0).plus_ms(PROBE_MS));
    let last = alone.steps(alone.prober.next());
    assert_eq!(last.first(), Some(&Step::Suspect(member(2))));
}

#[test]
fn an_answer_ends_the_probe_with_its_duration() {
    let mut alone = Alone::new(3, &[]);
    let steps = alone.steps(Now(0));
    let [Step::Ping { id: target, .. }] = &steps[..] else { panic!("{steps:?}") };
    let other = if *target == id(2) { id(3) } else { id(2) };
    let Alone { prober, table, .. } = &mut alone;
    assert_eq!(prober.answered(Now(5), &other, table), None, "it was not asked");
    let answered = Answered { indirect: false, took_us: 9 };
    assert_eq!(prober.answered(Now(9), target, table), Some(answered));
    assert_eq!(prober.answered(Now(10), target, table), None, "once");
    assert_eq!(prober.next(), Now(0).plus_ms(PROBE_MS));
}

#[test]
fn a_member_reported_as_confirmed_is_asked_three_times() {
    let mut alone = Alone::new(2, &[]);
    assert!(alone.prober.ask_later(member(2), 1));
    assert!(!alone.prober.ask_later(member(2), 1), "it is already there");
    let to = member(2).swim_addr().expect("an address");
    let mut steps = Vec::new();
    while !steps.contains(&Step::Confirm(member(2))) {
        steps.extend(alone.steps(alone.prober.next()));
    }
    let asked = steps.iter().filter(|step| **step == Step::Ask { to }).count();
    assert_eq!(asked, 3);
}

#[test]
fn a_lone_member_rests_and_one_with_initial_peers_looks_for_them() {
    let mut alone = Alone::new(1, &[]);
    assert_eq!(alone.steps(Now(0)), []);
    assert_eq!(alone.prober.next(), Now::NEVER);
    let peers = vec!["10.0.0.9:9638".parse().expect("an address")];
    alone.prober.set_initial_peers(Now(1), &peers);
    let due = alone.prober.next();
    assert_eq!(due, Now(0).plus_ms(PROBE_MS));
    assert_eq!(alone.steps(due), [Step::PingPeers(peers)]);
    assert_eq!(alone.prober.next(), due.plus_ms(PROBE_MS));
}
