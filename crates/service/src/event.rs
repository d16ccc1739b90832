//! Input of the machine.

use std::{collections::BTreeMap, fmt};

use roost_ident::{ElectionStatus, Hook, ServiceGroup, ShutdownSignal};

use crate::{
    binds::BindReport,
    excerpt::{Excerpt, Printed},
    monitor::{MonitorRead, ProbeFound},
    spec::ServiceSpec,
};

/// The time of a call. Decisions use only differences of `mono_ms`; users see `unix_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// Milliseconds of a monotonic clock.
    pub mono_ms: u64,
    /// Milliseconds since 1970.
    pub unix_ms: u64,
}

/// The facts of a built service that the machine needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Fully qualified identifier of the release, as text.
    pub ident: String,
    /// The hooks with a readable template.
    pub hooks: Vec<Hook>,
    /// True when an `install` hook of the package or of a dependency has not succeeded yet.
    pub installs: bool,
    /// User of the process, for the log line; `None` is shown as `<anonymous>`.
    pub user: Option<String>,
    /// Group of the process, for the log line.
    pub group: Option<String>,
    /// Name of the Supervisor's user if it cannot switch users; causes a warning.
    pub incapable_user: Option<String>,
    /// The signal that stops the process.
    pub shutdown_signal: ShutdownSignal,
    /// The package's `SHUTDOWN_TIMEOUT` in seconds.
    pub shutdown_timeout_s: Option<u32>,
    /// How long hooks may run, in milliseconds, as far as the package states it.
    pub hook_timeouts_ms: BTreeMap<Hook, u64>,
}

impl Plan {
    /// A plan with only a release: no hooks, TERM, the default timeout.
    #[must_use]
    pub fn bare(ident: &str) -> Self {
        Self {
            ident: ident.into(),
            hooks: Vec::new(),
            installs: false,
            user: None,
            group: None,
            incapable_user: None,
            shutdown_signal: ShutdownSignal::default(),
            shutdown_timeout_s: None,
            hook_timeouts_ms: BTreeMap::new(),
        }
    }

    /// True when the package has this hook.
    #[must_use]
    pub fn has(&self, hook: Hook) -> bool {
        self.hooks.contains(&hook)
    }
}

/// Why a service could not be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildFailure {
    /// No installed package satisfies the spec.
    NotInstalled(String),
    /// The package, fully qualified, has no run hook.
    NotRunnable(String),
    /// The binds of the spec do not match those of the package.
    Binds(String),
    /// Configuration or a config template is missing or invalid.
    Refused(String),
    /// The user or the group that the package names does not exist.
    NoUser(String),
    /// The files did not arrive in time.
    Unread(String),
    /// A directory could not be created.
    Directory {
        /// The directory.
        path: String,
        /// The system error.
        error: String,
    },
}

impl fmt::Display for BuildFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInstalled(text)
            | Self::Binds(text)
            | Self::Refused(text)
            | Self::NoUser(text)
            | Self::Unread(text) => f.write_str(text),
            Self::NotRunnable(package) => write!(f, "Package is not runnable: {package}"),
            Self::Directory { path, error } => write!(f, "Can't create directory {path}: {error}"),
        }
    }
}

/// Kind of a rendered file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenderedKind {
    /// A hook.
    Hook(Hook),
    /// A configuration file that already existed.
    ConfigModified,
    /// A configuration file that did not exist.
    ConfigCreated,
}

/// A file whose rendered text differed from the file on disk and was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedFile {
    /// What it is.
    pub kind: RenderedKind,
    /// Path as shown to users.
    pub path: String,
}

/// A part of a rendering that failed; the old file stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RenderFailure {
    /// A hook template failed or could not be written.
    Hook(Hook, String),
    /// A configuration template failed or could not be written.
    Config(String),
    /// There is neither a `run` hook nor the package's own `run` file.
    RunFile(String),
    /// The rendering missed its deadline; the files on disk may be old, new or mixed.
    Unfinished(String),
}

impl fmt::Display for RenderFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hook(hook, error) => write!(f, "Failed to compile {hook} hook: {error}"),
            Self::Config(error) => write!(f, "Failed to compile configuration: {error}"),
            Self::RunFile(error) => write!(f, "Error finding run file: {error}"),
            Self::Unfinished(error) => write!(f, "Rendering has not ended, {error}"),
        }
    }
}

/// The result of rendering hooks and configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rendering {
    /// Written files, hooks first, in the order of writing.
    pub files: Vec<RenderedFile>,
    /// Failed parts.
    pub failures: Vec<RenderFailure>,
    /// A template failed in a rendering with `whole` set: nothing was written.
    pub refused: bool,
    /// How the service is to be watched; `None` when that was not read.
    pub monitor: Option<MonitorRead>,
}

impl Rendering {
    /// A rendering with only a failure.
    #[must_use]
    pub fn failed(failure: RenderFailure) -> Self {
        Self { failures: vec![failure], ..Self::default() }
    }
}

