//! A whole ring member with random messages, commands and time.
//!
//! The input is a program: bytes that select the next event and one of a few members, groups and
//! numbers, so that events relate to earlier ones. Complete messages of a recorded ring are
//! included.

use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use roost_ring::{
    Command, Config, Departure, Election, Envelope, Health, Input, Me, Member, MemberId,
    Membership, Now, Output, OwnService, Ring, Rumor, Service, ServiceConfig, ServiceFile, Status,
    Swim, SwimKind, SysInfo, datafile, limits,
};

use crate::pieces::Pieces;

/// Most steps of one input, to bound its run time.
const STEPS_MAX: usize = 1000;

/// The members of the recorded ring; the second is this one.
const IDS: [&str; 4] = [
    "1111111111111111111111111111111a",
    "5555555555555555555555555555555b",
    "9999999999999999999999999999999c",
    "short",
];
const GROUPS: [&str; 4] = ["web.default", "db.prod@acme", "web.other", "no group"];

/// Runs a member through the input.
pub fn member(data: &[u8]) {
    let mut pieces = Pieces::new(data);
    let mut world = World::new(&mut pieces);
    for _ in 0..STEPS_MAX {
        if pieces.is_empty() {
            break;
        }
        world.step(&mut pieces);
        world.drain();
    }
    world.check();
}

struct World {
    ring: Ring,
    now: Now,
    random: ChaCha8Rng,
    incarnation: u64,
    persist: Option<u64>,
    pushes: Vec<u64>,
}

impl World {
    fn new(pieces: &mut Pieces<'_>) -> Self {
        let now = Now(0);
        let me = Me {
            id: IDS[1].into(),
            incarnation: pieces.number(),
            port: 24708,
            permanent: pieces.flag(),
        };
        let config = Config {
            share_limit: pieces.below(4).into(),
            initial_peers: vec![address(0), address(1)],
            members_max: 8,
            ..Config::default()
        };
        Self {
            ring: Ring::new(config, me, None, 1, now),
            now,
            random: ChaCha8Rng::seed_from_u64(1),
            incarnation: 0,
            persist: None,
            pushes: Vec::new(),
        }
    }

    fn handle(&mut self, input: Input<'_>) {
        // Refused input is only counted.
        let _ = self.ring.handle(self.now, input);
    }

    fn gossip(&mut self, rumor: &Rumor) {
        let bytes = Envelope::new(None).wrap(rumor.encode(), &mut self.random);
        self.handle(Input::Gossip { bytes: &bytes });
    }

    fn wake(&mut self) {
        self.ring.wake(self.now);
        assert!(self.ring.next_wake() > self.now, "it wakes in a busy loop");
    }

    fn step(&mut self, pieces: &mut Pieces<'_>) {
        match pieces.below(16) {
            0 => {
                let from = address(pieces.byte());
                let bytes = pieces.block();
                self.handle(Input::Datagram { from, bytes });
            }
            1 => {
                let bytes = pieces.block();
                self.handle(Input::Gossip { bytes });
            }
            2 => {
                self.now = self.now.plus_ms(u64::from(pieces.byte()) * 20);
                self.wake();
            }
            3 => {
                for _ in 0..=pieces.below(16) {
                    self.now = self.now.max(self.ring.next_wake().min(self.now.plus_ms(60_000)));
                    self.wake();
                    self.drain();
                }
            }
            4 => {
                let sent = if pieces.flag() { usize::MAX } else { pieces.below(3).into() };
                for push in std::mem::take(&mut self.pushes) {
                    self.handle(Input::PushResult { push, sent });
                }
            }
            5 => {
                let stored = if pieces.flag() { self.persist } else { Some(pieces.number()) };
                self.handle(Input::IncarnationStored(stored.unwrap_or_default()));
            }
            6 => {
                let rumor = Rumor::Member(id(pieces), membership(pieces));
                self.gossip(&rumor);
            }
            7 => {
                let election = election(pieces);
                let rumor = if pieces.flag() {
                    Rumor::ElectionUpdate(election.into())
                } else {
                    Rumor::Election(election)
                };
                self.gossip(&rumor);
            }
            8 => {
                let rumor = Rumor::Service(service(pieces));
                self.gossip(&rumor);
            }
            9 => {
                let rumor = content(pieces);
                self.gossip(&rumor);
            }
            10 => {
                let member_id = id(pieces).as_str().into();
                self.gossip(&Rumor::Departure(Departure { member_id }));
            }
            11 | 12 => {
                let command = command(pieces);
                self.handle(Input::Command(command));
            }
            13 => {
                let from = address(pieces.byte());
                let swim = swim(pieces).encode();
                let bytes = Envelope::new(None).wrap(swim, &mut self.random);
                self.handle(Input::Datagram { from, bytes: &bytes });
            }
            14 => self.check(),
            _ => {
                self.now = self.now.plus_ms(u64::from(pieces.byte()) * 3_600_000);
                self.wake();
            }
        }
    }

