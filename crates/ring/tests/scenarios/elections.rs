//! Elections: quorum, votes, restarts. Facts (reference: ring §10) and the recorded scenarios.

use roost_ring::{Command, Election, Health, Input, Rumor, Status};

use crate::net::{Net, id, plain, service};

const GROUP: &str = "redis.default";

fn join_group(net: &mut Net, number: usize) {
    net.command(number, Command::PublishService(service(GROUP)));
    net.command(number, Command::StartElection { group: GROUP.into(), suitability: 0 });
}

fn stored(net: &mut Net, seen_by: usize) -> (usize, u64, u64, Status, usize) {
    let elections = net.view(seen_by).elections;
    let election = elections.get(GROUP, "election").unwrap();
    let leader = (0..10).find(|number| id(*number) == election.member_id).unwrap();
    (leader, election.term, election.suitability, election.status, election.votes.len())
}

fn same_leader_everywhere(net: &mut Net) -> bool {
    let members: Vec<usize> = net.nodes.keys().copied().collect();
    let leaders: Vec<_> = members.iter().map(|number| net.leader(GROUP, *number)).collect();
    leaders[0].is_some() && leaders.windows(2).all(|pair| pair[0] == pair[1])
}

/// Three members, all in the group, with a leader.
fn elected() -> Net {
    let mut net = Net::ring(3);
    net.run_until(20_000, |net| net.all_alive(3));
    for number in 0..3 {
        net.nodes.get_mut(&number).unwrap().suitability = [7, 6, 5][number];
        join_group(&mut net, number);
    }
    net.run_until(20_000, same_leader_everywhere);
    net
}

#[test]
fn a_lone_member_never_has_quorum() {
    let mut net = Net::ring(1);
    join_group(&mut net, 0);
    net.run_ms(60_000);
    assert_eq!(stored(&mut net, 0), (0, 0, 0, Status::NoQuorum, 1));
    assert_eq!(net.view(0).elections.update_counter, 1);
}

#[test]
fn a_single_participant_elects_itself_as_soon_as_others_echo() {
    let mut net = Net::ring(3);
    net.run_until(20_000, |net| net.all_alive(3));
    join_group(&mut net, 0);
    net.run_until(10_000, same_leader_everywhere);
    net.run_ms(10_000);
    let view = net.view(0);
    // as in the recorded scenario: running, then finished
    assert_eq!(view.elections.update_counter, 2);
    assert_eq!((view.services.update_counter, view.members.update_counter), (1, 3));
    for number in 0..3 {
        assert_eq!(stored(&mut net, number), (0, 0, 0, Status::Finished, 1));
    }
}

#[test]
fn a_waiting_candidate_is_elected_when_its_ring_comes() {
    let mut net = Net::ring(1);
    join_group(&mut net, 0);
    net.run_ms(60_000);
    net.start(1, &[0]);
    net.run_until(20_000, |net| net.leader(GROUP, 1) == Some(id(0)));
}

#[test]
fn among_equals_the_highest_id_wins_and_all_agree() {
    let mut net = Net::ring(3);
    net.run_until(20_000, |net| net.all_alive(3));
    for number in 0..3 {
        join_group(&mut net, number);
    }
    net.run_until(20_000, same_leader_everywhere);
    assert_eq!(stored(&mut net, 0), (2, 0, 0, Status::Finished, 3));
}

#[test]
fn a_dead_leader_is_replaced_by_the_most_suitable() {
    let mut net = elected();
    net.crash(2);
    let took_ms = net.run_until(60_000, |net| same_leader_everywhere(net) && stored(net, 0).1 == 1);
    assert!(took_ms < 30_000, "{took_ms} ms");
    assert_eq!(stored(&mut net, 1), (0, 1, 7, Status::Finished, 2));
    assert_eq!(net.nodes[&0].asked, [(GROUP.to_owned(), 1)]);
}

#[test]
fn an_election_whose_candidate_dies_is_restarted() {
    let mut net = Net::ring(5);
    net.run_until(20_000, |net| net.all_alive(5));
    for number in 0..5 {
        net.nodes.get_mut(&number).unwrap().suitability = number as u64;
        join_group(&mut net, number);
    }
    net.run_until(20_000, same_leader_everywhere);
    let leave = |net: &mut Net, number| {
        net.command(number, Command::LeaveGracefully);
        net.crash(number);
    };
    leave(&mut net, 4);
    net.run_until(20_000, |net| {
        let (candidate, term, _, status, _) = stored(net, 0);
        (candidate, term, status) == (3, 1, Status::Running)
    });
    leave(&mut net, 3);
    net.run_until(60_000, |net| same_leader_everywhere(net) && stored(net, 0).1 == 2);
    assert_eq!(stored(&mut net, 0).0, 2);
}

