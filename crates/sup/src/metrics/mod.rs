//! The Supervisor's own metrics in `/metrics` (reference: http-api §14). Those of the ring that
//! Habitat does not have are in `metrics/ring.rs`.

mod event_stream;
mod record;
mod ring;
mod services;
mod upkeep;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use prometheus::{
    Gauge, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    core::Collector,
};
use roost_api::{Snapshot, metrics::DURATION_BOUNDS};
use roost_ident::Hook;
use roost_ring::{Counters, Duration as Took};
use roost_zmtp::{ListenStats, PoolStats};
use tokio::sync::watch;

pub(crate) use self::event_stream::StreamFigures;
use self::{
    record::RecordFigures,
    ring::RingFigures,
    services::{Readings, ServiceFigures},
    upkeep::UpkeepFigures,
};
use crate::{VERSION, usages::Sample};

/// Handles of all metrics. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Registry,
    loops: HistogramVec,
    hooks: HistogramVec,
    checks: HistogramVec,
    calls: IntCounterVec,
    call_durations: HistogramVec,
    refused_calls: IntCounterVec,
    descriptors: IntGauge,
    cpu: IntGauge,
    cpu_before: Arc<AtomicU64>,
    probes: HistogramVec,
    elections: HistogramVec,
    incarnation: IntGauge,
    awareness: Gauge,
    health: IntGaugeVec,
    swim_sent: IntCounterVec,
    swim_sent_bytes: IntGaugeVec,
    swim_received: IntCounterVec,
    swim_received_bytes: IntGaugeVec,
    swim_probes: IntCounterVec,
    gossip_sent: IntCounterVec,
    gossip_sent_bytes: IntGaugeVec,
    gossip_received: IntCounterVec,
    gossip_received_bytes: IntGaugeVec,
    ignored: IntCounterVec,
    dropped: IntCounterVec,
    connections: IntGaugeVec,
    record: RecordFigures,
    ring: RingFigures,
    upkeep: UpkeepFigures,
    readings: Readings,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Registers a family. Names are constants and different, so this cannot fail.
fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    family: Result<C, prometheus::Error>,
) -> C {
    let family = family.expect("the name and labels of a family are valid");
    registry.register(Box::new(family.clone())).expect("the name of a family is used once");
    family
}

