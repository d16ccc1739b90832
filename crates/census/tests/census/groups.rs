//! Groups, members and leaders: cases without a recording.

use std::sync::Arc;

use roost_census::{Bind, Census};
use roost_ident::{BindState, ElectionStatus, MemberHealth, ServiceGroup};

use crate::{
    ring::Ring,
    support::{NEWS, QUIET, content, elect, group, service, trio, web},
};

#[test]
fn the_same_state_again_is_not_a_change() {
    let (mut ring, mut census) = trio();
    elect(&mut ring, "b", ElectionStatus::Finished);
    ring.files = vec![content("web.default", "f", 1, "text")];
    assert_eq!(ring.update(&mut census), NEWS);
    let before = web(&census);
    assert_eq!(ring.update(&mut census), QUIET);
    assert!(Arc::ptr_eq(&before, &web(&census)), "and the group is shared");
    assert_eq!(before.changed_service_files, ["f"]);
    ring.counters.membership = 1;
    assert_eq!(ring.update(&mut census), NEWS);
    assert_eq!(web(&census).changed_service_files, [""; 0]);
}

#[test]
fn groups_and_members_stay_when_their_rumors_are_gone() {
    let (ring, mut census) = trio();
    ring.update(&mut census);
    assert_eq!(Ring::default().update(&mut census), QUIET);
    assert_eq!(web(&census).population.len(), 3);
}

#[test]
fn a_file_creates_a_group_and_a_config_or_an_election_does_not() {
    let mut census = Census::new("a");
    let ring = Ring {
        configs: vec![content("x.default", "", 1, "a = 1")],
        elections: vec![("y.default".into(), "a".into(), ElectionStatus::Finished)],
        files: vec![content("z.default", "f", 1, "text")],
        ..Ring::default()
    };
    ring.update(&mut census);
    let names: Vec<_> = census.groups().map(|group| group.service_group.to_string()).collect();
    assert_eq!(names, ["z.default"]);
    assert_eq!(census.svc_value(&group("z.default")), None);
}

#[test]
fn before_the_member_list_knows_them_only_the_own_member_is_alive() {
    let (mut ring, mut census) = trio();
    ring.members.clear();
    ring.update(&mut census);
    let health: Vec<_> =
        web(&census).population.values().map(|m| (m.health, m.persistent)).collect();
    assert_eq!(health, [(Some(MemberHealth::Alive), false), (None, false), (None, false)]);
    assert_eq!(web(&census).population["b"].sys.gossip_ip, "0.0.0.0");
}

#[test]
fn the_gossip_address_comes_from_the_member_list() {
    let (mut ring, mut census) = trio();
    ring.members[1].1 = "192.0.2.7".into();
    ring.members[2].1 = String::new();
    ring.update(&mut census);
    assert_eq!(web(&census).population["b"].sys.gossip_ip, "192.0.2.7");
    assert_eq!(web(&census).population["c"].sys.gossip_ip, "0.0.0.0", "an address not yet known");
    ring.services[1].incarnation = 2;
    ring.update(&mut census);
    assert_eq!(web(&census).population["b"].sys.gossip_ip, "192.0.2.7");
}

#[test]
fn the_leader_stays_until_another_election_is_finished() {
    let (mut ring, mut census) = trio();
    elect(&mut ring, "b", ElectionStatus::InProgress);
    ring.update(&mut census);
    assert_eq!(web(&census).leader_id, None);
    assert!(!web(&census).population["a"].follower);
    elect(&mut ring, "b", ElectionStatus::Finished);
    ring.update(&mut census);
    for status in [ElectionStatus::InProgress, ElectionStatus::NoQuorum] {
        elect(&mut ring, "c", status);
        ring.members[1].3 = MemberHealth::Confirmed;
        ring.update(&mut census);
        let web = web(&census);
        assert_eq!((web.leader_id.as_deref(), web.election_status), (Some("b"), status));
        assert_eq!(web.first().map(|member| &*member.member_id), Some("b"));
        assert!(web.population["c"].follower);
        let active: Vec<_> = web.active_members().map(|member| &*member.member_id).collect();
        assert_eq!(active, ["a", "c"]);
    }
    ring.elections.clear();
    ring.update(&mut census);
    assert_eq!(web(&census).election_status, ElectionStatus::NoQuorum, "a removed election");
    elect(&mut ring, "c", ElectionStatus::Finished);
    ring.update(&mut census);
    assert_eq!(web(&census).leader_id.as_deref(), Some("c"));
}

#[test]
fn a_winner_without_a_service_is_not_a_leader() {
    let (mut ring, mut census) = trio();
    elect(&mut ring, "nobody", ElectionStatus::Finished);
    ring.update(&mut census);
    assert_eq!(web(&census).leader_id, None);
    assert_eq!(web(&census).first().map(|member| &*member.member_id), Some("a"));
    assert!(web(&census).population.values().all(|member| member.follower));
}

#[test]
fn update_elections_have_leaders_of_their_own() {
    let (mut ring, mut census) = trio();
    elect(&mut ring, "a", ElectionStatus::Finished);
    ring.update_elections = vec![("web.default".into(), "c".into(), ElectionStatus::Finished)];
    ring.update(&mut census);
    let web = web(&census);
    assert_eq!(web.leader_id.as_deref(), Some("a"));
    assert_eq!(web.update_leader().map(|member| &*member.member_id), Some("c"));
    assert!(web.population["a"].update_follower && !web.population["a"].update_leader);
}

