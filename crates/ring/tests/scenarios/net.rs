//! A few members on a virtual network: each has its own address, messages arrive after a
//! millisecond, links can be cut in one direction, time advances from event to event.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use bytes::Bytes;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use roost_crypto::{KeyFile, RingKey};
use roost_events::Report;
use roost_ring::{
    Command, Config, Counters, Envelope, Event, Health, Input, Me, Member, MemberId, Now, Output,
    OwnService, Ring, Status, Stores, SysInfo, View,
};

pub(crate) const PORT: u16 = 9638;
const LATENCY_US: u64 = 1_000;

pub(crate) fn id(number: usize) -> MemberId {
    MemberId::from_bits(number as u128 + 1)
}

pub(crate) fn addr(number: usize) -> SocketAddr {
    let ip = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 0, 0, 1)) + number as u32);
    SocketAddr::new(IpAddr::V4(ip), PORT)
}

fn number(addr: SocketAddr) -> usize {
    let IpAddr::V4(ip) = addr.ip() else { panic!("{addr}") };
    (u32::from(ip) - u32::from(Ipv4Addr::new(10, 0, 0, 1))) as usize
}

/// A message as sent by a member without ring key.
pub(crate) fn plain(payload: Vec<u8>) -> Vec<u8> {
    Envelope::new(None).wrap(payload, &mut ChaCha8Rng::seed_from_u64(1)).to_vec()
}

pub(crate) fn ring_key() -> RingKey {
    RingKey::parse(include_str!("../fixtures/vec-20250101000000.sym.key")).unwrap()
}

/// A member's own record.
pub(crate) fn stranger(number: usize) -> Member {
    Member {
        id: id(number),
        incarnation: 0,
        address: None,
        swim_port: PORT,
        gossip_port: PORT,
        persistent: false,
        departed: false,
        probe_ping: false,
    }
}

pub(crate) fn service(group: &str) -> OwnService {
    let name = group.split('.').next().unwrap();
    OwnService {
        group: group.into(),
        pkg: format!("example/{name}/1.0.0/20250101000000"),
        cfg: "port = 1\n".into(),
        sys: SysInfo { ip: "10.0.0.1".into(), hostname: "h".into(), ..SysInfo::default() },
        pkg_incarnation: 0,
    }
}

enum Message {
    Datagram { from: SocketAddr, bytes: Vec<u8> },
    Gossip { bytes: Vec<u8> },
    PushResult { push: u64, sent: usize },
}

pub(crate) struct Node {
    pub(crate) ring: Ring,
    pub(crate) incarnation_on_disk: u64,
    pub(crate) events: Vec<Event>,
    pub(crate) record: Vec<Report>,
    pub(crate) departed: bool,
    /// Result of its suitability hook.
    pub(crate) suitability: u64,
    pub(crate) asked: Vec<(String, u64)>,
    pub(crate) datagrams: usize,
    pub(crate) rumors: usize,
    /// Bytes of datagrams and of gossip messages.
    pub(crate) sent_bytes: (usize, usize),
    pub(crate) received_bytes: (usize, usize),
}

#[derive(Default)]
pub(crate) struct Net {
    pub(crate) now: Now,
    pub(crate) nodes: BTreeMap<usize, Node>,
    pub(crate) cut: BTreeSet<(usize, usize)>,
    queue: BTreeMap<(Now, u64), (usize, Message)>,
    sequence: u64,
    pub(crate) key: Option<RingKey>,
}

impl Net {
    /// `count` members that all start at once; the first is the initial peer of all.
    pub(crate) fn ring(count: usize) -> Self {
        let mut net = Self::default();
        for number in 0..count {
            net.start(number, &[0]);
        }
        net
    }

    pub(crate) fn start(&mut self, number: usize, peers: &[usize]) {
        self.start_with(number, peers, 0, false, None);
    }

    pub(crate) fn start_with(
        &mut self,
        number: usize,
        peers: &[usize],
        incarnation: u64,
        permanent: bool,
        stores: Option<Stores>,
    ) {
        let initial_peers =
            peers.iter().filter(|peer| **peer != number).map(|peer| addr(*peer)).collect();
        let config = Config { initial_peers, key: self.key.clone(), ..Config::default() };
        let me = Me { id: id(number), incarnation, port: PORT, permanent };
        let ring = Ring::new(config, me, stores, number as u64, self.now);
        let node = Node {
            ring,
            incarnation_on_disk: incarnation,
            events: Vec::new(),
            record: Vec::new(),
            departed: false,
            suitability: 0,
            asked: Vec::new(),
            datagrams: 0,
            rumors: 0,
            sent_bytes: (0, 0),
            received_bytes: (0, 0),
        };
        self.nodes.insert(number, node);
        self.drain(number);
    }

    /// Ends a member without a goodbye; returns its state on disk.
    pub(crate) fn crash(&mut self, number: usize) -> (u64, Stores) {
        let node = self.nodes.remove(&number).unwrap();
        (node.incarnation_on_disk, node.ring.stores())
    }

    pub(crate) fn command(&mut self, number: usize, command: Command) {
        let node = self.nodes.get_mut(&number).unwrap();
        node.ring.handle(self.now, Input::Command(command)).unwrap();
        self.drain(number);
    }

    pub(crate) fn datagram(&mut self, number: usize, from: SocketAddr, bytes: &[u8]) {
        let node = self.nodes.get_mut(&number).unwrap();
        let _ = node.ring.handle(self.now, Input::Datagram { from, bytes });
        self.drain(number);
    }

    /// Cuts both directions between the members of two sides.
    pub(crate) fn part(&mut self, left: &[usize], right: &[usize]) {
        for a in left {
            for b in right {
                self.cut.extend([(*a, *b), (*b, *a)]);
            }
        }
    }