    /// Takes all outputs, which other members must understand.
    fn drain(&mut self) {
        let envelope = Envelope::new(None);
        let mut count = 0;
        while let Some(output) = self.ring.poll() {
            count += 1;
            assert!(count <= 3 * limits::OUTPUTS_MAX, "endless outputs");
            match output {
                Output::Send { bytes, .. } => {
                    assert!(bytes.len() <= limits::DATAGRAM_BYTES_MAX, "{} bytes", bytes.len());
                    let payload = envelope.unwrap(&bytes).expect("its own envelope");
                    Swim::decode(payload).expect("its own datagram");
                }
                Output::Push { push, messages, .. } => {
                    for message in messages {
                        let payload = envelope.unwrap(&message).expect("its own envelope");
                        Rumor::decode(payload).expect("its own rumor");
                    }
                    self.pushes.push(push);
                }
                Output::PersistIncarnation(incarnation) => self.persist = Some(incarnation),
                Output::NeedSuitability { group, term } => {
                    let command = Command::Suitability { group, term, value: term % 3 };
                    self.handle(Input::Command(command));
                }
                Output::Event(event) => drop(event.to_string()),
                Output::Record(report) => drop(report.fact),
                Output::Changed | Output::Departed | Output::Took(_) => {}
            }
        }
        assert!(self.ring.incarnation() >= self.incarnation, "its incarnation decreased");
        self.incarnation = self.ring.incarnation();
    }

    /// Checks its view, and the data file, which must restore it.
    fn check(&mut self) {
        let view = self.ring.view();
        assert!(view.services.len() <= limits::RUMORS_MAX);
        let stores = self.ring.stores();
        let file = datafile::encode(&stores);
        assert_eq!(datafile::decode(&file).as_ref(), Ok(&stores));
        let me = Me {
            id: IDS[1].into(),
            incarnation: self.ring.incarnation(),
            port: 24708,
            permanent: false,
        };
        let mut again = Ring::new(Config::default(), me, Some(stores), 2, self.now);
        again.wake(self.now);
        while again.poll().is_some() {}
    }
}

fn id(pieces: &mut Pieces<'_>) -> String {
    match pieces.below(8) {
        other @ 4.. => format!("{other:032x}"),
        known => IDS[usize::from(known)].to_owned(),
    }
}

fn group(pieces: &mut Pieces<'_>) -> String {
    GROUPS[usize::from(pieces.below(4))].into()
}

fn address(number: u8) -> SocketAddr {
    (Ipv4Addr::new(127, 0, 0, number), 24708).into()
}

fn ring_member(pieces: &mut Pieces<'_>) -> Member {
    let number = pieces.byte();
    Member {
        id: id(pieces).as_str().into(),
        incarnation: pieces.number(),
        address: (number > 3).then(|| Ipv4Addr::new(127, 0, 0, number)),
        swim_port: 24708,
        gossip_port: 24708,
        persistent: number & 1 == 1,
        departed: number & 14 == 14,
        probe_ping: number & 48 == 48,
    }
}

