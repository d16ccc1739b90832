//! The member as a whole: what it holds, how inputs and time reach its parts, how outputs leave.

mod commands;
mod datagrams;
mod doubles;
mod elections;
mod gossiping;
mod leaving;
mod members;
mod probing;
mod refuting;
mod restoring;
mod rumors;
mod showing;

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::{
    awareness::Awareness,
    config::{Config, Me, Stores},
    counters::{Counters, SwimType},
    double::Doubles,
    dropped::Dropped,
    election::Elections,
    envelope::Envelope,
    gossip::Gossip,
    input::Input,
    member::Member,
    outbox::{Outbox, Outgoing},
    output::{Event, Output},
    probe::Prober,
    refute::Refutations,
    replay::Replays,
    stores::RumorStores,
    table::{Place, Table},
    time::Now,
    view::{MemberList, PART_MEMBERS},
};

/// One member of a ring. See the [crate's documentation](crate).
#[derive(Debug)]
pub struct Ring {
    config: Config,
    me: Me,
    /// This member announced its shutdown.
    leaving: bool,
    refutations: Refutations,
    replays: Replays,
    doubles: Doubles,
    rng: ChaCha8Rng,
    envelope: Envelope,
    table: Table,
    rumors: RumorStores,
    prober: Prober,
    gossip: Gossip,
    elections: Elections,
    awareness: Awareness,
    counters: Counters,
    /// The data file is being read: rules that judge by what is there so far are off.
    restoring: bool,
    started: Now,
    /// When the caller was to wake the ring, to notice own lag.
    planned: Now,
    out: Outbox,
    member_list: Arc<MemberList>,
    /// Parts of the list that are not as they were shown last.
    stale_parts: BTreeSet<usize>,
}

/// Grid of the expiry pass, in milliseconds (reference: ring §5.6).
const EXPIRY_MS: u64 = 500;

impl Ring {
    /// A member that starts now, with what its data file holds. `seed` must come from the
    /// operating system's randomness when there is a ring key: nonces depend on it.
    #[must_use]
    pub fn new(config: Config, me: Me, restored: Option<Stores>, seed: u64, now: Now) -> Self {
        let mut rng = ChaCha8Rng::from_seed(mix_seed(seed, &me));
        let hash_key = rand::RngCore::next_u64(&mut rng);
        let mut ring = Self {
            envelope: Envelope::new(config.key.clone()),
            leaving: false,
            refutations: Refutations::default(),
            replays: Replays::default(),
            doubles: Doubles::default(),
            table: Table::new(hash_key),
            rumors: RumorStores::default(),
            prober: Prober::new(now, &config.initial_peers),
            gossip: Gossip::default(),
            elections: Elections::default(),
            awareness: Awareness::default(),
            counters: Counters::default(),
            restoring: false,
            started: now,
            planned: Now::NEVER,
            out: Outbox::default(),
            member_list: Arc::default(),
            stale_parts: BTreeSet::new(),
            rng,
            config,
            me,
        };
        if let Some(stores) = restored {
            ring.restore(now, stores);
        }
        ring.plan(now);
        ring
    }

    /// A member that holds the same and speaks with nobody: what comes of a command can be tried
    /// on it.
    #[must_use]
    pub fn trial(&self, now: Now) -> Self {
        Self::new(self.config.clone(), self.me.clone(), Some(self.stores()), 0, now)
    }

    /// Takes something that happened.
    ///
    /// # Errors
    /// When the input had no effect; it is counted. Nothing else has to be done about it.
    pub fn handle(&mut self, now: Now, input: Input<'_>) -> Result<(), Dropped> {
        self.notice_lag(now);
        self.renumber();
        let result = match input {
            Input::Datagram { from, bytes } => self.receive_datagram(now, from, bytes),
            Input::Gossip { bytes } => self.receive_gossip(now, bytes),
            Input::PushResult { push, sent } => {
                self.push_ended(push, sent);
                Ok(())
            }
            Input::IncarnationStored(incarnation) => {
                self.out.stored(incarnation);
                Ok(())
            }
            Input::Command(command) => self.obey(now, command),
        };
        if let Err(dropped) = &result {
            self.count_drop(dropped);
        }
        self.plan(now);
        result
    }

    /// Does whatever is due. To be called at [`Ring::next_wake`]; earlier or later is harmless.
    pub fn wake(&mut self, now: Now) {
        self.notice_lag(now);
        self.renumber();
        if self.next_expiry() <= now {
            self.expire(now);
        }
        self.run_refutations(now);
        self.run_prober(now);
        self.run_gossip(now);
        self.run_elections(now);
        self.plan(now);
    }

