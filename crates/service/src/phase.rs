//! Where a service is in its life.

/// What follows a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// It stays down.
    Down,
    /// It is forgotten, unless a new spec comes before that.
    Unload,
    /// The Supervisor ends.
    Shutdown,
    /// It starts afresh, with a new spec or because the user changed his mind.
    Start,
    /// It starts again by itself: a failure, or a change of what it runs from.
    Restart,
}

/// A stop under way: everything that runs or was asked for is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stopping {
    /// What follows.
    pub(crate) after: After,
    /// Milliseconds between the signal and KILL.
    pub(crate) timeout_ms: u64,
    /// When KILL is due; set once the signal was sent.
    pub(crate) kill_at_ms: Option<u64>,
    /// When KILL was sent: from then on what is left of the group is not waited for without end.
    pub(crate) killed_at_ms: Option<u64>,
    /// There are processes that may not be killed: they are waited for until they are gone, unless
    /// the Supervisor ends.
    pub(crate) out_of_reach: bool,
}

/// Where a service is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not wanted; nothing runs.
    Stopped,
    /// Wanted; nothing runs before this time.
    Pausing { until_ms: u64 },
    /// Its package and templates are being read.
    Building,
    /// It cannot be built or rendered; tried again at this time, or when a file has changed.
    Broken {
        /// The slow retry.
        retry_at_ms: u64,
        /// A change of what templates see may help, too.
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
    /// Hooks were ended, the process was signalled.
    Stopping(Stopping),
    /// Nothing runs but `post-stop`.
    PostStop {
        /// What follows.
        after: After,
    },
    /// Done.
    Gone,
}
