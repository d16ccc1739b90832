//! Documents of the v1 API: Roost's own, in snake_case, times in RFC 3339.

use std::sync::Arc;

use roost_ident::{DesiredState, HealthStatus, ReasonCode, ServiceState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    configuration::ConfigValue,
    explain::Explanation,
    surroundings::{Bind, Election, Links},
};
use crate::json::Json;

/// The documents of one service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceDocuments {
    /// How it is, and why.
    pub service: Json<ServiceV1>,
    /// Its explanation.
    pub explanation: Json<Explanation>,
    /// Its health.
    pub health: Json<ServiceHealthV1>,
    /// Its effective configuration.
    pub configuration: Arc<Vec<ConfigValue>>,
}

/// The health of a service, and what its checks found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceHealthV1 {
    /// Its service group, `name.group[@org]`.
    #[schema(examples("redis.default"))]
    pub id: String,
    /// The present status; unknown while the process is down.
    pub status: Health,
    /// Since when; null when it was never anything else.
    #[schema(format = DateTime)]
    pub since: Option<String>,
    /// When the last checks of the process ended.
    #[schema(format = DateTime)]
    pub checked_at: Option<String>,
    /// Exit code of the hook, if it had the worst result of the last checks.
    pub exit_code: Option<i32>,
    /// How long the check with the worst result took.
    pub duration_ms: Option<u64>,
    /// When the next checks start; null while some run, and without checks.
    #[schema(format = DateTime)]
    pub next_at: Option<String>,
    /// Critical results in a row. While a service starts, checks come sooner than usual, and only
    /// one counts in the usual time.
    pub consecutive_failures: u32,
    /// Critical results in a row after which the service is restarted; 0 is never.
    pub restart_after: u32,
    /// Each check: `health-check` is the hook, the others are those of `monitor.toml`.
    pub checks: Vec<CheckV1>,
}

/// The last results of one check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckV1 {
    /// Its name.
    #[schema(examples("http"))]
    pub name: String,
    /// At most 20 since this Supervisor was started, the newest first.
    pub results: Vec<CheckResultV1>,
}

/// A result of one check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckResultV1 {
    /// What it found, before thresholds.
    pub status: Health,
    /// Exit code of the hook, if it exited.
    pub exit_code: Option<i32>,
    /// When it ended.
    #[schema(format = DateTime)]
    pub at: String,
    /// How long it took.
    pub duration_ms: u64,
    /// The last 4 KiB that it printed. Null when it is hidden, or older than the 32 KiB that are
    /// kept of one service.
    #[schema(value_type = Option<String>)]
    pub output: Option<Arc<str>>,
}

/// How a service is, and why it is so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceV1 {
    /// Its service group, `name.group[@org]`.
    #[schema(examples("redis.default"))]
    pub id: String,
    /// The release in use, or what the spec asks for while none is known.
    pub package: String,
    /// Where it is in its life.
    pub state: ServiceState,
    /// Since when its process is up or down.
    #[schema(format = DateTime, examples("2026-11-22T15:51:38.999Z"))]
    pub since: String,
    /// What the user wants.
    pub desired: Desired,
    /// The last result; unknown while the process is down.
    pub health: Health,
    /// Since when; null when it was never anything else.
    #[schema(format = DateTime)]
    pub health_since: Option<String>,
    /// Process id while up.
    pub pid: Option<u32>,
    /// Restarts after failures.
    pub restarts: Restarts,
    /// One line: why it is not up, or not well.
    pub why: Option<String>,
    /// The same for programs.
    pub reason: Option<Reason>,
    /// How its process ended last.
    pub last_exit: Option<LastExit>,
    /// The last hook that failed and has not succeeded since.
    pub last_hook_failure: Option<HookFailure>,
    /// The last health check of the process that runs.
    pub health_check: Option<HealthCheck>,
    /// Its binds.
    pub binds: Vec<Bind>,
    /// The election of its group; null without a leader, and when the API is redacted.
    pub election: Option<Election>,
    /// What keeps it from running what it should: a newer release, configuration or spec that
    /// cannot be used.
    pub conditions: Vec<Reason>,
    /// The other resources about it.
    pub links: Links,
}

/// What the user wants of a service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Desired {
    /// It runs.
    #[default]
    Up,
    /// It is stopped.
    Down,
}

impl From<DesiredState> for Desired {
    fn from(desired: DesiredState) -> Self {
        match desired {
            DesiredState::Up => Self::Up,
            DesiredState::Down => Self::Down,
        }
    }
}

/// The result of a health check.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = HealthV1)]
#[expect(missing_docs, reason = "the words of HealthStatus")]
pub enum Health {
    Ok,
    Warning,
    Critical,
    #[default]
    Unknown,
}

impl Health {
    /// All of them, the best first.
    pub const ALL: [Self; 4] = [Self::Ok, Self::Warning, Self::Critical, Self::Unknown];

    /// The word in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Unknown => "unknown",
        }
    }
}

impl From<HealthStatus> for Health {
    fn from(health: HealthStatus) -> Self {
        match health {
            HealthStatus::Ok => Self::Ok,
            HealthStatus::Warning => Self::Warning,
            HealthStatus::Critical => Self::Critical,
            HealthStatus::Unknown => Self::Unknown,
        }
    }
}

/// Restarts after failures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Restarts {
    /// How many since a user started it, or it was restarted on purpose.
    pub total: u64,
    /// How many within the last hour, whatever happened since; exact to five minutes.
    pub last_hour: u64,
    /// The wait before the last one; the next wait is at most three times as long. Null without
    /// failures.
    pub backoff_ms: Option<u64>,
    /// When it starts again, while it waits for that.
    #[schema(format = DateTime)]
    pub next_at: Option<String>,
}

/// Why a service is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// For programs; the words are stable.
    pub code: ReasonCode,
    /// For people.
    #[schema(examples("the process exited with code 1 after 0.3 s"))]
    pub message: String,
    /// Since when it is so.
    #[schema(format = DateTime)]
    pub since: String,
    /// What was printed about it, line by line.
    pub evidence: Vec<String>,
}

/// Why a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// By itself.
    Unexpected,
    /// It was asked to.
    Stopped,
    /// It was asked to, did not end in time, and was killed.
    StopTimeout,
}

/// The last end of the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LastExit {
    /// Its process id.
    pub pid: u32,
    /// Exit code, if it exited.
    pub code: Option<i32>,
    /// The signal that killed it.
    pub signal: Option<i32>,
    /// By itself, because it was asked to, or because it did not end in time when asked to.
    pub cause: Cause,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// How long it ran, in milliseconds.
    pub ran_ms: u64,
    /// The last lines of its standard error.
    pub stderr: Vec<String>,
}

/// A hook that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HookFailure {
    /// Name of the hook.
    pub hook: String,
    /// Exit code, if it exited.
    pub code: Option<i32>,
    /// The signal that killed it.
    pub signal: Option<i32>,
    /// Why it could not be run.
    pub error: Option<String>,
    /// It exceeded its time limit and was stopped.
    pub timed_out: bool,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// The last lines that it printed.
    pub output: Vec<String>,
}

/// A result of a health check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthCheck {
    /// What it found.
    pub status: Health,
    /// Exit code, if it exited.
    pub exit_code: Option<i32>,
    /// When it ended.
    #[schema(format = DateTime)]
    pub at: String,
    /// The first line that it printed.
    pub output: String,
}
