//! The prober: who is asked whether it is alive, when, and what follows (reference: ring §6).

use std::net::SocketAddr;

use rand::{
    Rng,
    seq::{IteratorRandom, SliceRandom},
};

use crate::{
    id::MemberId,
    limits::INITIAL_PEERS_MAX,
    member::{Health, Member},
    output::{Duration, Event, Output},
    ring::Ring,
    swim::SwimKind,
    table::Place,
    time::Now,
};

/// How long an answer to a ping may take.
const PING_MS: u64 = 1_000;
/// How long the answer may take once others were asked.
const PINGREQ_MS: u64 = 2_100;
/// From the start of one probe to the start of the next.
pub(crate) const PROBE_MS: u64 = PING_MS + PINGREQ_MS;
/// How often a member that others call Confirmed is asked. Habitat asks once, so that a lost
/// datagram is a death.
const ASK_MAX: u32 = 3;
/// Share of turns at which members called Confirmed are taken up. Habitat does so once per pass,
/// which takes an hour in a ring of 1,000. Not all ask at once: the first answer spares the rest.
const ASK_SHARE: f64 = 0.25;
/// Members that are asked to help.
const HELPERS: usize = 5;

/// What the prober waits for.
#[derive(Debug, Clone)]
enum Waiting {
    /// For its next turn.
    Turn,
    /// For a member that others call Confirmed; how often it was asked.
    ProbePing(Member, u32),
    /// For a member's own answer.
    Direct(Probe),
    /// For an answer by any way.
    Indirect(Probe),
}

/// A probe that runs.
#[derive(Debug, Clone, Copy)]
struct Probe {
    place: Place,
    started: Now,
    /// The member's incarnation when it was pinged. A higher one meanwhile is news of its life.
    incarnation: u64,
}

/// The prober's state. One probe runs at a time.
#[derive(Debug)]
pub(crate) struct Prober {
    initial_peers: Vec<SocketAddr>,
    /// Enough members are known; initial peers are needed no more.
    seeded: bool,
    /// Members called Confirmed by others, to be asked in the next pass.
    ask_next: Vec<Member>,
    /// Members called Confirmed by others, to be asked in this pass, and how often they were.
    asking: Vec<(Member, u32)>,
    /// The last turn was spent on asking; the next is for a probe.
    asked_last: bool,
    /// Members still to be probed in this pass.
    pass: Vec<Place>,
    /// When the current pass began, `None` before the first.
    pass_started: Option<Now>,
    waiting: Waiting,
    next: Now,
}

fn ipv4_only(peers: &[SocketAddr]) -> Vec<SocketAddr> {
    peers.iter().filter(|peer| peer.is_ipv4()).take(INITIAL_PEERS_MAX).copied().collect()
}

impl Prober {
    pub(crate) fn new(now: Now, initial_peers: &[SocketAddr]) -> Self {
        Self {
            initial_peers: ipv4_only(initial_peers),
            seeded: false,
            ask_next: Vec::new(),
            asking: Vec::new(),
            asked_last: false,
            pass: Vec::new(),
            pass_started: None,
            waiting: Waiting::Turn,
            next: now,
        }
    }

    pub(crate) const fn next(&self) -> Now {
        self.next
    }

    pub(crate) fn set_initial_peers(&mut self, now: Now, peers: &[SocketAddr]) {
        self.initial_peers = ipv4_only(peers);
        self.seeded = false;
        self.somebody_there(now);
    }

    /// There is somebody to probe, or to look for.
    pub(crate) fn somebody_there(&mut self, now: Now) {
        if self.next == Now::NEVER {
            self.next = now.max(self.next_pass());
        }
    }

    fn next_pass(&self) -> Now {
        self.pass_started.map_or(Now::default(), |started| started.plus_ms(PROBE_MS))
    }

    /// Puts a member into the set that is asked in the next pass. False when it is there
    /// already, or the set is full.
    pub(crate) fn ask_later(&mut self, member: Member, max: usize) -> bool {
        if self.ask_next.len() >= max || self.ask_next.iter().any(|known| known.id == member.id) {
            return false;
        }
        self.ask_next.push(member);
        true
    }

