//! What members record of their ring.

use roost_events::{Cause, Kind, Report, Reports, Severity};
use roost_ring::{Command, Health, Input, Member, Membership, Rumor};

use crate::net::{Net, addr, id, plain, service, stranger};

const GROUP: &str = "redis.default";

/// The events of a member since the last call.
fn recorded(net: &mut Net, of: usize) -> Vec<Report> {
    std::mem::take(&mut net.nodes.get_mut(&of).unwrap().record)
}

/// Types of events, and the members that they are about.
fn about(record: &[Report]) -> Vec<(&'static str, String)> {
    let member = |report: &Report| report.fact.data["member"].as_str().unwrap().to_owned();
    record.iter().map(|report| (report.fact.kind.as_str(), member(report))).collect()
}

/// Three members that have recorded that they know each other.
fn three() -> Net {
    let mut net = Net::ring(3);
    net.run_until(20_000, |net| net.all_alive(3));
    let joined = recorded(&mut net, 0);
    let mut others = about(&joined);
    others.sort();
    let joined = |number: usize| ("member.joined", id(number).to_string());
    assert_eq!(others, [joined(1), joined(2)], "nothing about itself");
    net
}

#[test]
fn a_member_that_dies_and_comes_back_is_recorded_with_causes() {
    let mut net = three();
    let (incarnation, stores) = net.crash(2);
    net.run_until(60_000, |net| net.health(2, 0) == Some(Health::Confirmed));
    let died = recorded(&mut net, 0);
    let two = id(2).to_string();
    assert_eq!(about(&died), [("member.suspect", two.clone()), ("member.confirmed", two.clone())]);
    let [suspect, confirmed] = died.try_into().unwrap();
    assert_eq!(suspect.cause, Cause::Unknown);
    assert_eq!(confirmed.cause, Cause::Report(suspect.id));
    assert_eq!(confirmed.fact.severity, Severity::Error);
    let change = |report: &Report| (report.fact.before.clone(), report.fact.after.clone());
    assert_eq!(change(&suspect), (Some("alive".into()), Some("suspect".into())));
    assert_eq!(change(&confirmed), (Some("suspect".into()), Some("confirmed".into())));
    let address = addr(2).to_string();
    assert_eq!(
        confirmed.fact.message,
        format!("Member {two} ({address}) counts as dead: it did not answer in time")
    );
    assert_eq!(confirmed.fact.data["address"], address);

    net.start_with(2, &[0], incarnation, false, Some(stores));
    net.run_until(60_000, |net| net.all_alive(3));
    let back = recorded(&mut net, 0);
    assert_eq!(about(&back), [("member.alive", two)]);
    assert_eq!(back[0].cause, Cause::Report(confirmed.id));
    assert_eq!(recorded(&mut net, 2), [], "what its data file held is not new");
    net.run_ms(600_000);
    assert_eq!(recorded(&mut net, 0), [], "a calm ring records nothing");
}

#[test]
fn a_departure_by_hand_follows_from_the_request_for_it() {
    let mut net = three();
    let mut requests = Reports::of_part(7);
    let request = Cause::Report(requests.name());
    let input = Input::Command(Command::DepartMember(id(2)));
    let now = net.now;
    net.nodes.get_mut(&0).unwrap().ring.handle_because(now, request, input).unwrap();
    net.drain(0);
    let departed = recorded(&mut net, 0);
    assert_eq!(about(&departed), [("member.departed", id(2).to_string())]);
    assert_eq!(departed[0].cause, request);
    assert_eq!(departed[0].fact.data["source"], "command");
    net.run_until(20_000, |net| net.health(2, 1) == Some(Health::Departed));
    let elsewhere = recorded(&mut net, 1);
    let last = elsewhere.last().unwrap();
    assert_eq!((last.fact.kind, last.cause), (Kind::MemberDeparted, Cause::Unknown));
}

#[test]
fn a_member_that_moves_is_recorded_with_both_addresses() {
    let mut net = three();
    let moved = Member { incarnation: 9, address: None, ..stranger(2) };
    let moved = Member { address: Some([10, 9, 9, 9].into()), ..moved };
    let news = Membership { member: moved, health: Health::Alive };
    let bytes = plain(Rumor::Member(id(2).to_string(), news).encode());
    let now = net.now;
    net.nodes.get_mut(&0).unwrap().ring.handle(now, Input::Gossip { bytes: &bytes }).unwrap();
    net.drain(0);
    let [report] = recorded(&mut net, 0).try_into().unwrap();
    assert_eq!(report.fact.kind, Kind::MemberAddressChanged);
    assert_eq!(report.fact.before, Some(addr(2).to_string()));
    assert_eq!(report.fact.after.as_deref(), Some("10.9.9.9:9638"));
}