#[test]
fn a_leaving_leader_is_replaced_without_the_wait_for_its_death() {
    let mut net = elected();
    net.command(2, Command::LeaveGracefully);
    net.crash(2);
    let took_ms = net.run_until(20_000, |net| same_leader_everywhere(net) && stored(net, 0).1 == 1);
    assert!(took_ms <= 5_000, "{took_ms} ms");
}

#[test]
fn a_former_leader_that_comes_back_yields() {
    let mut net = elected();
    let (incarnation, stores) = net.crash(2);
    net.run_until(60_000, |net| same_leader_everywhere(net) && stored(net, 0).1 == 1);
    net.start_with(2, &[0], incarnation, false, Some(stores));
    net.run_until(60_000, |net| net.all_alive(3) && same_leader_everywhere(net));
    net.run_ms(30_000);
    assert!(same_leader_everywhere(&mut net));
    assert_eq!(net.leader(GROUP, 2), Some(id(0)));
}

#[test]
fn a_leader_without_quorum_leads_again_when_the_others_return() {
    let mut net = elected();
    let gone: Vec<_> = [0, 1].map(|number| net.crash(number)).into();
    net.run_until(60_000, |net| stored(net, 2).3 == Status::NoQuorum);
    assert_eq!(stored(&mut net, 2), (2, 1, u64::MAX, Status::NoQuorum, 1));
    // long enough for the rumor to cool
    net.run_ms(120_000);
    for (number, (incarnation, stores)) in gone.into_iter().enumerate() {
        net.start_with(number, &[2], incarnation, false, Some(stores));
    }
    net.run_until(60_000, same_leader_everywhere);
    assert_eq!(net.leader(GROUP, 0), Some(id(2)));
}

#[test]
fn two_halves_have_no_leader_until_they_meet() {
    let mut net = Net::default();
    for number in 0..4 {
        net.start_with(number, &[0], 0, number == 0, None);
    }
    net.run_until(20_000, |net| net.all_alive(4));
    for number in 0..4 {
        join_group(&mut net, number);
    }
    net.run_until(20_000, same_leader_everywhere);
    net.part(&[0, 1], &[2, 3]);
    net.run_ms(60_000);
    for number in 0..4 {
        assert_eq!(stored(&mut net, number).3, Status::NoQuorum, "{number}");
    }
    net.cut.clear();
    net.run_until(120_000, |net| net.all_alive(4) && same_leader_everywhere(net));
}

#[test]
fn a_leader_elected_behind_a_cut_stays_leader_when_it_is_healed() {
    let mut net = Net::default();
    for number in 0..5 {
        net.start_with(number, &[0], 0, number == 0, None);
    }
    net.run_until(20_000, |net| net.all_alive(5));
    for number in 0..5 {
        join_group(&mut net, number);
    }
    net.run_until(20_000, same_leader_everywhere);
    assert_eq!(net.leader(GROUP, 0), Some(id(4)));
    net.part(&[0, 1, 2], &[3, 4]);
    net.run_ms(120_000);
    assert_eq!(stored(&mut net, 4).3, Status::NoQuorum);
    let (leader, term, ..) = stored(&mut net, 0);
    net.cut.clear();
    net.run_until(120_000, |net| net.all_alive(5) && same_leader_everywhere(net));
    net.run_ms(30_000);
    assert_eq!((stored(&mut net, 4).0, stored(&mut net, 4).1), (leader, term));
}

#[test]
fn a_triggered_election_restarts() {
    let mut net = elected();
    net.command(2, Command::TriggerElection { group: GROUP.into() });
    net.run_until(20_000, |net| same_leader_everywhere(net) && stored(net, 0).1 == 1);
    assert_eq!(stored(&mut net, 1).0, 2, "the former leader is the most suitable");
}

#[test]
fn an_election_that_a_follower_starts_is_joined_in_the_end() {
    let mut net = elected();
    net.command(1, Command::TriggerElection { group: GROUP.into() });
    net.run_ms(10_000);
    assert_eq!(net.leader(GROUP, 0), Some(id(2)), "the others do not follow at once");
    net.run_until(60_000, |net| same_leader_everywhere(net) && stored(net, 0).1 == 1);
}

#[test]
fn a_running_election_of_a_later_term_is_joined_by_members_that_do_not_lead() {
    let mut net = elected();
    let mut later = net.nodes[&1].ring.election(GROUP).cloned().unwrap();
    assert_eq!(later.member_id, id(2));
    (later.term, later.member_id, later.votes) = (3, id(0), vec![id(0)]);
    later.status = Status::Running;
    let bytes = crate::net::plain(roost_ring::Rumor::Election(later).encode());
    for heard in 1..=3 {
        assert_eq!(stored(&mut net, 1).1, 0, "not before it was received {heard} times");
        let node = net.nodes.get_mut(&1).unwrap();
        let _ = node.ring.handle(net.now, roost_ring::Input::Gossip { bytes: &bytes });
        net.drain(1);
        net.run_ms(8_000);
    }
    assert_eq!(stored(&mut net, 1).1, 3);
    net.run_until(60_000, same_leader_everywhere);
}

