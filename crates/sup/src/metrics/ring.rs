//! Metrics of the ring that Habitat does not have: total traffic in bytes, suspicions, refused
//! connections. Label values are constants.

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};
use roost_ring::{Counters, Health, Tally};
use roost_zmtp::ListenStats;

use super::{raise, register};

/// Handles of these metrics. Cheap to clone.
#[derive(Clone)]
pub(super) struct RingFigures {
    swim_bytes: IntCounterVec,
    swim_failures: IntCounter,
    gossip_bytes: IntCounterVec,
    closed: IntCounterVec,
    suspicions: IntCounter,
    refuted: IntCounter,
    confirmed: IntCounter,
    refutations: IntCounterVec,
}

impl RingFigures {
    pub(super) fn new(registry: &Registry) -> Self {
        let counter = |name: &str, help: &str| register(registry, IntCounter::new(name, help));
        let counters = |name: &str, help: &str, labels: &[&str]| {
            register(registry, IntCounterVec::new(Opts::new(name, help), labels))
        };
        let figures = Self {
            swim_bytes: counters(
                "hab_butterfly_swim_bytes_total",
                "Bytes of SWIM datagrams, encryption included",
                &["type", "direction"],
            ),
            swim_failures: counter(
                "hab_butterfly_swim_send_failures_total",
                "SWIM datagrams that the system did not take",
            ),
            gossip_bytes: counters(
                "hab_butterfly_gossip_bytes_total",
                "Bytes of gossip messages, encryption included",
                &["type", "direction"],
            ),
            closed: counters(
                "hab_butterfly_gossip_closed_connections_total",
                "Incoming gossip connections that were refused or closed, by reason",
                &["reason"],
            ),
            suspicions: counter(
                "hab_butterfly_suspicions_total",
                "Members that became suspect in the list of this member",
            ),
            refuted: counter(
                "hab_butterfly_suspicions_refuted_total",
                "Suspect members that turned out to be alive",
            ),
            confirmed: counter(
                "hab_butterfly_suspicions_confirmed_total",
                "Suspect members that were confirmed to be dead",
            ),
            refutations: counters(
                "hab_butterfly_own_refutations_total",
                "Times that this member contradicted others, by what they said it was",
                &["said"],
            ),
        };
        for said in [Health::Alive, Health::Suspect, Health::Confirmed, Health::Departed] {
            figures.refutations.with_label_values(&[said.lower()]);
        }
        figures
    }

    pub(super) fn datagram_failed(&self) {
        self.swim_failures.inc();
    }

    /// Applies the ring's counters.
    pub(super) fn count(&self, counters: &Counters) {
        let sent = counters.swim_sent.iter().map(|(kind, tally)| (kind.as_str(), "out", tally));
        let received =
            counters.swim_received.iter().map(|(kind, tally)| (kind.as_str(), "in", tally));
        let unusable = [
            ("unwrap_wire", "in", &counters.swim_unwrap_failed),
            ("undecodable", "in", &counters.swim_undecodable),
        ];
        add_up(&self.swim_bytes, sent.chain(received).chain(unusable));
        let sent = counters.gossip_sent.iter().map(|(kind, tally)| (kind.as_str(), "out", tally));
        let received =
            counters.gossip_received.iter().map(|(kind, tally)| (kind.as_str(), "in", tally));
        let unusable = [
            ("unwrap_wire", "in", &counters.gossip_unwrap_failed),
            ("undecodable", "in", &counters.gossip_undecodable),
        ];
        add_up(&self.gossip_bytes, sent.chain(received).chain(unusable));
        let suspicions = counters.suspicions;
        for (figure, count) in [
            (&self.suspicions, suspicions.raised),
            (&self.refuted, suspicions.refuted),
            (&self.confirmed, suspicions.confirmed),
        ] {
            figure.inc_by(count.saturating_sub(figure.get()));
        }
        for (said, count) in &counters.refutations {
            raise(&self.refutations, &[said.lower()], *count);
        }
    }

    /// Applies the counters of the gossip listener.
    pub(super) fn count_connections(&self, listener: &ListenStats) {
        for (reason, count) in [
            ("too_many", listener.refused_total),
            ("too_many_half_open", listener.refused_half_open),
            ("too_many_of_address", listener.refused_address),
            ("accept", listener.accept_errors),
            ("handshake", listener.handshake_timeouts),
            ("malformed", listener.protocol_errors),
            ("too_long", listener.too_long),
            ("stalled", listener.stalled),
            ("memory", listener.no_memory),
            ("idle", listener.idle),
        ] {
            if count > 0 {
                raise(&self.closed, &[reason], count);
            }
        }
    }
}

fn add_up<'a>(
    figure: &IntCounterVec,
    tallies: impl Iterator<Item = (&'static str, &'static str, &'a Tally)>,
) {
    for (kind, direction, tally) in tallies.filter(|(_, _, tally)| tally.messages > 0) {
        raise(figure, &[kind, direction], tally.bytes);
    }
}
