//! Rumors: their spread, their number of sends, counters of the stores.

use std::collections::BTreeMap;

use roost_ring::{
    Command, Config, Envelope, Health, Input, Me, Member, Membership, Now, Output, Ring, Rumor,
    Status, Stores, datafile,
};

use crate::net::{Net, id, service};

fn config_for(group: &str, incarnation: u64) -> Command {
    Command::SetServiceConfig {
        group: group.into(),
        incarnation,
        encrypted: false,
        config: "port = 7000\n".into(),
    }
}

#[test]
fn a_lone_member_counts_like_the_recorded_one() {
    let mut net = Net::ring(1);
    net.command(0, Command::PublishService(service("web.default")));
    net.command(0, Command::PublishService(service("web.default")));
    net.command(0, config_for("web.default", 1));
    net.command(0, config_for("web.default", 1));
    net.run_ms(5_000);
    let view = net.view(0);
    let mine = view.services.get("web.default", &id(0).to_string()).unwrap();
    assert_eq!((mine.incarnation, mine.pkg_incarnation, mine.initialized), (2, 0, false));
    assert_eq!(view.services.update_counter, 2);
    assert_eq!(view.service_configs.update_counter, 1, "the same version changes nothing");
    assert_eq!(view.members.update_counter, 0);
    assert_eq!(view.elections.update_counter, 0);
    assert_eq!(net.counters(0).rumors_ignored.values().sum::<u64>(), 1);
}

#[test]
fn views_share_unchanged_parts() {
    let mut net = Net::ring(1);
    net.command(0, Command::PublishService(service("web.default")));
    let before = net.view(0);
    net.command(0, config_for("web.default", 1));
    let after = net.view(0);
    assert!(std::sync::Arc::ptr_eq(&before.services, &after.services));
    assert!(std::sync::Arc::ptr_eq(&before.members, &after.members));
    assert_eq!((before.service_configs.len(), after.service_configs.len()), (0, 1));
}

#[test]
fn a_change_is_found_between_views_and_its_neighbourhood_alone_is_not_shared() {
    let mut net = Net::default();
    net.start_with(0, &[], 0, false, Some(many_members(1_000)));
    for group in ["web.default", "db.default"] {
        net.command(0, Command::PublishService(service(group)));
    }
    let before = net.view(0);
    assert_eq!(before.members.len(), 1_000);
    net.command(0, Command::DepartMember(id(500)));
    net.command(0, Command::PublishService(service("db.default")));
    let after = net.view(0);
    let changed: Vec<_> = after.members.changed_since(&before.members).collect();
    assert!(changed.iter().any(|listed| listed.member.id == id(500)));
    assert_eq!(changed.len(), 128);
    let groups: Vec<_> = after.services.changed_since(&before.services).collect();
    assert_eq!(groups.iter().map(|group| &***group).collect::<Vec<_>>(), ["db.default"]);
    assert_eq!(after.members.changed_since(&after.members).count(), 0);
    assert_eq!(
        before.members.get(&id(500)).unwrap().health,
        Health::Alive,
        "a view does not change"
    );
    assert_eq!(after.members.get(&id(500)).unwrap().health, Health::Departed);
    assert_eq!(after.members.iter().count(), 1_000);
}

#[test]
fn every_kind_of_rumor_reaches_every_member() {
    let mut net = Net::ring(8);
    net.run_until(60_000, |net| net.all_alive(8));
    net.command(3, Command::PublishService(service("web.default")));
    net.command(4, config_for("web.default", 3));
    net.command(
        5,
        Command::SetServiceFile {
            group: "web.default".into(),
            incarnation: 1,
            encrypted: false,
            filename: "a.txt".into(),
            body: "a".into(),
        },
    );
    net.command(6, Command::DepartMember(id(77)));
    let took_ms = net.run_until(10_000, |net| {
        (0..8).all(|number| {
            let view = net.view(number);
            view.services.len() == 1
                && view.service_configs.len() == 1
                && view.service_files.len() == 1
                && view.departures.len() == 1
        })
    });
    assert!(took_ms <= 5_000, "{took_ms} ms");
}

