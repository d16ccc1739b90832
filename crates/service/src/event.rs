//! What the machine is told.

use std::fmt;

use roost_ident::{ElectionStatus, Hook, ServiceGroup, ShutdownSignal};

use crate::{
    binds::BindReport,
    excerpt::{Excerpt, Printed},
    spec::ServiceSpec,
};

/// The time of a call. Only differences of `mono_ms` matter; `unix_ms` is shown to users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// Milliseconds of a clock that never goes back.
    pub mono_ms: u64,
    /// Milliseconds since 1970.
    pub unix_ms: u64,
}

/// The facts of a built service that the machine decides by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Fully qualified identifier of the release, as text.
    pub ident: String,
    /// The hooks that exist and whose templates could be read.
    pub hooks: Vec<Hook>,
    /// True when an `install` hook of the package or of a dependency has not succeeded yet.
    pub installs: bool,
    /// User the process runs as, for the log line; `None` is shown as `<anonymous>`.
    pub user: Option<String>,
    /// Group the process runs as, likewise.
    pub group: Option<String>,
    /// Name of the Supervisor's own user when it cannot change users; a line warns of it.
    pub incapable_user: Option<String>,
    /// The signal that asks the process to end.
    pub shutdown_signal: ShutdownSignal,
    /// The package's `SHUTDOWN_TIMEOUT` in seconds.
    pub shutdown_timeout_s: Option<u32>,
}

impl Plan {
    /// A plan with nothing but a release: no hooks, TERM, the default timeout.
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
    /// No installed package satisfies the spec; the text says so.
    NotInstalled(String),
    /// The package, fully qualified, has nothing to run.
    NotRunnable(String),
    /// The binds of the spec are not those of the package; the text says how.
    Binds(String),
    /// User, configuration or a config template is missing or bad.
    Refused(String),
    /// A directory could not be made.
    Directory {
        /// The directory.
        path: String,
        /// The system's text.
        error: String,
    },
}

impl fmt::Display for BuildFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInstalled(text) | Self::Binds(text) | Self::Refused(text) => f.write_str(text),
            Self::NotRunnable(package) => write!(f, "Package is not runnable: {package}"),
            Self::Directory { path, error } => write!(f, "Can't create directory {path}: {error}"),
        }
    }
}

/// What a file written by a rendering is.
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
    /// Where it is, as shown to users.
    pub path: String,
}

/// A part of a rendering that failed; the old file stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RenderFailure {
    /// A hook did not render or could not be written.
    Hook(Hook, String),
    /// A configuration file did not.
    Config(String),
    /// There is no program to run: neither a `run` hook nor the package's own `run` file.
    RunFile(String),
    /// It has not ended in time; what is on disk is old, new or both.
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
    /// What was written, hooks first, in the order of writing.
    pub files: Vec<RenderedFile>,
    /// What failed.
    pub failures: Vec<RenderFailure>,
    /// A template failed where a whole rendering was asked for: nothing was written.
    pub refused: bool,
}

impl Rendering {
    /// A rendering that came to nothing.
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
    /// It could not be started; the system's text.
    CouldNotRun(String),
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// It exited with this code.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
    /// Its end was not seen.
    Unknown,
}

/// The end of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessEnd {
    /// How.
    pub status: ExitStatus,
    /// When, Unix milliseconds.
    pub at_unix_ms: u64,
    /// The end of what it printed to stderr.
    pub stderr: Excerpt,
}

/// What the machine is told. Every effect that asks for an answer (see [`crate::Effect`]) is
/// answered exactly once, whatever happened in between; the machine never has two of a kind
/// outstanding. Events that have no meaning in a phase are ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The spec was written anew. Decides by itself whether to start, stop, restart or only
    /// take over the new values. While an unload is under way it revives the service: it is
    /// stopped and started again instead of going away.
    SpecChanged {
        /// The new spec; the same name as before.
        spec: ServiceSpec,
        /// The service group it belongs to.
        group: ServiceGroup,
    },
    /// The user wants it up.
    Start,
    /// The user wants it down.
    Stop {
        /// Seconds until KILL, for this one stop.
        timeout_s: Option<u32>,
    },
    /// The spec was deleted: stop, then [`crate::Effect::Gone`].
    Unload {
        /// Seconds until KILL, for this one stop.
        timeout_s: Option<u32>,
    },
    /// The Supervisor ends: stop, then [`crate::Effect::Gone`]. What the user wants of the
    /// service does not change.
    Shutdown,
    /// The Supervisor is replaced: hooks are ended, the process is left alone,
    /// [`crate::Effect::Gone`] follows at once.
    Detach,
    /// Answer to [`crate::Effect::Build`].
    Built(Plan),
    /// Answer to [`crate::Effect::Build`].
    BuildFailed(BuildFailure),
    /// Answer to [`crate::Effect::Check`]: what would be started, or why it cannot be.
    Checked(Result<Plan, String>),
    /// A newer state of what the service is made of cannot even become a release; the text says
    /// why, and how to mend it. [`Event::ReleaseFit`] or [`Event::PackageUpdated`] follows
    /// when it can.
    ReleaseRefused(String),
    /// What the service is made of can become a release, whether that is to run or not; or nothing
    /// is followed any more. An [`Event::ReleaseRefused`] is over.
    ReleaseFit,
    /// A file that a failed build, install hook or rendering read has changed: try again.
    FilesChanged,
    /// Answer to [`crate::Effect::RunInstallHooks`].
    Installed,
    /// Answer to [`crate::Effect::RunInstallHooks`].
    InstallFailed {
        /// Why.
        error: String,
        /// What the hook printed.
        printed: Printed,
    },
    /// What the templates of the service can see has changed.
    ContextChanged,
    /// Answer to [`crate::Effect::Render`].
    Rendered(Rendering),
    /// State of every mapped bind; to be sent after each `Built` and when it changed. Before
    /// the first one a service with binds counts as unsatisfied.
    Binds(Vec<BindReport>),
    /// State of the group's election; ignored without leader topology.
    Election {
        /// Its status.
        status: ElectionStatus,
        /// Member id of the leader, once it is in the census. A finished election whose
        /// leader is not known counts as in progress.
        leader: Option<String>,
    },
    /// Answer to [`crate::Effect::Spawn`].
    Spawned {
        /// Id of the process, which leads a process group of its own.
        pid: u32,
    },
    /// Answer to [`crate::Effect::Spawn`].
    SpawnFailed(String),
    /// After KILL: processes of the group may not be signalled. Until somebody else ends them,
    /// nothing is started beside them.
    OutOfReach {
        /// The process that leads the group.
        pid: u32,
        /// Which, for the operator.
        processes: String,
    },
    /// The process was reaped.
    Exited {
        /// Which.
        pid: u32,
        /// True when other processes of its group can still run; [`Event::GroupEnded`] follows.
        /// What lives on after a crash is stopped before the next start.
        group_alive: bool,
        /// How it ended.
        end: ProcessEnd,
    },
    /// The last process of the group is gone.
    GroupEnded {
        /// The leader's id.
        pid: u32,
    },
    /// Answer to [`crate::Effect::RunHook`]; also for a hook that was ended.
    HookEnded {
        /// Which.
        hook: Hook,
        /// How.
        outcome: HookOutcome,
        /// What it printed.
        printed: Printed,
    },
    /// Gossiped files were written.
    FilesUpdated(
        /// Their names.
        Vec<String>,
    ),
    /// Another release is to run, as soon as it was checked; the running one, after a
    /// [`Event::ReleaseRefused`], means that nothing else is wanted any more.
    PackageUpdated(
        /// Its fully qualified identifier.
        String,
    ),
}
