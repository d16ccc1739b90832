//! `/v1/supervisor`: the Supervisor itself.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How the Supervisor itself is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SupervisorV1 {
    /// Version of the program.
    #[schema(examples("2.1.78+roost.0.1.0"))]
    pub version: String,
    /// Its identity in the ring.
    pub member_id: String,
    /// Name of the machine.
    pub hostname: String,
    /// Address of the machine, as other members see it.
    pub ip: String,
    /// When this process started. Services may have been started before it.
    #[schema(format = DateTime)]
    pub started_at: String,
    /// How long it has run.
    pub uptime_s: u64,
    /// Where it listens.
    pub addresses: Addresses,
    /// When the figures were read.
    #[schema(format = DateTime)]
    pub at: String,
    /// This process; null when its figures cannot be read.
    pub supervisor: Option<ProcessV1>,
    /// The launcher, which owns the processes of services; null when its figures cannot be read.
    pub launcher: Option<ProcessV1>,
    /// Loaded services; null until all are read.
    pub services: Option<ServiceCounts>,
    /// What needs an operator, or does not: at least one entry of each type.
    pub conditions: Vec<Condition>,
}

/// Addresses with ports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SupervisorAddresses)]
pub struct Addresses {
    /// This API.
    #[schema(examples("0.0.0.0:9631"))]
    pub http: String,
    /// Commands.
    #[schema(examples("127.0.0.1:9632"))]
    pub control: String,
    /// The ring.
    #[schema(examples("0.0.0.0:9638"))]
    pub gossip: String,
}

/// What one process uses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SupervisorProcess)]
pub struct ProcessV1 {
    /// Process id.
    pub pid: u32,
    /// CPU time since its start.
    pub cpu_ms: u64,
    /// Resident memory.
    pub resident_bytes: u64,
    /// Threads.
    pub threads: u64,
    /// Open descriptors; null when that cannot be read.
    pub descriptors: Option<u64>,
    /// Descriptors that it may have open; null without a limit.
    pub descriptors_max: Option<u64>,
}

/// How many services there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceCounts {
    /// Loaded.
    pub loaded: u64,
    /// Of these, up.
    pub up: u64,
    /// Of these, with health ok.
    pub ok: u64,
    /// With health warning.
    pub warning: u64,
    /// With health critical.
    pub critical: u64,
    /// With unknown health, such as those that do not run.
    pub unknown: u64,
}

/// One thing that is or is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// What.
    #[serde(rename = "type")]
    pub kind: ConditionType,
    /// How bad it is.
    pub status: ConditionStatus,
    /// What it is about, such as the peer that cannot be resolved; null when `ok`.
    pub reason: Option<String>,
    /// For people; null when `ok`.
    pub message: Option<String>,
    /// Since when, as far as this Supervisor knows.
    #[schema(format = DateTime)]
    pub since: String,
}

/// How bad a condition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConditionStatus {
    /// As it should be.
    Ok,
    /// An operator should look at it.
    Warn,
    /// Something does not work.
    Fail,
}

/// What can be wrong with a Supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConditionType {
    /// The disk of the state files does not respond.
    DiskHangs,
    /// The disk of the state files is almost full.
    DiskLow,
    /// A peer cannot be resolved, or the file with peers cannot be read.
    PeerUnresolved,
    /// Events cannot be written to the journal.
    JournalLossy,
    /// The event stream does not reach its server.
    EventStreamDown,
    /// A port is open to every client that reaches it.
    InsecureListen,
    /// Gossip is not encrypted, and every host that reaches the port can take part.
    RingKeyMissing,
    /// The clock of the machine was set within the last day.
    ClockJumped,
    /// The file with tokens of the HTTP API cannot be used; the former rules hold.
    HttpTokensUnusable,
    /// A token of the HTTP API ends within 14 days, or has ended.
    TokenExpires,
}
