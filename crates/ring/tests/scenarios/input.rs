//! Bad input is only counted, and memory is bounded.

use proptest::prelude::*;
use rand::SeedableRng;
use roost_ring::{
    Config, Dropped, Envelope, Health, Input, Me, MemberId, Membership, Now, Output, Ring, Rumor,
    Swim, SwimKind,
};

use crate::net::{addr, id, plain, ring_key, stranger};

fn ring(config: Config) -> Ring {
    let me = Me { id: id(0), incarnation: 0, port: 9638, permanent: false };
    Ring::new(config, me, None, 1, Now(0))
}

fn datagram(ring: &mut Ring, bytes: &[u8]) -> Result<(), Dropped> {
    ring.handle(Now(1), Input::Datagram { from: addr(1), bytes })
}

fn drain(ring: &mut Ring) -> Vec<Output> {
    std::iter::from_fn(|| ring.poll()).collect()
}

fn about(number: usize, health: Health) -> Membership {
    let mut member = stranger(number);
    member.address = Some(std::net::Ipv4Addr::new(10, 0, 0, 9));
    Membership { member, health }
}

fn ping(number: usize) -> Swim {
    let kind = SwimKind::Ping { from: stranger(number), forward_to: None };
    Swim { kind, memberships: Vec::new() }
}

/// A field of a protobuf message: a number, or bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

#[test]
fn each_kind_of_bad_datagram_is_dropped_for_its_reason() {
    let from = |id: &str| field(1, &[field(1, id.as_bytes()), vec![0x20, 1, 0x28, 1]].concat());
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("bad-envelope", vec![0xff, 0xff]),
        ("missing-payload", vec![]),
        ("encrypted-without-key", [vec![8, 1], field(3, b"x")].concat()),
        ("undecodable", field(3, &[0xff])),
        ("missing-field", plain(vec![8, 9])),
        ("missing-field", plain(vec![8, 1])),
        ("missing-field", plain([vec![8, 1], field(2, b"")].concat())),
        ("type-mismatch", plain([vec![8, 1], field(3, &from("x"))].concat())),
        ("too-long", vec![0; 1025]),
        ("name-too-long", {
            let mut ping = ping(1);
            let SwimKind::Ping { from, .. } = &mut ping.kind else { unreachable!() };
            from.id = MemberId::new(&"x".repeat(257));
            plain(ping.encode())
        }),
    ];
    for (reason, bytes) in cases {
        let mut ring = ring(Config::default());
        let dropped = datagram(&mut ring, &bytes).unwrap_err();
        assert_eq!(dropped.reason(), reason, "{dropped}");
        assert_eq!(ring.counters().dropped[reason], 1);
        assert_eq!(ring.view().members.len(), 0);
        assert!(!drain(&mut ring).iter().any(|output| matches!(output, Output::Send { .. })));
    }
    let mut keyed = ring(Config { key: Some(ring_key()), ..Config::default() });
    for (reason, bytes) in [
        ("missing-nonce", plain(ping(1).encode())),
        ("bad-nonce", [field(2, b"short"), field(3, b"x")].concat()),
        ("undecryptable", [field(2, &[7; 24]), field(3, b"x")].concat()),
    ] {
        assert_eq!(datagram(&mut keyed, &bytes).unwrap_err().reason(), reason);
    }
}

#[test]
fn rumors_that_would_kill_a_real_supervisor_are_dropped() {
    let rumor =
        |kind: u8, payload: Vec<u8>| plain([vec![8, kind], field(3, b"x"), payload].concat());
    for (reason, bytes) in [
        ("test-rumor", rumor(6, vec![])),
        ("test-rumor", rumor(7, field(9, &field(1, b"x")))),
        ("type-mismatch", rumor(2, field(9, &field(1, b"x")))),
        ("missing-field", rumor(2, field(5, b""))),
        ("missing-field", rumor(10, vec![])),
        ("invalid-group", rumor(4, field(6, &field(1, b"nogroup")))),
    ] {
        let mut ring = ring(Config::default());
        let dropped = ring.handle(Now(1), Input::Gossip { bytes: &bytes }).unwrap_err();
        assert_eq!(dropped.reason(), reason, "{dropped}");
    }
}