/// Counts the messages that members push while `net` runs, by receiver and content.
fn sent_twice_at_most(net: &mut Net, ms: u64) {
    let before: BTreeMap<usize, usize> =
        net.nodes.iter().map(|(number, node)| (*number, node.rumors)).collect();
    net.run_ms(ms);
    for (number, node) in &net.nodes {
        let others = net.nodes.len() - 1;
        assert!(node.rumors - before[number] <= 2 * others, "member {number}");
    }
}

#[test]
fn a_rumor_is_sent_to_each_member_twice_by_each_member() {
    let mut net = Net::ring(6);
    net.run_until(60_000, |net| net.all_alive(6));
    net.run_ms(30_000);
    net.command(0, config_for("web.default", 1));
    let before: usize = net.nodes.values().map(|node| node.rumors).sum();
    sent_twice_at_most(&mut net, 60_000);
    let after: usize = net.nodes.values().map(|node| node.rumors).sum();
    assert_eq!(after - before, 6 * 5 * 2);
    net.run_ms(60_000);
    let later: usize = net.nodes.values().map(|node| node.rumors).sum();
    assert_eq!(later, after, "then it is cold");
}

#[test]
fn failed_pushes_are_offered_again() {
    let mut net = Net::ring(2);
    net.run_until(20_000, |net| net.all_alive(2));
    net.run_ms(10_000);
    net.part(&[0], &[1]);
    net.command(0, config_for("web.default", 1));
    net.run_ms(2_500);
    assert_eq!(net.view(1).service_configs.len(), 0);
    assert!(net.counters(0).pushes_failed >= 2);
    net.cut.clear();
    net.run_ms(2_500);
    assert_eq!(net.view(1).service_configs.len(), 1);
}

#[test]
fn rumors_beyond_one_push_follow_at_the_next_turns() {
    let mut net = Net::ring(1);
    let file = |number: usize| Command::SetServiceFile {
        group: "web.default".into(),
        incarnation: 1,
        encrypted: false,
        filename: number.to_string(),
        body: "x".into(),
    };
    for number in 0..2_500 {
        net.command(0, file(number));
    }
    net.start(1, &[0]);
    net.run_until(20_000, |net| net.view(1).service_files.len() == 2_500);
}

#[test]
fn a_newcomer_to_a_large_ring_is_greeted_by_a_few_and_sends_to_a_few() {
    let mut net = Net::ring(40);
    net.run_until(120_000, |net| net.all_alive(40));
    net.run_ms(120_000);
    let before: usize = net.nodes.values().map(|node| node.rumors).sum();
    net.start(40, &[0]);
    let took_ms = net.run_until(60_000, |net| net.all_alive(41));
    assert!(took_ms < 10_000, "{took_ms} ms");
    net.run_ms(120_000);
    let received = net.nodes[&40].rumors;
    assert!(received <= 40 * 2 * 12, "{received}: in Habitat 40 members tell 40 rumors twice");
    let all: usize = net.nodes.values().map(|node| node.rumors).sum();
    assert!(all - before < 40 * 40 * 3, "{}", all - before);
}

fn many_members(count: usize) -> Stores {
    let members = (0..count).map(|number| Membership {
        member: Member {
            id: id(number),
            incarnation: 0,
            address: Some(std::net::Ipv4Addr::from(0x0a00_0001 + number as u32)),
            swim_port: 9638,
            gossip_port: 9638,
            persistent: false,
            departed: false,
            probe_ping: false,
        },
        health: Health::Alive,
    });
    Stores { members: members.collect(), ..Stores::default() }
}

#[test]
fn a_large_data_file_starts_cold_but_for_own_services() {
    let mut stores = many_members(100);
    for number in 0..2 {
        let mut net = Net::ring(1);
        net.start(number, &[]);
        net.command(number, Command::PublishService(service("web.default")));
        stores.services.extend(net.nodes[&number].ring.stores().services);
    }
    let me = Me { id: id(0), incarnation: 0, port: 9638, permanent: false };
    let mut ring = Ring::new(Config::default(), me, Some(stores), 1, Now(0));
    assert_eq!(ring.view().members.update_counter, 100);
    let mut pushed = 0;
    for _ in 0..40 {
        let now = ring.next_wake();
        ring.wake(now);
        while let Some(output) = ring.poll() {
            if let Output::Push { push, messages, .. } = output {
                for message in messages {
                    let rumor = Envelope::new(None).unwrap(&message).unwrap();
                    match Rumor::decode(rumor).unwrap() {
                        // there are no other members here, so there is news about others
                        Rumor::Member(_, about) => assert_ne!(about.health, Health::Alive),
                        Rumor::Service(service) => assert_eq!(service.member_id, id(0)),
                        other => panic!("{other:?}"),
                    }
                    pushed += 1;
                }
                ring.handle(now, Input::PushResult { push, sent: usize::MAX }).unwrap();
            }
        }
    }
    assert!(pushed > 50, "{pushed}");
}

