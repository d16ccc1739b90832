//! The heap of events and the members. All events happen here, in an order determined by the seed
//! alone.

mod checking;
mod faults;
mod lies;
mod sending;
mod tracing;
mod watching;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use bytes::Bytes;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use roost_crypto::{KeyFile, RingKey};
use roost_ring::{
    Command, Config, Dropped, Event, Health, Input, Member, MemberId, Membership, Now, Output,
    Stores,
};

use crate::{
    check::{Checks, Harm},
    fault::Fault,
    liar::Recorded,
    net::Net,
    node::{Node, PORT, addr_of, id_of},
    watch::Watch,
};

/// Duration of writing an incarnation.
const DISK_US: u64 = 2_000;

/// Something in the heap.
#[derive(Debug)]
enum Happening {
    Wake(usize),
    Datagram { from: usize, to: usize, bytes: Bytes, key: Sealed },
    Gossip { to: usize, messages: Vec<Bytes>, key: Sealed },
    PushEnded { node: usize, push: u64, sent: usize },
    Stored { node: usize, incarnation: u64 },
    Suitability { node: usize, group: String, term: u64 },
    Fault(Fault),
}

/// Whether a message was sealed with the right key; `None` for forgeries, which may use any.
type Sealed = Option<bool>;

/// A simulated ring.
pub struct World {
    /// Simulated time.
    pub now: Now,
    /// The members, by number.
    pub nodes: Vec<Node>,
    /// The network between them.
    pub net: Net,
    /// Source of all randomness outside the rings.
    pub random: ChaCha8Rng,
    /// Counts and violations.
    pub checks: Checks,
    /// Measurements.
    pub watch: Watch,
    /// When cuts and partitions ended last.
    pub healed_at: Now,
    /// Groups `group0.default`, `group1.default` … that have elections.
    pub groups: usize,
    /// Limit of the member list.
    pub members_max: usize,
    /// The ring key, if the ring has one.
    pub key: Option<RingKey>,
    /// The effect of lies.
    pub harm: Harm,
    /// Messages are recorded for liars to replay.
    pub recording: bool,
    /// The last recorded messages.
    pub recorded: VecDeque<Recorded>,
    /// Number of steps.
    pub steps: u64,
    /// Inputs that rings dropped, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Print a line for each step.
    pub tracing: bool,
    numbers: BTreeMap<MemberId, usize>,
    happenings: BTreeMap<u64, Happening>,
    heap: BinaryHeap<Reverse<(Now, u64)>>,
    sequence: u64,
    seed: u64,
}

impl World {
    /// Creates `members` members that do not run yet.
    #[must_use]
    pub fn new(members: usize, seed: u64) -> Self {
        Self {
            now: Now(0),
            nodes: (0..members).map(Node::new).collect(),
            net: Net::calm(members),
            random: ChaCha8Rng::seed_from_u64(seed),
            checks: Checks::default(),
            watch: Watch::default(),
            healed_at: Now(0),
            groups: 0,
            members_max: roost_ring::limits::MEMBERS_MAX,
            key: None,
            harm: Harm::default(),
            recording: false,
            recorded: VecDeque::new(),
            steps: 0,
            dropped: BTreeMap::new(),
            tracing: false,
            numbers: (0..members).map(|number| (id_of(number), number)).collect(),
            happenings: BTreeMap::new(),
            heap: BinaryHeap::new(),
            sequence: 0,
            seed,
        }
    }

    /// The member with this id.
    #[must_use]
    pub fn number_of_id(&self, id: &MemberId) -> Option<usize> {
        self.numbers.get(id).copied()
    }

    /// Adds a member that does not run yet; returns its number.
    pub fn add_member(&mut self) -> usize {
        let number = self.nodes.len();
        self.nodes.push(Node::new(number));
        self.net.grow(number + 1);
        self.numbers.insert(id_of(number), number);
        number
    }

    /// Starts all members at once, without data files. Each has the address of the first one, and
    /// of the first one with the same key.
    pub fn start_cold(&mut self) {
        for number in 0..self.nodes.len() {
            let wrong = self.nodes[number].wrong_key;
            let same = self.nodes.iter().position(|node| node.wrong_key == wrong).unwrap_or(0);
            let peers = if same == 0 { vec![0] } else { vec![0, same] };
            self.start(number, &peers, true);
        }
    }