fn membership(pieces: &mut Pieces<'_>) -> Membership {
    const HEALTHS: [Health; 4] =
        [Health::Alive, Health::Suspect, Health::Confirmed, Health::Departed];
    Membership { member: ring_member(pieces), health: HEALTHS[usize::from(pieces.below(4))] }
}

fn swim(pieces: &mut Pieces<'_>) -> Swim {
    let from = ring_member(pieces);
    let kind = match pieces.below(6) {
        0 => SwimKind::Ping { from, forward_to: None },
        1 => SwimKind::Ping { from, forward_to: Some(ring_member(pieces)) },
        2 => SwimKind::Ack { from, forward_to: None },
        3 => SwimKind::Ack { from, forward_to: Some(ring_member(pieces)) },
        4 => SwimKind::PingReq { from, target: ring_member(pieces) },
        _ => SwimKind::ProbePing { from },
    };
    let memberships = (0..pieces.below(4)).map(|_| membership(pieces)).collect();
    Swim { kind, memberships }
}

fn election(pieces: &mut Pieces<'_>) -> Election {
    const STATUSES: [Status; 3] = [Status::Running, Status::NoQuorum, Status::Finished];
    Election {
        member_id: id(pieces).as_str().into(),
        group: group(pieces),
        term: pieces.number(),
        suitability: pieces.number(),
        status: STATUSES[usize::from(pieces.below(3))],
        votes: (0..pieces.below(5)).map(|_| MemberId::from(id(pieces).as_str())).collect(),
    }
}

fn service(pieces: &mut Pieces<'_>) -> Service {
    Service {
        member_id: id(pieces).as_str().into(),
        group: group(pieces),
        incarnation: pieces.number(),
        initialized: pieces.flag(),
        pkg: "acme/web/1.0.0/20250101000000".into(),
        cfg: Bytes::copy_from_slice(pieces.block()),
        sys: SysInfo::default(),
        pkg_incarnation: pieces.number(),
    }
}

fn content(pieces: &mut Pieces<'_>) -> Rumor {
    let (from_id, group, incarnation) = (id(pieces), group(pieces), pieces.number());
    let (encrypted, bytes) = (pieces.flag(), Bytes::copy_from_slice(pieces.block()));
    if pieces.flag() {
        return Rumor::ServiceConfig(ServiceConfig {
            from_id,
            group,
            incarnation,
            encrypted,
            config: bytes,
        });
    }
    let filename = id(pieces);
    Rumor::ServiceFile(ServiceFile {
        from_id,
        group,
        incarnation,
        encrypted,
        filename,
        body: bytes,
    })
}

fn command(pieces: &mut Pieces<'_>) -> Command {
    let group = group(pieces);
    match pieces.below(10) {
        0 | 1 => Command::PublishService(OwnService {
            group,
            pkg: "acme/web/1.0.0/20250101000000".into(),
            cfg: Bytes::copy_from_slice(pieces.block()),
            sys: SysInfo::default(),
            pkg_incarnation: pieces.number(),
        }),
        2 => Command::StartElection { group, suitability: pieces.number() },
        3 => Command::StartUpdateElection { group, suitability: pieces.number() },
        4 => Command::Suitability { group, term: pieces.number(), value: pieces.number() },
        5 => Command::TriggerElection { group },
        6 => match content(pieces) {
            Rumor::ServiceFile(file) => Command::SetServiceFile {
                group,
                incarnation: file.incarnation,
                encrypted: file.encrypted,
                filename: file.filename,
                body: file.body,
            },
            Rumor::ServiceConfig(config) => Command::SetServiceConfig {
                group,
                incarnation: config.incarnation,
                encrypted: config.encrypted,
                config: config.config,
            },
            _ => Command::LeaveGracefully,
        },
        7 => Command::DepartMember(id(pieces).as_str().into()),
        8 => Command::LeaveGracefully,
        _ => Command::SetInitialPeers((0..pieces.below(4)).map(address).collect()),
    }
}
