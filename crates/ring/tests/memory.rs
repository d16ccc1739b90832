//! With millions of rumors invented by strangers, memory stays bounded, and rumors of this
//! Supervisor still find room.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "it measures and prints")]
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::fs;

use bytes::Bytes;
use prost::Message as _;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use roost_ring::{
    Command, Config, Departure, Dropped, Election, Envelope, Input, Me, MemberId, Now, OwnService,
    Ring, Rumor, Service, ServiceConfig, ServiceFile, Status, SysInfo, limits,
};

/// Limit of the memory of all rumors, above the limits of their content: keys, allocations.
const MEMORY_MAX: usize = 2 * limits::RUMOR_BYTES_MAX;

fn resident_bytes() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

fn me() -> MemberId {
    MemberId::from_bits(1)
}

/// A message with an unknown field: the stored part must not keep the whole message in memory.
fn padded(rumor: &Rumor, padding_bytes: usize) -> Bytes {
    #[derive(Clone, PartialEq, prost::Message)]
    struct Padding {
        #[prost(bytes = "vec", tag = "99")]
        padding: Vec<u8>,
    }
    let padding = Padding { padding: vec![0; padding_bytes] };
    let payload = [rumor.encode(), padding.encode_to_vec()].concat();
    Envelope::new(None).wrap(payload, &mut ChaCha8Rng::seed_from_u64(1))
}

/// The invented rumor with this number: every kind, in the name of this member and of others, with
/// long names where possible.
fn invention(number: usize) -> Bytes {
    let group = format!("invented{number}.default");
    let from_id = "butterflyclient".to_owned();
    let long = || "x".repeat(2_000);
    let sys = |ip: String| SysInfo {
        gossip_ip: ip.clone(),
        http_gateway_ip: ip.clone(),
        ctl_gateway_ip: ip.clone(),
        hostname: ip.clone(),
        ip,
        ..SysInfo::default()
    };
    let service = |member_id, ip| Service {
        member_id,
        group: group.clone(),
        incarnation: u64::MAX,
        initialized: false,
        pkg: "a/b/1/2".into(),
        cfg: Bytes::from_static(b"a = 1"),
        sys: sys(ip),
        pkg_incarnation: 0,
    };
    let file = |filename: String, body: &'static [u8]| ServiceFile {
        from_id: from_id.clone(),
        group: group.clone(),
        incarnation: 1,
        encrypted: false,
        filename,
        body: Bytes::from_static(body),
    };
    let election = |votes| Election {
        member_id: me(),
        group: group.clone(),
        term: 1,
        suitability: 1,
        status: Status::Finished,
        votes,
    };
    let stranger = || MemberId::from_bits(number as u128 + 100);
    let rumor = match number % 64 {
        0 => return padded(&Rumor::ServiceFile(file("a".into(), b"x")), 64 * 1024),
        1 => return padded(&Rumor::Service(service(me(), "1.2.3.4".into())), 64 * 1024),
        2 => Rumor::Service(service(stranger(), long())),
        3 => Rumor::ServiceFile(file(long(), b"")),
        4 => Rumor::Election(election(
            (0..99).map(|n| format!("{n:0200}").as_str().into()).collect(),
        )),
        _ => match number % 6 {
            0 => Rumor::Service(service(me(), "1.2.3.4".into())),
            1 => Rumor::Election(election(vec![me()])),
            2 => Rumor::ElectionUpdate(election(vec![stranger()]).into()),
            3 => Rumor::Departure(Departure { member_id: stranger() }),
            4 => Rumor::ServiceFile(file("a".into(), b"x")),
            _ => Rumor::ServiceConfig(ServiceConfig {
                from_id: from_id.clone(),
                group,
                incarnation: 1,
                encrypted: false,
                config: Bytes::from_static(b"a = 1"),
            }),
        },
    };
    padded(&rumor, 0)
}