/// How a hook ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookOutcome {
    /// It exited with this code.
    Exit(i32),
    /// It was killed by this signal.
    Signal(i32),
    /// It could not be started; the system error.
    CouldNotRun(String),
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// It exited with this code.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
    /// Its end was not observed.
    Unknown,
}

/// The end of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessEnd {
    /// Exit code or signal.
    pub status: ExitStatus,
    /// Time of the end, Unix milliseconds.
    pub at_unix_ms: u64,
    /// The end of its stderr.
    pub stderr: Excerpt,
}

/// Input of the machine. The caller answers every effect that expects an answer (see
/// [`crate::Effect`]) exactly once, whatever happens in between; the machine never has two of a
/// kind outstanding. Events without a meaning in a phase are ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MachineEvent {
    /// The spec was written again. The machine decides whether to start, stop, restart or only use
    /// the new values. During an unload the event revives the service: it restarts instead of being
    /// removed.
    SpecChanged {
        /// The new spec; the same name as before.
        spec: ServiceSpec,
        /// The service group it belongs to.
        group: ServiceGroup,
    },
    /// The user starts it.
    Start,
    /// The user stops it.
    Stop {
        /// Seconds until KILL, for this one stop.
        timeout_s: Option<u32>,
    },
    /// The spec was deleted: stop, then [`crate::Effect::Gone`].
    Unload {
        /// Seconds until KILL, for this one stop.
        timeout_s: Option<u32>,
    },
    /// The Supervisor shuts down: stop, then [`crate::Effect::Gone`]. The desired state stays the
    /// same.
    Shutdown,
    /// The Supervisor is replaced: stop hooks, leave the process alone, [`crate::Effect::Gone`]
    /// follows immediately.
    Detach,
    /// Answer to [`crate::Effect::Build`].
    Built(Plan),
    /// Answer to [`crate::Effect::Build`].
    BuildFailed(BuildFailure),
    /// Answer to [`crate::Effect::Check`]: the plan to start, or why it cannot start.
    Checked(Result<Plan, String>),
    /// A newer state of the service's directory cannot become a release; the text contains the
    /// reason and the remedy. [`MachineEvent::ReleaseFit`] or [`MachineEvent::PackageUpdated`]
    /// follows when it can.
    ReleaseRefused(String),
    /// The service's directory can become a release, whether or not it is to run; or the service no
    /// longer follows a directory. Ends the condition of an [`MachineEvent::ReleaseRefused`].
    ReleaseFit,
    /// `user.toml` was read.
    UserConfig {
        /// Why it cannot be used, and what counts instead; `None` when it can.
        refused: Option<String>,
    },
    /// A file used by a failed build, install hook or rendering has changed: try again.
    FilesChanged,
    /// Answer to [`crate::Effect::RunInstallHooks`].
    Installed,
    /// Answer to [`crate::Effect::RunInstallHooks`].
    InstallFailed {
        /// The error.
        error: String,
        /// Output of the hook.
        printed: Printed,
    },
    /// A value visible to the service's templates has changed.
    ContextChanged,
    /// Answer to [`crate::Effect::Render`].
    Rendered(Rendering),
    /// State of every mapped bind; sent after each `Built` and on every change. Before the first
    /// one, a service with binds counts as unsatisfied.
    Binds(Vec<BindReport>),
    /// State of the group's election; ignored without leader topology.
    Election {
        /// Status of the election.
        status: ElectionStatus,
        /// Member id of the leader, once it is in the census. A finished election without a known
        /// leader counts as in progress.
        leader: Option<String>,
    },
    /// Answer to [`crate::Effect::Spawn`].
    Spawned {
        /// Id of the process, which leads its own process group.
        pid: u32,
    },
    /// Answer to [`crate::Effect::Spawn`].
    SpawnFailed(String),
    /// KILL failed for processes of the group, for lack of permission. Nothing starts until another
    /// user ends them.
    OutOfReach {
        /// Id of the group leader.
        pid: u32,
        /// The processes, for the operator.
        processes: String,
    },
    /// The process was reaped.
    Exited {
        /// Id of the process.
        pid: u32,
        /// True when other processes of its group may still run; [`MachineEvent::GroupEnded`]
        /// follows. Processes that survive a crash are stopped before the next start.
        group_alive: bool,
        /// How it ended.
        end: ProcessEnd,
    },
    /// The last process of the group has ended.
    GroupEnded {
        /// The leader's id.
        pid: u32,
    },
    /// Answer to [`crate::Effect::RunHook`], even for a stopped hook.
    HookEnded {
        /// The hook.
        hook: Hook,
        /// Its outcome.
        outcome: HookOutcome,
        /// Its output.
        printed: Printed,
    },
    /// Answer to [`crate::Effect::RunProbe`].
    Probed {
        /// The round that the effect named.
        round: u64,
        /// The place that it named.
        place: usize,
        /// What the check found.
        found: ProbeFound,
    },
    /// Gossiped files were written.
    FilesUpdated(
        /// Their names.
        Vec<String>,
    ),
    /// Run another release as soon as it is checked; the running release, after a
    /// [`MachineEvent::ReleaseRefused`], withdraws any other.
    PackageUpdated(
        /// Its fully qualified identifier.
        String,
    ),
}
