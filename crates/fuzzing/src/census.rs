//! Contents of the ring's rumors as input of the census: exports and configurations in TOML, files.

use roost_census::{Bind, Census, ConfigFact, FileFact, Input, MemberFact, ServiceFact, Update};
use roost_ident::{MemberHealth, ServiceGroup, SysInfo};

/// The members of the group.
const MEMBERS: [&str; 2] = ["a", "b"];

/// Uses up to three texts as exports, configuration and file of a group: a census that parses them
/// itself and one whose caller does must reach the same state.
pub fn census(data: &[u8]) {
    let [exports, config, file] = crate::pieces::texts(data);
    let group: ServiceGroup = "web.default".parse().expect("a group");
    let encrypted = data.first().is_some_and(|byte| byte & 1 == 1);
    let sys = SysInfo::default();
    let service = |member_id| ServiceFact {
        member_id,
        group: &group,
        incarnation: 1,
        pkg_incarnation: 0,
        pkg: "acme/web/1.0.0/20250101000000",
        cfg: exports.as_bytes(),
        sys: &sys,
    };
    let member = |member_id| MemberFact {
        member_id,
        address: "10.0.0.1",
        gossip_port: 9638,
        health: MemberHealth::Alive,
    };
    let config = config.as_bytes();
    let filename = file.get(..8).unwrap_or(&file);
    let input = Input {
        services: MEMBERS.map(service).to_vec(),
        members: MEMBERS.map(member).to_vec(),
        configs: vec![ConfigFact { group: &group, incarnation: 1, encrypted, config }],
        files: vec![FileFact {
            group: &group,
            filename,
            incarnation: 1,
            encrypted,
            body: file.as_bytes(),
        }],
        ..Input::default()
    };
    let update = |census: &mut Census| census.update(&input, &mut |text| Ok(text.to_vec()));

    let mut itself = Census::new(MEMBERS[0]);
    let warned = update(&mut itself).warnings;
    let mut beside = Census::new(MEMBERS[0]).read_beside();
    let mut warned_beside = update(&mut beside).warnings;
    beside.unread([&group]).iter().for_each(|content| content.read());
    warned_beside.extend(update(&mut beside).warnings);

    for line in warned.iter().chain(&warned_beside) {
        assert!(!line.contains(char::is_control), "{line:?}");
    }
    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    assert_eq!(sorted(warned), sorted(warned_beside));
    let config = |census: &Census| census.group(&group)?.service_config.clone();
    assert_eq!(config(&itself), config(&beside));
    let exports = ["port".to_owned()];
    let bind = Bind { name: "web", group: &group, exports: &exports };
    assert_eq!(itself.check_bind(&bind), beside.check_bind(&bind));
    assert_eq!(itself.svc_value(&group), beside.svc_value(&group));
    assert_eq!(itself.bind_value(&[bind]), beside.bind_value(&[bind]));
    assert_eq!(update(&mut itself), Update::default(), "it is applied once");
    assert_eq!(update(&mut beside), Update::default(), "it is applied once");
}