    pub(crate) fn run_ms(&mut self, ms: u64) {
        let end = self.now.plus_ms(ms);
        while self.step(end) {}
        self.now = end;
    }

    /// Runs until `done`, at most `ms`; returns the time it took, in milliseconds.
    pub(crate) fn run_until(&mut self, ms: u64, mut done: impl FnMut(&mut Self) -> bool) -> u64 {
        let start = self.now;
        let end = start.plus_ms(ms);
        while !done(self) {
            assert!(self.step(end), "not done within {ms} ms");
        }
        self.now.micros_since(start) / 1000
    }

    fn step(&mut self, end: Now) -> bool {
        let message = self.queue.first_key_value().map(|((at, _), _)| *at);
        let timer = self.nodes.iter().map(|(at, node)| (node.ring.next_wake(), *at)).min();
        let next = message.unwrap_or(Now::NEVER).min(timer.map_or(Now::NEVER, |(at, _)| at));
        if next > end {
            return false;
        }
        self.now = self.now.max(next);
        if message == Some(next) {
            let (_, (to, message)) = self.queue.pop_first().unwrap();
            let Some(node) = self.nodes.get_mut(&to) else { return true };
            let result = match &message {
                Message::Datagram { from, bytes } => {
                    node.datagrams += 1;
                    node.received_bytes.0 += bytes.len();
                    node.ring.handle(self.now, Input::Datagram { from: *from, bytes })
                }
                Message::Gossip { bytes } => {
                    node.rumors += 1;
                    node.received_bytes.1 += bytes.len();
                    node.ring.handle(self.now, Input::Gossip { bytes })
                }
                Message::PushResult { push, sent } => {
                    node.ring.handle(self.now, Input::PushResult { push: *push, sent: *sent })
                }
            };
            // members of one version never send each other anything that is dropped, but an
            // election of a foreign term is normal
            if let Err(dropped) = result {
                let normal = ["foreign-term", "undecryptable", "missing-nonce", "unknown-target"];
                assert!(normal.contains(&dropped.reason()), "{to}: {dropped}");
            }
            self.drain(to);
        } else if let Some((_, number)) = timer {
            self.nodes.get_mut(&number).unwrap().ring.wake(self.now);
            self.drain(number);
        }
        true
    }

    fn post(&mut self, to: usize, message: Message) {
        self.sequence += 1;
        self.queue.insert((Now(self.now.0 + LATENCY_US), self.sequence), (to, message));
    }

    pub(crate) fn drain(&mut self, number_of_node: usize) {
        loop {
            let node = self.nodes.get_mut(&number_of_node).unwrap();
            let Some(output) = node.ring.poll() else { return };
            match output {
                Output::Send { to, bytes } => {
                    assert!(bytes.len() <= 1024);
                    node.sent_bytes.0 += bytes.len();
                    let to = number(to);
                    if !self.cut.contains(&(number_of_node, to)) {
                        let from = addr(number_of_node);
                        self.post(to, Message::Datagram { from, bytes: bytes.to_vec() });
                    }
                }
                Output::Push { push, to, messages } => {
                    let to = number(to);
                    // TCP needs both directions
                    let sent = self.nodes.contains_key(&to)
                        && !self.cut.contains(&(number_of_node, to))
                        && !self.cut.contains(&(to, number_of_node));
                    let sent = if sent { messages.len() } else { 0 };
                    if sent > 0 {
                        let sender = self.nodes.get_mut(&number_of_node).unwrap();
                        sender.sent_bytes.1 += messages.iter().map(Bytes::len).sum::<usize>();
                        for message in messages {
                            self.post(to, Message::Gossip { bytes: message.to_vec() });
                        }
                    }
                    self.post(number_of_node, Message::PushResult { push, sent });
                }
                Output::PersistIncarnation(incarnation) => {
                    assert!(incarnation > node.incarnation_on_disk, "it never decreases");
                    node.incarnation_on_disk = incarnation;
                    node.ring.handle(self.now, Input::IncarnationStored(incarnation)).unwrap();
                }
                Output::NeedSuitability { group, term } => {
                    node.asked.push((group.clone(), term));
                    let value = node.suitability;
                    let answer = Command::Suitability { group, term, value };
                    node.ring.handle(self.now, Input::Command(answer)).unwrap();
                }
                Output::Event(event) => node.events.push(event),
                Output::Departed => {
                    node.departed = true;
                    let leave = Input::Command(Command::LeaveGracefully);
                    node.ring.handle(self.now, leave).unwrap();
                }
                Output::Record(report) => node.record.push(*report),
                Output::Changed | Output::Took(_) => {}
            }
        }
    }

    pub(crate) fn view(&mut self, number: usize) -> View {
        self.nodes.get_mut(&number).unwrap().ring.view()
    }

    pub(crate) fn counters(&self, number: usize) -> &Counters {
        self.nodes[&number].ring.counters()
    }

    pub(crate) fn health(&self, of: usize, seen_by: usize) -> Option<Health> {
        self.nodes[&seen_by].ring.health_of(&id(of))
    }

    /// True when all running members list exactly `count` members as alive.
    pub(crate) fn all_alive(&self, count: usize) -> bool {
        self.nodes.values().all(|node| {
            let (len, tally) = node.ring.tally();
            len == count && tally.alive == count
        })
    }

    /// The leader of a group as one member sees it, once it is elected.
    pub(crate) fn leader(&mut self, group: &str, seen_by: usize) -> Option<MemberId> {
        let elections = self.view(seen_by).elections;
        let election = elections.get(group, "election")?;
        (election.status == Status::Finished).then(|| election.member_id.clone())
    }
}
