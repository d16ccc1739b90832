//! The member as a whole: what it holds, how inputs and time reach its parts, how outputs leave.

mod datagrams;
mod elections;
mod gossiping;
mod leaving;
mod members;
mod probing;
mod restoring;
mod rumors;

use std::{collections::BTreeSet, sync::Arc};

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
    input::{Command, Input},
    member::Member,
    outbox::{Outbox, Outgoing},
    output::{Event, Output},
    probe::Prober,
    refute::Refutations,
    replay::Replays,
    rooms::Origin,
    rumor::{
        CLIENT_ID, Departure, ElectionKind, Rumor, RumorKind, ServiceConfig, ServiceFile,
        checked_group,
    },
    stores::RumorStores,
    table::{Place, Table},
    time::Now,
    view::{MemberList, PART_MEMBERS, View},
};

/// One member of a ring. See the [crate's documentation](crate).
#[derive(Debug)]
pub struct Ring {
    pub(crate) config: Config,
    pub(crate) me: Me,
    /// This member announced its shutdown.
    pub(crate) leaving: bool,
    pub(crate) refutations: Refutations,
    pub(crate) replays: Replays,
    pub(crate) doubles: Doubles,
    pub(crate) rng: ChaCha8Rng,
    pub(crate) envelope: Envelope,
    pub(crate) table: Table,
    pub(crate) rumors: RumorStores,
    pub(crate) prober: Prober,
    pub(crate) gossip: Gossip,
    pub(crate) elections: Elections,
    pub(crate) awareness: Awareness,
    pub(crate) counters: Counters,
    /// The data file is being read: rules that judge by what is there so far are off.
    pub(crate) restoring: bool,
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

    /// A picture of what is known. Parts that did not change since the last one are shared.
    pub fn view(&mut self) -> View {
        if !self.stale_parts.is_empty() {
            let list = Arc::make_mut(&mut self.member_list);
            list.update_counter = self.table.update_counter;
            for number in std::mem::take(&mut self.stale_parts) {
                let part = Arc::new(self.table.part(number));
                match list.parts.get_mut(number) {
                    Some(stale) => *stale = part,
                    // they come in order, so this is the next one
                    None => list.parts.push(part),
                }
            }
        }
        View {
            id: self.me.id.clone(),
            incarnation: self.me.incarnation,
            members: Arc::clone(&self.member_list),
            services: Arc::clone(&self.rumors.services),
            service_configs: Arc::clone(&self.rumors.service_configs),
            service_files: Arc::clone(&self.rumors.service_files),
            elections: Arc::clone(&self.rumors.elections),
            update_elections: Arc::clone(&self.rumors.update_elections),
            departures: Arc::clone(&self.rumors.departures),
        }
    }

    fn obey(&mut self, now: Now, command: Command) -> Result<(), Dropped> {
        match command {
            Command::PublishService(service) => self.publish_service(now, service),
            Command::StartElection { group, suitability } => {
                self.start_election(now, ElectionKind::Leader, &group, suitability)
            }
            Command::StartUpdateElection { group, suitability } => {
                self.start_election(now, ElectionKind::Update, &group, suitability)
            }
            Command::Suitability { group, term, value } => {
                self.suitability_known(now, &group, term, value);
                Ok(())
            }
            Command::TriggerElection { group } => {
                self.trigger_election(now, &group);
                Ok(())
            }
            Command::SetServiceConfig { group, incarnation, encrypted, config } => {
                let group = checked_group(Some(group))?;
                let from_id = CLIENT_ID.into();
                let config = ServiceConfig { from_id, group, incarnation, encrypted, config };
                self.receive_rumor(now, Origin::Client, Rumor::ServiceConfig(config))
            }
            Command::SetServiceFile { group, incarnation, encrypted, filename, body } => {
                let group = checked_group(Some(group))?;
                let from_id = CLIENT_ID.into();
                let file = ServiceFile { from_id, group, incarnation, encrypted, filename, body };
                self.receive_rumor(now, Origin::Client, Rumor::ServiceFile(file))
            }
            Command::DepartMember(member_id) => {
                self.receive_rumor(now, Origin::Client, Rumor::Departure(Departure { member_id }))
            }
            Command::LeaveGracefully => {
                self.leave();
                Ok(())
            }
            Command::SetInitialPeers(peers) => {
                self.prober.set_initial_peers(now, &peers);
                Ok(())
            }
        }
    }