#[test]
fn a_membership_without_an_ipv4_address_is_neither_stored_nor_sent() {
    let mut ring = ring(Config::default());
    let mut poison = about(7, Health::Alive);
    poison.member.address = None;
    let mut message = ping(1);
    message.memberships = vec![poison, about(8, Health::Alive)];
    let dropped = datagram(&mut ring, &plain(message.encode())).unwrap_err();
    assert_eq!(dropped, Dropped::AddressNotIpv4);
    assert_eq!(ring.health_of(&id(7)), None);
    assert_eq!(ring.health_of(&id(8)), Some(Health::Alive), "the rest is used");
    assert_eq!(ring.health_of(&id(1)), Some(Health::Alive), "so is the sender");
    let from = "[::1]:9638".parse().unwrap();
    let bytes = plain(ping(2).encode());
    let dropped = ring.handle(Now(2), Input::Datagram { from, bytes: &bytes });
    assert_eq!(dropped, Err(Dropped::AddressNotIpv4));
}

#[test]
fn the_member_list_is_bounded() {
    let mut ring = ring(Config { members_max: 10, ..Config::default() });
    for number in 1..=20 {
        let _ = datagram(&mut ring, &plain(ping(number).encode()));
    }
    assert_eq!(ring.tally().0, 10);
    assert_eq!(ring.counters().dropped["too-many-members"], 10);
}

#[test]
fn long_ids_and_a_ring_key_still_fit_into_a_datagram() {
    let mut ring = ring(Config { key: Some(ring_key()), ..Config::default() });
    let envelope = Envelope::new(Some(ring_key()));
    let mut random = <rand_chacha::ChaCha8Rng as rand::SeedableRng>::seed_from_u64(1);
    let mut sizes = Vec::new();
    for number in 1..=40 {
        let mut message = ping(number);
        let SwimKind::Ping { from, .. } = &mut message.kind else { unreachable!() };
        from.id = MemberId::new(&format!("{number:0200}"));
        let bytes = envelope.wrap(message.encode(), &mut random);
        datagram(&mut ring, &bytes).unwrap();
        for output in drain(&mut ring) {
            if let Output::Send { bytes, .. } = output {
                sizes.push(bytes.len());
            }
        }
    }
    let largest = sizes.iter().max().unwrap();
    assert!((700..=1024).contains(largest), "{largest}");
}

#[test]
fn unfetched_answers_are_dropped_at_the_limit() {
    let mut ring = ring(Config::default());
    for _ in 0..10_000 {
        datagram(&mut ring, &plain(ping(1).encode())).unwrap();
    }
    assert!(drain(&mut ring).len() < 5_000);
    assert!(ring.counters().dropped["outputs-full"] > 5_000);
}

#[test]
fn accusations_by_the_thousand_are_refuted_once_per_second() {
    let mut ring = ring(Config::default());
    let mut written = Vec::new();
    let mut accuse = |ring: &mut Ring, now, incarnation| {
        let mut accusation = about(0, Health::Suspect);
        accusation.member.incarnation = incarnation;
        let bytes = plain(Rumor::Member("x".into(), accusation).encode());
        ring.handle(now, Input::Gossip { bytes: &bytes }).unwrap();
        for output in drain(ring) {
            if let Output::PersistIncarnation(incarnation) = output {
                written.push(incarnation);
                ring.handle(now, Input::IncarnationStored(incarnation)).unwrap();
            }
        }
        written.clone()
    };
    assert_eq!(accuse(&mut ring, Now(1), 0), [1], "the first at once");
    for incarnation in 1..10_000 {
        assert_eq!(accuse(&mut ring, Now(2), incarnation), [1]);
    }
    assert_eq!(accuse(&mut ring, Now(2), 5), [1]);
    let later = Now(1).plus_ms(1_000);
    assert!(ring.next_wake() <= later);
    ring.wake(later);
    assert_eq!(accuse(&mut ring, later, 7), [1, 10_000], "then the worst of them");
    // nothing is higher than this
    assert_eq!(accuse(&mut ring, later.plus_ms(5_000), u64::MAX), [1, 10_000]);
}

