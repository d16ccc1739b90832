//! Measures the cost of a census update in a large ring, and of the template values: `cargo run
//! --release -p roost-census --example cost [MEMBERS]`.

#![expect(clippy::disallowed_methods, clippy::disallowed_macros, reason = "it measures and prints")]

use std::time::Instant;

use roost_census::{Census, Closed, Input, MemberFact, ServiceFact};
use roost_ident::{MemberHealth, ServiceGroup, SysInfo};

const GROUP_MEMBERS: usize = 100;
/// Number of members in one part of the member list.
const PART_MEMBERS: usize = 128;

fn main() {
    let members: usize =
        std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(10_000);
    let ids: Vec<String> = (0..members).map(|number| format!("{number:032x}")).collect();
    let groups: Vec<ServiceGroup> = (0..members.div_ceil(GROUP_MEMBERS))
        .filter_map(|number| format!("service{number}.default").parse().ok())
        .collect();
    let sys = SysInfo {
        ip: "10.0.0.1".into(),
        hostname: "host".into(),
        gossip_ip: "0.0.0.0".into(),
        ..SysInfo::default()
    };
    let service = |(number, member_id)| ServiceFact {
        member_id,
        group: &groups[number / GROUP_MEMBERS],
        incarnation: 1,
        pkg_incarnation: 0,
        pkg: "acme/service/1.0.0/20250101000000",
        cfg: b"host = \"10.0.0.1\"\nport = 8080\n",
        sys: &sys,
    };
    let member = |member_id| MemberFact {
        member_id,
        address: "10.0.0.1",
        gossip_port: 9638,
        health: MemberHealth::Alive,
    };
    let mut input = Input {
        services: ids.iter().map(String::as_str).enumerate().map(service).collect(),
        members: ids.iter().map(|id| member(id)).collect(),
        ..Input::default()
    };
    let mut census = Census::new(&ids[0]);
    let mut decrypt = |_: &[u8]| Err(Closed::Refused("no keys".to_owned()));

    let mut measure = |what: &str, input: &Input<'_>| {
        let start = Instant::now();
        let changed = census.update(input, &mut decrypt).changed;
        println!("{what}: {:.2} ms, changed: {changed}", start.elapsed().as_secs_f64() * 1e3);
    };
    println!("{members} members in {} groups", groups.len());
    measure("first update", &input);
    measure("nothing new", &input);
    input.members[members / 2].health = MemberHealth::Suspect;
    measure("one member suspect, full input", &input);
    let (place, group) = (members / 2, &groups[members / 2 / GROUP_MEMBERS]);
    let neighbours = &input.members[place / PART_MEMBERS * PART_MEMBERS..];
    let neighbours = &neighbours[..PART_MEMBERS.min(neighbours.len())];
    let mut news = Input { members: neighbours.to_vec(), ..Input::default() };
    for member in news.members.iter_mut().filter(|member| member.member_id == ids[place]) {
        member.health = MemberHealth::Confirmed;
    }
    measure("one member confirmed, its part of the list as input", &news);
    let of_group = input.services.iter().filter(|fact| fact.group == group);
    let mut news = Input { services: of_group.cloned().collect(), ..Input::default() };
    news.services[0].incarnation = 2;
    measure("one service new, its group as input", &news);

    let start = Instant::now();
    let size = census.svc_value(&groups[0]).map_or(0, |value| value.to_string().len());
    let cost_ms = start.elapsed().as_secs_f64() * 1e3;
    println!("`svc` of {GROUP_MEMBERS} members as text: {cost_ms:.2} ms, {size} bytes");
}