#[test]
fn the_package_incarnation_of_a_group_never_decreases() {
    let (mut ring, mut census) = trio();
    ring.services[0].pkg_incarnation = 4;
    ring.update(&mut census);
    ring.services[0] = service("a", "web.default", 2, "");
    ring.update(&mut census);
    assert_eq!(web(&census).pkg_incarnation, 4);
    assert_eq!(web(&census).population["a"].pkg_incarnation, 0);
}

#[test]
fn exports_and_identifiers_that_cannot_be_read_are_empty() {
    let (mut ring, mut census) = trio();
    ring.services[0].cfg = b"\xff".to_vec();
    ring.services[1].cfg = b"port = ".to_vec();
    ring.services[1].pkg = "garbage".into();
    ring.update(&mut census);
    let web = web(&census);
    assert!(
        web.population["a"].cfg.table().is_empty() && web.population["b"].cfg.table().is_empty()
    );
    assert_eq!(
        (web.population["b"].pkg.name.as_str(), web.population["b"].pkg.version.as_ref()),
        ("", None)
    );
}

#[test]
fn a_bind_needs_a_known_group_an_active_member_and_its_exports() {
    let (mut ring, mut census) = trio();
    ring.services[1].cfg = b"host = 'b'".to_vec();
    ring.update(&mut census);
    let (web, other) = (group("web.default"), group("other.default"));
    let check = |census: &Census, group: &ServiceGroup, exports: &[&str]| {
        let exports: Vec<String> = exports.iter().map(|export| (*export).into()).collect();
        census.check_bind(&Bind { name: "x", group, exports: &exports })
    };
    let missing = |exports: &[&str]| {
        BindState::MissingExports(exports.iter().map(|export| (*export).into()).collect())
    };
    assert_eq!(check(&census, &other, &[]), BindState::Absent);
    assert_eq!(check(&census, &web, &["port"]), BindState::Satisfied);
    assert_eq!(check(&census, &web, &["port", "z", "host"]), missing(&["host", "z"]));
    elect(&mut ring, "b", ElectionStatus::Finished);
    ring.members[1].3 = MemberHealth::Confirmed;
    ring.update(&mut census);
    assert_eq!(check(&census, &web, &["host"]), BindState::Satisfied, "a dead leader speaks");
    assert_eq!(check(&census, &web, &["port"]), missing(&["port"]));
    for member in &mut ring.members {
        member.3 = MemberHealth::Departed;
    }
    ring.update(&mut census);
    assert_eq!(check(&census, &web, &[]), BindState::Inactive);
    assert_eq!(
        census.bind_value(&[Bind { name: "x", group: &web, exports: &[] }]).to_string(),
        "{}"
    );
}

#[test]
fn the_previous_peer_is_the_nearest_smaller_alive_one_in_a_circle() {
    let (mut ring, mut census) = trio();
    ring.update(&mut census);
    let previous = |census: &Census, id: &str| {
        web(census).previous_peer(id).map(|member| member.member_id.clone())
    };
    let circle = ["a", "b", "c"].map(|id| previous(&census, id));
    assert_eq!(circle, ["c", "a", "b"].map(|id| Some(id.into())));
    ring.members[1].3 = MemberHealth::Suspect;
    ring.update(&mut census);
    assert_eq!(previous(&census, "c").as_deref(), Some("a"));
    ring.members[2].3 = MemberHealth::Suspect;
    ring.update(&mut census);
    assert_eq!(previous(&census, "a"), None);
}

#[test]
fn a_sight_changes_only_with_template_values() {
    let (mut ring, mut census) = trio();
    ring.services.push(service("b", "db.default", 1, ""));
    ring.services.push(service("b", "other.default", 1, ""));
    let (web, db) = (group("web.default"), group("db.default"));
    let mut look = |ring: &Ring| {
        ring.update(&mut census);
        (census.sight(&web, [&db]), census.svc_value(&web))
    };
    let first = look(&ring);
    ring.services[4].incarnation = 2; // of a group it is not bound to
    ring.services[4].cfg = b"a = 1".to_vec();
    ring.configs = vec![content("web.default", "", 1, "a = 1")]; // reaches templates as `cfg`
    ring.files = vec![content("web.default", "f", 1, "text")];
    ring.counters.service = 9;
    assert_eq!(look(&ring), first);
    ring.members[2].3 = MemberHealth::Confirmed;
    let second = look(&ring);
    assert_ne!(second.0, first.0);
    ring.members[2].3 = MemberHealth::Departed; // was out of sight already
    assert_eq!(look(&ring), second);
    ring.services[3].incarnation = 2;
    let third = look(&ring);
    assert_ne!(third.0, second.0, "a bound group");
    elect(&mut ring, "c", ElectionStatus::Finished);
    assert_ne!(look(&ring).0, third.0);
}

#[test]
fn dead_members_are_in_sight_where_templates_show_them() {
    let (mut ring, _) = trio();
    let mut census = Census::new("b");
    for member in &mut ring.members[1..] {
        member.3 = MemberHealth::Confirmed;
    }
    elect(&mut ring, "a", ElectionStatus::Finished);
    ring.update_elections = vec![("web.default".into(), "c".into(), ElectionStatus::Finished)];
    let name = group("web.default");
    let mut look = |ring: &Ring| {
        ring.update(&mut census);
        census.sight(&name, [])
    };
    let first = look(&ring);
    ring.update_elections[0].1 = "nobody".into(); // only the standing of `c` changes
    let second = look(&ring);
    assert_ne!(second, first, "the update leader");
    ring.services[1].incarnation = 2;
    assert_ne!(look(&ring), second, "this Supervisor itself");
}