    /// This member was stopped for a while; answers may be waiting, so the wait begins anew.
    pub(crate) fn wait_anew(&mut self, now: Now) {
        if !matches!(self.waiting, Waiting::Turn) {
            self.next = now.plus_ms(PING_MS);
        }
    }
}

impl Ring {
    /// Does what the prober is due for.
    pub(crate) fn run_prober(&mut self, now: Now) {
        while self.prober.next <= now {
            match std::mem::replace(&mut self.prober.waiting, Waiting::Turn) {
                Waiting::Turn => self.next_turn(now),
                Waiting::ProbePing(member, asked) => self.probeping_failed(now, member, asked),
                Waiting::Direct(probe) => self.ask_helpers(now, probe),
                Waiting::Indirect(probe) => self.probe_failed(now, probe),
            }
        }
    }

    fn next_turn(&mut self, now: Now) {
        if self.rng.random_bool(ASK_SHARE) {
            self.take_up_accused();
        }
        let probe_first = self.prober.asked_last && !self.prober.pass.is_empty();
        self.prober.asked_last = false;
        while !probe_first && let Some((member, asked)) = self.prober.asking.pop() {
            if self.is_settled(&member) {
                continue;
            }
            let Some(to) = member.swim_addr() else { continue };
            // only here the own record says what it travels in
            let from = Member { probe_ping: true, ..self.own_member() };
            self.send_swim(
                to,
                crate::counters::SwimType::ProbePing,
                crate::swim::Swim { kind: SwimKind::ProbePing { from }, memberships: Vec::new() }
                    .encode(),
            );
            self.prober.asked_last = true;
            self.prober.waiting = Waiting::ProbePing(member, asked + 1);
            self.prober.next = now.plus_ms(PING_MS);
            return;
        }
        while let Some(place) = self.prober.pass.pop() {
            let target = self.table.at(place);
            if target.is_pingable()
                && let Some(to) = target.member().swim_addr()
            {
                let (id, incarnation) = (target.id.clone(), target.incarnation);
                let ping = SwimKind::Ping { from: self.own_member(), forward_to: None };
                self.say_swim(to, ping, Some(&id));
                self.counters.probes_ping += 1;
                self.prober.waiting = Waiting::Direct(Probe { place, started: now, incarnation });
                self.prober.next = now.plus_ms(PING_MS);
                return;
            }
        }
        self.begin_pass(now);
    }

    fn take_up_accused(&mut self) {
        let ask_next = std::mem::take(&mut self.prober.ask_next);
        self.prober.asking.extend(ask_next.into_iter().map(|member| (member, 0)));
    }

    /// Looks for initial peers, then lists whom to ask and whom to probe.
    fn begin_pass(&mut self, now: Now) {
        let next_pass = self.prober.next_pass();
        if now < next_pass {
            self.prober.next = next_pass;
            return;
        }
        self.prober.pass_started = Some(now);
        let seeking = self.ping_initial_peers();
        self.take_up_accused();
        let prober = &mut self.prober;
        let (me, asking) = (&self.me.id, &prober.asking);
        let others = (0..).zip(&self.table.entries).filter(|(_, entry)| {
            entry.id != *me && !asking.iter().any(|(asked, _)| asked.id == entry.id)
        });
        prober.pass = others.map(|(place, _)| place).collect();
        prober.pass.shuffle(&mut self.rng);
        let nobody = prober.pass.is_empty() && prober.asking.is_empty();
        prober.next = match (nobody, seeking) {
            (true, false) => Now::NEVER,
            (true, true) => now.plus_ms(PROBE_MS),
            (false, _) => now,
        };
    }

