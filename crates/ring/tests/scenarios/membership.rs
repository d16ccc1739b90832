//! Members meet, die, come back and leave.

use roost_ring::{
    Command, Config, Event, Health, Input, Me, Member, Membership, Now, Output, Ring, Rumor,
    RumorKind, Swim, SwimKind,
};

use crate::net::{Net, addr, id, plain, ring_key, stranger};

#[test]
fn a_member_without_peers_has_an_empty_list_and_never_wakes() {
    let mut net = Net::ring(1);
    net.run_ms(60_000);
    assert_eq!(net.view(0).members.len(), 0);
    assert_eq!(net.view(0).members.update_counter, 0);
    assert_eq!(net.nodes[&0].ring.next_wake(), Now::NEVER);
}

#[test]
fn two_members_meet_through_one_initial_peer_and_learn_their_own_addresses() {
    let mut net = Net::ring(2);
    let took_ms = net.run_until(10_000, |net| net.all_alive(2));
    assert!(took_ms <= 4_200, "{took_ms} ms");
    for number in 0..2 {
        let view = net.view(number);
        let own = &view.members.get(&id(number)).unwrap().member;
        assert_eq!(own.swim_addr(), Some(addr(number)));
        assert_eq!(view.members.update_counter, 2);
    }
    net.run_ms(600_000);
    assert_eq!(net.view(0).members.update_counter, 2, "nothing changes in a calm ring");
}

#[test]
fn a_hundred_members_that_start_at_once_all_meet() {
    let mut net = Net::ring(100);
    let took_ms = net.run_until(120_000, |net| net.all_alive(100));
    assert!(took_ms < 60_000, "{took_ms} ms");
}

#[test]
fn a_killed_member_is_suspected_then_confirmed_within_the_known_times() {
    let mut net = Net::ring(2);
    net.run_until(10_000, |net| net.all_alive(2));
    net.crash(1);
    let suspect_ms = net.run_until(20_000, |net| net.health(1, 0) == Some(Health::Suspect));
    assert!((3_100..=6_300).contains(&suspect_ms), "{suspect_ms} ms");
    let confirm_ms = net.run_until(20_000, |net| net.health(1, 0) == Some(Health::Confirmed));
    assert!((9_300..=9_900).contains(&confirm_ms), "{confirm_ms} ms");
    assert!(net.nodes[&0].events.contains(&Event::Suspected { id: id(1) }));
    net.run_until(260_000_000, |net| net.health(1, 0) == Some(Health::Departed));
    assert_eq!(net.view(0).members.update_counter, 5);
}

#[test]
fn a_member_that_comes_back_from_a_crash_is_alive_again_everywhere() {
    let mut net = Net::ring(4);
    net.run_until(20_000, |net| net.all_alive(4));
    let (incarnation, stores) = net.crash(3);
    net.run_until(60_000, |net| (0..3).all(|by| net.health(3, by) == Some(Health::Confirmed)));
    net.start_with(3, &[0], incarnation, false, Some(stores));
    net.run_until(60_000, |net| net.all_alive(4));
    assert!(net.nodes[&3].incarnation_on_disk > 0, "it refuted its death");
}

#[test]
fn a_member_behind_a_cut_link_is_kept_alive_through_others() {
    let mut net = Net::ring(4);
    net.run_until(20_000, |net| net.all_alive(4));
    net.part(&[0], &[1]);
    net.run_ms(120_000);
    assert!(net.all_alive(4));
    let helped = net.counters(0);
    assert!(helped.probes_pingreq > 0 && helped.probes_failed == 0, "{helped:?}");
}

#[test]
fn a_leaving_member_is_departed_at_once_and_comes_back_when_it_starts_again() {
    let mut net = Net::ring(3);
    net.run_until(20_000, |net| net.all_alive(3));
    net.command(2, Command::LeaveGracefully);
    let took_ms =
        net.run_until(2_000, |net| (0..2).all(|by| net.health(2, by) == Some(Health::Departed)));
    assert!(took_ms <= 5);
    assert_eq!(net.nodes[&2].incarnation_on_disk, 1);
    net.run_ms(5_000);
    assert_eq!(net.health(2, 0), Some(Health::Departed), "it continues to answer, as departed");
    let (incarnation, stores) = net.crash(2);
    assert_eq!(incarnation, 1);
    net.run_ms(60_000);
    net.start_with(2, &[0], incarnation, false, Some(stores));
    net.run_until(60_000, |net| net.all_alive(3));
    // 2 if another member reported its departure before all heard from it
    assert!((1..=2).contains(&net.view(0).members.get(&id(2)).unwrap().member.incarnation));
}