#[test]
fn another_machine_with_the_own_id_is_reported_and_refuted_more_and_more_rarely() {
    let mut ring = ring(Config::default());
    let mut written: Vec<u64> = Vec::new();
    let mut advice = Vec::new();
    let mut say = |ring: &mut Ring, now, incarnation, health| {
        let mut record = about(0, health);
        record.member.incarnation = incarnation;
        let bytes = plain(Rumor::Member("x".into(), record).encode());
        ring.handle(now, Input::Gossip { bytes: &bytes }).unwrap();
        for output in drain(ring) {
            match output {
                Output::PersistIncarnation(incarnation) => {
                    written.push(incarnation);
                    ring.handle(now, Input::IncarnationStored(incarnation)).unwrap();
                }
                Output::Event(event) if event.is_advice() => advice.push(event.to_string()),
                _ => {}
            }
        }
        (written.clone(), advice.len())
    };
    // a member that lost its file receives one claim
    assert_eq!(say(&mut ring, Now(1), 7, Health::Alive), (vec![8], 0));
    // the other machine immediately gets one ahead
    let mut incarnation = 9;
    let mut now = Now(1);
    for _ in 0..3_600 {
        now = now.plus_ms(1_000);
        ring.wake(now);
        let (written, _) = say(&mut ring, now, incarnation, Health::Alive);
        incarnation = written.last().unwrap() + 1;
    }
    let (written, told) = say(&mut ring, now, 0, Health::Alive);
    assert!((50..80).contains(&written.len()), "{}", written.len());
    assert!(told > 0);
    // this does not apply to claims of others about its health
    let own = *written.last().unwrap();
    let (written, _) = say(&mut ring, now, own, Health::Suspect);
    assert_eq!(written.last(), Some(&(own + 1)));
    // after a calm the limits are reset
    let later = now.plus_ms(700_000);
    ring.wake(later);
    let (before, _) = say(&mut ring, later, 0, Health::Alive);
    let much_later = later.plus_ms(700_000);
    let (after, told_again) = say(&mut ring, much_later, own + 1_000, Health::Alive);
    assert_eq!(after.len(), before.len() + 1);
    assert_eq!(told_again, say(&mut ring, much_later, 0, Health::Alive).1);
}

#[test]
fn rumor_stores_are_bounded() {
    let mut ring = ring(Config::default());
    let body = vec![b'x'; 3 * 1024 * 1024];
    let mut refused = 0;
    for number in 0..30 {
        let rumor = Rumor::ServiceFile(roost_ring::ServiceFile {
            from_id: "x".into(),
            group: "a.b".into(),
            incarnation: 1,
            encrypted: false,
            filename: number.to_string(),
            body: body.clone().into(),
        });
        let bytes = plain(rumor.encode());
        refused += usize::from(ring.handle(Now(1), Input::Gossip { bytes: &bytes }).is_err());
    }
    assert!((5..15).contains(&refused), "{refused}");
    assert_eq!(ring.counters().dropped["too-many-rumors"], refused as u64);
}

fn health() -> impl Strategy<Value = Health> {
    prop::sample::select(vec![Health::Alive, Health::Suspect, Health::Confirmed, Health::Departed])
}