    /// This member's record as it tells it to others (reference: ring §4.1).
    pub(crate) fn own_member(&self) -> Member {
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
    pub(crate) fn set_incarnation(&mut self, incarnation: u64) {
        debug_assert!(incarnation >= self.me.incarnation);
        self.me.incarnation = incarnation;
        self.out.persist(incarnation);
        self.changed();
    }

    pub(crate) fn changed(&mut self) {
        self.out.changed();
    }

    /// A member is different.
    pub(crate) fn member_changed(&mut self, place: Place) {
        self.stale_parts.insert(place as usize / PART_MEMBERS);
        self.out.changed();
        self.elections.look();
    }

    /// This member learnt of its own manual departure.
    pub(crate) fn learn_own_departure(&mut self) {
        self.out.departed();
    }

    pub(crate) fn note(&mut self, event: Event) {
        self.say(Output::Event(event));
    }

    /// Hands out something that may get lost when the caller does not fetch it.
    pub(crate) fn say(&mut self, output: Output) {
        if !self.out.note(output) {
            self.count_drop(&Dropped::OutputsFull);
        }
    }

    pub(crate) fn send(&mut self, to: std::net::SocketAddr, bytes: Bytes, counts_as: SwimType) {
        self.queue(Outgoing { output: Output::Send { to, bytes }, counts_as: Some(counts_as) });
    }

    fn queue(&mut self, outgoing: Outgoing) {
        let Some(lost) = self.out.send(outgoing) else { return };
        self.count_drop(&Dropped::OutputsFull);
        if let Output::Push { push, .. } = lost.output {
            self.push_ended(push, 0);
        }
    }

    pub(crate) fn count_drop(&mut self, dropped: &Dropped) {
        *self.counters.dropped.entry(dropped.reason()).or_default() += 1;
    }

    /// Starts a rumor hot (reference: ring §9.1).
    pub(crate) fn start_hot(&mut self, kind: RumorKind, key: &str, id: &str) {
        self.rumors.start_hot(kind, key, id);
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

    /// Everything that the data file keeps.
    #[must_use]
    pub fn stores(&self) -> Stores {
        fn all<T: Clone>(store: &crate::view::Rumors<T>) -> Vec<T> {
            store.iter().map(|rumor| (**rumor).clone()).collect()
        }
        Stores {
            members: self.table.entries.iter().map(crate::table::Entry::membership).collect(),
            services: all(&self.rumors.services),
            service_configs: all(&self.rumors.service_configs),
            service_files: all(&self.rumors.service_files),
            elections: all(&self.rumors.elections),
            update_elections: all(&self.rumors.update_elections),
            departures: self
                .rumors
                .departures
                .iter()
                .map(|departure| departure.member_id.clone())
                .collect(),
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

    /// Members in the list and how many of them have which health. Cheaper than a view.
    #[must_use]
    pub fn tally(&self) -> (usize, crate::counters::HealthTally) {
        (self.table.len(), self.table.tally())
    }

    /// The health of a member. Cheaper than a view.
    #[must_use]
    pub fn health_of(&self, id: &crate::id::MemberId) -> Option<crate::member::Health> {
        self.table.health_of(id)
    }

    /// What was counted since the start.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How unwell this member is by its own observations (own lag, failed probes): 0 is well.
    #[must_use]
    pub const fn awareness(&self) -> u32 {
        self.awareness.score()
    }

    /// A service of a member. Cheaper than a view.
    #[must_use]
    pub fn service(&self, group: &str, id: &crate::id::MemberId) -> Option<&crate::rumor::Service> {
        id.with_text(|id| self.rumors.services.get(group, id)).map(|service| &**service)
    }

    /// Groups with an election of any kind that this member takes part in.
    pub fn own_elections(&self) -> impl Iterator<Item = &str> {
        let groups = ElectionKind::ALL.into_iter();
        let groups = groups.flat_map(|kind| self.rumors.groups_with_election(kind));
        let groups = groups.map(|group| &**group);
        groups.filter(|group| self.rumors.has_service(group, &self.me.id))
    }

    /// The leader election of a group. Cheaper than a view.
    #[must_use]
    pub fn election(&self, group: &str) -> Option<&crate::rumor::Election> {
        self.rumors.election(ElectionKind::Leader, group).map(|election| &**election)
    }

    /// This member's own incarnation.
    #[must_use]
    pub const fn incarnation(&self) -> u64 {
        self.me.incarnation
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
