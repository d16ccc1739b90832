//! Metrics of the event stream. They exist where a stream is configured.

use prometheus::{IntCounter, IntGauge};

use super::{Metrics, register};

/// Handles of these metrics. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct StreamFigures {
    connected: IntGauge,
    sent: IntCounter,
    dropped: IntCounter,
}

impl StreamFigures {
    /// Registers them. To be called once.
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let registry = metrics.registry();
        Self {
            connected: register(
                registry,
                IntGauge::new(
                    "hab_sup_event_stream_connected",
                    "1 when the server of the event stream is connected, 0 when it is not",
                ),
            ),
            sent: register(
                registry,
                IntCounter::new("hab_sup_event_stream_sent_total", "Events sent to the stream"),
            ),
            dropped: register(
                registry,
                IntCounter::new(
                    "hab_sup_event_stream_dropped_total",
                    "Events that were dropped because the server was away for too long",
                ),
            ),
        }
    }

    pub(crate) fn connected(&self, is_connected: bool) {
        self.connected.set(is_connected.into());
    }

    pub(crate) fn sent(&self) {
        self.sent.inc();
    }

    pub(crate) fn dropped(&self) {
        self.dropped.inc();
    }
}
