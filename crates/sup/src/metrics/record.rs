//! Metrics of the record. Label values are the closed list of types of events.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};
use roost_journal::Record;

use super::{raise, register, signed};

/// Handles of these metrics. Cheap to clone.
#[derive(Clone)]
pub(super) struct RecordFigures {
    events: IntCounterVec,
    journal_bytes: IntGauge,
    journal_lost: IntCounter,
}

impl RecordFigures {
    pub(super) fn new(registry: &Registry) -> Self {
        let options = Opts::new("hab_sup_events_total", "Recorded events, by type");
        Self {
            events: register(registry, IntCounterVec::new(options, &["type"])),
            journal_bytes: register(
                registry,
                IntGauge::new(
                    "hab_sup_journal_bytes",
                    "What the journal of events takes on the disk",
                ),
            ),
            journal_lost: register(
                registry,
                IntCounter::new(
                    "hab_sup_journal_lost_events_total",
                    "Events that did not reach the journal",
                ),
            ),
        }
    }
}

impl super::Metrics {
    /// Applies the counters of the record.
    pub(crate) fn record(&self, record: &Record) {
        if let Some(journal) = record.journal() {
            let figures = &self.record;
            figures.journal_bytes.set(signed(journal.bytes()));
            let counted = figures.journal_lost.get();
            figures.journal_lost.inc_by(journal.lost().saturating_sub(counted));
        }
        for (kind, count) in record.recorder().counts().filter(|(_, count)| *count > 0) {
            raise(&self.record.events, &[kind.as_str()], count);
        }
    }
}