#[test]
fn a_new_member_of_a_group_without_quorum_replaces_a_dead_one() {
    let mut net = Net::ring(5);
    net.run_until(60_000, |net| net.all_alive(5));
    for number in 0..3 {
        net.command(number, Command::PublishService(service("db.default")));
    }
    net.run_ms(5_000);
    for dead in [0, 1] {
        net.crash(dead);
        net.run_until(60_000, |net| {
            (2..5).all(|by| net.health(dead, by) == Some(Health::Confirmed))
        });
    }
    // two of four alive are too few
    net.command(3, Command::PublishService(service("db.default")));
    assert_eq!(net.health(0, 3), Some(Health::Departed));
    assert_eq!(net.health(1, 3), Some(Health::Confirmed), "one at a time");
}

#[test]
fn data_files_survive_a_round_trip_and_damage_is_reported() {
    let mut net = Net::ring(3);
    net.run_until(20_000, |net| net.all_alive(3));
    net.command(0, Command::PublishService(service("db.default")));
    net.command(0, Command::StartElection { group: "db.default".into(), suitability: 0 });
    net.command(0, config_for("db.default", 1));
    net.command(0, Command::DepartMember(id(9)));
    net.run_ms(3_000);
    let stores = net.nodes[&0].ring.stores();
    assert_eq!(stores.elections[0].status, Status::Finished);
    let file = datafile::encode(&stores);
    assert_eq!(datafile::decode(&file), Ok(stores.clone()));
    assert_eq!(datafile::decode(&[]), Ok(Stores::default()));
    let error = |file: &[u8]| datafile::decode(file).unwrap_err().to_string();
    assert_eq!(error(&[3, 0, 0]), "invalid header version: 3");
    assert_eq!(error(&file[..30]), "failed to fill whole buffer: the header is truncated");
    assert!(error(&file[..file.len() - 1]).contains("section of departure ends too early"));
    let mut broken = file.clone();
    broken[75] = 0xff;
    assert!(error(&broken).contains("section of member at byte 65 is unusable"));
}

#[test]
fn version_one_of_the_data_file_is_read() {
    let mut net = Net::ring(1);
    net.command(0, Command::PublishService(service("db.default")));
    let stores = net.nodes[&0].ring.stores();
    let file = datafile::encode(&stores);
    // version 1 has no header size and no departures
    let mut old = vec![1];
    old.extend(&file[9..57]);
    old.extend(&file[65..]);
    assert_eq!(datafile::decode(&old), Ok(stores));
}

#[test]
fn services_of_a_departed_member_are_not_sent_to_newcomers() {
    let mut net = Net::ring(3);
    net.run_until(20_000, |net| net.all_alive(3));
    net.command(2, Command::PublishService(service("db.default")));
    net.run_ms(10_000);
    net.command(2, Command::LeaveGracefully);
    net.run_ms(1_000);
    net.crash(2);
    net.start(3, &[0]);
    net.run_ms(20_000);
    assert_eq!(net.view(0).services.len(), 1, "kept");
    assert_eq!(net.view(3).services.len(), 0, "not offered");
    assert_eq!(net.health(2, 3), Some(Health::Departed));
}

#[test]
fn a_group_name_must_be_valid() {
    let mut net = Net::ring(1);
    let node = net.nodes.get_mut(&0).unwrap();
    let wrong = config_for("nonsense", 1);
    let error = node.ring.handle(Now(1), Input::Command(wrong)).unwrap_err();
    assert_eq!(error.to_string(), "'nonsense' is not a valid service group");
    assert!(node.ring.view().service_configs.is_empty());
}
