//! Metrics of the record. Label values are the closed list of types of events.

use prometheus::{IntCounterVec, Opts, Registry};
use roost_journal::Recorder;

use super::{raise, register};

/// Handles of these metrics. Cheap to clone.
#[derive(Clone)]
pub(super) struct RecordFigures {
    events: IntCounterVec,
}

impl RecordFigures {
    pub(super) fn new(registry: &Registry) -> Self {
        let options = Opts::new("hab_sup_events_total", "Recorded events, by type");
        Self { events: register(registry, IntCounterVec::new(options, &["type"])) }
    }
}

impl super::Metrics {
    /// Applies the counters of the record.
    pub(crate) fn record(&self, recorder: &Recorder) {
        for (kind, count) in recorder.counts().filter(|(_, count)| *count > 0) {
            raise(&self.record.events, &[kind.as_str()], count);
        }
    }
}