proptest! {
    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut ring = ring(Config::default());
        let _ = datagram(&mut ring, &bytes);
        let _ = datagram(&mut ring, &plain(bytes.clone()));
        let _ = ring.handle(Now(2), Input::Gossip { bytes: &bytes });
        let _ = ring.handle(Now(3), Input::Gossip { bytes: &plain(bytes.clone()) });
        let _ = roost_ring::datafile::decode(&bytes);
    }

    #[test]
    fn a_flipped_byte_never_panics(place in 0..200usize, value in any::<u8>(), kind in 0..4usize) {
        let mut message = ping(1);
        message.memberships = vec![about(2, Health::Suspect), about(0, Health::Confirmed)];
        let from = stranger(1);
        message.kind = match kind {
            0 => SwimKind::Ping { from, forward_to: Some(stranger(3)) },
            1 => SwimKind::Ack { from, forward_to: None },
            2 => SwimKind::PingReq { from, target: stranger(2) },
            _ => SwimKind::ProbePing { from },
        };
        let mut bytes = plain(message.encode());
        let place = place % bytes.len();
        bytes[place] = value;
        let mut ring = ring(Config::default());
        let _ = datagram(&mut ring, &bytes);
        drain(&mut ring);
        for _ in 0..5 {
            ring.wake(ring.next_wake().min(Now(60_000_000)));
        }
    }

    /// The table of the normal rule (reference: ring §5.2): the order does not affect the result.
    #[test]
    fn news_about_a_member_converge_in_any_order(
        mut news in prop::collection::vec((0..4u64, health()), 1..8),
        rotate in 0..8usize,
    ) {
        // Confirmed news is not applied immediately, see the prober
        news.retain(|(_, health)| *health != Health::Confirmed);
        let outcome = |news: &[(u64, Health)]| {
            let mut ring = ring(Config::default());
            for (incarnation, health) in news {
                let mut membership = about(5, *health);
                membership.member.incarnation = *incarnation;
                let bytes = plain(Rumor::Member("x".into(), membership).encode());
                ring.handle(Now(1), Input::Gossip { bytes: &bytes }).unwrap();
            }
            let view = ring.view();
            view.members.iter().map(|it| (it.member.incarnation, it.health)).collect::<Vec<_>>()
        };
        let first = outcome(&news);
        let best = news.iter().max().map(|best| vec![*best]).unwrap_or_default();
        prop_assert_eq!(&first, &best);
        if !news.is_empty() {
            let rotate = rotate % news.len();
            news.rotate_left(rotate);
        }
        prop_assert_eq!(outcome(&news), first);
    }
}

#[test]
fn an_exact_copy_of_a_datagram_is_dropped_under_a_ring_key_and_counted() {
    let mut keyed = ring(Config { key: Some(ring_key()), ..Config::default() });
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let mut sealed =
        |swim: Swim| Envelope::new(Some(ring_key())).wrap(swim.encode(), &mut random).to_vec();
    let (first, second) = (sealed(ping(1)), sealed(ping(1)));
    assert_eq!(datagram(&mut keyed, &first), Ok(()));
    assert_eq!(datagram(&mut keyed, &first), Err(Dropped::Replayed));
    assert_eq!(datagram(&mut keyed, &second), Ok(()), "the same words again");
    assert_eq!(keyed.counters().dropped["replayed"], 1);
    let mut open = ring(Config::default());
    for _ in 0..2 {
        assert_eq!(datagram(&mut open, &plain(ping(1).encode())), Ok(()), "without a key");
    }
}

#[test]
fn a_recorded_datagram_from_elsewhere_does_not_count_as_alive_under_a_ring_key() {
    let mut keyed = ring(Config { key: Some(ring_key()), ..Config::default() });
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let mut tell = |ring: &mut Ring, from: usize, mut swim: Swim, incarnation: u64| {
        let (SwimKind::Ping { from: member, .. } | SwimKind::Ack { from: member, .. }) =
            &mut swim.kind
        else {
            unreachable!()
        };
        member.incarnation = incarnation;
        let bytes = Envelope::new(Some(ring_key())).wrap(swim.encode(), &mut random).to_vec();
        ring.handle(Now(1), Input::Datagram { from: addr(from), bytes: &bytes })
    };
    let health = |ring: &mut Ring| ring.view().members.get(&id(1)).map(|listed| listed.health);
    tell(&mut keyed, 1, ping(1), 0).unwrap();
    let mut suspect = ping(2);
    let mut member = stranger(1);
    member.address = Some(std::net::Ipv4Addr::new(10, 0, 0, 2));
    suspect.memberships = vec![Membership { member, health: Health::Suspect }];
    tell(&mut keyed, 2, suspect, 0).unwrap();
    assert_eq!(health(&mut keyed), Some(Health::Suspect));
    let ack = Swim {
        kind: SwimKind::Ack { from: stranger(1), forward_to: None },
        memberships: Vec::new(),
    };
    for swim in [ping(1), ack] {
        assert_eq!(tell(&mut keyed, 66, swim, 0), Err(Dropped::ForeignAddress));
    }
    assert_eq!(health(&mut keyed), Some(Health::Suspect));
    tell(&mut keyed, 1, ping(1), 0).unwrap();
    assert_eq!(health(&mut keyed), Some(Health::Alive), "its own address");
    tell(&mut keyed, 66, ping(1), 1).unwrap();
    let view = keyed.view();
    let member = &view.members.get(&id(1)).unwrap().member;
    assert_eq!(member.address, Some(std::net::Ipv4Addr::new(10, 0, 0, 67)), "it has moved");
}

