//! `/v1/services/{sg}/stats`, and what `/v1/supervisor` shows of processes.

use roost_api::{
    Json, Snapshot,
    documents::{
        Stats, StatsList,
        stats::{
            CgroupV1, DescriptorsV1, FullestV1, IoV1, ListeningV1, Protocol as Shown, StatsSummary,
            UsageV1,
        },
        supervisor::ProcessV1,
        v1::ServiceV1,
    },
};
use roost_ident::time::rfc3339_ms;
use roost_usage::{Cgroup, Detail, Own, Protocol, Usage};

use crate::usages::Sample;

const DOWN: &str = "the service does not run";
const UNSEEN: &str = "its processes ended meanwhile, or are hidden from the Supervisor";
const HIDDEN: &str =
    "processes of other users are hidden from the Supervisor: figures may be too low";
const DENIED: &str = "the Supervisor may not read all files of its processes";

/// The document of a service that runs, or ran when the snapshot was made.
pub(crate) fn stats(service: &ServiceV1, sample: &Sample, detail: Option<&Detail>) -> Stats {
    let known = service.pid.and_then(|pid| sample.usage(pid));
    let why = match (&sample.reading, known) {
        _ if service.pid.is_none() => Some(DOWN.to_owned()),
        (Err(error), _) => Some(error.clone()),
        (Ok(_), None) => Some(UNSEEN.to_owned()),
        (Ok(reading), Some(_)) if reading.hides => Some(HIDDEN.to_owned()),
        (Ok(_), Some(usage)) if usage.descriptors.is_none() || usage.io.is_none() => {
            Some(DENIED.to_owned())
        }
        (Ok(_), Some(_)) => None,
    };
    Stats {
        id: service.id.clone(),
        at: rfc3339_ms(sample.at_unix_ms),
        pid: service.pid,
        started_at: service.pid.map(|_| service.since.clone()),
        usage: known.map(|known| usage(known, detail)),
        why,
    }
}

/// The document of all services that run.
pub(crate) fn all_stats(snapshot: &Snapshot, sample: &Sample) -> StatsList {
    let services = snapshot.services().iter().map(|entry| &entry.v1_documents().service);
    let summary = |service: &Json<ServiceV1>| {
        let pid = service.pid?;
        let usage = sample.usage(pid)?;
        Some(StatsSummary {
            id: service.id.clone(),
            pid,
            processes: usage.processes,
            cpu_ms: usage.cpu_ms,
            resident_bytes: usage.resident_bytes,
        })
    };
    let mut items: Vec<_> = services.filter_map(summary).collect();
    items.sort_by(|one, other| one.id.cmp(&other.id));
    let why = sample.reading.as_ref().err().cloned();
    StatsList { at: rfc3339_ms(sample.at_unix_ms), items, why }
}

fn usage(usage: &Usage, detail: Option<&Detail>) -> UsageV1 {
    let fullest = detail.and_then(|detail| detail.fullest);
    UsageV1 {
        processes: usage.processes,
        threads: usage.threads,
        cpu_ms: usage.cpu_ms,
        resident_bytes: usage.resident_bytes,
        descriptors: usage.descriptors.map(|open| DescriptorsV1 {
            open,
            fullest: fullest.map(|it| FullestV1 { pid: it.pid, open: it.open, limit: it.limit }),
        }),
        io: usage.io.map(|io| IoV1 { read_bytes: io.read_bytes, written_bytes: io.written_bytes }),
        listening: detail.and_then(|detail| detail.listening.as_ref()).map(|listening| {
            let shown = listening.iter().map(|it| ListeningV1 {
                protocol: match it.protocol {
                    Protocol::Tcp => Shown::Tcp,
                    Protocol::Udp => Shown::Udp,
                },
                ip: it.address.ip().to_string(),
                port: it.address.port(),
            });
            shown.collect()
        }),
        cgroup: detail.and_then(|detail| detail.cgroup.as_ref()).map(cgroup),
    }
}

fn cgroup(cgroup: &Cgroup) -> CgroupV1 {
    let Cgroup {
        path,
        cpu_ms,
        throttled_ms,
        memory_bytes,
        memory_max_bytes,
        oom_kills,
        tasks,
        tasks_max,
    } = cgroup.clone();
    CgroupV1 {
        path,
        cpu_ms,
        throttled_ms,
        memory_bytes,
        memory_max_bytes,
        oom_kills,
        tasks,
        tasks_max,
    }
}

/// What one process uses.
pub(crate) fn process(pid: u32, own: &Own) -> ProcessV1 {
    ProcessV1 {
        pid,
        cpu_ms: own.cpu_ms,
        resident_bytes: own.resident_bytes,
        threads: own.threads,
        descriptors: own.descriptors,
        descriptors_max: own.descriptors_max,
    }
}
