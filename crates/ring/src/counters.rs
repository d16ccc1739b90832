//! Counters of the ring, the source of its metrics (reference: ring §15.3).

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
    /// Number of messages.
    pub messages: u64,
    /// Their bytes on the wire, with envelope and encryption: the content of a datagram or a frame.
    pub bytes: u64,
    /// Size of the last one as in Habitat's gauges, in bytes: on the wire if it was sent or cannot
    /// be opened, else the payload.
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

/// Suspicions in this member's list, its own and those of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Suspicions {
    /// Members that became Suspect.
    pub raised: u64,
    /// Members that went from Suspect to Alive: they answered, or refuted it.
    pub refuted: u64,
    /// Members that went from Suspect to Confirmed.
    pub confirmed: u64,
}

impl Suspicions {
    /// Counts a change of a member's health. `None` is an unknown member.
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

/// All counters since the start. Small; there are few keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counters {
    /// SWIM messages sent. A `PROBEPING` counts as ping.
    pub swim_sent: BTreeMap<SwimType, Tally>,
    /// SWIM messages received.
    pub swim_received: BTreeMap<SwimType, Tally>,
    /// Datagrams whose envelope could not be opened.
    pub swim_unwrap_failed: Tally,
    /// Datagrams whose payload could not be decoded.
    pub swim_undecodable: Tally,
    /// Probes: pings sent by the prober.
    pub probes_ping: u64,
    /// Probes answered directly.
    pub probes_ack: u64,
    /// Probes that needed indirect pings.
    pub probes_pingreq: u64,
    /// Probes without any answer.
    pub probes_failed: u64,
    /// Rumors handed to a connection.
    pub gossip_sent: BTreeMap<RumorKind, Tally>,
    /// Rumors received.
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
    /// Results of suspicions.
    pub suspicions: Suspicions,
    /// Number of refutations with a higher incarnation, by the refuted health.
    pub refutations: BTreeMap<Health, u64>,
}