#[test]
fn a_manually_departed_member_learns_it_and_remembers_it() {
    let mut net = Net::ring(3);
    net.run_until(20_000, |net| net.all_alive(3));
    net.command(0, Command::DepartMember(id(2)));
    net.run_until(5_000, |net| net.nodes[&2].departed);
    net.run_ms(5);
    assert_eq!(net.health(2, 0), Some(Health::Departed));
    net.run_ms(2_000);
    assert_eq!(net.view(1).departures.len(), 1);
    let (incarnation, stores) = net.crash(2);
    net.start_with(2, &[], incarnation, false, Some(stores));
    assert!(net.nodes[&2].departed, "reported at once");
}

#[test]
fn partitioned_halves_meet_again_only_through_a_permanent_peer() {
    for permanent in [false, true] {
        let mut net = Net::default();
        for number in 0..4 {
            net.start_with(number, &[0], 0, permanent && number == 0, None);
        }
        net.run_until(20_000, |net| net.all_alive(4));
        net.part(&[0, 1], &[2, 3]);
        net.run_until(120_000, |net| {
            [(0, 2), (0, 3), (1, 2), (1, 3)].iter().all(|(a, b)| {
                net.health(*b, *a) == Some(Health::Confirmed)
                    && net.health(*a, *b) == Some(Health::Confirmed)
            })
        });
        // those reported as Confirmed by others are probed once more in the next pass
        net.run_ms(60_000);
        net.cut.clear();
        net.run_ms(120_000);
        assert_eq!(net.all_alive(4), permanent);
    }
}

#[test]
fn a_member_reported_as_confirmed_is_probed_first() {
    let mut net = Net::ring(3);
    net.run_until(20_000, |net| net.all_alive(3));
    let mut liar = net.view(0).members.get(&id(1)).unwrap().member.clone();
    liar.probe_ping = false;
    let rumor = roost_ring::Rumor::Member(
        id(2).to_string(),
        roost_ring::Membership { member: liar, health: Health::Confirmed },
    );
    let bytes = roost_ring::Envelope::new(None).wrap(
        rumor.encode(),
        &mut <rand_chacha::ChaCha8Rng as rand::SeedableRng>::seed_from_u64(1),
    );
    let (now, node) = (net.now, net.nodes.get_mut(&0).unwrap());
    node.ring.handle(now, Input::Gossip { bytes: &bytes }).unwrap();
    net.drain(0);
    assert_eq!(net.health(1, 0), Some(Health::Alive), "not confirmed yet");
    net.run_until(20_000, |net| net.nodes[&1].incarnation_on_disk == 1);
    net.run_until(10_000, |net| net.view(0).members.get(&id(1)).unwrap().member.incarnation == 1);
    assert_eq!(net.health(1, 0), Some(Health::Alive));
}

#[test]
fn a_probed_silent_member_is_confirmed() {
    let mut net = Net::ring(3);
    net.run_until(20_000, |net| net.all_alive(3));
    let record = net.view(0).members.get(&id(1)).unwrap().member.clone();
    net.crash(1);
    let ping = Swim {
        kind: SwimKind::Ping {
            from: net.view(0).members.get(&id(2)).unwrap().member.clone(),
            forward_to: None,
        },
        memberships: vec![roost_ring::Membership { member: record, health: Health::Confirmed }],
    };
    let bytes = plain(ping.encode());
    net.datagram(0, addr(2), &bytes);
    let took_ms = net.run_until(20_000, |net| net.health(1, 0) == Some(Health::Confirmed));
    assert!(took_ms <= 3 * 3_100 + 1_100, "{took_ms} ms");
    assert!(net.nodes[&0].events.contains(&Event::ProbePingFailed { id: id(1) }));
}

#[test]
fn nothing_is_sent_before_a_raised_incarnation_is_on_disk() {
    let me = Me { id: id(0), incarnation: 4, port: 9638, permanent: false };
    let mut ring = Ring::new(Config::default(), me, None, 1, Now(0));
    let from = stranger(1);
    let bytes =
        plain(Swim { kind: SwimKind::ProbePing { from }, memberships: Vec::new() }.encode());
    ring.handle(Now(1), Input::Datagram { from: addr(1), bytes: &bytes }).unwrap();
    let mut outputs = Vec::new();
    while let Some(output) = ring.poll() {
        outputs.push(output);
    }
    assert!(outputs.contains(&Output::PersistIncarnation(5)));
    assert!(!outputs.iter().any(|output| matches!(output, Output::Send { .. })), "{outputs:?}");
    ring.handle(Now(2), Input::IncarnationStored(5)).unwrap();
    let Some(Output::Send { to, bytes }) = ring.poll() else { panic!("the answer is due") };
    assert_eq!(to, addr(1));
    let answer = roost_ring::Envelope::new(None).unwrap(&bytes).unwrap();
    let answer = Swim::decode(answer).unwrap();
    assert_eq!(answer.kind.from().incarnation, 5);
}

