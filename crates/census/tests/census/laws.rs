//! Properties of every census, and cases without a recording.

use std::sync::Arc;

use proptest::prelude::*;
use roost_census::{Bind, BindState, Census, Closed, Group, SysInfo, Update};
use roost_ident::{ElectionStatus, MemberHealth, ServiceGroup};

use crate::ring::{Content, Ring, Service};

fn group(name: &str) -> ServiceGroup {
    name.parse().expect("a group")
}

fn service(member_id: &str, name: &str, incarnation: u64, cfg: &str) -> Service {
    Service {
        member_id: member_id.into(),
        group: group(name),
        incarnation,
        pkg_incarnation: 0,
        pkg: "acme/web/1.0.0/20250101000000".into(),
        cfg: cfg.into(),
        sys: SysInfo { gossip_ip: "0.0.0.0".into(), gossip_port: 9638, ..SysInfo::default() },
    }
}

fn content(name: &str, filename: &str, incarnation: u64, bytes: &str) -> Content {
    Content {
        group: group(name),
        filename: filename.into(),
        incarnation,
        encrypted: false,
        bytes: bytes.into(),
    }
}

fn encrypted(content: Content) -> Content {
    Content { encrypted: true, ..content }
}

fn member(id: &str, health: MemberHealth) -> crate::ring::Member {
    (id.into(), format!("10.0.0.{}", id.len()), 9638, health)
}

/// Members `a`, `b`, `c` alive in `web.default`, seen by `a`.
fn trio() -> (Ring, Census) {
    let ids = ["a", "b", "c"];
    let ring = Ring {
        services: ids.map(|id| service(id, "web.default", 1, "port = 80")).to_vec(),
        members: ids.map(|id| member(id, MemberHealth::Alive)).to_vec(),
        ..Ring::default()
    };
    (ring, Census::new("a"))
}

fn elect(ring: &mut Ring, candidate: &str, status: ElectionStatus) {
    ring.elections = vec![("web.default".into(), candidate.into(), status)];
}

fn web(census: &Census) -> Arc<Group> {
    census.group(&group("web.default")).expect("the group").clone()
}

const QUIET: Update = Update { changed: false, warnings: Vec::new() };
const NEWS: Update = Update { changed: true, warnings: Vec::new() };

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
fn configs_are_taken_by_incarnation_and_kept_when_the_next_one_is_unreadable() {
    let (mut ring, mut census) = trio();
    let mut apply = |config: Content| {
        ring.configs = vec![config];
        let update = ring.update(&mut census);
        let web = web(&census);
        let taken = web.service_config.as_ref();
        (taken.map(|c| (c.incarnation, c.value.table()["a"].as_integer())), update.warnings)
    };
    let config = |incarnation, text| content("web.default", "", incarnation, text);
    assert_eq!(apply(config(0, "a = 0")), (Some((0, Some(0))), vec![]), "the first may have 0");
    assert_eq!(apply(config(5, "a = 1")), (Some((5, Some(1))), vec![]));
    for incarnation in [4, 5] {
        assert_eq!(apply(config(incarnation, "a = 2")), (Some((5, Some(1))), vec![]));
    }
    let warning = "Configuration 6 of service group 'web.default' is ignored: invalid TOML, \
                   line 2: key with no value, expected `=`";
    let bad = || config(6, "a = 3\nsecret\n");
    assert_eq!(apply(bad()), (Some((5, Some(1))), vec![warning.into()]));
    assert_eq!(apply(bad()), (Some((5, Some(1))), vec![]), "a warning is given once");
    let warning = "Configuration 7 of service group 'web.default' is ignored: Key not found";
    assert_eq!(apply(encrypted(config(7, "x"))), (Some((5, Some(1))), vec![warning.into()]));
    assert_eq!(apply(encrypted(config(7, "4 = a"))), (Some((7, Some(4))), vec![]), "a key came");
}

