//! The heap of events and the members. Everything that happens, happens here, in one order that
//! follows from the seed alone.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    io::Write,
    net::Ipv4Addr,
    sync::Arc,
};

use bytes::Bytes;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use roost_ring::{
    Command, Envelope, Event, Health, Input, Member, MemberId, Membership, Now, Output, Rumor,
    Stores,
};

use crate::{
    Fault,
    check::Checks,
    net::Net,
    node::{Node, PORT, addr_of, id_of, number_of},
};

/// How long a connection that cannot be made is waited for.
const PUSH_TIMEOUT_US: u64 = 500_000;
/// How long it takes to write an incarnation.
const DISK_US: u64 = 2_000;

/// Something in the heap.
#[derive(Debug)]
enum Happening {
    Wake(usize),
    Datagram { from: usize, to: usize, bytes: Bytes },
    Gossip { to: usize, messages: Vec<Bytes> },
    PushEnded { node: usize, push: u64, sent: usize },
    Stored { node: usize, incarnation: u64 },
    Suitability { node: usize, group: String, term: u64 },
    Fault(Fault),
}

/// What is measured while the world runs: when each member learnt of something.
#[derive(Debug, Default)]
pub struct Watch {
    /// A service to look for: group and owner.
    pub service: Option<(String, usize, u64)>,
    /// A member whose death is to be seen.
    pub death: Option<usize>,
    /// Since when.
    pub since: Now,
    /// When each member knew of the service, in microseconds after `since`.
    pub knew: BTreeMap<usize, u64>,
    /// When each member suspected the dead.
    pub suspected: BTreeMap<usize, u64>,
    /// When each member confirmed the death.
    pub confirmed: BTreeMap<usize, u64>,
}

/// A simulated ring.
pub struct World {
    /// Simulated time.
    pub now: Now,
    /// The members, by number.
    pub nodes: Vec<Node>,
    /// What is between them.
    pub net: Net,
    /// Source of all chance outside the rings.
    pub random: ChaCha8Rng,
    /// Counts and violations.
    pub checks: Checks,
    /// Measurements.
    pub watch: Watch,
    /// When cuts and partitions ended last.
    pub healed_at: Now,
    /// Groups `group0.default`, `group1.default` … that have elections.
    pub groups: usize,
    /// Steps done.
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
    /// `members` members that do not run yet.
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

    /// Makes room for one more member, which does not run yet.
    pub fn add_member(&mut self) {
        let number = self.nodes.len();
        self.nodes.push(Node::new(number));
        self.net.grow(number + 1);
        self.numbers.insert(id_of(number), number);
    }

    /// Starts all members as a ring that has known itself for long.
    pub fn start_converged(&mut self) {
        let members = (0..self.nodes.len()).map(|number| self.record_of(number)).collect();
        let stores = Arc::new(Stores { members, ..Stores::default() });
        for number in 0..self.nodes.len() {
            self.nodes[number].disk.stores = Arc::clone(&stores);
            self.start(number, &[0, 1, 2], false);
        }
    }

    /// The record of a member as others hold it.
    #[must_use]
    pub fn record_of(&self, number: usize) -> Membership {
        let address = match addr_of(number).ip() {
            std::net::IpAddr::V4(ip) => ip,
            std::net::IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
        };
        let member = Member {
            id: id_of(number),
            incarnation: self.nodes[number].incarnation,
            address: Some(address),
            swim_port: PORT,
            gossip_port: PORT,
            persistent: number < 3,
            departed: false,
            probe_ping: false,
        };
        Membership { member, health: Health::Alive }
    }

    /// Starts a member.
    pub fn start(&mut self, number: usize, peers: &[usize], cold: bool) {
        let seed = self.seed ^ (number as u64) << 20 ^ self.sequence;
        // members that start at the same time in reality do not tick in step
        let first = rand::Rng::random_range(&mut self.random, 0..1_000_000);
        let now = Now(self.now.0 + first);
        self.nodes[number].start(number, peers, seed, now, cold);
        self.nodes[number].wake_at = Now::NEVER;
        self.after_step(number);
    }

    /// Ends all partitions and cuts.
    pub fn heal(&mut self) {
        self.net.heal();
        self.healed_at = self.now;
    }

    /// Lets something happen later.
    pub fn plan(&mut self, at_ms: u64, fault: Fault) {
        self.put(Now(at_ms * 1000), Happening::Fault(fault));
    }

    fn put(&mut self, at: Now, happening: Happening) {
        self.sequence += 1;
        self.happenings.insert(self.sequence, happening);
        self.heap.push(Reverse((at, self.sequence)));
    }

    /// Writes a line when tracing.
    pub fn trace(&self, line: impl FnOnce() -> String) {
        if self.tracing {
            // whoever reads may have seen enough and closed the pipe
            let _ = writeln!(
                std::io::stdout().lock(),
                "{:>12.3}  {}",
                self.now.0 as f64 / 1000.0,
                line()
            );
        }
    }

    /// Runs until a point in time.
    pub fn run_to(&mut self, end_ms: u64) {
        while self.step(Now(end_ms * 1000)) {}
        self.now = self.now.max(Now(end_ms * 1000));
    }