#[test]
fn a_copy_of_a_machine_is_detected_whatever_the_incarnations_and_a_move_is_not_one() {
    let copies = |ring: &mut Ring| {
        let events = drain(ring).into_iter();
        let copied =
            |output: &Output| matches!(output, Output::Event(roost_ring::Event::Copied { .. }));
        events.filter(copied).count()
    };
    let from = |ring: &mut Ring, second: u64, from: usize| {
        let bytes = plain(ping(1).encode());
        let now = Now(second * 1_000_000);
        ring.handle(now, Input::Datagram { from: addr(from), bytes: &bytes }).unwrap();
    };
    let mut moved = ring(Config::default());
    for (second, place) in [1, 1, 7, 1, 7, 7, 7].into_iter().enumerate() {
        from(&mut moved, second as u64, place);
    }
    assert_eq!(copies(&mut moved), 0, "a late datagram from the old address");
    let mut doubled = ring(Config::default());
    for second in 0..30 {
        from(&mut doubled, second * 2, if second % 2 == 0 { 1 } else { 7 });
    }
    assert_eq!(copies(&mut doubled), 1, "logged once");
}

/// In a ring of thousands a member receives something from each copy only every few minutes.
#[test]
fn two_machines_with_one_id_are_told_apart_when_both_were_heard_once() {
    // Every machine pinged at one of these addresses answers, all datagrams in order; returns log
    // lines about copies and datagrams sent.
    let play = |lives_at: &[usize]| {
        let mut observer = ring(Config::default());
        let (mut copied, mut sent) = (0, 0);
        let mut arriving = std::collections::VecDeque::from([(1, ping(1)), (7, ping(1))]);
        while let Some((place, swim)) = arriving.pop_front() {
            let input = Input::Datagram { from: addr(place), bytes: &plain(swim.encode()) };
            observer.handle(Now(sent), input).unwrap();
            for output in drain(&mut observer) {
                match output {
                    Output::Event(roost_ring::Event::Copied { .. }) => copied += 1,
                    Output::Send { to, bytes } => {
                        sent += 1;
                        let payload = Envelope::new(None).unwrap(&bytes).unwrap();
                        let swim = Swim::decode(payload).unwrap();
                        let place = lives_at.iter().find(|place| addr(**place) == to);
                        if let (SwimKind::Ping { .. }, Some(place)) = (swim.kind, place) {
                            let from = stranger(1);
                            let kind = SwimKind::Ack { from, forward_to: None };
                            arriving.push_back((*place, Swim { kind, memberships: Vec::new() }));
                        }
                    }
                    _ => {}
                }
            }
        }
        (copied, sent)
    };
    let (copied, sent) = play(&[1, 7]);
    assert_eq!(copied, 1, "both answer");
    assert!(sent <= 2 + 8, "{sent} datagrams: answers to two pings, and at most four times two");
    assert_eq!(play(&[7]).0, 0, "it has moved");
    assert_eq!(play(&[1]).0, 0, "another machine has sent with its id");
}
