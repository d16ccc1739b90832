//! `/v1/supervisor`: the Supervisor itself.

use std::time::Instant;

use roost_api::{
    Snapshot,
    documents::{
        SupervisorV1,
        supervisor::{Addresses, ServiceCounts},
        v1::Health,
    },
};
use roost_ident::{ServiceState, time::rfc3339_ms};

use super::usage::process;
use crate::{VERSION, conditions::Conditions, usages::Sample};

/// What does not change while a Supervisor runs.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) member_id: String,
    pub(crate) hostname: String,
    pub(crate) ip: String,
    pub(crate) started: Instant,
    pub(crate) started_unix_ms: u64,
    pub(crate) addresses: Addresses,
}

/// The document at this moment.
pub(crate) fn document(
    facts: &Facts,
    conditions: &Conditions,
    snapshot: Option<&Snapshot>,
    sample: &Sample,
) -> SupervisorV1 {
    let supervisor = sample.supervisor.as_ref();
    SupervisorV1 {
        version: VERSION.into(),
        member_id: facts.member_id.clone(),
        hostname: facts.hostname.clone(),
        ip: facts.ip.clone(),
        started_at: rfc3339_ms(facts.started_unix_ms),
        uptime_s: facts.started.elapsed().as_secs(),
        addresses: facts.addresses.clone(),
        at: rfc3339_ms(sample.at_unix_ms),
        supervisor: supervisor.map(|own| process(std::process::id(), own)),
        launcher: sample.launcher.as_ref().map(|(pid, own)| process(*pid, own)),
        services: snapshot.map(counts),
        conditions: conditions.shown(),
    }
}

fn counts(snapshot: &Snapshot) -> ServiceCounts {
    let mut counts = ServiceCounts::default();
    for entry in snapshot.services() {
        let service = &entry.v1_documents().service;
        counts.loaded += 1;
        counts.up += u64::from(service.state == ServiceState::Up);
        *match service.health {
            Health::Ok => &mut counts.ok,
            Health::Warning => &mut counts.warning,
            Health::Critical => &mut counts.critical,
            Health::Unknown => &mut counts.unknown,
        } += 1;
    }
    counts
}