    /// Runs until something holds, looked at every 100 ms; how long it took, in milliseconds.
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
                let fault = fault.clone();
                self.apply(fault);
                return;
            }
        };
        let node = &mut self.nodes[number];
        if node.ring.is_none() || (matches!(happening, Happening::Wake(_)) && node.wake_at != at) {
            return;
        }
        if node.paused_until > self.now {
            // it waits in a buffer, or for the process to go on
            let later = node.paused_until;
            if matches!(happening, Happening::Wake(_)) {
                node.wake_at = later;
            }
            self.put(later, happening);
            return;
        }
        let local = node.local(self.now);
        let Some(ring) = &mut node.ring else { return };
        let mut dropped = Vec::new();
        match &happening {
            Happening::Wake(_) => {
                node.wake_at = Now::NEVER;
                ring.wake(local);
            }
            Happening::Datagram { from, bytes, .. } => {
                node.received += 1;
                let from = addr_of(*from);
                dropped.push(ring.handle(local, Input::Datagram { from, bytes }));
            }
            Happening::Gossip { messages, .. } => {
                node.received += messages.len() as u64;
                for bytes in messages {
                    dropped.push(ring.handle(local, Input::Gossip { bytes }));
                }
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
        for dropped in dropped.into_iter().filter_map(Result::err) {
            *self.dropped.entry(dropped.reason()).or_default() += 1;
        }
        self.after_step(number);
    }

    /// Does what a ring wants done, plans its next wake-up, checks it.
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
                    self.nodes[number].departed = true;
                    self.tell(number, Command::LeaveGracefully);
                }
                Output::Event(event) => self.note(number, &event),
                Output::Took(_) => {}
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
        self.trace(|| format!("{number:>6}  {event}"));
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

    fn send(&mut self, from: usize, to: std::net::SocketAddr, bytes: &Bytes) {
        self.nodes[from].sent_bytes += bytes.len() as u64;
        let Some(to) = number_of(to).filter(|to| *to < self.nodes.len()) else { return };
        self.trace(|| format!("{from:>6} -> {to:<6} datagram {} bytes", bytes.len()));
        for delay in self.net.arrivals(from, to, &mut self.random).into_iter().flatten() {
            let at = Now(self.now.0 + delay);
            self.put(at, Happening::Datagram { from, to, bytes: bytes.clone() });
        }
    }

    fn push(&mut self, from: usize, push: u64, to: std::net::SocketAddr, messages: Vec<Bytes>) {
        let bytes: usize = messages.iter().map(Bytes::len).sum();
        let count = messages.len();
        let to = number_of(to).filter(|to| *to < self.nodes.len());
        let running = to.filter(|to| self.nodes[*to].ring.is_some());
        let reached = running.filter(|to| self.net.connects(from, *to));
        let took_us = if let Some(to) = reached {
            self.nodes[from].sent_bytes += bytes as u64;
            // there and back for the connection, there for the content
            let took_us = 3 * self.net.latency_us(&mut self.random);
            self.put(Now(self.now.0 + took_us), Happening::Gossip { to, messages });
            took_us
        } else {
            PUSH_TIMEOUT_US
        };
        self.trace(|| {
            let outcome = if reached.is_some() { "delivered" } else { "failed" };
            format!("{from:>6} => {to:<6?} {count} rumors, {bytes} bytes, {outcome}")
        });
        let sent = if reached.is_some() { count } else { 0 };
        let ended = Happening::PushEnded { node: from, push, sent };
        self.put(Now(self.now.0 + took_us), ended);
    }

    /// Tells a member something.
    pub fn tell(&mut self, number: usize, command: Command) {
        let node = &mut self.nodes[number];
        let local = node.local(self.now);
        if let Some(ring) = &mut node.ring {
            if let Err(dropped) = ring.handle(local, Input::Command(command)) {
                *self.dropped.entry(dropped.reason()).or_default() += 1;
            }
            self.after_step(number);
        }
    }

    fn apply(&mut self, fault: Fault) {
        self.trace(|| format!("FAULT {fault:?}"));
        match fault {
            Fault::Save(node) => {
                if let Some(ring) = &self.nodes[node].ring {
                    self.nodes[node].disk.stores = Arc::new(ring.stores());
                }
            }
            Fault::Crash(node) => self.nodes[node].ring = None,
            Fault::Start { node, peers, cold } => {
                if self.nodes[node].ring.is_none() {
                    self.start(node, &peers, cold);
                }
            }
            Fault::Pause { node, ms } => {
                self.nodes[node].paused_until = self.now.plus_ms(ms);
            }
            Fault::Side { node, side } => {
                // for those who are on the same side from now on this is healing
                self.healed_at = self.now;
                self.net.put_on_side(node, side);
            }
            Fault::Cut { from, to } => self.net.cut(from, to),
            Fault::Heal => self.heal(),
            Fault::Loss(loss) => self.net.loss = loss,
            Fault::Tell { node, command } => self.tell(node, command),
            Fault::Lie { to, about, confirmed } => self.lie(to, about, confirmed),
        }
    }

    fn lie(&mut self, to: usize, about: usize, confirmed: bool) {
        let mut membership = self.record_of(about);
        membership.health = if confirmed { Health::Confirmed } else { Health::Suspect };
        let rumor = Rumor::Member("liar".into(), membership);
        let message = Envelope::new(None).wrap(rumor.encode(), &mut self.random);
        self.put(self.now, Happening::Gossip { to, messages: vec![message] });
    }

    /// Notes when a member learnt what is being watched.
    fn measure(&mut self, number: usize) {
        let Some(ring) = &self.nodes[number].ring else { return };
        let after = self.now.micros_since(self.watch.since);
        if let Some((group, owner, incarnation)) = &self.watch.service
            && ring
                .service(group, &id_of(*owner))
                .is_some_and(|service| service.incarnation >= *incarnation)
        {
            self.watch.knew.entry(number).or_insert(after);
        }
        if let Some(dead) = self.watch.death {
            let health = ring.health_of(&id_of(dead));
            if health >= Some(Health::Suspect) {
                self.watch.suspected.entry(number).or_insert(after);
            }
            if health >= Some(Health::Confirmed) {
                self.watch.confirmed.entry(number).or_insert(after);
            }
        }
    }
}
