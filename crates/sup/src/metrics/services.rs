//! Metrics of each loaded service. They are made from the newest snapshot when they are asked for,
//! so that the series of a service end with it.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{
    CounterVec, IntCounterVec, IntGaugeVec, Opts,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use roost_api::{
    Snapshot,
    documents::v1::{Desired, Health},
};
use roost_ident::ServiceState;
use tokio::sync::watch;

use super::signed;
use crate::usages::Sample;

const GROUP: &[&str] = &["service_group"];

/// Name, help and labels of a family.
type Family = (&'static str, &'static str, &'static [&'static str]);

const UP: Family = ("hab_sup_service_up", "1 when the process of the service runs", GROUP);
const DESIRED: Family = (
    "hab_sup_service_desired_up",
    "1 when the service should run, 0 when a user stopped it",
    GROUP,
);
const STATE: Family = (
    "hab_sup_service_state",
    "1 for the present state of the service, 0 for each other one",
    &["service_group", "state"],
);
const HEALTH: Family = (
    "hab_sup_service_health",
    "1 for the present health of the service, 0 for each other one",
    &["service_group", "health"],
);
const RESTARTS: Family = (
    "hab_sup_service_restarts_total",
    "Restarts after failures since the service was started by a user",
    GROUP,
);
const CPU: Family = (
    "hab_sup_service_cpu_seconds_total",
    "CPU time of the processes of the service, since the start of the first one",
    GROUP,
);
const MEMORY: Family = (
    "hab_sup_service_resident_memory_bytes",
    "Resident memory of the processes of the service, shared memory counted in each",
    GROUP,
);
const DESCRIPTORS: Family = (
    "hab_sup_service_open_file_descriptors",
    "File descriptors that the processes of the service have open",
    GROUP,
);
const PROCESSES: Family = ("hab_sup_service_processes", "Processes of the service that run", GROUP);
const ALL: [Family; 9] =
    [UP, DESIRED, STATE, HEALTH, RESTARTS, CPU, MEMORY, DESCRIPTORS, PROCESSES];

/// The families of services.
pub(super) struct ServiceFigures {
    snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    descriptions: Vec<Desc>,
    sample: Readings,
}

/// The reading that figures of processes come from; empty when there was none in time.
#[derive(Debug, Clone, Default)]
pub(super) struct Readings(Arc<Mutex<Option<Arc<Sample>>>>);

impl Readings {
    pub(super) fn set(&self, sample: Option<Arc<Sample>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = sample;
    }

    fn get(&self) -> Option<Arc<Sample>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn options((name, help, _): Family) -> Opts {
    Opts::new(name, help)
}

impl ServiceFigures {
    pub(super) fn new(snapshots: watch::Receiver<Option<Arc<Snapshot>>>, sample: Readings) -> Self {
        let description = |(name, help, labels): Family| {
            let labels = labels.iter().map(ToString::to_string).collect();
            Desc::new(name.into(), help.into(), labels, Default::default())
                .expect("the name and labels of a family are valid")
        };
        Self { snapshots, descriptions: ALL.map(description).into(), sample }
    }
}

impl Collector for ServiceFigures {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Some(snapshot) = self.snapshots.borrow().clone() else { return Vec::new() };
        families(&snapshot, self.sample.get().as_deref())
    }
}

/// What cannot be known of a service has no sample: 0 would be a claim.
fn families(snapshot: &Snapshot, sample: Option<&Sample>) -> Vec<MetricFamily> {
    const VALID: &str = "the name and labels of a family are valid";
    let gauge = |family: Family| IntGaugeVec::new(options(family), family.2).expect(VALID);
    let (up, desired, state, health) = (gauge(UP), gauge(DESIRED), gauge(STATE), gauge(HEALTH));
    let restarts = IntCounterVec::new(options(RESTARTS), RESTARTS.2).expect(VALID);
    let cpu = CounterVec::new(options(CPU), CPU.2).expect(VALID);
    let memory = gauge(MEMORY);
    let (descriptors, processes) = (gauge(DESCRIPTORS), gauge(PROCESSES));
    for service in snapshot.services() {
        let service = &service.v1_documents().service;
        let group = &[service.id.as_str()];
        up.with_label_values(group).set((service.state == ServiceState::Up).into());
        desired.with_label_values(group).set((service.desired == Desired::Up).into());
        for &known in ServiceState::ALL {
            let labels = &[service.id.as_str(), known.as_str()];
            state.with_label_values(labels).set((service.state == known).into());
        }
        for known in Health::ALL {
            let labels = &[service.id.as_str(), known.as_str()];
            health.with_label_values(labels).set((service.health == known).into());
        }
        restarts.with_label_values(group).inc_by(service.restarts.total);
        let usage = service.pid.and_then(|pid| sample?.usage(pid));
        let Some(usage) = usage else { continue };
        cpu.with_label_values(group).inc_by(usage.cpu_ms as f64 / 1_000.0);
        memory.with_label_values(group).set(signed(usage.resident_bytes));
        processes.with_label_values(group).set(signed(usage.processes));
        if let Some(open) = usage.descriptors {
            descriptors.with_label_values(group).set(signed(open));
        }
    }
    let collectors: [&dyn Collector; 9] =
        [&up, &desired, &state, &health, &restarts, &cpu, &memory, &descriptors, &processes];
    collectors.into_iter().flat_map(Collector::collect).collect()
}
