//! State of a service for documents and the status table.

pub use roost_ident::ServiceState;
use roost_ident::{DesiredState, ElectionStatus, HealthStatus, ProcessState, TerminationReason};

use crate::{account::Account, why::Reason};

/// Phase of a service, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhaseName {
    /// Not wanted.
    Stopped,
    /// Waits before the next start.
    Waiting,
    /// Its package and templates are being read.
    Building,
    /// It could not be built; the reason is in [`Status::reason`].
    Broken,
    /// `install` hooks run.
    Installing,
    /// Waits for its binds.
    WaitingForBinds,
    /// Waits for a leader.
    WaitingForElection,
    /// Files are being rendered.
    Rendering,
    /// The `init` hook runs.
    Initializing,
    /// The process is being started.
    Starting,
    /// The process runs.
    Running,
    /// It is being stopped.
    Stopping,
    /// The machine is done.
    Gone,
}

impl PhaseName {
    /// The name in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Waiting => "waiting",
            Self::Building => "building",
            Self::Broken => "broken",
            Self::Installing => "installing",
            Self::WaitingForBinds => "waiting-for-binds",
            Self::WaitingForElection => "waiting-for-election",
            Self::Rendering => "rendering",
            Self::Initializing => "initializing",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Gone => "gone",
        }
    }
}

/// The process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessStatus {
    /// Up or down.
    pub state: ProcessState,
    /// Its id while up.
    pub pid: Option<u32>,
    /// Unix seconds of the last change of `state`.
    pub state_entered_s: u64,
    /// The same in milliseconds.
    pub state_entered_ms: u64,
}

/// Reason and time of the last restart mark (reference: http-api §9.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastProcess {
    /// Id of the process; `None` when none ran.
    pub pid: Option<u32>,
    /// Why it ended.
    pub reason: TerminationReason,
    /// Unix seconds.
    pub terminated_at_s: u64,
}

/// The state of a service as shown to users and machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// What the user wants.
    pub desired_state: DesiredState,
    /// The process.
    pub process: ProcessStatus,
    /// Last result; unknown while the process is down.
    pub health: HealthStatus,
    /// The reason in Habitat's health document besides the hook's output: why the service could not
    /// be read or rendered, or that a check timed out.
    pub reason: Option<String>,
    /// Why the service is not healthy, with the conditions.
    pub why: Option<Reason>,
    /// The same without the conditions.
    pub cause: Option<Reason>,
    /// What keeps it from running what it should.
    pub conditions: Vec<Reason>,
    /// State for machines.
    pub state: ServiceState,
    /// Unix milliseconds of the last change of `health`.
    pub health_since_unix_ms: u64,
    /// A hook checks its health.
    pub has_check: bool,
    /// The last events.
    pub account: Account,
    /// The process was started after `init`, or reattached.
    pub initialized: bool,
    /// Last election status acted on; `None` without leader topology.
    pub last_election_status: ElectionStatus,
    /// The last restart.
    pub last_process_state: Option<LastProcess>,
    /// Unix seconds of the next start while a failed service waits for it.
    pub next_restart_at_s: Option<u64>,
    /// Restarts after failures.
    pub restart_count: u64,
    /// Those of the last hour, whatever happened since; exact to five minutes.
    pub restarts_last_hour: u64,
    /// The last wait before a restart; `None` without failures.
    pub backoff_ms: Option<u64>,
    /// Fully qualified identifier of the release in use.
    pub release: Option<String>,
    /// Phase for people.
    pub phase: PhaseName,
}
