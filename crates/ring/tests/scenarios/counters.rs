//! Counters of members: traffic on the wire, and results of suspicions.

use std::collections::BTreeMap;

use roost_ring::{Command, Health, Input, Output, RumorKind, Suspicions, SwimType, Tally};

use crate::net::{Net, addr, plain, ring_key, service};

fn bytes<'a>(tallies: impl IntoIterator<Item = &'a Tally>) -> usize {
    tallies.into_iter().map(|tally| usize::try_from(tally.bytes).unwrap()).sum()
}

#[test]
fn bytes_are_counted_as_they_travel_encrypted_and_in_both_directions() {
    let mut net = Net::default();
    net.key = Some(ring_key());
    net.start(0, &[]);
    net.start(1, &[0]);
    net.run_until(20_000, |net| net.all_alive(2));
    net.command(0, Command::PublishService(service("web.default")));
    net.run_ms(20_000);
    for number in [0, 1] {
        let (node, counters) = (&net.nodes[&number], net.counters(number));
        assert_eq!(bytes(counters.swim_sent.values()), node.sent_bytes.0);
        assert_eq!(bytes(counters.gossip_sent.values()), node.sent_bytes.1);
        assert_eq!(bytes(counters.swim_received.values()), node.received_bytes.0);
        assert_eq!(bytes(counters.gossip_received.values()), node.received_bytes.1);
    }
    let (sent, received) = (&net.counters(0).gossip_sent, &net.counters(1).gossip_received);
    let service = RumorKind::Service;
    assert_eq!(sent[&service].bytes, received[&service].bytes);
    assert_eq!(sent[&service].last_bytes, received[&service].last_bytes + 47, "its envelope");
}

#[test]
fn unusable_messages_count_with_all_their_bytes() {
    let mut net = Net::ring(1);
    let node = &mut net.nodes.get_mut(&0).unwrap().ring;
    let garbage = plain(vec![8, 1, 99]);
    for _ in 0..3 {
        let from = addr(1);
        assert!(node.handle(net.now, Input::Datagram { from, bytes: &garbage }).is_err());
        assert!(node.handle(net.now, Input::Gossip { bytes: &garbage }).is_err());
        assert!(node.handle(net.now, Input::Gossip { bytes: &[0xff] }).is_err());
    }
    let counters = net.counters(0);
    let whole = Tally { messages: 3, bytes: 15, last_bytes: 3 };
    assert_eq!((counters.swim_undecodable, counters.gossip_undecodable), (whole, whole));
    assert_eq!(counters.gossip_unwrap_failed, Tally { messages: 3, bytes: 3, last_bytes: 1 });
}

#[test]
fn an_interrupted_push_counts_the_sent_messages() {
    let mut net = Net::ring(2);
    net.run_until(20_000, |net| net.all_alive(2));
    net.run_ms(20_000);
    net.part(&[0], &[1]);
    let before = net.counters(0).gossip_sent.clone();
    net.command(0, Command::PublishService(service("web.default")));
    net.run_ms(2_500);
    assert_eq!(net.counters(0).gossip_sent, before, "nothing went out");
    let node = net.nodes.get_mut(&0).unwrap();
    for second in 1..=2 {
        node.ring.handle(net.now, Input::Command(publish(second))).unwrap();
    }
    let (now, push, messages) = loop {
        let now = node.ring.next_wake();
        node.ring.wake(now);
        let push = std::iter::from_fn(|| node.ring.poll()).find_map(|output| match output {
            Output::Push { push, messages, .. } => Some((now, push, messages)),
            _ => None,
        });
        if let Some(push) = push {
            break push;
        }
    };
    assert_eq!(messages.len(), 3);
    node.ring.handle(now, Input::PushResult { push, sent: 2 }).unwrap();
    let messages =
        |sent: &BTreeMap<RumorKind, Tally>| sent.values().map(|tally| tally.messages).sum::<u64>();
    assert_eq!(messages(&node.ring.counters().gossip_sent), messages(&before) + 2);
}

fn publish(number: usize) -> Command {
    Command::PublishService(service(&format!("web{number}.default")))
}

#[test]
fn a_death_is_a_suspicion_that_was_confirmed() {
    let mut net = Net::ring(3);
    net.run_until(60_000, |net| net.all_alive(3));
    net.run_ms(10_000);
    net.crash(2);
    net.run_until(60_000, |net| {
        [0, 1].iter().all(|number| net.health(2, *number) == Some(Health::Confirmed))
    });
    for number in [0, 1] {
        let suspicions = Suspicions { raised: 1, refuted: 0, confirmed: 1 };
        assert_eq!(net.counters(number).suspicions, suspicions, "member {number}");
        assert!(net.counters(number).refutations.is_empty());
    }
}

#[test]
fn a_refuted_suspicion_is_counted_by_both_sides() {
    let mut net = Net::ring(3);
    net.run_until(60_000, |net| net.all_alive(3));
    net.run_ms(10_000);
    net.part(&[0, 1], &[2]);
    net.run_until(60_000, |net| {
        [0, 1].iter().all(|number| net.health(2, *number) == Some(Health::Suspect))
    });
    net.cut.clear();
    net.run_until(20_000, |net| net.all_alive(3) && !net.counters(2).refutations.is_empty());
    for number in [0, 1] {
        let Suspicions { raised, refuted, confirmed } = net.counters(number).suspicions;
        assert!(raised == refuted && raised >= 1 && confirmed == 0, "member {number}");
    }
    let refutations = &net.counters(2).refutations;
    assert_eq!(refutations.keys().collect::<Vec<_>>(), [&Health::Suspect]);
    assert!(net.counters(2).swim_received[&SwimType::Ping].messages > 0);
}
