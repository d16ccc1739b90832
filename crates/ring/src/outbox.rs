//! Outputs for the caller of the ring, in order.

use std::collections::VecDeque;

use roost_events::Report;

use crate::{counters::SwimType, limits::OUTPUTS_MAX, output::Output};

/// Outputs waiting for the caller.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// An incarnation that the caller must still write.
    persist: Option<u64>,
    /// The incarnation that must be on disk before anything goes to the network.
    unstored: Option<u64>,
    changed: bool,
    departure: Departure,
    suitabilities: VecDeque<Output>,
    notes: VecDeque<Output>,
    /// No more than their budgets allow.
    records: VecDeque<Report>,
    network: VecDeque<Outgoing>,
}

/// The manual departure of this member, reported once.
#[derive(Debug, Default, PartialEq, Eq)]
enum Departure {
    #[default]
    Unknown,
    Learnt,
    Reported,
}

/// A message for the network.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) output: Output,
    /// The type under which a datagram is counted when it is fetched.
    pub(crate) counts_as: Option<SwimType>,
}

impl Outbox {
    /// Holds back the network until this incarnation is on disk.
    pub(crate) fn persist(&mut self, incarnation: u64) {
        self.persist = Some(incarnation);
        self.unstored = Some(incarnation);
    }

    /// The caller has written this incarnation to disk.
    pub(crate) fn stored(&mut self, incarnation: u64) {
        if self.unstored.is_some_and(|unstored| unstored <= incarnation) {
            self.unstored = None;
        }
    }

    pub(crate) fn changed(&mut self) {
        self.changed = true;
    }

    /// This member was departed manually.
    pub(crate) fn departed(&mut self) {
        if self.departure == Departure::Unknown {
            self.departure = Departure::Learnt;
        }
    }

    /// Queues an output that may be dropped when the caller does not fetch. False when it is
    /// dropped.
    #[must_use]
    pub(crate) fn note(&mut self, output: Output) -> bool {
        let has_room = self.notes.len() < OUTPUTS_MAX;
        if has_room {
            self.notes.push_back(output);
        }
        has_room
    }

    /// Queues an event for the record.
    pub(crate) fn record(&mut self, report: Report) {
        self.records.push_back(report);
    }

    /// Requests a suitability. There is at most one request per group with an own service.
    pub(crate) fn ask_suitability(&mut self, group: String, term: u64) {
        self.suitabilities.push_back(Output::NeedSuitability { group, term });
    }

    /// Queues a message to the network. When the caller does not keep up, for example while it
    /// writes an incarnation, the oldest is dropped like any lost datagram, and returned.
    #[must_use]
    pub(crate) fn send(&mut self, outgoing: Outgoing) -> Option<Outgoing> {
        let is_full = self.network.len() >= OUTPUTS_MAX;
        let lost = if is_full { self.network.pop_front() } else { None };
        self.network.push_back(outgoing);
        lost
    }

    /// The next output for the caller.
    pub(crate) fn poll(&mut self) -> Option<Outgoing> {
        let unqueued = |output| Some(Outgoing { output, counts_as: None });
        if let Some(incarnation) = self.persist.take() {
            return unqueued(Output::PersistIncarnation(incarnation));
        }
        if let Some(report) = self.records.pop_front() {
            return unqueued(Output::Record(Box::new(report)));
        }
        if let Some(note) = self.notes.pop_front().or_else(|| self.suitabilities.pop_front()) {
            return unqueued(note);
        }
        if self.departure == Departure::Learnt {
            self.departure = Departure::Reported;
            return unqueued(Output::Departed);
        }
        if std::mem::take(&mut self.changed) {
            return unqueued(Output::Changed);
        }
        if self.unstored.is_some() {
            return None;
        }
        self.network.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn datagram(port: u16) -> Outgoing {
        let to = ([10, 0, 0, 1], port).into();
        Outgoing { output: Output::Send { to, bytes: Bytes::new() }, counts_as: None }
    }

    fn next(outbox: &mut Outbox) -> Option<Output> {
        outbox.poll().map(|outgoing| outgoing.output)
    }

    #[test]
    fn the_network_waits_until_the_newest_incarnation_is_on_disk() {
        let mut outbox = Outbox::default();
        assert!(outbox.send(datagram(1)).is_none());
        outbox.persist(4);
        outbox.persist(5);
        outbox.changed();
        assert_eq!(next(&mut outbox), Some(Output::PersistIncarnation(5)));
        assert_eq!(next(&mut outbox), Some(Output::Changed));
        assert_eq!(next(&mut outbox), None);
        outbox.stored(4);
        assert_eq!(next(&mut outbox), None, "an older one does not count");
        outbox.stored(5);
        assert_eq!(next(&mut outbox), Some(datagram(1).output));
    }

    #[test]
    fn a_departure_is_reported_once() {
        let mut outbox = Outbox::default();
        outbox.departed();
        outbox.departed();
        assert_eq!(next(&mut outbox), Some(Output::Departed));
        outbox.departed();
        assert_eq!(next(&mut outbox), None);
    }

    #[test]
    fn the_oldest_message_is_lost_when_the_queue_is_full() {
        let mut outbox = Outbox::default();
        for port in 0..4096 {
            assert!(outbox.send(datagram(port)).is_none());
        }
        let lost = outbox.send(datagram(4096)).map(|outgoing| outgoing.output);
        assert_eq!(lost, Some(datagram(0).output));
        assert_eq!(next(&mut outbox), Some(datagram(1).output));
    }
}
