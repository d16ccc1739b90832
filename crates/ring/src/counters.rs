//! Counters of what the ring did, the numbers behind its metrics (reference: ring §15.3).

use std::collections::BTreeMap;

use crate::{member::Health, rumor::RumorKind};

/// Kinds of SWIM messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum SwimType {
    Ping,
    Ack,
    PingReq,
    ProbePing,
}

impl SwimType {
    /// The spelling in labels of metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Ack => "ack",
            Self::PingReq => "pingreq",
            Self::ProbePing => "probeping",
        }
    }
}

/// Messages of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// How many.
    pub messages: u64,
    /// Their bytes as they travel, with envelope and encryption: what a datagram or a frame
    /// holds.
    pub bytes: u64,
    /// Size of the last one as Habitat has it in its gauges, in bytes: as it travels when it is
    /// sent or cannot be opened, else the payload.
    pub last_bytes: u64,
}

impl Tally {
    /// Counts a message that was sent or could not be opened.
    pub(crate) fn add(&mut self, bytes: usize) {
        self.add_opened(bytes, bytes);
    }

    /// Counts a message whose envelope was opened.
    pub(crate) fn add_opened(&mut self, bytes: usize, payload_bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
        self.last_bytes = payload_bytes as u64;
    }
}

/// Suspicions in this member's list, its own and those it heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Suspicions {
    /// Members that became Suspect.
    pub raised: u64,
    /// Members that went from Suspect to Alive: they were heard from, or contradicted.
    pub refuted: u64,
    /// Members that went from Suspect to Confirmed.
    pub confirmed: u64,
}

impl Suspicions {
    /// Counts what a change of a member's health means. `None` is a member unknown so far.
    pub(crate) const fn see(&mut self, before: Option<Health>, after: Health) {
        match (before, after) {
            (Some(Health::Suspect), Health::Alive) => self.refuted += 1,
            (Some(Health::Suspect), Health::Confirmed) => self.confirmed += 1,
            (Some(Health::Suspect), Health::Suspect) => {}
            (_, Health::Suspect) => self.raised += 1,
            _ => {}
        }
    }
}

/// Members by health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct HealthTally {
    pub alive: usize,
    pub suspect: usize,
    pub confirmed: usize,
    pub departed: usize,
}

/// Everything that is counted since the start. Small; keys are few.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counters {
    /// SWIM messages handed out to be sent. A `PROBEPING` counts as ping.
    pub swim_sent: BTreeMap<SwimType, Tally>,
    /// SWIM messages understood.
    pub swim_received: BTreeMap<SwimType, Tally>,
    /// Datagrams whose envelope could not be opened.
    pub swim_unwrap_failed: Tally,
    /// Datagrams whose payload could not be decoded.
    pub swim_undecodable: Tally,
    /// Probes: pings sent by the prober.
    pub probes_ping: u64,
    /// Probes answered directly.
    pub probes_ack: u64,
    /// Probes that had to ask others.
    pub probes_pingreq: u64,
    /// Probes without any answer.
    pub probes_failed: u64,
    /// Rumors that were handed to a connection.
    pub gossip_sent: BTreeMap<RumorKind, Tally>,
    /// Rumors understood.
    pub gossip_received: BTreeMap<RumorKind, Tally>,
    /// Gossip messages whose envelope could not be opened.
    pub gossip_unwrap_failed: Tally,
    /// Gossip messages whose payload could not be decoded.
    pub gossip_undecodable: Tally,
    /// Rumors that changed nothing.
    pub rumors_ignored: BTreeMap<RumorKind, u64>,
    /// Pushes that failed.
    pub pushes_failed: u64,
    /// Inputs without effect, by [`crate::Dropped::reason`].
    pub dropped: BTreeMap<&'static str, u64>,
    /// Members by health, counted when an entry was last accepted, like Habitat's gauge.
    pub health: HealthTally,
    /// What became of suspicions.
    pub suspicions: Suspicions,
    /// Times that this member contradicted others with a higher incarnation, by what they had
    /// said it was.
    pub refutations: BTreeMap<Health, u64>,
}