    /// When [`Ring::wake`] is due.
    #[must_use]
    pub const fn next_wake(&self) -> Now {
        self.planned
    }

    fn plan(&mut self, now: Now) {
        // what has become due just now is not late
        self.planned = self
            .next_expiry()
            .min(self.prober.next())
            .min(self.gossip.next())
            .min(self.elections.next())
            .min(self.refutations.next())
            .max(now);
    }

    /// The next pass on the grid that has something to do.
    fn next_expiry(&self) -> Now {
        let Some(due) = self.table.next_due() else { return Now::NEVER };
        let grid_us = EXPIRY_MS * 1000;
        let passes = due.micros_since(self.started).div_ceil(grid_us);
        Now(self.started.0.saturating_add(passes.saturating_mul(grid_us)))
    }

    /// The next thing for the caller to do. To be drained after every call.
    pub fn poll(&mut self) -> Option<Output> {
        let Outgoing { output, counts_as } = self.out.poll()?;
        if let (Some(swim_type), Output::Send { bytes, .. }) = (counts_as, &output) {
            self.counters.swim_sent.entry(swim_type).or_default().add(bytes.len());
        }
        Some(output)
    }

    /// This member's record as it tells it to others (reference: ring §4.1).
    fn own_member(&self) -> Member {
        Member {
            id: self.me.id.clone(),
            incarnation: self.me.incarnation,
            address: None,
            swim_port: self.me.port,
            gossip_port: self.me.port,
            persistent: self.me.permanent,
            departed: self.leaving,
            probe_ping: false,
        }
    }

    /// Raises the own incarnation; it must be on disk before others hear of it.
    fn set_incarnation(&mut self, incarnation: u64) {
        debug_assert!(incarnation >= self.me.incarnation);
        self.me.incarnation = incarnation;
        self.out.persist(incarnation);
        self.changed();
    }

    fn changed(&mut self) {
        self.out.changed();
    }

    /// A member is different.
    fn member_changed(&mut self, place: Place) {
        self.stale_parts.insert(place as usize / PART_MEMBERS);
        self.out.changed();
        self.elections.look();
    }

    /// This member learnt of its own manual departure.
    fn learn_own_departure(&mut self) {
        self.out.departed();
    }

    fn note(&mut self, event: Event) {
        self.say(Output::Event(event));
    }

    /// Hands out something that may get lost when the caller does not fetch it.
    fn say(&mut self, output: Output) {
        if !self.out.note(output) {
            self.count_drop(&Dropped::OutputsFull);
        }
    }

    fn send(&mut self, to: SocketAddr, bytes: Bytes, counts_as: SwimType) {
        self.queue(Outgoing { output: Output::Send { to, bytes }, counts_as: Some(counts_as) });
    }

    fn queue(&mut self, outgoing: Outgoing) {
        let Some(lost) = self.out.send(outgoing) else { return };
        self.count_drop(&Dropped::OutputsFull);
        if let Output::Push { push, .. } = lost.output {
            self.push_ended(push, 0);
        }
    }

    fn count_drop(&mut self, dropped: &Dropped) {
        *self.counters.dropped.entry(dropped.reason()).or_default() += 1;
    }

    /// Gives rumors new numbers when these are nearly used up, so that none runs out while an
    /// input is handled.
    fn renumber(&mut self) {
        self.table.renumber();
        if self.rumors.heat.is_nearly_used_up() {
            let cursors = self.table.entries.iter_mut().map(|entry| &mut entry.sent_others);
            self.rumors.heat.renumber(cursors);
        }
    }

    /// Notices that this member was not woken when it was due: it was stopped, or starved. What
    /// others failed to answer meanwhile is not held against them.
    fn notice_lag(&mut self, now: Now) {
        let late_us = now.micros_since(self.planned);
        if self.planned == Now::NEVER || !self.awareness.is_lag(late_us) {
            return;
        }
        self.planned = now;
        self.awareness.lagged();
        self.table.postpone_suspects(late_us);
        self.prober.extend(now);
        self.note(Event::Lagged { late_us });
    }
}

/// Different members and different lives of a member never share a stream of random numbers,
/// even with the same seed.
fn mix_seed(seed: u64, me: &Me) -> [u8; 32] {
    let mut mixed = [0; 32];
    mixed[..8].copy_from_slice(&seed.to_le_bytes());
    mixed[8..16].copy_from_slice(&me.incarnation.to_le_bytes());
    me.id.with_text(|id| {
        for (place, byte) in (0..16).cycle().zip(id.bytes()) {
            mixed[16 + place] = mixed[16 + place].rotate_left(3) ^ byte;
        }
    });
    mixed
}