fn own_service(group: &str, cfg: &str) -> OwnService {
    OwnService {
        group: group.into(),
        pkg: "example/web/1.0.0/20250101000000".into(),
        cfg: cfg.to_owned().into(),
        sys: SysInfo::default(),
        pkg_incarnation: 0,
    }
}

fn config(group: &str, incarnation: u64, config: Vec<u8>) -> Command {
    let (group, config) = (group.into(), config.into());
    Command::SetServiceConfig { group, incarnation, encrypted: false, config }
}

fn file(filename: &str) -> Command {
    Command::SetServiceFile {
        group: "web.default".into(),
        incarnation: 1,
        encrypted: false,
        filename: filename.into(),
        body: vec![b'x'; 64 * 1024].into(),
    }
}

fn flood(inventions: usize) {
    let me = Me { id: me(), incarnation: 0, port: 9638, permanent: false };
    let mut ring = Ring::new(Config::default(), me, None, 1, Now(0));
    let now = Now(1);
    let before = resident_bytes();
    let mut refused = 0;
    for number in 0..inventions {
        let bytes = invention(number);
        match ring.handle(now, Input::Gossip { bytes: &bytes }) {
            Ok(()) => {}
            Err(Dropped::TooManyRumors) => refused += 1,
            Err(other) => panic!("{other}"),
        }
        while ring.poll().is_some() {}
    }
    let grown = resident_bytes().saturating_sub(before);
    println!("{inventions} inventions, {refused} refused, {} MB", grown / 1_000_000);
    assert!(refused > inventions / 4, "the stores are full: {refused}");
    assert!(grown < MEMORY_MAX, "{grown} bytes");

    // the Supervisor's own services and elections, repeatedly, however they grow
    let mut tell = |command| ring.handle(now, Input::Command(command));
    for round in 0..20 {
        let cfg = "a".repeat(round * 10_000);
        for group in ["web.default", "db.default", "invented0.default"] {
            tell(Command::PublishService(own_service(group, &cfg))).unwrap();
        }
    }
    for group in ["web.default", "db.default"] {
        tell(Command::StartElection { group: group.into(), suitability: 7 }).unwrap();
    }
    // rumors of this Supervisor's clients, until their room is full; then they are refused
    for version in 1..=3 {
        tell(config("web.default", version, vec![b' '; 64 * 1024])).unwrap();
    }
    let files = (0..10_000).map(|number| tell(file(&number.to_string())));
    let taken = files.take_while(Result::is_ok).count();
    assert!((100..1_000).contains(&taken), "{taken} files of 64 KiB");
    assert_eq!(tell(file("one too many")), Err(Dropped::TooManyRumors));
    tell(Command::PublishService(own_service("web.default", "b = 1"))).unwrap();
    // votes of others in an own election arrive
    let voted = Rumor::Election(Election {
        member_id: "ffffffffffffffffffffffffffffffff".into(),
        group: "web.default".into(),
        term: 0,
        suitability: 9,
        status: Status::Running,
        votes: vec!["ffffffffffffffffffffffffffffffff".into()],
    });
    ring.handle(now, Input::Gossip { bytes: &padded(&voted, 0) }).unwrap();
    assert_eq!(ring.election("web.default").unwrap().votes.len(), 2);
    let stores = ring.stores();
    drop(ring);

    // after a restart everything is restored, and own rumors take precedence again
    let me = Me { id: self::me(), incarnation: 0, port: 9638, permanent: false };
    let mut ring = Ring::new(Config::default(), me, Some(stores.clone()), 1, Now(0));
    let again = ring.stores();
    assert_eq!(again.service_files.len(), stores.service_files.len());
    assert_eq!(again.service_configs.len(), stores.service_configs.len());
    let service = Command::PublishService(own_service("new.default", ""));
    ring.handle(now, Input::Command(service)).unwrap();
}

#[test]
fn invented_rumors_neither_fill_the_memory_nor_take_the_room_of_own_ones() {
    flood(120_000);
}

#[test]
#[ignore = "takes minutes; run before a change of the stores is called done"]
fn millions_of_invented_rumors_need_no_more_memory() {
    flood(5_000_000);
}