/// Members that do not exist, with this health, in the view of member 0.
fn invent(net: &mut Net, members: std::ops::Range<usize>, incarnation: u64, health: Health) {
    let now = net.now;
    for number in members {
        let member =
            Member { incarnation, address: Some([10, 1, 1, 1].into()), ..stranger(number) };
        let rumor = Rumor::Member(id(number).to_string(), Membership { member, health });
        let bytes = plain(rumor.encode());
        let ring = &mut net.nodes.get_mut(&0).unwrap().ring;
        ring.handle(now, Input::Gossip { bytes: &bytes }).unwrap();
    }
    net.drain(0);
}

#[test]
fn ten_thousand_members_that_fall_apart_are_counted_and_own_groups_are_still_named() {
    let mut net = Net::ring(3);
    net.run_until(20_000, |net| net.all_alive(3));
    for number in [0, 2] {
        net.command(number, Command::PublishService(service(GROUP)));
    }
    net.run_ms(10_000);
    for number in [1, 2] {
        net.crash(number);
    }
    invent(&mut net, 1_000..11_000, 0, Health::Alive);
    invent(&mut net, 1_000..11_000, 1, Health::Suspect);
    net.run_ms(120_000);
    let record = recorded(&mut net, 0);
    assert!(record.len() < 600, "{}", record.len());
    let count = |kind: Kind| -> u64 {
        let of_kind = record.iter().filter(|report| report.fact.kind == kind);
        of_kind
            .map(|report| report.fact.data.get("count").map_or(1, |it| it.as_u64().unwrap()))
            .sum()
    };
    assert_eq!(count(Kind::MemberJoined), 10_002);
    assert_eq!(count(Kind::MemberSuspect), 10_002);
    assert_eq!(count(Kind::MemberConfirmed), 10_002);
    let two = id(2).to_string();
    let of_two = |kind: Kind| {
        record.iter().find(|it| {
            it.fact.kind == kind && it.fact.data.get("member").is_some_and(|id| *id == two)
        })
    };
    let dead = of_two(Kind::MemberConfirmed).expect("a member of an own group");
    assert_eq!(dead.cause, Cause::Report(of_two(Kind::MemberSuspect).unwrap().id));
    assert_eq!(dead.fact.data["hostname"], "h");
    let folded = record.iter().find(|report| report.fact.data.contains_key("count")).unwrap();
    assert_eq!(folded.fact.data["examples"].as_array().unwrap().len(), 16);
    assert!(folded.fact.message.contains("more times within 60 s: "), "{}", folded.fact.message);
}

/// Three members with a service in one group, which have elected a leader; and its number.
fn elected() -> (Net, usize) {
    let mut net = Net::ring(3);
    net.run_until(20_000, |net| net.all_alive(3));
    for number in 0..3 {
        net.command(number, Command::PublishService(service(GROUP)));
        net.command(number, Command::StartElection { group: GROUP.into(), suitability: 0 });
    }
    let leads = |net: &mut Net, number: usize| {
        (0..3).all(|seen_by| net.leader(GROUP, seen_by) == Some(id(number)))
    };
    net.run_until(20_000, |net| (0..3).any(|number| leads(net, number)));
    let leader = (0..3).find(|number| leads(&mut net, *number)).unwrap();
    net.run_ms(20_000);
    (net, leader)
}

/// The events about elections and leaders.
fn of_elections(record: &[Report]) -> Vec<&Report> {
    let is_one = |report: &&Report| report.fact.service.is_some();
    record.iter().filter(is_one).collect()
}

fn types(record: &[&Report]) -> Vec<&'static str> {
    record.iter().map(|report| report.fact.kind.as_str()).collect()
}