#[test]
fn a_member_that_was_away_learns_the_result() {
    let mut net = elected();
    // it sees nothing of the election, and the old leader is back before it notices
    let leader_again = net.nodes[&0].ring.election(GROUP).cloned().unwrap();
    assert_eq!(leader_again.member_id, id(2));
    let mut later = leader_again;
    (later.term, later.member_id, later.votes) = (3, id(1), vec![id(1), id(0), id(2)]);
    let bytes = crate::net::plain(roost_ring::Rumor::Election(later).encode());
    let (now, node) = (net.now, net.nodes.get_mut(&0).unwrap());
    node.ring.handle(now, roost_ring::Input::Gossip { bytes: &bytes }).unwrap();
    assert_eq!(net.leader(GROUP, 0), Some(id(1)));
}

#[test]
fn an_update_election_has_its_own_store_and_no_hook() {
    let mut net = Net::ring(3);
    net.run_until(20_000, |net| net.all_alive(3));
    for number in 0..3 {
        net.command(number, Command::PublishService(service(GROUP)));
        let suitability = if number == 0 { u64::MAX } else { 0 };
        net.command(number, Command::StartUpdateElection { group: GROUP.into(), suitability });
    }
    net.run_until(20_000, |net| {
        (0..3).all(|number| {
            let view = net.view(number);
            let election = view.update_elections.get(GROUP, "election");
            election.is_some_and(|election| {
                election.status == Status::Finished && election.member_id == id(0)
            })
        })
    });
    assert!(net.nodes.values().all(|node| node.asked.is_empty()));
    assert_eq!(net.view(0).elections.len(), 0);
    net.crash(0);
    net.run_until(60_000, |net| {
        let view = net.view(1);
        let election = view.update_elections.get(GROUP, "election").unwrap();
        (election.term, election.status) == (1, Status::Finished)
    });
}

#[test]
fn a_candidacy_needs_a_service() {
    let mut net = Net::ring(1);
    let (now, node) = (net.now, net.nodes.get_mut(&0).unwrap());
    let start = Command::StartElection { group: GROUP.into(), suitability: 0 };
    let error = node.ring.handle(now, roost_ring::Input::Command(start)).unwrap_err();
    assert_eq!(error.reason(), "no-own-service");
    assert_eq!(net.view(0).elections.len(), 0);
}

#[test]
fn a_dead_member_counts_for_quorum_until_it_is_departed() {
    let mut net = elected();
    net.crash(2);
    net.run_until(60_000, |net| same_leader_everywhere(net) && stored(net, 0).1 == 1);
    net.crash(1);
    net.run_until(60_000, |net| stored(net, 0).3 == Status::NoQuorum);
    net.run_until(60_000, |net| net.health(1, 0) == Some(Health::Confirmed));
    assert_eq!(stored(&mut net, 0).3, Status::NoQuorum);
    net.command(0, Command::DepartMember(id(1)));
    net.command(0, Command::DepartMember(id(2)));
    // quorum of one, but no other member can echo: the election stays open
    net.run_ms(5_000);
    assert_ne!(stored(&mut net, 0).3, Status::Finished);
}

#[test]
fn an_election_is_sent_after_the_service_of_its_candidate() {
    let mut net = Net::ring(2);
    net.run_until(20_000, |net| net.all_alive(2));
    net.run_ms(10_000);
    // 0 receives the leader of a group before the leader's service in it
    let election = Election {
        member_id: id(1),
        group: GROUP.into(),
        term: 1,
        suitability: 0,
        status: Status::Finished,
        votes: vec![id(1)],
    };
    let bytes = plain(Rumor::Election(election).encode());
    let pushed = net.counters(0).gossip_sent.clone();
    net.nodes.get_mut(&0).unwrap().ring.handle(net.now, Input::Gossip { bytes: &bytes }).unwrap();
    net.run_ms(20_000);
    assert_eq!(net.leader(GROUP, 0), Some(id(1)));
    assert_eq!(net.counters(0).gossip_sent, pushed, "a real Supervisor would end");
    net.start(2, &[0]);
    net.run_until(20_000, |net| net.all_alive(3));
    net.run_ms(10_000);
    assert_eq!(net.leader(GROUP, 2), None);
    net.command(1, Command::PublishService(service(GROUP)));
    net.run_until(20_000, |net| net.leader(GROUP, 2) == Some(id(1)));
}
