//! Metrics of the Supervisor itself: its state files, its queues, and conditions that need an
//! operator. Label values are constants.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::{register, signed};

/// Handles of these metrics. Cheap to clone.
#[derive(Clone)]
pub(super) struct UpkeepFigures {
    waiting: IntGauge,
    replaced: IntCounter,
    failures: IntCounter,
    damaged: IntCounterVec,
    conditions: IntGaugeVec,
    queued: IntGaugeVec,
    dropped: IntCounterVec,
}

impl UpkeepFigures {
    pub(super) fn new(registry: &Registry) -> Self {
        let counter = |name: &str, help: &str| register(registry, IntCounter::new(name, help));
        let counters = |name: &str, help: &str, label: &str| {
            register(registry, IntCounterVec::new(Opts::new(name, help), &[label]))
        };
        let gauges = |name: &str, help: &str, label: &str| {
            register(registry, IntGaugeVec::new(Opts::new(name, help), &[label]))
        };
        Self {
            waiting: register(
                registry,
                IntGauge::new(
                    "hab_sup_state_writes_waiting",
                    "State files whose newest content is not on disk yet",
                ),
            ),
            replaced: counter(
                "hab_sup_state_writes_replaced_total",
                "State files whose content was replaced by a newer one before it was written",
            ),
            failures: counter(
                "hab_sup_state_write_failures_total",
                "Writes and removals of state files that failed",
            ),
            damaged: counters(
                "hab_sup_state_files_damaged_total",
                "State files that could not be used and were set aside, by file",
                "file",
            ),
            conditions: gauges(
                "hab_sup_conditions",
                "Conditions of the Supervisor that need an operator, by kind",
                "condition",
            ),
            queued: gauges(
                "hab_sup_queue_length",
                "Messages that wait in a queue of the Supervisor, by queue",
                "queue",
            ),
            dropped: counters(
                "hab_sup_queue_dropped_total",
                "Messages that a full queue of the Supervisor did not take, by queue",
                "queue",
            ),
        }
    }
}

impl super::Metrics {
    /// Number of state files whose newest content is not on disk.
    pub(crate) fn state_writes_waiting(&self, count: usize) {
        self.upkeep.waiting.set(signed(count as u64));
    }

    /// A newer content replaced one that was not written yet.
    pub(crate) fn state_write_replaced(&self) {
        self.upkeep.replaced.inc();
    }

    /// A write or removal of a state file failed.
    pub(crate) fn state_write_failed(&self) {
        self.upkeep.failures.inc();
    }

    /// A state file was set aside.
    pub(crate) fn state_file_damaged(&self, file: &'static str) {
        self.upkeep.damaged.with_label_values(&[file]).inc();
    }

    /// Number of present conditions of a kind.
    pub(crate) fn conditions(&self, kind: &'static str, count: usize) {
        self.upkeep.conditions.with_label_values(&[kind]).set(signed(count as u64));
    }

    /// Number of messages waiting in a queue.
    pub(crate) fn queued(&self, queue: &'static str, count: usize) {
        self.upkeep.queued.with_label_values(&[queue]).set(signed(count as u64));
    }

    /// A queue was full.
    pub(crate) fn queue_dropped(&self, queue: &'static str) {
        self.upkeep.dropped.with_label_values(&[queue]).inc();
    }
}
