//! Phases of a service.

/// What follows a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// The service stays down.
    Down,
    /// The service is removed, unless a new spec comes first.
    Unload,
    /// The Supervisor ends.
    Shutdown,
    /// The service starts afresh, with a new spec or after a start command.
    Start,
    /// The service restarts: after a failure, or a change of its release or files.
    Restart,
}

/// A stop in progress, which waits for everything that runs and all outstanding answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stopping {
    /// What follows.
    pub(crate) after: After,
    /// Milliseconds between the signal and KILL.
    pub(crate) timeout_ms: u64,
    /// When KILL is due; set once the signal was sent.
    pub(crate) kill_at_ms: Option<u64>,
    /// When KILL was sent; limits the wait for the rest of the group.
    pub(crate) killed_at_ms: Option<u64>,
    /// Some processes may not be killed: the stop waits until they end, unless the Supervisor ends.
    pub(crate) out_of_reach: bool,
}

/// Phases of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not wanted; nothing runs.
    Stopped,
    /// Wanted; nothing runs before this time.
    Pausing { until_ms: u64 },
    /// Its package and templates are being read.
    Building,
    /// It cannot be built or rendered; retried at this time, or when a file has changed.
    Broken {
        /// The slow retry.
        retry_at_ms: u64,
        /// A change of template values may help, too.
        by_context: bool,
    },
    /// `install` hooks run.
    Installing,
    /// Waits for binds, rendering and election, in this order.
    Preparing,
    /// `init` runs.
    Initializing,
    /// `init` is done; waits for a late rendering or the election.
    Initialized,
    /// The process is being started.
    Spawning,
    /// The process is up.
    Running,
    /// Hooks and process are being stopped.
    Stopping(Stopping),
    /// Only `post-stop` runs.
    PostStop {
        /// What follows.
        after: After,
    },
    /// Finished.
    Gone,
}
