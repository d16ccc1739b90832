//! What the machine asks for.

use roost_ident::{HealthStatus, Hook, ServiceGroup, ShutdownSignal};

use crate::spec::ServiceSpec;

/// First part of a log line, before the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preamble {
    /// The service group.
    Group,
    /// The package's name.
    Package,
    /// The Supervisor itself, `hab-sup`.
    Sup,
}

/// Key of a log line (reference: services §16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogKey {
    /// Decisions to start and stop.
    Mr,
    /// Life of a service.
    Sr,
    /// Start of the process.
    Sv,
    /// Termination of the process.
    St,
    /// Hooks and health.
    Hk,
    /// Configuration files.
    Cf,
    /// Watching of `user.toml`.
    Ucw,
}

impl LogKey {
    /// The letters in the line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mr => "MR",
            Self::Sr => "SR",
            Self::Sv => "SV",
            Self::St => "ST",
            Self::Hk => "HK",
            Self::Cf => "CF",
            Self::Ucw => "UCW",
        }
    }
}

/// What is to be done. To be carried out in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Resolve the package, read configuration and templates, make directories. Answer:
    /// `Built` or `BuildFailed`.
    Build {
        /// Build this very release: that of a process that was taken back.
        pin: Option<String>,
    },
    /// Like `Build`, of the release that the service ran from before, because a newer one cannot
    /// start. What was read of it then is used again where it is still known: its files may have
    /// changed since. Never another release. Answer: `Built` or `BuildFailed`.
    BuildFormer {
        /// Fully qualified identifier.
        release: String,
    },
    /// Read what an attempt with this spec would be made of, and render all its templates, without
    /// a change on disk: what runs goes on meanwhile. Answer: `Checked`.
    Check {
        /// The spec that may come into force.
        spec: Box<ServiceSpec>,
        /// Its service group.
        group: ServiceGroup,
        /// The release; `None` means the newest one.
        release: Option<String>,
    },
    /// Run the outstanding `install` hooks of the dependencies and the package: of the last release
    /// that was checked while a check is being acted upon, else of what was built. Answer:
    /// `Installed` or `InstallFailed`.
    RunInstallHooks,
    /// Render all hooks and configuration files with the current context, copy `run`. Answer:
    /// `Rendered`.
    Render {
        /// Write nothing at all when one template fails.
        whole: bool,
    },
    /// Start a hook. Answer: `HookEnded`.
    RunHook(Hook),
    /// KILL the hook's process group; for [`Hook::Install`] end the pass of
    /// [`Effect::RunInstallHooks`]. Its answer still comes.
    EndHook(Hook),
    /// Start the process. Answer: `Spawned`, later `Exited`; or `SpawnFailed`.
    Spawn,
    /// Send a signal to the process group.
    Signal {
        /// Its leader.
        pid: u32,
        /// Which signal.
        signal: ShutdownSignal,
    },
    /// Send KILL to the process group.
    Kill {
        /// Its leader.
        pid: u32,
    },
    /// Gossip the service rumor with a raised incarnation.
    Announce,
    /// Start an election of the group, term 0.
    StartElection,
    /// The process runs: keep its release as the one to go back to, also for the next Supervisor.
    Ran {
        /// Fully qualified identifier.
        release: String,
    },
    /// Write the PID file.
    WritePid(u32),
    /// Remove the PID file.
    RemovePid,
    /// A health check gave a result.
    Health {
        /// The result.
        status: HealthStatus,
        /// Why it is unknown, where the hook itself does not say.
        reason: Option<String>,
        /// Milliseconds until the next check; `None` when there is no hook.
        pause_ms: Option<u64>,
    },
    /// `Machine::remember` has changed.
    Remember,
    /// A line for the user.
    Log {
        /// First part.
        preamble: Preamble,
        /// Key.
        key: LogKey,
        /// The text, one line.
        text: String,
    },
    /// A stop has finished: nothing of this service runs any more. Also in the middle of a
    /// restart.
    Stopped,
    /// The machine is done; nothing follows. To be dropped.
    Gone,
}