#[test]
fn a_member_that_was_stopped_does_not_blame_the_others() {
    let mut net = Net::ring(3);
    net.run_until(20_000, |net| net.all_alive(3));
    // its timers fire two minutes late
    let planned = net.nodes[&0].ring.next_wake();
    let node = net.nodes.get_mut(&0).unwrap();
    node.ring.wake(Now(planned.0 + 120_000_000));
    assert_eq!(node.ring.tally().1.alive, 3);
    assert_eq!(node.ring.awareness(), 1);
}

#[test]
fn news_after_a_long_calm_is_not_lag() {
    let mut net = Net::default();
    net.now = Now(3_600_000_000);
    for number in 0..3 {
        net.start(number, &[0]);
    }
    net.run_until(20_000, |net| net.all_alive(3));
    net.run_ms(600_000);
    net.crash(2);
    net.run_ms(60_000);
    for node in net.nodes.values() {
        let lagged = node.events.iter().any(|event| matches!(event, Event::Lagged { .. }));
        assert!(!lagged, "{:?}", node.events);
    }
}

#[test]
fn members_with_and_without_the_ring_key_never_meet() {
    let mut net = Net::default();
    net.key = Some(ring_key());
    net.start(0, &[]);
    net.start(1, &[0]);
    net.key = None;
    net.start(2, &[0]);
    net.run_ms(30_000);
    assert_eq!(net.nodes[&0].ring.tally().0, 2);
    assert_eq!(net.nodes[&2].ring.tally().0, 0);
    assert!(net.counters(0).dropped["missing-nonce"] > 0);
}

#[test]
fn a_member_that_raised_its_incarnation_while_it_was_probed_is_not_suspected() {
    let mut net = Net::ring(3);
    net.run_until(60_000, |net| net.all_alive(3));
    net.run_ms(10_000);
    net.part(&[0, 1], &[2]);
    let probes = |net: &Net| net.counters(0).probes_pingreq;
    let before = probes(&net);
    net.run_until(60_000, |net| probes(net) > before);
    // 0 waits for an answer through 1; news that 2 is alive arrives another way
    let mut record = net.view(0).members.get(&id(2)).unwrap().member.clone();
    record.incarnation += 1;
    let news = Rumor::Member("x".into(), Membership { member: record, health: Health::Alive });
    let bytes = plain(news.encode());
    net.nodes.get_mut(&0).unwrap().ring.handle(net.now, Input::Gossip { bytes: &bytes }).unwrap();
    let failed = net.counters(0).probes_failed;
    net.run_until(5_000, |net| net.counters(0).probes_failed > failed);
    assert_eq!(net.health(2, 0), Some(Health::Alive));
}

#[test]
fn a_departure_that_all_repeat_is_sent_once() {
    let mut net = Net::ring(6);
    net.run_until(60_000, |net| net.all_alive(6));
    net.crash(5);
    net.run_until(60_000, |net| (0..5).all(|n| net.health(5, n) == Some(Health::Confirmed)));
    net.run_ms(30_000);
    let sent = |net: &Net| -> u64 {
        let of = |n: &usize| net.counters(*n).gossip_sent[&RumorKind::Member].messages;
        (0..5).map(|n| of(&n)).sum()
    };
    let before = sent(&net);
    net.command(0, Command::DepartMember(id(5)));
    net.run_ms(60_000);
    assert!((0..5).all(|n| net.health(5, n) == Some(Health::Departed)));
    // five members send to four others, at most twice
    assert!(sent(&net) - before <= 5 * 4 * 2, "{}", sent(&net) - before);
}

#[test]
fn a_member_that_knows_only_dead_ones_asks_its_initial_peers_again() {
    let mut net = Net::ring(1);
    net.start(1, &[0, 3]);
    net.run_until(60_000, |net| net.all_alive(2));
    net.crash(0);
    net.run_until(60_000, |net| net.health(0, 1) == Some(Health::Confirmed));
    net.start(3, &[]);
    net.run_until(10_000, |net| net.health(3, 1) == Some(Health::Alive));
    net.run_until(10_000, |net| net.health(1, 3) == Some(Health::Alive));
}

#[test]
fn a_member_refutes_a_wrong_address() {
    let mut net = Net::ring(5);
    net.run_until(60_000, |net| net.all_alive(5));
    // a member reports to all, including this one, that it has moved to another's address
    let address = "10.9.9.9".parse().ok();
    let moved = Member { incarnation: 7, address, ..stranger(1) };
    for number in 0..5 {
        let membership = Membership { member: moved.clone(), health: Health::Alive };
        let rumor = Rumor::Member("liar".into(), membership);
        let bytes = plain(rumor.encode());
        let node = net.nodes.get_mut(&number).unwrap();
        node.ring.handle(net.now, Input::Gossip { bytes: &bytes }).unwrap();
        net.drain(number);
    }
    net.run_ms(60_000);
    assert!(net.all_alive(5));
    for number in 0..5 {
        let members = net.view(number).members;
        let known = &members.get(&id(1)).unwrap().member;
        assert_eq!((known.swim_addr(), known.incarnation), (Some(addr(1)), 8), "{number}");
    }
}
