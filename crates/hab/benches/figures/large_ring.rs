//! The cost of a change for a Supervisor with ten thousand members. None of them runs: they come
//! from the data file, as dead, so that only the change itself is measured.

use std::{
    fs,
    net::{Ipv4Addr, UdpSocket},
    time::{Duration, Instant},
};

use roost_ring::{
    Health, Member, MemberId, Membership, Service, Stores, Swim, SwimKind, SysInfo, datafile,
};

use super::{cpu_s, report, root, stop, total_rss_mb};

const MEMBERS: u32 = 10_000;
const GROUP_MEMBERS: u32 = 100;
const CHANGES: u32 = 2_000;
/// Pause between two changes, so that each is handled separately.
const PAUSE: Duration = Duration::from_millis(5);

fn membership(number: u32, incarnation: u64) -> Membership {
    let member = Member {
        id: MemberId::from_bits(u128::from(number) + 1),
        incarnation,
        address: Some(Ipv4Addr::from(0x7f10_0000 + number)),
        swim_port: 9638,
        gossip_port: 9638,
        persistent: false,
        departed: false,
        probe_ping: false,
    };
    Membership { member, health: Health::Confirmed }
}

fn service(number: u32) -> Service {
    Service {
        member_id: MemberId::from_bits(u128::from(number) + 1),
        group: format!("service{}.default", number / GROUP_MEMBERS),
        incarnation: 1,
        initialized: false,
        pkg: "acme/service/1.0.0/20250101000000".into(),
        cfg: "host = \"10.0.0.1\"\nport = 8080\n".into(),
        sys: SysInfo { ip: "10.0.0.1".into(), hostname: "host".into(), ..SysInfo::default() },
        pkg_incarnation: 0,
    }
}

/// A message about one member that triggers no answer.
fn news(number: u32, incarnation: u64) -> Vec<u8> {
    let stranger = membership(MEMBERS + 1, 0).member;
    let kind = SwimKind::PingReq { from: stranger.clone(), target: stranger };
    let payload = Swim { kind, memberships: vec![membership(number, incarnation)] }.encode();
    // The envelope: field 3, its length, the payload.
    let length = u16::try_from(payload.len()).expect("a datagram");
    let (low, high) = ((length & 0x7f) as u8 | 0x80, (length >> 7) as u8);
    [&[0x1a, low, high][..], &payload].concat()
}

pub(super) fn change_in_a_ring_of_ten_thousand() {
    let root = root();
    let id = MemberId::from_bits(0).to_string();
    let stores = Stores {
        members: (0..MEMBERS).map(|number| membership(number, 0)).collect(),
        services: (0..MEMBERS).map(service).collect(),
        ..Stores::default()
    };
    let sup = root.join("hab/sup/default");
    fs::create_dir_all(sup.join("data")).expect("a directory");
    fs::write(sup.join("MEMBER_ID"), &id).expect("an id");
    fs::write(sup.join(format!("data/{id}.rst")), datafile::encode(&stores)).expect("a data file");
    let sup = root.supervisor().start();
    sup.wait_json("/butterfly", |doc| {
        doc["membership"].as_object().is_some_and(|all| all.len() == MEMBERS as usize)
    });
    std::thread::sleep(Duration::from_secs(3));

    let udp = UdpSocket::bind((sup.gossip.ip(), 0)).expect("a socket");
    let (began, before) = (Instant::now(), cpu_s(&sup));
    for number in 0..CHANGES {
        let place = number * 7 % MEMBERS;
        udp.send_to(&news(place, u64::from(number) + 1), sup.gossip).expect("a datagram");
        std::thread::sleep(PAUSE);
    }
    let (took, used_s) = (began.elapsed(), cpu_s(&sup) - before);
    let last = (CHANGES - 1) * 7 % MEMBERS;
    let last = membership(last, 0).member.id.to_string();
    sup.wait_json("/butterfly", |doc| {
        doc["member"]["members"][&last]["incarnation"] == u64::from(CHANGES)
    });
    std::thread::sleep(Duration::from_secs(1));
    let (began, before) = (Instant::now(), cpu_s(&sup));
    std::thread::sleep(took);
    let idle_s = (cpu_s(&sup) - before) * took.as_secs_f64() / began.elapsed().as_secs_f64();
    let each_ms = (used_s - idle_s) * 1e3 / f64::from(CHANGES);
    report("a change in a ring of 10,000, CPU", "ms", vec![each_ms], "<= 1 ms");
    let (launcher, supervisor) = total_rss_mb(&sup);
    report("... memory, `/butterfly` included", "MB", vec![launcher + supervisor], "<= 112 MB");
    let began = Instant::now();
    let bytes = sup.get("/butterfly").text().len();
    let asked = format!("... and `/butterfly` after it, {} MB", bytes / 1_000_000);
    report(&asked, "ms", vec![began.elapsed().as_secs_f64() * 1e3], "-");
    stop(sup);
}
