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

/// A stop in progress: first everything that runs and all outstanding answers, then `post-stop`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stop {
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
    /// Nothing is left but `post-stop`, which runs.
    pub(crate) in_post_stop: bool,
}

/// Nothing runs until the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait {
    /// When the next attempt begins.
    pub(crate) until_ms: u64,
    /// What may begin it sooner.
    pub(crate) reason: WaitReason,
}

impl Wait {
    /// True when the last attempt cannot succeed without a change.
    pub(crate) fn is_broken(self) -> bool {
        self.reason != WaitReason::Pause
    }
}

/// Why an attempt waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitReason {
    /// The back-off after a failure, or the floor of starts.
    Pause,
    /// It cannot be built: a change of its files may help.
    Unbuilt,
    /// It cannot be rendered: a change of its files or of template values may help.
    Unrendered,
}

/// A step on the way to the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Its package and templates are being read.
    Building,
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
}

/// Phases of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not wanted; nothing runs.
    Stopped,
    /// Wanted; nothing runs.
    Waiting(Wait),
    /// Its process is to run.
    Starting(Step),
    /// The process is up.
    Running,
    /// Hooks and process are being stopped.
    Stopping(Stop),
    /// Finished.
    Gone,
}
