//! The member as a whole: what it holds, how inputs and time reach its parts, how outputs leave.

mod commands;
mod datagrams;
mod doubles;
mod elections;
mod gossiping;
mod leaving;
mod members;
mod probing;
mod recording;
mod refuting;
mod restoring;
mod rumors;
mod showing;

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use roost_events::Cause;

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
    record::Chronicle,
    refute::Refutations,
    replay::Replays,
    stores::RumorStores,
    table::{Place, Table},
    time::Now,
    view::{MemberList, PART_MEMBERS},
};

/// One member of a Butterfly ring, as a state machine.
///
/// A `Ring` holds everything that the member knows: the member list, the rumors, and the course of
/// its probes, pushes and elections. It does nothing by itself. Its owner reports what happened and
/// when, and carries out what the ring returns. The owner has the sockets, the disk and the clock;
/// one owner needs one thread for it, and a thousand rings fit into one process.
///
/// # Calling order
///
/// 1. [`Ring::new`], with what the data file held.
/// 2. Whatever arrives goes into [`Ring::handle`]. At [`Ring::next_wake`], the owner calls
///    [`Ring::wake`].
/// 3. After each of these calls, including `new`, [`Ring::poll`] is called until it returns `None`,
///    and each [`Output`] is carried out in that order.
/// 4. `next_wake` is read again, because every call may change it.
///
/// Some outputs want an answer, each by one call of `handle`:
///
/// | output | answer | without it |
/// |---|---|---|
/// | [`Output::PersistIncarnation`] | [`Input::IncarnationStored`] | nothing goes to the network |
/// | [`Output::Push`] | [`Input::PushResult`] | the push counts as failed after a minute |
/// | [`Output::NeedSuitability`] | [`Command::Suitability`](crate::Command::Suitability) | it counts as 0 after a minute |
///
/// After [`Output::Changed`], [`Ring::view`] returns a new picture of what is known.
/// [`Ring::stores`] returns what belongs into the data file, whenever the owner writes it. A member
/// leaves with [`Command::LeaveGracefully`](crate::Command::LeaveGracefully); the outputs of that
/// call are the last ones that have to be carried out. There is nothing to close.
///
/// # Time
///
/// [`Now`] is a monotonic clock of the owner's choice; only differences count. It must not run
/// backwards from call to call. Waking early or twice is harmless. Being more than half a second
/// late is noticed: the ring takes it as a pause of this process, and gives the members that it
/// suspects as much time again. A member that is alone is never woken: `next_wake` is
/// [`Now::NEVER`] then.
///
/// # Randomness
///
/// All chance follows from the seed of `new`, so equal calls with an equal seed give equal outputs.
/// That is how rings are simulated and failures replayed. With a ring key the seed must come from
/// the operating system, because nonces follow from it.
///
/// # Errors
///
/// `handle` returns [`Dropped`] when an input had no effect, for example a datagram that cannot be
/// decoded or a rumor that finds no room. Inputs come from the network: such an error is normal.
/// The ring has counted it ([`Ring::counters`]), stays usable, and needs no answer. For a command
/// the error is the answer to the user. No input makes a ring panic, and no number of inputs makes
/// it grow beyond its [`limits`](crate::limits). When outputs are not fetched, the oldest messages
/// to the network are lost, as datagrams may be.
///
/// # Example
///
/// Two members meet on a network that is a pair of queues:
///
/// ```
/// use std::net::SocketAddr;
///
/// use roost_ring::{Config, Health, Input, Me, MemberId, Now, Output, Ring};
///
/// let addresses: [SocketAddr; 2] = ["10.0.0.1:9638".parse()?, "10.0.0.2:9638".parse()?];
/// let mut now = Now(0);
/// let mut member = |number: usize, initial_peers: Vec<SocketAddr>| {
///     let id = MemberId::from_bits(number as u128);
///     let me = Me { id, incarnation: 0, port: 9638, permanent: false };
///     Ring::new(Config { initial_peers, ..Config::default() }, me, None, 42, now)
/// };
/// // the second one knows the address of the first
/// let mut rings = [member(0, vec![]), member(1, vec![addresses[0]])];
/// let knows_both = |ring: &mut Ring| ring.view().members.len() == 2;
///
/// while !rings.iter_mut().all(knows_both) {
///     for number in 0..2 {
///         if rings[number].next_wake() <= now {
///             rings[number].wake(now);
///         }
///         while let Some(output) = rings[number].poll() {
///             match output {
///                 Output::Send { to, bytes } => {
///                     let input = Input::Datagram { from: addresses[number], bytes: &bytes };
///                     let other = addresses.iter().position(|address| *address == to);
///                     rings[other.expect("a member")].handle(now, input)?;
///                 }
///                 Output::Push { push, messages, .. } => {
///                     for message in &messages {
///                         rings[1 - number].handle(now, Input::Gossip { bytes: message })?;
///                     }
///                     let sent = messages.len();
///                     rings[number].handle(now, Input::PushResult { push, sent })?;
///                 }
///                 Output::PersistIncarnation(incarnation) => {
///                     // here it would be written to disk
///                     rings[number].handle(now, Input::IncarnationStored(incarnation))?;
///                 }
///                 _ => {}
///             }
///         }
///     }
///     now = now.plus_ms(100); // a real owner sleeps until `next_wake`
/// }
/// assert_eq!(rings[0].health_of(&MemberId::from_bits(1)), Some(Health::Alive));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    chronicle: Chronicle,
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
            chronicle: Chronicle::default(),
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

    /// A copy of this member that is not connected to any other: the effect of a command can be
    /// tried on it.
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

    /// As [`Ring::handle`]; what is recorded of it follows from this cause.
    ///
    /// # Errors
    /// As [`Ring::handle`].
    pub fn handle_because(
        &mut self,
        now: Now,
        cause: Cause,
        input: Input<'_>,
    ) -> Result<(), Dropped> {
        self.chronicle.because(cause);
        let result = self.handle(now, input);
        self.chronicle.because(Cause::Unknown);
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
        self.record_folded(now);
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
            .min(self.chronicle.next())
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

    /// This member's record as it sends it to others (reference: ring §4.1).
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
