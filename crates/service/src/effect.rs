//! Requests of the machine to its caller.

use std::sync::Arc;

use roost_events::Report;
use roost_ident::{Hook, ServiceGroup, ShutdownSignal};

use crate::{monitor::Probe, spec::ServiceSpec};

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
    /// Decisions about starts and stops.
    Mr,
    /// Events of a service.
    Sr,
    /// Start of the process.
    Sv,
    /// Stop of the process.
    St,
    /// Hooks and health.
    Hk,
    /// Configuration files.
    Cf,
    /// Watching of `user.toml`.
    Ucw,
}

impl LogKey {
    /// The letters in the log line.
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

/// A request of the machine. The caller carries them out in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Resolve the package, read configuration and templates, create directories. Answer: `Built`
    /// or `BuildFailed`.
    Build {
        /// Build exactly this release: that of a reattached process.
        pin: Option<String>,
    },
    /// Like `Build`, but the release that the service ran before, because a newer one cannot start.
    /// Uses the facts read at that time if they are still known, as its files may have changed
    /// since. Never uses another release. Answer: `Built` or `BuildFailed`.
    BuildFormer {
        /// Fully qualified identifier.
        release: String,
    },
    /// Read what an attempt with this spec would use, and render all its templates, without
    /// changing the disk; the service keeps running. Answer: `Checked`.
    Check {
        /// The spec to check.
        spec: Box<ServiceSpec>,
        /// Its service group.
        group: ServiceGroup,
        /// The release; `None` means the newest one.
        release: Option<String>,
    },
    /// Run the outstanding `install` hooks of the dependencies and the package: of the last checked
    /// release while a check is being accepted, otherwise of the built one. Answer: `Installed` or
    /// `InstallFailed`.
    RunInstallHooks,
    /// Render all hooks and configuration files with the current context, copy `run`. Answer:
    /// `Rendered`.
    Render {
        /// Write no file when one template fails.
        whole: bool,
    },
    /// Start a hook. Answer: `HookEnded`.
    RunHook(Hook),
    /// Send KILL to the hook's process group; for [`Hook::Install`] stop the run of
    /// [`Effect::RunInstallHooks`]. The answer to the start still follows.
    EndHook(Hook),
    /// Run a check that is not a hook, within its time limit. Answer: `Probed`, with this round and
    /// place; none is needed after [`Effect::EndProbes`].
    RunProbe {
        /// Number of the round.
        round: u64,
        /// Place of the check among those of the round.
        place: usize,
        /// The check.
        probe: Arc<Probe>,
    },
    /// Stop the checks that were started with [`Effect::RunProbe`].
    EndProbes,
    /// A round of checks has ended. Shows what they found, one line each, beside the output of the
    /// hook.
    Checked(Vec<String>),
    /// Start the process. Answer: `Spawned`, later `Exited`; or `SpawnFailed`.
    Spawn,
    /// Send a signal to the process group.
    Signal {
        /// Id of the leader.
        pid: u32,
        /// The signal.
        signal: ShutdownSignal,
    },
    /// Send KILL to the process group.
    Kill {
        /// Id of the leader.
        pid: u32,
    },
    /// Gossip the service rumor with a raised incarnation.
    Announce,
    /// Start an election of the group, term 0.
    StartElection,
    /// The process runs: keep its release as the fallback, for the next Supervisor too.
    Ran {
        /// Fully qualified identifier.
        release: String,
    },
    /// Write the PID file.
    WritePid(u32),
    /// Remove the PID file.
    RemovePid,
    /// `Machine::remember` has changed.
    Remember,
    /// A log line for the user.
    Log {
        /// First part.
        preamble: Preamble,
        /// Key.
        key: LogKey,
        /// The text, one line.
        text: String,
    },
    /// Record a fact.
    Record(Report),
    /// A stop is complete: no process of this service runs. Sent in the middle of a restart too.
    Stopped,
    /// The machine is finished and sends nothing more. Drop it.
    Gone,
}