    /// Starts all members as a converged ring.
    pub fn start_converged(&mut self) {
        let members = (0..self.nodes.len()).map(|number| self.record_of(number)).collect();
        let stores = Arc::new(Stores { members, ..Stores::default() });
        for number in 0..self.nodes.len() {
            self.nodes[number].disk.stores = Arc::clone(&stores);
            self.start(number, &[0, 1, 2], false);
        }
    }

    /// The ring key of a member, right or wrong. A stranger has the right one.
    pub(crate) fn key_of(&self, number: usize) -> Option<RingKey> {
        let wrong = self.nodes.get(number).is_some_and(|node| node.wrong_key);
        if wrong && self.key.is_some() { Some(ring_key(true)) } else { self.key.clone() }
    }

    /// True when two members have the same key.
    #[must_use]
    pub fn share_key(&self, a: usize, b: usize) -> bool {
        self.nodes[a].wrong_key == self.nodes[b].wrong_key
    }

    /// The record of a member in the lists of others.
    #[must_use]
    pub fn record_of(&self, number: usize) -> Membership {
        let member = Member {
            id: id_of(number),
            incarnation: self.nodes.get(number).map_or(0, |node| node.incarnation),
            address: ipv4(addr_of(number)),
            swim_port: PORT,
            gossip_port: PORT,
            persistent: self.nodes.get(number).is_some_and(|node| node.permanent),
            departed: false,
            probe_ping: false,
        };
        Membership { member, health: Health::Alive }
    }

    /// Starts a member.
    pub fn start(&mut self, number: usize, peers: &[usize], cold: bool) {
        let seed = self.seed ^ (number as u64) << 20 ^ self.sequence;
        // members that start at the same time in reality do not run in step
        let first = rand::Rng::random_range(&mut self.random, 0..1_000_000);
        let now = Now(self.now.0 + first);
        let config = Config {
            initial_peers: peers.iter().filter(|p| **p != number).map(|p| addr_of(*p)).collect(),
            key: self.key_of(number),
            members_max: self.members_max,
            ..Config::default()
        };
        self.nodes[number].start(number, config, seed, now, cold);
        self.nodes[number].wake_at = Now::NEVER;
        self.after_step(number);
    }

    /// Ends all partitions and cuts.
    pub fn heal(&mut self) {
        self.net.heal();
        self.healed_at = self.now;
    }

    /// Schedules a fault.
    pub fn plan(&mut self, at_ms: u64, fault: Fault) {
        self.put(Now(at_ms * 1000), Happening::Fault(fault));
    }

    fn put(&mut self, at: Now, happening: Happening) {
        self.sequence += 1;
        self.happenings.insert(self.sequence, happening);
        self.heap.push(Reverse((at, self.sequence)));
    }

    /// Runs until a point in time.
    pub fn run_to(&mut self, end_ms: u64) {
        while self.step(Now(end_ms * 1000)) {}
        self.now = self.now.max(Now(end_ms * 1000));
    }

    /// Runs until `holds`, checked every 100 ms; returns the time it took, in milliseconds.
    pub fn run_until(&mut self, max_ms: u64, holds: impl Fn(&Self) -> bool) -> Option<u64> {
        let start = self.ms();
        while !holds(self) {
            if self.ms() - start >= max_ms {
                return None;
            }
            let next = self.ms() + 100;
            self.run_to(next);
        }
        Some(self.ms() - start)
    }

    fn step(&mut self, end: Now) -> bool {
        let Some(Reverse((at, sequence))) = self.heap.peek().copied() else { return false };
        if at > end {
            return false;
        }
        self.heap.pop();
        self.now = self.now.max(at);
        if let Some(happening) = self.happenings.remove(&sequence) {
            self.steps += 1;
            self.happen(at, happening);
        }
        true
    }

