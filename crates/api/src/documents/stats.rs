//! `/v1/services/{sg}/stats`: what the processes of a service use.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the processes of a service use at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Stats {
    /// Its service group, `name.group[@org]`.
    #[schema(examples("redis.default"))]
    pub id: String,
    /// When the figures were read. Requests within a second share a reading.
    #[schema(format = DateTime)]
    pub at: String,
    /// The first process, while there is one.
    pub pid: Option<u32>,
    /// When it was started.
    #[schema(format = DateTime)]
    pub started_at: Option<String>,
    /// The figures; null when there are none.
    pub usage: Option<UsageV1>,
    /// Why there are none, or some are missing or too low.
    #[schema(examples("the service does not run"))]
    pub why: Option<String>,
}

/// What the processes of each service use at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StatsList {
    /// When the figures were read. Requests within a second share a reading.
    #[schema(format = DateTime)]
    pub at: String,
    /// The services that run, ordered by `id`.
    pub items: Vec<StatsSummary>,
    /// Why there are no figures.
    pub why: Option<String>,
}

/// The most important figures of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StatsSummary {
    /// Its service group, `name.group[@org]`.
    #[schema(examples("redis.default"))]
    pub id: String,
    /// The first process.
    pub pid: u32,
    /// Processes, without those that ended and were not collected by their parents.
    pub processes: u64,
    /// CPU time since the start, that of children that ended included.
    pub cpu_ms: u64,
    /// Resident memory. Memory that processes share counts in each of them.
    pub resident_bytes: u64,
}

/// Figures of all processes of a service: those of its session and their descendants, without
/// hooks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Usage)]
pub struct UsageV1 {
    /// Processes, without those that ended and were not collected by their parents.
    pub processes: u64,
    /// Their threads.
    pub threads: u64,
    /// CPU time since the start, that of children that ended included.
    pub cpu_ms: u64,
    /// Resident memory. Memory that processes share counts in each of them.
    pub resident_bytes: u64,
    /// Open descriptors; null when they cannot be read of each process.
    pub descriptors: Option<DescriptorsV1>,
    /// Transfer between processes and disks; null when it cannot be read of each process.
    pub io: Option<IoV1>,
    /// Where they take connections or datagrams; null when that cannot be known.
    pub listening: Option<Vec<ListeningV1>>,
    /// The control group (version 2), when only this service is in it.
    pub cgroup: Option<CgroupV1>,
}

/// Open descriptors of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Descriptors)]
pub struct DescriptorsV1 {
    /// Of all its processes.
    pub open: u64,
    /// Of the process that has the most.
    pub fullest: Option<FullestV1>,
}

/// The process with the most descriptors. Limits hold for each process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FullestProcess)]
pub struct FullestV1 {
    /// Process id.
    pub pid: u32,
    /// Descriptors that it has open.
    pub open: u64,
    /// Descriptors that it may have open; null when it has no limit, or its limit cannot be read.
    pub limit: Option<u64>,
}

/// Transfer between processes and disks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Io)]
pub struct IoV1 {
    /// Fetched from disks; what was in the cache does not count.
    pub read_bytes: u64,
    /// Sent to disks, or to be sent.
    pub written_bytes: u64,
}

/// An address that a service listens on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Listening)]
pub struct ListeningV1 {
    /// What is spoken.
    pub protocol: Protocol,
    /// IP address.
    #[schema(examples("0.0.0.0"))]
    pub ip: String,
    /// Port.
    pub port: u16,
}

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are known")]
pub enum Protocol {
    Tcp,
    Udp,
}

/// Figures of a control group. One whose controller is off is null.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Cgroup)]
pub struct CgroupV1 {
    /// Its path below the mount point of control groups.
    pub path: String,
    /// CPU time of everything that ever ran in it.
    pub cpu_ms: Option<u64>,
    /// How long a CPU quota made it wait.
    pub throttled_ms: Option<u64>,
    /// Memory, caches of files included.
    pub memory_bytes: Option<u64>,
    /// Memory that it may use; null without a limit.
    pub memory_max_bytes: Option<u64>,
    /// How often the kernel killed a process of it for want of memory.
    pub oom_kills: Option<u64>,
    /// Processes and threads.
    pub tasks: Option<u64>,
    /// Processes and threads that it may have; null without a limit.
    pub tasks_max: Option<u64>,
}