#[test]
fn a_leader_that_dies_is_the_cause_of_an_election_and_of_another_leader() {
    let (mut net, leader) = elected();
    for number in 0..3 {
        let record = recorded(&mut net, number);
        let record = of_elections(&record);
        let last = record.last().unwrap();
        assert_eq!(last.fact.kind, Kind::LeaderChanged, "{:?}", types(&record));
        assert_eq!(last.fact.before, None);
        assert_eq!(last.fact.after, Some(id(leader).to_string()));
    }

    net.crash(leader);
    let others: Vec<usize> = (0..3).filter(|number| *number != leader).collect();
    net.run_until(60_000, |net| {
        others.iter().all(|by| net.leader(GROUP, *by).is_some_and(|it| it != id(leader)))
    });
    for number in others {
        let record = recorded(&mut net, number);
        let confirmed =
            record.iter().find(|report| report.fact.kind == Kind::MemberConfirmed).unwrap();
        let record = of_elections(&record);
        assert_eq!(
            types(&record),
            ["election.started", "election.finished", "leader.changed"],
            "{record:#?}"
        );
        let [started, finished, changed] = record.try_into().unwrap();
        assert_eq!(started.cause, Cause::Report(confirmed.id), "{started:#?}");
        assert_eq!(finished.cause, Cause::Report(started.id));
        assert_eq!(changed.cause, Cause::Report(finished.id));
        assert_eq!(changed.fact.before, Some(id(leader).to_string()));
        assert_eq!(finished.fact.data["term"], 1);
    }
    net.run_ms(600_000);
    assert_eq!(recorded(&mut net, (leader + 1) % 3), [], "a calm group records nothing");
}

#[test]
fn a_group_without_quorum_is_recorded_once_with_what_it_needs() {
    let (mut net, leader) = elected();
    let dead: Vec<usize> = (0..3).filter(|number| *number != leader).collect();
    recorded(&mut net, leader);
    for number in &dead {
        net.crash(*number);
    }
    net.run_ms(300_000);
    let record = recorded(&mut net, leader);
    let is_member = |report: &&Report| report.fact.kind == Kind::MemberSuspect;
    let suspects: Vec<Cause> =
        record.iter().filter(is_member).map(|report| Cause::Report(report.id)).collect();
    let record = of_elections(&record);
    assert_eq!(types(&record), ["election.started", "election.no_quorum"]);
    let [started, lost] = record.try_into().unwrap();
    assert_eq!(started.fact.data["reason"], "quorum_lost");
    assert_eq!(started.cause, *suspects.last().unwrap(), "the one that broke it");
    assert_eq!(lost.cause, Cause::Report(started.id));
    assert_eq!(lost.fact.severity, Severity::Error);
    let numbers = ["alive", "population", "needed"].map(|key| lost.fact.data[key].clone());
    assert_eq!(numbers, [1, 3, 2].map(serde_json::Value::from));
}

#[test]
fn leaders_that_contradict_each_other_are_recorded_once() {
    let (mut net, leader) = elected();
    let seen_by = (leader + 1) % 3;
    let other = (leader + 2) % 3;
    recorded(&mut net, seen_by);
    let elections = net.view(seen_by).elections;
    let stored = (**elections.get(GROUP, "election").unwrap()).clone();
    for member_id in [id(other), id(leader), id(other), id(leader)] {
        let votes = vec![member_id.clone()];
        let election = roost_ring::Election { member_id, votes, ..stored.clone() };
        let bytes = plain(Rumor::Election(election).encode());
        let now = net.now;
        let ring = &mut net.nodes.get_mut(&seen_by).unwrap().ring;
        ring.handle(now, Input::Gossip { bytes: &bytes }).unwrap();
        net.drain(seen_by);
    }
    let record = recorded(&mut net, seen_by);
    assert_eq!(types(&of_elections(&record)), ["leader.conflict"]);
    let mut leaders: Vec<String> =
        serde_json::from_value(record[0].fact.data["leaders"].clone()).unwrap();
    leaders.sort();
    let mut expected = [id(leader).to_string(), id(other).to_string()];
    expected.sort();
    assert_eq!(leaders, expected);
}

#[test]
fn a_member_that_starts_again_records_no_election_that_it_knows() {
    let (mut net, leader) = elected();
    let back = (leader + 1) % 3;
    let (incarnation, stores) = net.crash(back);
    net.start_with(back, &[leader], incarnation, false, Some(stores));
    net.command(back, Command::PublishService(service(GROUP)));
    net.command(back, Command::StartElection { group: GROUP.into(), suitability: 0 });
    net.run_ms(60_000);
    let record = recorded(&mut net, back);
    assert_eq!(types(&of_elections(&record)), [""; 0]);
}

#[test]
fn a_member_that_comes_later_records_the_leader_and_no_election() {
    let (mut net, leader) = elected();
    net.start(3, &[0]);
    net.run_until(20_000, |net| net.all_alive(4));
    net.run_ms(10_000);
    net.command(3, Command::PublishService(service(GROUP)));
    net.command(3, Command::StartElection { group: GROUP.into(), suitability: 0 });
    net.run_ms(60_000);
    let record = recorded(&mut net, 3);
    let record = of_elections(&record);
    assert_eq!(types(&record), ["leader.changed"]);
    assert_eq!(record[0].fact.after, Some(id(leader).to_string()));
}