    fn happen(&mut self, at: Now, happening: Happening) {
        let number = match &happening {
            Happening::Wake(node)
            | Happening::Datagram { to: node, .. }
            | Happening::Gossip { to: node, .. }
            | Happening::PushEnded { node, .. }
            | Happening::Stored { node, .. }
            | Happening::Suitability { node, .. } => *node,
            Happening::Fault(fault) => {
                self.apply(*fault);
                return;
            }
        };
        let node = &mut self.nodes[number];
        if node.ring.is_none() || (matches!(happening, Happening::Wake(_)) && node.wake_at != at) {
            return;
        }
        if node.paused_until > self.now {
            // it waits in a buffer, or until the process continues
            let later = node.paused_until;
            if matches!(happening, Happening::Wake(_)) {
                node.wake_at = later;
            }
            self.put(later, happening);
            return;
        }
        let local = node.local(self.now);
        let Some(ring) = &mut node.ring else { return };
        let wrong_key = node.wrong_key;
        let mut took_foreign = false;
        let mut dropped: Vec<Result<(), Dropped>> = Vec::new();
        match &happening {
            Happening::Wake(_) => {
                node.wake_at = Now::NEVER;
                ring.wake(local);
            }
            Happening::Datagram { from, bytes, key, .. } => {
                node.received += 1;
                let from = addr_of(*from);
                dropped.push(ring.handle(local, Input::Datagram { from, bytes }));
                took_foreign = key.is_some_and(|key| key != wrong_key);
            }
            Happening::Gossip { messages, key, .. } => {
                node.received += messages.len() as u64;
                for bytes in messages {
                    dropped.push(ring.handle(local, Input::Gossip { bytes }));
                }
                took_foreign = key.is_some_and(|key| key != wrong_key);
            }
            Happening::PushEnded { push, sent, .. } => {
                let input = Input::PushResult { push: *push, sent: *sent };
                dropped.push(ring.handle(local, input));
            }
            Happening::Stored { incarnation, .. } => {
                dropped.push(ring.handle(local, Input::IncarnationStored(*incarnation)));
            }
            Happening::Suitability { group, term, .. } => {
                let (group, term, value) = (group.clone(), *term, node.suitability);
                let answer = Command::Suitability { group, term, value };
                dropped.push(ring.handle(local, Input::Command(answer)));
            }
            Happening::Fault(_) => {}
        }
        if took_foreign && dropped.iter().any(Result::is_ok) {
            self.violate(&format!("member {number} accepted a message with another key"));
        }
        for dropped in dropped.into_iter().filter_map(Result::err) {
            *self.dropped.entry(dropped.reason()).or_default() += 1;
        }
        self.after_step(number);
    }

    /// Carries out a ring's outputs, schedules its next wake-up, checks it.
    fn after_step(&mut self, number: usize) {
        let mut changed = false;
        loop {
            let Some(ring) = &mut self.nodes[number].ring else { return };
            let Some(output) = ring.poll() else { break };
            match output {
                Output::Send { to, bytes } => self.send(number, to, &bytes),
                Output::Push { push, to, messages } => self.push(number, push, to, messages),
                Output::PersistIncarnation(incarnation) => {
                    self.nodes[number].disk.incarnation = incarnation;
                    let at = Now(self.now.0 + DISK_US);
                    self.put(at, Happening::Stored { node: number, incarnation });
                }
                Output::NeedSuitability { group, term } => {
                    let at = Now(self.now.0 + DISK_US);
                    self.put(at, Happening::Suitability { node: number, group, term });
                }
                Output::Changed => changed = true,
                Output::Departed => {
                    self.leave(number);
                }
                Output::Event(event) => self.note(number, &event),
                Output::Record(_) | Output::Took(_) => {}
            }
        }
        let node = &mut self.nodes[number];
        let Some(ring) = &node.ring else { return };
        let next = node.global(ring.next_wake()).max(self.now);
        if next < node.wake_at {
            node.wake_at = next;
            self.put(next, Happening::Wake(number));
        }
        if changed {
            self.nodes[number].changed_at = self.now;
            self.check_member(number);
            self.measure(number);
        }
    }

    fn note(&mut self, number: usize, event: &Event) {
        self.trace(|| self.tell_event(number, event));
        match event {
            Event::Suspected { .. } => self.checks.suspicions += 1,
            Event::Confirmed { id } | Event::ProbePingFailed { id } => {
                if let Some(about) = self.numbers.get(id).copied() {
                    self.count_confirmation(number, about);
                }
            }
            _ => {}
        }
    }
}

/// The ring key of the simulation, or another one.
#[must_use]
pub fn ring_key(wrong: bool) -> RingKey {
    let content = if wrong { "A" } else { "Q" }.repeat(43);
    let text = format!("SYM-SEC-1\nsim-20250101000000\n\n{content}=");
    RingKey::parse(&text).expect("44 letters of base64 are 32 bytes")
}

fn ipv4(address: SocketAddr) -> Option<Ipv4Addr> {
    match address {
        SocketAddr::V4(address) => Some(*address.ip()),
        SocketAddr::V6(_) => None,
    }
}
