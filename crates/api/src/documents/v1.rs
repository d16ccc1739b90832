//! Documents of the v1 API: Roost's own, in snake_case, times in RFC 3339.

use serde::{Deserialize, Serialize};

/// `/v1/services/{sg}`: how a service is, and why it is so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceV1 {
    /// Its service group, `name.group[@org]`.
    pub id: String,
    /// The release in use, or what the spec asks for while none is known.
    pub package: String,
    /// `starting up stopping down backing_off blocked failed`.
    pub state: String,
    /// Since when its process is up or down.
    pub since: String,
    /// `up` or `down`.
    pub desired: String,
    /// `ok warning critical unknown`.
    pub health: String,
    /// Since when.
    pub health_since: Option<String>,
    /// Process id while up.
    pub pid: Option<u32>,
    /// Restarts after failures, since it was started by a user.
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
}

/// Restarts after failures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restarts {
    /// How many.
    pub total: u64,
    /// When it starts again, while it waits for that.
    pub next_at: Option<String>,
}

/// Why a service is not as it should be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// A stable word.
    pub code: String,
    /// For people.
    pub message: String,
    /// Since when.
    pub since: String,
    /// What was printed about it, line by line.
    pub evidence: Vec<String>,
}

/// The last end of the process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastExit {
    /// Its process id.
    pub pid: u32,
    /// Exit code, if it exited.
    pub code: Option<i32>,
    /// The signal that killed it.
    pub signal: Option<i32>,
    /// `unexpected`, `stopped`, or `stop_timeout`.
    pub cause: String,
    /// When.
    pub at: String,
    /// How long it ran.
    pub ran_ms: u64,
    /// The last lines of its standard error.
    pub stderr: Vec<String>,
}

/// A hook that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// It ran too long and was ended.
    pub timed_out: bool,
    /// When.
    pub at: String,
    /// The last lines that it printed.
    pub output: Vec<String>,
}

/// A result of a health check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthCheck {
    /// `ok warning critical unknown`.
    pub status: String,
    /// Exit code, if it exited.
    pub exit_code: Option<i32>,
    /// When it ended.
    pub at: String,
    /// The first line that it printed.
    pub output: String,
}

/// A bind of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bind {
    /// Its name.
    pub name: String,
    /// The group that it is mapped to.
    pub group: String,
    /// The group gives what is needed.
    pub satisfied: bool,
    /// What is lacking, or that nothing is.
    pub message: String,
}
