//! Schedule and targets of probes (reference: ring §6).

#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use rand::{
    Rng,
    seq::{IteratorRandom, SliceRandom},
};

use crate::{
    id::MemberId,
    limits::INITIAL_PEERS_MAX,
    member::{Health, Member},
    table::{Place, Table},
    time::Now,
};

/// Time limit of an answer to a ping.
const PING_MS: u64 = 1_000;
/// Time limit of an answer after indirect pings.
const PINGREQ_MS: u64 = 2_100;
/// Interval of probes.
const PROBE_MS: u64 = PING_MS + PINGREQ_MS;
/// How often a member reported as Confirmed is asked. Habitat asks once, so that one lost datagram
/// means death.
const ASK_MAX: u32 = 3;
/// Share of turns used to ask members reported as Confirmed. Habitat does so once per pass, which
/// takes an hour in a ring of 1,000. Not all ask at once: after the first answer the rest need not.
const ASK_SHARE: f64 = 0.25;
/// Members asked for indirect pings.
const HELPERS: usize = 5;

/// The prober of a member. It owns the state of the probes, of which one runs at a time:
/// [`Prober::step`] returns the member's next action.
#[derive(Debug)]
pub(crate) struct Prober {
    initial_peers: Vec<SocketAddr>,
    /// Enough members are known; initial peers are no longer needed.
    seeded: bool,
    /// Members reported as Confirmed, to be asked in the next pass.
    ask_next: Vec<Member>,
    /// Members to be asked in this pass.
    asking: Vec<Accused>,
    /// The last turn was used for asking; the next is for a probe.
    asked_last: bool,
    /// Members still to be probed in this pass.
    pass: Vec<Place>,
    /// Start of the current pass, `None` before the first.
    pass_started: Option<Now>,
    waiting: Waiting,
    next: Now,
}

/// The event that the prober waits for.
#[derive(Debug, Clone)]
enum Waiting {
    /// For its next turn.
    Turn,
    /// For answers of initial peers; then the pass is listed.
    Peers,
    /// For a member reported as Confirmed.
    Accused(Accused),
    /// For the target's direct answer.
    Direct(Probe),
    /// For a direct or indirect answer.
    Indirect(Probe),
}

/// A member reported as Confirmed, and how often it was asked.
#[derive(Debug, Clone)]
struct Accused {
    member: Member,
    asked: u32,
}

/// A running probe.
#[derive(Debug, Clone, Copy)]
struct Probe {
    place: Place,
    started: Now,
    /// The member's incarnation at the ping. A higher one means that it is alive.
    incarnation: u64,
}

/// The next action of the member for its prober.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Ping the initial peers.
    PingPeers(Vec<SocketAddr>),
    /// Ping a member.
    Ping { id: MemberId, to: SocketAddr },
    /// Send a PROBEPING to a member reported as Confirmed.
    Ask { to: SocketAddr },
    /// The target did not answer in time: ask these helpers to ping it.
    AskHelpers { target: Member, helpers: Vec<SocketAddr> },
    /// There was no indirect answer either: it is Suspect.
    Suspect(Member),
    /// A member reported as Confirmed did not answer: it is Confirmed.
    Confirm(Member),
}

