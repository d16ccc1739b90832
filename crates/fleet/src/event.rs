//! What reaches the fleet.

use std::{collections::BTreeMap, path::PathBuf};

use roost_events::Cause;
use roost_ident::PackageIdent;
use roost_service::{BuildFailure, HookOutcome, ProbeFound, ProcessEnd, Rendering, ServiceSpec};

use crate::{hook::HookOutput, release::Release, specs::Listing, watched::Watched};

/// What happened.
#[derive(Debug)]
pub enum FleetEvent<R: Release> {
    /// A process was started.
    Spawned {
        /// The launcher's number of it.
        id: u64,
        /// Its process id.
        pid: u32,
        /// When, Unix milliseconds: the next Supervisor reads the same.
        started_unix_ms: u64,
    },
    /// A process could not be started.
    SpawnFailed {
        /// The launcher's number of it.
        id: u64,
        /// The system's text.
        message: String,
    },
    /// A process has ended.
    Exited {
        /// The launcher's number of it.
        id: u64,
        /// Its process id.
        pid: u32,
        /// Others of its group can still run.
        group_alive: bool,
        /// How it ended.
        end: ProcessEnd,
    },
    /// Nothing of a group lives any more.
    GroupGone {
        /// The launcher's number of it.
        id: u64,
    },
    /// `KILL` met processes that the launcher may not signal.
    OutOfReach {
        /// The launcher's number of their group.
        id: u64,
        /// Which, for the operator.
        processes: String,
    },
    /// The first process of a group that no service stands for has ended.
    OrphanEnded {
        /// The launcher's number of the group.
        id: u64,
    },
    /// The launcher noticed something about a process or hook.
    Notice {
        /// Its number.
        id: u64,
        /// The text for the user.
        text: String,
    },
    /// A hook has ended.
    HookEnded {
        /// The launcher's number of it.
        id: u64,
        /// How.
        outcome: HookOutcome,
        /// What it printed, bounded.
        output: HookOutput,
    },
    /// A check that is not a hook has ended.
    Probed {
        /// The service.
        service: String,
        /// Number of the round, as in [`crate::ProbeRun`].
        round: u64,
        /// Place of the check in it.
        place: usize,
        /// What it found.
        found: ProbeFound,
    },
    /// The launcher is gone: nothing can be started, and no end of a process is reported.
    LauncherGone,
    /// An election needs to know how fit the service of a group is.
    NeedSuitability {
        /// The service group.
        group: String,
        /// The election's term.
        term: u64,
    },
    /// Something that is watched has changed.
    Changed(Watched),
    /// The spec directory was read; `None` when it could not be.
    Specs(Option<Listing<R>>),
    /// A service was read from disk.
    Built {
        /// The service.
        service: String,
        /// What came of it.
        result: Result<Box<R>, BuildFailure>,
        /// It was read for the documents alone.
        look: bool,
    },
    /// What would replace that which a service runs from was read.
    CandidateBuilt {
        /// The service.
        service: String,
        /// What came of it.
        result: Result<Box<R>, String>,
    },
    /// Its templates were rendered, without a change on disk.
    CandidateChecked {
        /// The service.
        service: String,
        /// What came of it.
        result: Result<Box<R>, String>,
    },
    /// Templates were rendered.
    Rendered {
        /// The service.
        service: String,
        /// What came of it.
        rendering: Rendering,
    },
    /// `user.toml` was read again.
    UserLayer {
        /// The service.
        service: String,
        /// The layer, or why it is not in force, for the user.
        result: Result<UserLayer, String>,
    },
    /// An install hook is rendered and ready to run.
    InstallReady {
        /// The service that it is installed for.
        service: String,
        /// The hook, or why it cannot run.
        result: Result<InstallReady<R::InstallHook>, String>,
    },
    /// Gossiped files were written.
    FilesWritten {
        /// The service.
        service: String,
        /// Those that changed on disk.
        files: Vec<WrittenFile>,
        /// Names of those that could not be written, with the reason.
        failed: BTreeMap<String, String>,
        /// They were there before the service started, so that nothing follows.
        initial: bool,
    },
    /// A plain directory was staged.
    Staged {
        /// Its service.
        service: String,
        /// The directory.
        directory: PathBuf,
        /// The release, or why there is none, for the user.
        result: Result<Staged, String>,
    },
    /// A command is about to change what is wanted of a service. It comes before the file, which is
    /// read as soon as it is written. If nothing was written, another one with neither time nor
    /// cause follows.
    WillChange {
        /// The service.
        service: String,
        /// How long a stop may take, if the command has that.
        timeout_s: Option<u32>,
        /// The command, in the record.
        cause: Cause,
    },
    /// A client gave a configuration or a file to the ring. It comes before services see it.
    Applied {
        /// What it is.
        what: Applied,
        /// Its version.
        version: u64,
        /// The command, in the record.
        cause: Cause,
    },
    /// A command begins that may change the spec directory. Nothing follows from a change before
    /// the command has ended.
    SpecsBeingWritten,
    /// A command that is under way has written a spec, and has read the service for that.
    Read {
        /// The spec.
        spec: Box<ServiceSpec>,
        /// What the service is made of; nothing was prepared on disk.
        release: Box<R>,
    },
    /// The command ended.
    SpecsWritten,
    /// The launcher wants the Supervisor and its services to end.
    ShutDown,
    /// This member was departed by hand.
    Departed,
    /// The Supervisor is to be replaced; its services run on.
    Restart,
}

/// What a client gave to the ring.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Applied {
    /// The service group.
    pub group: String,
    /// The name of a file. `None` for the configuration.
    pub file: Option<String>,
}

/// A gossiped file that changed on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenFile {
    /// Its name.
    pub filename: String,
    /// Its version.
    pub version: u64,
}

/// `user.toml` of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct UserLayer {
    /// Its content; `None` when there is no such file.
    pub table: Option<toml::Table>,
    /// What the copy of it is to hold, if it does not.
    pub to_keep: Option<String>,
}

/// An install hook that is ready to run.
#[derive(Debug)]
pub struct InstallReady<H> {
    /// The package that has it.
    pub package: PackageIdent,
    /// Directory of the package, where its status is written.
    pub path: PathBuf,
    /// How long it may run, in milliseconds, if the package states it.
    pub timeout_ms: Option<u64>,
    /// What rendering changed.
    pub changes: Vec<Change>,
    /// The hook.
    pub hook: Box<H>,
}

/// A line about something that rendering changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Key of the line.
    pub key: &'static str,
    /// The text.
    pub text: String,
}

/// A release of a plain directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    /// The release.
    pub ident: PackageIdent,
    /// The first file beside hooks and templates that differs from the release before.
    pub changed_file: Option<String>,
    /// What the user should know, one line each.
    pub warnings: Vec<String>,
}
