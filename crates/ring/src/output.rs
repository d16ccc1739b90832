//! Output of a ring.

use std::{fmt, net::SocketAddr};

use bytes::Bytes;
use roost_events::Report;

use crate::{id::MemberId, member::Health};

/// An action for the caller, in the order of [`crate::Ring::poll`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send a datagram from the listening socket.
    Send {
        /// Destination.
        to: SocketAddr,
        /// The whole datagram.
        bytes: Bytes,
    },
    /// Send gossip messages over one connection, in this order, then answer with
    /// [`crate::Input::PushResult`].
    Push {
        /// Identifies this push in the result.
        push: u64,
        /// Destination.
        to: SocketAddr,
        /// One frame each.
        messages: Vec<Bytes>,
    },
    /// Write this incarnation to disk, then answer with [`crate::Input::IncarnationStored`]. The
    /// ring holds back all network messages until then.
    PersistIncarnation(u64),
    /// The [`crate::View`] has changed.
    Changed,
    /// This member was departed manually: leave the ring, stop all services, exit with code 86
    /// (reference: ring §11.4). Sent once.
    Departed,
    /// Run the suitability hook of the service in this group and answer with
    /// [`crate::Command::Suitability`]. The election of the group waits for it.
    NeedSuitability {
        /// The group.
        group: String,
        /// The term of the new election.
        term: u64,
    },
    /// A line for the log.
    Event(Event),
    /// An event for the record.
    Record(Box<Report>),
    /// A measured duration.
    Took(Duration),
}

/// Measurements for histograms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Duration {
    /// From a ping to its answer, in microseconds (`hab_butterfly_swim_probe_duration_seconds`).
    Probe {
        /// The answer came through another member, or after indirect pings.
        indirect: bool,
        /// How long.
        took_us: u64,
    },
    /// From joining an election to its end, in microseconds
    /// (`hab_butterfly_election_duration_seconds`).
    Election {
        /// The group.
        group: String,
        /// How long.
        took_us: u64,
    },
}

/// Log lines. The texts are those of Habitat 2.1.78 where it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the texts below explain them
pub enum Event {
    ProbeTimedOut { id: MemberId, to: SocketAddr },
    Suspected { id: MemberId },
    Confirmed { id: MemberId },
    ProbePingFailed { id: MemberId },
    AskingConfirmed { id: MemberId, health: Health },
    QuorumLost { group: String, term: u64 },
    LeaderDead { me: MemberId, leader: MemberId, group: String, term: u64 },
    ElectionStarted { group: String, term: u64 },
    NoQuorum { group: String, alive: usize, total: usize },
    AckAbandoned { id: MemberId },
    Refuted { incarnation: u64 },
    Doubled { id: MemberId },
    Copied { id: MemberId, one: SocketAddr, other: SocketAddr },
    OwnIdHeard { from: SocketAddr },
    Lagged { late_us: u64 },
    ConflictingLeaders { group: String, term: u64, one: MemberId, other: MemberId },
    Leaving,
}

impl Event {
    /// True when an operator must act.
    #[must_use]
    pub const fn is_advice(&self) -> bool {
        matches!(self, Self::ConflictingLeaders { .. } | Self::Doubled { .. } | Self::Copied { .. })
    }

    /// True when an operator should see it; other events are for debugging.
    #[must_use]
    pub const fn is_warning(&self) -> bool {
        matches!(
            self,
            Self::AskingConfirmed { .. }
                | Self::ProbePingFailed { .. }
                | Self::QuorumLost { .. }
                | Self::LeaderDead { .. }
        )
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProbeTimedOut { id, to } => {
                write!(f, "Timed out waiting for Ack from {id}@{to}")
            }
            Self::Suspected { id } => write!(f, "Marking {id} as Suspect"),
            Self::Confirmed { id } => write!(f, "{id} did not answer in time and is Confirmed now"),
            Self::ProbePingFailed { id } => {
                write!(f, "Probe failed for Member: {id}, Marking as Confirmed")
            }
            Self::AskingConfirmed { id, health } => write!(
                f,
                "Member: {id}, Our Information about the member is '{}', Incoming information is \
                 'confirmed'. Will Send a `ProbePing` to the member.",
                health.lower()
            ),
            Self::QuorumLost { group, term } => write!(
                f,
                "Restarting election with a new term as the leader has lost quorum: {group} term \
                 {term}"
            ),
            Self::LeaderDead { me, leader, group, term } => write!(
                f,
                "Restarting election with a new term as the leader is dead {me}: {group} term \
                 {term}, leader {leader}"
            ),
            Self::ElectionStarted { group, term } => {
                write!(f, "Starting a new election for {group} {term}")
            }
            Self::NoQuorum { group, alive, total } => {
                write!(f, "check_quorum({group}): {alive}/{total} alive/total => false")
            }
            Self::AckAbandoned { id } => {
                write!(f, "Abandoning Ack forward: cannot parse member address of {id}")
            }
            Self::Refuted { incarnation } => {
                write!(
                    f,
                    "Others think this member is not alive; its incarnation is {incarnation} now"
                )
            }
            Self::Doubled { id } => write!(
                f,
                "Another Supervisor seems to use the member id of this one, {id}. Where the \
                 machine is a copy of another, stop its Supervisor and remove hab/sup/default/MEMBER_ID \
                 and hab/sup/default/data."
            ),
            Self::Copied { id, one, other } => write!(
                f,
                "Two Supervisors use the member id {id}: one at {one}, one at {other}. Where one \
                 machine is a copy of the other, stop its Supervisor and remove \
                 hab/sup/default/MEMBER_ID and hab/sup/default/data there."
            ),
            Self::OwnIdHeard { from } => {
                write!(f, "A datagram from {from} has the member id of this Supervisor")
            }
            Self::ConflictingLeaders { group, term, one, other } => write!(
                f,
                "{group} has two leaders of term {term}, {one} and {other}: parts of the ring \
                 could not reach each other when they were elected. Restart the service on one \
                 of them to start a new election."
            ),
            Self::Lagged { late_us } => write!(
                f,
                "This Supervisor was stopped for {} ms; it gives the members it suspects as much \
                 time again",
                late_us / 1000
            ),
            Self::Leaving => f.write_str("Gracefully departing from butterfly network."),
        }
    }
}
