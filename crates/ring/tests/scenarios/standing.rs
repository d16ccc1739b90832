//! Since when and from whom the health of a member is known, and how it answers.

use roost_ring::{
    Command, Config, Contact, Health, Input, Listed, Me, Member, Membership, Now, Ring, Rumor,
    Source,
};

use crate::net::{Net, id, plain};

/// What one member lists of another.
fn listed(net: &mut Net, of: usize, seen_by: usize) -> Listed {
    net.view(seen_by).members.get(&id(of)).expect("listed").clone()
}

#[test]
fn a_death_is_known_from_the_own_probe_then_by_expiry_and_a_return_by_contact() {
    let mut net = Net::ring(2);
    net.run_until(10_000, |net| net.all_alive(2));
    let before = listed(&mut net, 1, 0);
    assert_eq!(before.source, Source::Direct);
    net.run_ms(60_000);
    assert_eq!(listed(&mut net, 1, 0), before, "nothing changes in a calm ring");
    let (incarnation, stores) = net.crash(1);
    net.run_until(20_000, |net| net.health(1, 0) == Some(Health::Suspect));
    let suspect = listed(&mut net, 1, 0);
    assert_eq!(suspect.source, Source::Probe);
    assert!(net.now.micros_since(suspect.since) < 200_000, "to a tenth of a second");
    net.run_until(20_000, |net| net.health(1, 0) == Some(Health::Confirmed));
    let confirmed = listed(&mut net, 1, 0);
    assert_eq!(confirmed.source, Source::Timeout);
    assert!(confirmed.since > suspect.since);
    net.start_with(1, &[0], incarnation, false, Some(stores));
    net.run_until(60_000, |net| net.health(1, 0) == Some(Health::Alive));
    assert_eq!(listed(&mut net, 1, 0).source, Source::Direct);
    assert_eq!(listed(&mut net, 0, 1).source, Source::DataFile, "alive then and now");
}

#[test]
fn what_another_member_reports_names_it() {
    let me = Me { id: id(0), incarnation: 0, port: 9638, permanent: false };
    let mut ring = Ring::new(Config::default(), me, None, 1, Now(0));
    let about = |number: usize, health| {
        let member = Member {
            id: id(number),
            incarnation: 0,
            address: Some(std::net::Ipv4Addr::new(10, 0, 0, 9)),
            swim_port: 1,
            gossip_port: 1,
            persistent: false,
            departed: false,
            probe_ping: false,
        };
        Membership { member, health }
    };
    let hear = |ring: &mut Ring, now, from: usize, about| {
        let bytes = plain(Rumor::Member(id(from).to_string(), about).encode());
        ring.handle(now, Input::Gossip { bytes: &bytes }).expect("taken");
    };
    hear(&mut ring, Now(1_000_000), 5, about(7, Health::Alive));
    hear(&mut ring, Now(2_000_000), 7, about(8, Health::Alive));
    hear(&mut ring, Now(3_000_000), 8, about(7, Health::Suspect));
    hear(&mut ring, Now(4_000_000), 7, about(8, Health::Alive));
    ring.handle(Now(9_000_000), Input::Command(Command::DepartMember(id(8)))).expect("taken");
    let view = ring.view();
    let shown = |number| {
        let listed = view.members.get(&id(number)).expect("listed");
        (listed.health, listed.since, listed.source)
    };
    assert_eq!(
        shown(7),
        (Health::Suspect, Now(3_000_000), Source::News(Some(1))),
        "the second of the list, not the member that mentioned it first"
    );
    assert_eq!(shown(8), (Health::Departed, Now(9_000_000), Source::Command));
    assert_eq!(ring.take_contacts(), [], "a rumor is no sign of life");
}

#[test]
fn contacts_hold_the_round_trip_and_when_a_member_was_heard_last() {
    let mut net = Net::ring(2);
    net.run_until(10_000, |net| net.all_alive(2));
    net.run_ms(60_000);
    let take = |net: &mut Net| net.nodes.get_mut(&0).expect("a node").ring.take_contacts();
    let (_, Contact { round_trip_us, heard }) =
        *take(&mut net).last().expect("heard within a minute");
    assert!(round_trip_us.is_some_and(|us| us > 0 && us < 1_000_000), "{round_trip_us:?}");
    let heard = heard.expect("heard");
    assert!(net.now.micros_since(heard) < 10_000_000);
    assert_eq!(take(&mut net), [], "each is reported once");
    net.crash(1);
    net.run_ms(60_000);
    let after = take(&mut net);
    assert!(after.iter().all(|(_, contact)| contact.heard == Some(heard)), "{after:?}");
}
