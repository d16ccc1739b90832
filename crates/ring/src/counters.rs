//! Counters of what the ring did, the numbers behind its metrics (ring chapter 15.3).

use std::collections::BTreeMap;

use crate::RumorKind;

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

/// How many messages, and the size of the last one in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct Tally {
    pub messages: u64,
    pub last_bytes: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.last_bytes = bytes as u64;
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
    /// SWIM messages sent; bytes with the envelope. A `PROBEPING` counts as ping.
    pub swim_sent: BTreeMap<SwimType, Tally>,
    /// SWIM messages understood; bytes of the payload.
    pub swim_received: BTreeMap<SwimType, Tally>,
    /// Datagrams whose envelope could not be opened; bytes of the datagram.
    pub swim_unwrap_failed: Tally,
    /// Datagrams whose payload could not be decoded; bytes of the payload.
    pub swim_undecodable: Tally,
    /// Probes: pings sent by the prober.
    pub probes_ping: u64,
    /// Probes answered directly.
    pub probes_ack: u64,
    /// Probes that had to ask others.
    pub probes_pingreq: u64,
    /// Probes without any answer.
    pub probes_failed: u64,
    /// Rumors sent; bytes with the envelope.
    pub gossip_sent: BTreeMap<RumorKind, Tally>,
    /// Rumors understood; bytes of the payload.
    pub gossip_received: BTreeMap<RumorKind, Tally>,
    /// Gossip messages whose envelope could not be opened; bytes of the message.
    pub gossip_unwrap_failed: Tally,
    /// Gossip messages whose payload could not be decoded; bytes of the payload.
    pub gossip_undecodable: Tally,
    /// Rumors that changed nothing.
    pub rumors_ignored: BTreeMap<RumorKind, u64>,
    /// Pushes that failed.
    pub pushes_failed: u64,
    /// Inputs without effect, by [`crate::Dropped::reason`].
    pub dropped: BTreeMap<&'static str, u64>,
    /// Members by health, counted when an entry was last accepted, like Habitat's gauge.
    pub health: HealthTally,
    /// How unwell this member is by its own observations: 0 is well (own lag, failed probes).
    pub awareness: u32,
}