    /// Pings the initial peers until enough members are known, and whenever nobody is alive.
    /// True while that goes on.
    fn ping_initial_peers(&mut self) -> bool {
        if self.prober.initial_peers.is_empty() {
            return false;
        }
        if self.table.len() > self.prober.initial_peers.len() / 2 {
            self.prober.seeded = true;
        }
        let anybody_alive = self
            .table
            .entries
            .iter()
            .any(|entry| entry.health == Health::Alive && entry.id != self.me.id);
        // Habitat stops for good once seeded, even when all it knows are dead
        if self.prober.seeded && anybody_alive {
            return false;
        }
        for to in self.prober.initial_peers.clone() {
            let ping = SwimKind::Ping { from: self.own_member(), forward_to: None };
            self.say_swim(to, ping, None);
        }
        true
    }

    fn ask_helpers(&mut self, now: Now, probe: Probe) {
        self.prober.waiting = Waiting::Indirect(probe);
        self.prober.next = now.plus_ms(PINGREQ_MS);
        self.counters.probes_pingreq += 1;
        let target = self.table.at(probe.place).member();
        if let Some(to) = target.swim_addr() {
            self.note(Event::ProbeTimedOut { id: target.id.clone(), to });
        }
        let helpers: Vec<SocketAddr> = self
            .table
            .entries
            .iter()
            .filter(|entry| entry.health == Health::Alive)
            .filter(|entry| entry.id != self.me.id && entry.id != target.id)
            .filter_map(|entry| entry.member().swim_addr())
            .choose_multiple(&mut self.rng, HELPERS);
        if helpers.is_empty() {
            return;
        }
        let id = target.id.clone();
        let request = SwimKind::PingReq { from: self.own_member(), target };
        let ((swim_type, payload), _) = self.compose(request, Some(&id));
        for to in helpers {
            self.send_swim(to, swim_type, payload.clone());
        }
    }

    fn probe_failed(&mut self, now: Now, Probe { place, started, incarnation }: Probe) {
        self.prober.next = started.plus_ms(PROBE_MS).max(now);
        self.counters.probes_failed += 1;
        self.awareness.probe_failed();
        let target = self.table.at(place);
        let (member, address) = (Member { incarnation, ..target.member() }, target.address);
        // the list has it already, so there is no limit to meet
        if self.insert(now, &member, address, Health::Suspect) == Ok(true) {
            self.note(Event::Suspected { id: member.id });
        }
    }

    /// True when what others said of a member is old news: it has contradicted them since, or
    /// it is known to be dead here as well.
    fn is_settled(&self, accused: &Member) -> bool {
        self.table.get(&accused.id).is_some_and(|known| {
            known.incarnation > accused.incarnation
                || matches!(known.health, Health::Confirmed | Health::Departed)
        })
    }

    fn probeping_failed(&mut self, now: Now, member: Member, asked: u32) {
        self.prober.next = now;
        if asked < ASK_MAX {
            self.prober.asked_last = false;
            self.prober.asking.push((member, asked));
            return;
        }
        self.note(Event::ProbePingFailed { id: member.id.clone() });
        if let Some(address) = member.address {
            // the list has it already, so there is no limit to meet
            let _ = self.insert(now, &member, address, Health::Confirmed);
        }
    }

    /// A member answered; perhaps it is the one that is waited for.
    pub(crate) fn probe_answered(&mut self, now: Now, id: &MemberId) {
        let (Probe { place, started, .. }, indirect) = match &self.prober.waiting {
            Waiting::Turn => return,
            Waiting::ProbePing(member, _) => {
                if member.id == *id {
                    self.prober.waiting = Waiting::Turn;
                    self.prober.next = now;
                }
                return;
            }
            Waiting::Direct(probe) => (*probe, false),
            Waiting::Indirect(probe) => (*probe, true),
        };
        if self.table.at(place).id != *id {
            return;
        }
        self.counters.probes_ack += 1;
        self.awareness.probe_answered();
        self.say(Output::Took(Duration::Probe { indirect, took_us: now.micros_since(started) }));
        self.prober.waiting = Waiting::Turn;
        self.prober.next = started.plus_ms(PROBE_MS).max(now);
    }
}