impl Metrics {
    /// Registers everything.
    pub(crate) fn new(registry: Registry) -> Self {
        let r = &registry;
        let counters = |name: &str, help: &str, labels: &[&str]| {
            register(r, IntCounterVec::new(Opts::new(name, help), labels))
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            register(r, IntGaugeVec::new(Opts::new(name, help), labels))
        };
        let gauge = |name: &str, help: &str| register(r, IntGauge::new(name, help));
        let histograms = |name: &str, help: &str, labels: &[&str]| {
            let options = HistogramOpts::new(name, help).buckets(DURATION_BOUNDS.to_vec());
            register(r, HistogramVec::new(options, labels))
        };
        let typed = &["type"];
        let moded = &["type", "mode"];
        let blocked = &["type", "mode", "blocked"];
        let loops =
            histograms("hab_sup_run_loop_duration_seconds", "Time that one event took", &["loop"]);
        gauges("hab_build_info", "1, with the version of this program", &["version"])
            .with_label_values(&[VERSION])
            .set(1);
        // Visible before the first service is loaded.
        loops.with_label_values(&["service"]);
        Self {
            loops,
            checks: histograms(
                "hab_sup_service_check_duration_seconds",
                "Time that health checks of the service took",
                &["service_group"],
            ),
            hooks: histograms("hab_sup_hook_duration_seconds", "Time that hooks ran", &["hook"]),
            calls: counters("hab_sup_rpc_call_total", "Requests to the control gateway", &["name"]),
            call_durations: histograms(
                "hab_sup_rpc_call_request_duration_seconds",
                "Time to answer requests to the control gateway",
                &["name"],
            ),
            refused_calls: counters(
                "hab_sup_rpc_refused_total",
                "Connections to the control gateway that were ended early, by reason",
                &["reason"],
            ),
            descriptors: gauge(
                "hab_sup_open_file_descriptors_total",
                "File descriptors that the Supervisor has open",
            ),
            cpu: gauge(
                "hab_sup_cpu_time_nanoseconds",
                "CPU time of the Supervisor since the last time this was asked for",
            ),
            cpu_before: Arc::default(),
            probes: histograms(
                "hab_butterfly_swim_probe_duration_seconds",
                "Time from a probe to its answer",
                typed,
            ),
            elections: histograms(
                "hab_butterfly_election_duration_seconds",
                "Time from joining an election to its end",
                &["service_group"],
            ),
            incarnation: gauge("hab_butterfly_incarnation_number", "Own incarnation"),
            awareness: register(
                r,
                Gauge::new(
                    "hab_butterfly_awareness",
                    "How unwell this member is by its own observations; 0 is well",
                ),
            ),
            health: gauges("hab_butterfly_peer_health_total", "Members by health", &["health"]),
            swim_sent: counters(
                "hab_butterfly_swim_messages_sent_total",
                "SWIM messages sent",
                typed,
            ),
            swim_sent_bytes: gauges(
                "hab_butterfly_swim_sent_bytes",
                "Size of the last SWIM message sent",
                typed,
            ),
            swim_received: counters(
                "hab_butterfly_swim_messages_received_total",
                "SWIM messages received",
                moded,
            ),
            swim_received_bytes: gauges(
                "hab_butterfly_swim_received_bytes",
                "Size of the last SWIM message received",
                moded,
            ),
            swim_probes: counters(
                "hab_butterfly_swim_probes_sent_total",
                "Probes, and how they were answered",
                typed,
            ),
            gossip_sent: counters("hab_butterfly_gossip_messages_sent_total", "Rumors sent", moded),
            gossip_sent_bytes: gauges(
                "hab_butterfly_gossip_sent_bytes",
                "Size of the last rumor sent",
                moded,
            ),
            gossip_received: counters(
                "hab_butterfly_gossip_messages_received_total",
                "Rumors received",
                blocked,
            ),
            gossip_received_bytes: gauges(
                "hab_butterfly_gossip_received_bytes",
                "Size of the last rumor received",
                blocked,
            ),
            ignored: counters(
                "hab_butterfly_ignored_rumor_total",
                "Rumors that changed nothing",
                &["rumor"],
            ),
            dropped: counters(
                "hab_butterfly_dropped_total",
                "Input from the network that was dropped, by reason",
                &["reason"],
            ),
            connections: gauges(
                "hab_butterfly_gossip_connections",
                "Open gossip connections",
                &["direction"],
            ),
            record: RecordFigures::new(r),
            ring: RingFigures::new(r),
            upkeep: UpkeepFigures::new(r),
            readings: Readings::default(),
            registry,
        }
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Adds those of the services in the newest snapshot.
    pub(crate) fn show_services(&self, snapshots: watch::Receiver<Option<Arc<Snapshot>>>) {
        let figures = ServiceFigures::new(snapshots, self.readings.clone());
        self.registry.register(Box::new(figures)).expect("the name of a family is used once");
    }

    /// Updates metrics that are measured only on demand. Without a reading, figures of processes
    /// are left out.
    pub(crate) fn refresh(&self, reading: Option<Arc<Sample>>) {
        self.readings.set(reading);
        let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        // One of them is the directory being read.
        self.descriptors.set(i64::try_from(open.saturating_sub(1)).unwrap_or(i64::MAX));
        let now = cpu_nanoseconds();
        let before = self.cpu_before.swap(now, Ordering::Relaxed);
        self.cpu.set(i64::try_from(now.saturating_sub(before)).unwrap_or(i64::MAX));
    }

    /// One event of a loop was handled.
    pub(crate) fn event_took(&self, name: &str, took: Duration) {
        self.loops.with_label_values(&[name]).observe(took.as_secs_f64());
    }

    /// A hook ended.
    pub(crate) fn hook_took(&self, hook: Hook, took: Duration) {
        self.hooks.with_label_values(&[hook.as_str()]).observe(took.as_secs_f64());
    }

    /// A health check of a service ended.
    pub(crate) fn check_took(&self, group: &str, took: Duration) {
        self.checks.with_label_values(&[group]).observe(took.as_secs_f64());
    }

    /// A service is no longer loaded: what was counted of it ends.
    pub(crate) fn forget_service(&self, group: &str) {
        // Without a check there is nothing to remove.
        let _ = self.checks.remove_label_values(&[group]);
    }

    /// The ring measured something.
    pub(crate) fn ring_took(&self, took: &Took) {
        let seconds = |us: u64| Duration::from_micros(us).as_secs_f64();
        match took {
            Took::Probe { indirect, took_us } => {
                let kind = if *indirect { "pingreq/ack" } else { "ping/ack" };
                self.probes.with_label_values(&[kind]).observe(seconds(*took_us));
            }
            Took::Election { group, took_us } => {
                self.elections.with_label_values(&[group]).observe(seconds(*took_us));
            }
        }
    }

    /// A datagram could not be sent.
    pub(crate) fn datagram_failed(&self) {
        self.ring.datagram_failed();
    }

    /// Gossip could not be sent.
    pub(crate) fn push_failed(&self, step: &str) {
        self.gossip_sent.with_label_values(&[step, "failure"]).inc();
    }

    /// Applies the ring's counters.
    pub(crate) fn ring(&self, counters: &Counters, incarnation: u64, awareness: u32) {
        self.incarnation.set(signed(incarnation));
        self.awareness.set(awareness.into());
        self.ring.count(counters);
        let health = counters.health;
        for (label, count) in [
            ("alive", health.alive),
            ("suspect", health.suspect),
            ("confirmed", health.confirmed),
            ("departed", health.departed),
        ] {
            self.health.with_label_values(&[label]).set(signed(count as u64));
        }
        for (kind, tally) in &counters.swim_sent {
            let labels = &[kind.as_str()];
            raise(&self.swim_sent, labels, tally.messages);
            self.swim_sent_bytes.with_label_values(labels).set(signed(tally.last_bytes));
        }
        let failures = [
            ("unwrap_wire", counters.swim_unwrap_failed),
            ("undecodable", counters.swim_undecodable),
        ];
        let understood =
            counters.swim_received.iter().map(|(kind, tally)| (kind.as_str(), "success", *tally));
        for (kind, mode, tally) in understood.chain(failures.map(|(k, t)| (k, "failure", t))) {
            if tally.messages > 0 {
                let labels = &[kind, mode];
                raise(&self.swim_received, labels, tally.messages);
                self.swim_received_bytes.with_label_values(labels).set(signed(tally.last_bytes));
            }
        }
        for (kind, count) in [
            ("ping", counters.probes_ping),
            ("ack", counters.probes_ack),
            ("pingreq", counters.probes_pingreq),
            ("pingreq/failure", counters.probes_failed),
        ] {
            if count > 0 {
                raise(&self.swim_probes, &[kind], count);
            }
        }
        self.ring_gossip(counters);
        for (reason, count) in &counters.dropped {
            raise(&self.dropped, &[reason], *count);
        }
    }

    fn ring_gossip(&self, counters: &Counters) {
        for (kind, tally) in &counters.gossip_sent {
            let labels = &[kind.as_str(), "success"];
            raise(&self.gossip_sent, labels, tally.messages);
            self.gossip_sent_bytes.with_label_values(labels).set(signed(tally.last_bytes));
        }
        let failures = [
            ("unwrap_wire", counters.gossip_unwrap_failed),
            ("undecodable", counters.gossip_undecodable),
        ];
        let understood = counters
            .gossip_received
            .iter()
            .map(|(kind, tally)| (kind.as_str(), "success", "false", *tally));
        let failures = failures.map(|(kind, tally)| (kind, "failure", "unknown", tally));
        for (kind, mode, blocked, tally) in understood.chain(failures) {
            if tally.messages > 0 {
                let labels = &[kind, mode, blocked];
                raise(&self.gossip_received, labels, tally.messages);
                self.gossip_received_bytes.with_label_values(labels).set(signed(tally.last_bytes));
            }
        }
        for (kind, count) in &counters.rumors_ignored {
            raise(&self.ignored, &[kind.as_str()], *count);
        }
    }

    /// Applies the counters of the gossip connections.
    pub(crate) fn transport(&self, listener: &ListenStats, pool: &PoolStats) {
        self.connections.with_label_values(&["in"]).set(signed(listener.open));
        self.connections.with_label_values(&["out"]).set(signed(pool.open));
        raise(&self.dropped, &["multipart"], listener.multipart);
        self.ring.count_connections(listener);
    }
}

/// Raises a counter to a number that was counted elsewhere.
fn raise(counter: &IntCounterVec, labels: &[&str], to: u64) {
    let counter = counter.with_label_values(labels);
    counter.inc_by(to.saturating_sub(counter.get()));
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// CPU time of this process so far.
fn cpu_nanoseconds() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000) + u64::try_from(time.tv_nsec).unwrap_or_default()
}

impl roost_ctl::server::Observer for Metrics {
    fn called(&self, name: &'static str) {
        self.calls.with_label_values(&[name]).inc();
    }

    fn answered(&self, name: &'static str, took: Duration) {
        self.call_durations.with_label_values(&[name]).observe(took.as_secs_f64());
    }

    fn refused(&self, why: &'static str) {
        self.refused_calls.with_label_values(&[why]).inc();
    }
}