#[test]
fn files_are_taken_by_incarnation_and_named_when_they_change() {
    let (mut ring, mut census) = trio();
    let file = |name, incarnation, text| content("web.default", name, incarnation, text);
    ring.files = vec![
        file("never", 0, "text"),
        file("z", 1, "one"),
        encrypted(file("b", 1, "owt")),
        encrypted(file("closed", 1, "x")),
    ];
    let warning = "File 'closed' 1 of service group 'web.default' is ignored: Key not found";
    assert_eq!(ring.update(&mut census), Update { changed: true, warnings: vec![warning.into()] });
    assert_eq!(web(&census).changed_service_files, ["b", "z"]);
    assert_eq!(web(&census).service_files.keys().collect::<Vec<_>>(), ["b", "z"]);
    assert_eq!(&*web(&census).service_files["b"].body, b"two");
    ring.files[1] = file("z", 2, "three");
    assert_eq!(ring.update(&mut census), NEWS);
    assert_eq!(web(&census).changed_service_files, ["z"]);
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
    assert_eq!(check(&census, &other, &[]), BindState::GroupMissing);
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
    assert_eq!(check(&census, &web, &[]), BindState::NoActiveMember);
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

fn any_health() -> impl Strategy<Value = MemberHealth> {
    prop::sample::select(MemberHealth::ALL)
}

prop_compose! {
    fn any_ring()(
        services in prop::collection::vec(
            ("[a-d]", "[wx]", 1..3_u64, "[a-c]( = [0-9])?", 0..3_u64), 0..8,
        ),
        members in prop::collection::vec(("[a-e]", any_health()), 0..6),
        election in prop::option::of(("[wx]", "[a-f]", 1..4_usize)),
        contents in prop::collection::vec(("[wxy]", "[fg]", 0..3_u64, any::<bool>(), ".{0,6}"), 0..4),
    ) -> Ring {
        let name = |letter: &str| format!("{letter}.default");
        // A store has one rumor for each member and group, and so on.
        let mut ring = Ring::default();
        for (group, file, incarnation, encrypted, text) in contents {
            let content = content(&name(&group), &file, incarnation, &text);
            let content = Content { encrypted, ..content };
            ring.configs.retain(|old| old.group != content.group);
            ring.configs.push(content.clone());
            ring.files.retain(|old| (&old.group, &old.filename) != (&content.group, &file));
            ring.files.push(content);
        }
        for (id, group, incarnation, cfg, pkg_incarnation) in services {
            let rumor = service(&id, &name(&group), incarnation, &cfg);
            ring.services.retain(|old| (&old.member_id, &old.group) != (&id, &rumor.group));
            ring.services.push(Service { pkg_incarnation, ..rumor });
        }
        for (id, health) in members {
            ring.members.retain(|old| old.0 != id);
            ring.members.push(member(&id, health));
        }
        ring.elections.extend(election.map(|(group, id, status)| {
            (name(&group), id, ElectionStatus::ALL[status])
        }));
        ring
    }
}

proptest! {
    #[test]
    fn whatever_the_ring_does_the_census_holds_its_laws(
        rings in prop::collection::vec(any_ring(), 1..6),
    ) {
        let mut census = Census::new("a");
        for ring in &rings {
            let before: Vec<_> = census.groups().cloned().collect();
            let sights: Vec<_> = before.iter()
                .map(|group| census.sight(&group.service_group, []))
                .collect();
            let svc_before: Vec<_> = before.iter()
                .map(|group| census.svc_value(&group.service_group))
                .collect();
            let update = ring.update(&mut census);
            for ((old, sight), svc) in before.iter().zip(sights).zip(svc_before) {
                let new = census.group(&old.service_group).expect("a group stays");
                prop_assert!(old.population.keys().all(|id| new.population.contains_key(id)));
                prop_assert!(new.pkg_incarnation >= old.pkg_incarnation);
                prop_assert!(update.changed || Arc::ptr_eq(old, new));
                let same_sight = census.sight(&old.service_group, []) == sight;
                let same_svc = census.svc_value(&old.service_group) == svc;
                prop_assert!(!same_sight || same_svc, "a change out of sight");
            }
            for group in census.groups() {
                let leaders = group.population.values().filter(|member| member.leader).count();
                prop_assert_eq!(leaders, usize::from(group.leader_id.is_some()));
                let is_me = |id: &String| id == "a";
                let me = group.population.keys().any(is_me);
                prop_assert_eq!(census.svc_value(&group.service_group).is_some(), me);
            }
            let again = ring.update(&mut census);
            prop_assert_eq!(again, Update { changed: false, warnings: vec![] });
        }
    }

    /// Property of [`roost_census::input`]: changed parts suffice.
    #[test]
    fn partial_input_gives_the_same_result(
        rings in prop::collection::vec(any_ring(), 1..6),
    ) {
        let (mut whole, mut partly) = (Census::new("a"), Census::new("a"));
        let mut told = Ring::default();
        for mut ring in rings {
            // A real ring never forgets a service, file, config or member.
            told.carry_over(&mut ring);
            let news = told.what_is_new_in(&ring);
            let mut expected = ring.update(&mut whole);
            let mut update = news.update(&mut partly);
            expected.warnings.sort();
            update.warnings.sort();
            prop_assert_eq!(update, expected);
            prop_assert_eq!(format!("{:?}", partly.groups().collect::<Vec<_>>()),
                format!("{:?}", whole.groups().collect::<Vec<_>>()));
            for name in ["w.default", "x.default"] {
                let name = group(name);
                prop_assert_eq!(partly.sight(&name, []), whole.sight(&name, []));
            }
            told = ring;
        }
    }
}

/// A configuration that grows many times when parsed.
fn bomb() -> String {
    format!("a = [{}]", "1,".repeat(200_000))
}

#[test]
fn a_configuration_with_too_many_values_is_refused_and_reported_once() {
    let (mut ring, mut census) = trio();
    ring.configs = vec![content("web.default", "", 1, &bomb())];
    let update = ring.update(&mut census);
    assert!(update.warnings[0].contains("the limit is 32768"), "{:?}", update.warnings);
    assert_eq!(web(&census).service_config, None);
    ring.members[1].3 = MemberHealth::Confirmed;
    assert_eq!(ring.update(&mut census).warnings, Vec::<String>::new());
}

#[test]
fn plain_contents_are_not_retried_and_boxes_only_with_new_keys() {
    let (mut ring, mut census) = trio();
    ring.configs = vec![encrypted(content("web.default", "", 1, "x"))];
    ring.files = vec![encrypted(content("web.default", "f", 1, "x"))];
    let tried = |census: &mut Census, keys_changed| {
        let mut count = 0;
        let input = roost_census::Input { keys_changed, ..ring.input() };
        census.update(&input, &mut |_| {
            count += 1;
            Err(Closed::Refused("no key".into()))
        });
        count
    };
    assert_eq!([false, false, true].map(|news| tried(&mut census, news)), [2, 0, 2]);
    assert_eq!(census.locked().count(), 1);
}

/// The caller decrypts them in its own time, including a former failure that a new key may resolve.
#[test]
fn boxes_that_are_opened_beside_are_taken_by_the_next_update() {
    let (mut ring, mut census) = trio();
    ring.configs = vec![encrypted(content("web.default", "", 1, "1 = a"))];
    ring.files = vec![encrypted(content("web.default", "f", 1, "x"))];
    let update = |census: &mut Census, keys_changed, answer: Result<Vec<u8>, Closed>| {
        let input = roost_census::Input { keys_changed, ..ring.input() };
        census.update(&input, &mut |_| answer.clone())
    };
    let refused = || Err(Closed::Refused("no key".into()));
    assert_eq!(update(&mut census, false, refused()).warnings.len(), 2);
    assert_eq!(census.waiting().count(), 0);
    assert!(update(&mut census, true, Err(Closed::Later)).warnings.is_empty());
    assert_eq!(census.waiting().count(), 1);
    assert!(update(&mut census, false, refused()).warnings.is_empty(), "known");
    assert_eq!(census.waiting().count(), 0);
    update(&mut census, true, Err(Closed::Later));
    update(&mut census, false, Ok(b"a = 1".to_vec()));
    assert_eq!(census.waiting().count(), 0);
    let web = web(&census);
    assert_eq!(web.service_config.as_ref().map(|it| it.incarnation), Some(1));
    assert_eq!(web.service_files["f"].body.as_ref(), b"a = 1");
}

#[test]
fn only_visible_groups_are_read() {
    let (mut ring, mut census) = trio();
    assert!(!census.look_at([]));
    ring.configs = vec![content("web.default", "", 3, "a = = 1")];
    ring.files = vec![encrypted(content("web.default", "f", 1, "x"))];
    assert_eq!(ring.update(&mut census), NEWS, "not visible");
    let taken = |census: &Census| web(census).service_config.as_ref().map(|it| it.incarnation);
    assert_eq!(taken(&census), Some(3));
    let group = group("web.default");
    assert!(census.look_at([&group]));
    assert_eq!(census.newly_visible().collect::<Vec<_>>(), [&group]);
    let update = ring.update(&mut census);
    assert_eq!((update.warnings.len(), taken(&census)), (2, None), "{:?}", update.warnings);
    assert!(!census.look_at([&group]), "already reported");
}

/// Reads the unread contents of `web.default`, like a separate thread; returns how many.
fn read(census: &Census) -> usize {
    let group = group("web.default");
    let unread = census.unread([&group]);
    unread.iter().for_each(|content| content.read());
    assert_eq!(census.unread([&group]).len(), 0);
    unread.len()
}

#[test]
fn a_census_with_read_beside_parses_nothing_itself() {
    let (mut ring, census) = trio();
    let mut census = census.read_beside();
    let web_default = group("web.default");
    census.look_at([&web_default]);
    ring.configs = vec![content("web.default", "", 1, "a = 1")];
    // Parsing within an update or a query fails an assertion of the content.
    assert!(ring.update(&mut census).changed);
    let taken = |census: &Census| web(census).service_config.as_ref().map(|it| it.incarnation);
    assert_eq!((taken(&census), census.unread([&web_default]).len()), (None, 4));
    assert_eq!(census.waiting().collect::<Vec<_>>(), [&web_default]);
    assert_eq!(read(&census), 4);
    assert!(ring.update(&mut census).changed, "now it is applied");
    assert_eq!((taken(&census), census.waiting().count()), (Some(1), 0));
    assert_eq!(census.svc_value(&web_default).expect("it is read")["me"]["cfg"]["port"], 80);

    // An invalid one leaves the former value, and is read and reported once.
    ring.configs = vec![content("web.default", "", 2, "a = = 1")];
    assert_eq!(ring.update(&mut census).warnings, Vec::<String>::new());
    assert_eq!((taken(&census), read(&census)), (Some(1), 1));
    assert_eq!(ring.update(&mut census).warnings.len(), 1);
    assert_eq!(ring.update(&mut census), Update::default());
    assert_eq!((taken(&census), census.waiting().count()), (Some(1), 0));

    // A waiting one is replaced by a newer one.
    ring.configs = vec![content("web.default", "", 3, "a = 3")];
    ring.update(&mut census);
    ring.configs = vec![content("web.default", "", 4, "a = 4")];
    ring.update(&mut census);
    assert_eq!((taken(&census), read(&census)), (Some(1), 1));
    ring.update(&mut census);
    assert_eq!(taken(&census), Some(4));
}

#[test]
fn a_config_accepted_unread_is_read_beside_when_its_group_becomes_visible() {
    let (mut ring, census) = trio();
    let mut census = census.read_beside();
    census.look_at([]);
    ring.configs = vec![content("web.default", "", 1, "a = = 1")];
    ring.update(&mut census);
    assert_eq!(census.waiting().count(), 0, "no service can see it");
    let web_default = group("web.default");
    census.look_at([&web_default]);
    assert_eq!(ring.update(&mut census).warnings, Vec::<String>::new());
    assert_eq!(read(&census), 4);
    assert_eq!(census.waiting().count(), 1);
    assert_eq!(ring.update(&mut census).warnings.len(), 1);
    assert!(web(&census).service_config.is_none());
    assert_eq!(census.waiting().count(), 0);
}

#[test]
fn a_file_with_an_invalid_name_is_refused_and_reported_without_control_characters() {
    let (mut ring, mut census) = trio();
    let file = |name| content("web.default", name, 1, "x");
    ring.files = ["a\nhab-sup(MR): b", "../x", "..", "good.txt"].map(file).to_vec();
    let update = ring.update(&mut census);
    assert_eq!(web(&census).service_files.keys().collect::<Vec<_>>(), ["good.txt"]);
    assert_eq!(update.warnings.len(), 3);
    assert!(update.warnings.iter().all(|line| !line.contains('\n')), "{:?}", update.warnings);
}