/// A successful probe.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    /// The answer came after indirect pings.
    pub(crate) indirect: bool,
    pub(crate) took_us: u64,
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

    /// Time when [`Prober::step`] is due.
    pub(crate) const fn next(&self) -> Now {
        self.next
    }

    pub(crate) fn set_initial_peers(&mut self, now: Now, peers: &[SocketAddr]) {
        self.initial_peers = ipv4_only(peers);
        self.seeded = false;
        self.resume(now);
    }

    /// There is a member to probe, or to look for: a resting prober continues.
    pub(crate) fn resume(&mut self, now: Now) {
        if self.next == Now::NEVER {
            self.next = now.max(self.next_pass());
        }
    }

    /// Adds a member to the set to be asked in the next pass. False when it is already there, or
    /// the set is full.
    pub(crate) fn ask_later(&mut self, member: Member, max: usize) -> bool {
        if self.ask_next.len() >= max || self.ask_next.iter().any(|known| known.id == member.id) {
            return false;
        }
        self.ask_next.push(member);
        true
    }

    /// This member was paused; answers may be waiting, so the time restarts.
    pub(crate) fn extend(&mut self, now: Now) {
        if !matches!(self.waiting, Waiting::Turn) {
            self.next = now.plus_ms(PING_MS);
        }
    }

    /// The next due action, to be carried out before the next call. Call it until it returns none.
    pub(crate) fn step(
        &mut self,
        now: Now,
        me: &MemberId,
        table: &Table,
        rng: &mut impl Rng,
    ) -> Option<Step> {
        while self.next <= now {
            let step = match std::mem::replace(&mut self.waiting, Waiting::Turn) {
                Waiting::Turn => self.turn(now, me, table, rng),
                Waiting::Peers => {
                    self.list_pass(now, me, table, rng, true);
                    None
                }
                Waiting::Accused(accused) => self.ask_again(now, accused),
                Waiting::Direct(probe) => Some(self.ask_helpers(now, probe, me, table, rng)),
                Waiting::Indirect(probe) => Some(self.suspect(now, probe, table)),
            };
            if step.is_some() {
                return step;
            }
        }
        None
    }

    /// A member answered. `Some` when it is the target of the probe.
    pub(crate) fn answered(&mut self, now: Now, id: &MemberId, table: &Table) -> Option<Answered> {
        let (Probe { place, started, .. }, indirect) = match &self.waiting {
            Waiting::Turn | Waiting::Peers => return None,
            Waiting::Accused(Accused { member, .. }) => {
                if member.id == *id {
                    self.waiting = Waiting::Turn;
                    self.next = now;
                }
                return None;
            }
            Waiting::Direct(probe) => (*probe, false),
            Waiting::Indirect(probe) => (*probe, true),
        };
        if table.at(place).id != *id {
            return None;
        }
        self.waiting = Waiting::Turn;
        self.next = started.plus_ms(PROBE_MS).max(now);
        Some(Answered { indirect, took_us: now.micros_since(started) })
    }

    fn turn(&mut self, now: Now, me: &MemberId, table: &Table, rng: &mut impl Rng) -> Option<Step> {
        if rng.random_bool(ASK_SHARE) {
            self.take_up_accused();
        }
        let probe_first = self.asked_last && !self.pass.is_empty();
        self.asked_last = false;
        while !probe_first && let Some(Accused { member, asked }) = self.asking.pop() {
            if !is_settled(&member, table)
                && let Some(to) = member.swim_addr()
            {
                self.asked_last = true;
                self.waiting = Waiting::Accused(Accused { member, asked: asked + 1 });
                self.next = now.plus_ms(PING_MS);
                return Some(Step::Ask { to });
            }
        }
        while let Some(place) = self.pass.pop() {
            let target = table.at(place);
            if target.is_pingable()
                && let Some(to) = target.member().swim_addr()
            {
                let incarnation = target.incarnation;
                self.waiting = Waiting::Direct(Probe { place, started: now, incarnation });
                self.next = now.plus_ms(PING_MS);
                return Some(Step::Ping { id: target.id.clone(), to });
            }
        }
        self.begin_pass(now, me, table, rng)
    }

    fn take_up_accused(&mut self) {
        let accused = self.ask_next.drain(..).map(|member| Accused { member, asked: 0 });
        self.asking.extend(accused);
    }

    fn next_pass(&self) -> Now {
        self.pass_started.map_or(Now::default(), |started| started.plus_ms(PROBE_MS))
    }

    /// Looks for initial peers, then lists the members to ask and to probe.
    fn begin_pass(
        &mut self,
        now: Now,
        me: &MemberId,
        table: &Table,
        rng: &mut impl Rng,
    ) -> Option<Step> {
        let next_pass = self.next_pass();
        if now < next_pass {
            self.next = next_pass;
            return None;
        }
        self.pass_started = Some(now);
        if self.needs_peers(me, table) {
            self.waiting = Waiting::Peers;
            return Some(Step::PingPeers(self.initial_peers.clone()));
        }
        self.list_pass(now, me, table, rng, false);
        None
    }

    /// Initial peers are pinged until enough members are known, and whenever no other is alive.
    fn needs_peers(&mut self, me: &MemberId, table: &Table) -> bool {
        if self.initial_peers.is_empty() {
            return false;
        }
        if table.len() > self.initial_peers.len() / 2 {
            self.seeded = true;
        }
        let is_other_alive =
            table.entries.iter().any(|entry| entry.health == Health::Alive && entry.id != *me);
        // Habitat stops permanently once seeded, even when all known members are dead
        !(self.seeded && is_other_alive)
    }

    fn list_pass(
        &mut self,
        now: Now,
        me: &MemberId,
        table: &Table,
        rng: &mut impl Rng,
        seeks_peers: bool,
    ) {
        self.take_up_accused();
        let asking = &self.asking;
        let others = (0..).zip(&table.entries).filter(|(_, entry)| {
            entry.id != *me && !asking.iter().any(|accused| accused.member.id == entry.id)
        });
        self.pass = others.map(|(place, _)| place).collect();
        self.pass.shuffle(rng);
        let is_empty = self.pass.is_empty() && self.asking.is_empty();
        self.next = match (is_empty, seeks_peers) {
            (true, false) => Now::NEVER,
            (true, true) => now.plus_ms(PROBE_MS),
            (false, _) => now,
        };
    }

    fn ask_helpers(
        &mut self,
        now: Now,
        probe: Probe,
        me: &MemberId,
        table: &Table,
        rng: &mut impl Rng,
    ) -> Step {
        self.waiting = Waiting::Indirect(probe);
        self.next = now.plus_ms(PINGREQ_MS);
        let target = table.at(probe.place).member();
        let helpers = table
            .entries
            .iter()
            .filter(|entry| entry.health == Health::Alive)
            .filter(|entry| entry.id != *me && entry.id != target.id)
            .filter_map(|entry| entry.member().swim_addr())
            .choose_multiple(rng, HELPERS);
        Step::AskHelpers { target, helpers }
    }

    fn suspect(&mut self, now: Now, probe: Probe, table: &Table) -> Step {
        self.next = probe.started.plus_ms(PROBE_MS).max(now);
        let member = table.at(probe.place).member();
        Step::Suspect(Member { incarnation: probe.incarnation, ..member })
    }

    fn ask_again(&mut self, now: Now, Accused { member, asked }: Accused) -> Option<Step> {
        self.next = now;
        if asked < ASK_MAX {
            self.asked_last = false;
            self.asking.push(Accused { member, asked });
            return None;
        }
        Some(Step::Confirm(member))
    }
}

/// True when the report about a member is obsolete: the member has refuted it, or is known to be
/// dead here too.
fn is_settled(accused: &Member, table: &Table) -> bool {
    table.get(&accused.id).is_some_and(|known| {
        known.incarnation > accused.incarnation
            || matches!(known.health, Health::Confirmed | Health::Departed)
    })
}
