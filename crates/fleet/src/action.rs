//! What the fleet asks of its shell.

use std::{collections::VecDeque, panic::Location, path::PathBuf, sync::Arc};

use roost_census::{Content, ServiceFile};
use roost_ident::{Hook, PackageIdent};
use roost_service::ServiceSpec;
use serde_json::Value;

use crate::{event::Watched, release::Release, service::Service, specs::Followed};

pub(crate) const SIGTERM: i32 = 15;
pub(crate) const SIGKILL: i32 = 9;

/// How a process is stopped by those who do not know its service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shutdown {
    /// Number of the signal.
    pub signal: i32,
    /// Time between it and `KILL`, milliseconds.
    pub timeout_ms: u64,
}

impl Default for Shutdown {
    /// `TERM` and 8 seconds (reference: services §1.6).
    fn default() -> Self {
        Self { signal: SIGTERM, timeout_ms: 8_000 }
    }
}

/// A process that only the end of the Supervisor stops, because the launcher is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Its process id, which is that of its group.
    pub pid: u32,
    /// How it is stopped.
    pub shutdown: Shutdown,
}

/// A line for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// First part: a service group, or `hab-sup`.
    pub preamble: String,
    /// Key, such as `MR`.
    pub key: &'static str,
    /// The text.
    pub text: String,
    /// The place in the code that logs it.
    pub at: &'static Location<'static>,
}

/// What is to be done, in order. Where an answer is named, it comes exactly once, as an
/// [`crate::Event`], however late.
#[derive(Debug)]
pub enum Action<R: Release> {
    /// Log a line.
    Line(Line),
    /// Start the process of a service. Answer: `Spawned` and later `Exited`, or `SpawnFailed`.
    Spawn {
        /// The launcher's number for it.
        id: u64,
        /// The service.
        service: String,
        /// Its service group.
        group: String,
        /// What it is made of.
        release: Arc<R>,
        /// How the launcher stops it by itself.
        shutdown: Shutdown,
    },
    /// Start a hook. Answer: `HookEnded`.
    RunHook(HookRun<R>),
    /// Send a signal to the group of a process or hook.
    Signal {
        /// The launcher's number.
        id: u64,
        /// The signal's number.
        signal: i32,
    },
    /// See whether the first process of a group has ended or waits to be collected. Answer, only if
    /// so: `OrphanEnded`.
    Probe {
        /// The launcher's number.
        id: u64,
        /// The process.
        pid: u32,
    },
    /// Keep this of a service for the next Supervisor.
    Remember {
        /// Its service group.
        group: String,
        /// What [`crate::Kept`] has then.
        state: Vec<u8>,
    },
    /// Keep nothing of a service any more.
    Forget {
        /// Its service group.
        group: String,
    },
    /// Do slow work beside the fleet. Each kind names its answer.
    Work(Box<Job<R>>),
    /// Write something small to disk, or remove it.
    Store(Stored),
    /// Watch something on disk.
    Watch {
        /// What a change is reported as.
        what: Watched,
        /// Where it is.
        place: Place,
        /// Report it once now, because it may have changed before the watching began.
        report: bool,
    },
    /// Watch something no longer.
    Unwatch(Watched),
    /// Give the ring something.
    Ring(RingAction<R>),
    /// Bring groups that came to run here into the census, with [`crate::Fleet::see`], before
    /// the next event.
    LookAround,
    /// A service is gone: its documents are to go too.
    Hide {
        /// The service.
        service: String,
    },
    /// A service is gone because the Supervisor ends: its last state stays visible until then.
    ShowLast(Box<Service<R>>),
    /// Every service that the specs named at the start can be shown.
    Started,
    /// The end has begun.
    Ending,
}

/// A hook to start.
#[derive(Debug)]
pub struct HookRun<R: Release> {
    /// The launcher's number for it.
    pub id: u64,
    /// The service that it runs for.
    pub service: String,
    /// That service's group.
    pub group: String,
    /// Which hook.
    pub hook: Hook,
    /// How its lines name it.
    pub label: String,
    /// Where it comes from.
    pub source: HookSource<R>,
}

/// Where a hook comes from.
#[derive(Debug)]
pub enum HookSource<R: Release> {
    /// The release that the service is made of.
    Release(Arc<R>),
    /// A package that is being installed.
    Install {
        /// The package.
        package: PackageIdent,
        /// Its hook, as it was rendered.
        hook: Box<R::InstallHook>,
    },
}

/// What is read of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blueprint {
    /// Its spec.
    pub spec: ServiceSpec,
    /// The release of a process that was taken back, or that was checked.
    pub pin: Option<String>,
    /// Only that release is acceptable.
    pub exact: bool,
    /// The plain directory that its releases are staged from.
    pub directory: Option<PathBuf>,
    /// False to only look: no directory is made, nothing is changed on disk.
    pub prepare: bool,
    /// Only for its last hook: its spec is gone, and with it what it was bound to.
    pub for_end: bool,
}

/// What templates see beside the package and the Supervisor.
#[derive(Debug, Clone, PartialEq)]
pub struct Scope {
    /// `cfg`.
    pub cfg: Value,
    /// `svc`.
    pub svc: Value,
    /// `bind`.
    pub bind: Value,
}

/// Slow work, done beside the fleet.
#[derive(Debug)]
pub enum Job<R: Release> {
    /// Read the spec directory, and these services by name. Answer: `Specs`.
    ReadSpecs {
        /// Services that are known to the fleet.
        known: Vec<String>,
    },
    /// Read a service. Answer: `Built`.
    Build {
        /// What is read.
        blueprint: Blueprint,
        /// It is read for the documents alone.
        look: bool,
    },
    /// Read what the service ran from before. Answer: `Built`.
    BuildFormer {
        /// What is read when nothing is known of it any more.
        blueprint: Blueprint,
        /// What the service ran from, if that is still known.
        ran: Option<Arc<R>>,
        /// The last good layer of `user.toml`.
        user: Option<toml::Table>,
    },
    /// Read what would replace that which a service runs from. Answer: `CandidateBuilt`.
    Check {
        /// What is read.
        blueprint: Blueprint,
    },
    /// Parse what a candidate would see of the ring. Answer: `CandidateBuilt` with the same release.
    ReadForCandidate {
        /// The service.
        service: String,
        /// What would replace that which it runs from.
        release: Box<R>,
        /// What is to be parsed.
        contents: Vec<Arc<Content>>,
    },
    /// Render all templates of a candidate without a change on disk. Answer: `CandidateChecked`.
    CheckRendering {
        /// The service.
        service: String,
        /// What would replace that which it runs from.
        release: Box<R>,
        /// What its templates see; `None` when the census does not know it yet.
        scope: Option<Scope>,
    },
    /// Render hooks and configuration. Answer: `Rendered`.
    Render {
        /// The service.
        service: String,
        /// What it is made of.
        release: Arc<R>,
        /// What its templates see.
        scope: Scope,
        /// Write nothing when one template fails.
        whole: bool,
    },
    /// Render the install hook of a package. Answer: `InstallReady`.
    PrepareInstall {
        /// The service that it is installed for.
        service: String,
        /// The package.
        package: PackageIdent,
    },
    /// Read `user.toml`. Answer: `UserLayer`.
    ReadUserLayer {
        /// The service.
        service: String,
    },
    /// Write gossiped files. Answer: `FilesWritten`.
    WriteFiles {
        /// The service.
        service: String,
        /// What it is made of.
        release: Arc<R>,
        /// The files.
        files: Vec<ServiceFile>,
        /// They were there before the service started.
        initial: bool,
    },
    /// Make a release of a plain directory. Answer: `Staged`.
    Stage {
        /// The directory.
        followed: Followed<R::Rights>,
        /// Releases that must stay.
        keep: Vec<PackageIdent>,
    },
    /// Parse what services see of the ring. Answer: [`crate::Fleet::see`] with
    /// [`crate::Glance::Contents`].
    ReadContents(Vec<Arc<Content>>),
}

/// Something small on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// The full form of a spec file.
    Spec(Rewrite),
    /// The release that a service runs from.
    Release {
        /// The service.
        service: String,
        /// Fully qualified identifier.
        release: String,
    },
    /// The last `user.toml` of a service that could be used.
    UserCopy {
        /// The service.
        service: String,
        /// Its text.
        text: String,
    },
    /// Release and copy of `user.toml` of a service that is gone are to be removed.
    Unloaded {
        /// The service.
        service: String,
    },
    /// The process id of a service; `None` to remove it.
    Pid {
        /// The service.
        service: String,
        /// Its process.
        pid: Option<u32>,
    },
    /// How an install hook ended.
    InstallStatus {
        /// Directory of the package.
        package: PathBuf,
        /// Exit code.
        code: i32,
    },
    /// The release that the plain directory of a service stands for.
    DirectoryRelease {
        /// The service.
        service: String,
        /// The release.
        release: PackageIdent,
    },
    /// The plain directory of a service is followed no longer.
    NoDirectory {
        /// The service.
        service: String,
    },
}

/// A file whose text is not the full form of what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrite {
    /// The file.
    pub path: PathBuf,
    /// As it was read: it is written only over this.
    pub text: String,
    /// Its full form.
    pub canonical: String,
}

/// Where something lies that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The spec directory.
    Specs,
    /// `user.toml` of a service.
    UserToml(String),
    /// What a service is made of: its installed package, and the directory that stands in for it.
    Sources(Box<ServiceSpec>),
    /// A plain directory.
    Directory(PathBuf),
}

/// What the ring is given.
#[derive(Debug)]
pub enum RingAction<R> {
    /// Publish the service rumor: the release, its exports, this machine.
    Announce {
        /// The service group.
        group: String,
        /// What the service is made of.
        release: Arc<R>,
        /// Its configuration.
        cfg: Arc<toml::Table>,
    },
    /// Start an election of a group, term 0.
    StartElection {
        /// The service group.
        group: String,
    },
    /// Answer an election that needs to know how fit this member is.
    Suitability {
        /// The service group.
        group: String,
        /// The election's term.
        term: u64,
        /// How fit.
        value: u64,
    },
    /// Leave the ring.
    Leave,
}

/// Actions that were not carried out yet.
#[derive(Debug)]
pub(crate) struct Actions<R: Release>(VecDeque<Action<R>>);

impl<R: Release> Actions<R> {
    pub(crate) fn new() -> Self {
        Self(VecDeque::new())
    }

    pub(crate) fn push(&mut self, action: Action<R>) {
        self.0.push_back(action);
    }

    pub(crate) fn pop(&mut self) -> Option<Action<R>> {
        self.0.pop_front()
    }

    pub(crate) fn work(&mut self, job: Job<R>) {
        self.push(Action::Work(Box::new(job)));
    }

    pub(crate) fn store(&mut self, stored: Stored) {
        self.push(Action::Store(stored));
    }

    pub(crate) fn ring(&mut self, action: RingAction<R>) {
        self.push(Action::Ring(action));
    }

    pub(crate) fn signal(&mut self, id: u64, signal: i32) {
        self.push(Action::Signal { id, signal });
    }

    #[track_caller]
    pub(crate) fn line(&mut self, preamble: &str, key: &'static str, text: impl Into<String>) {
        let at = Location::caller();
        self.push(Action::Line(Line { preamble: preamble.into(), key, text: text.into(), at }));
    }

    /// A line of the Supervisor itself under the key of its main part.
    #[track_caller]
    pub(crate) fn sup(&mut self, text: impl Into<String>) {
        self.line(SUPERVISOR, "MR", text);
    }
}

/// First part of the Supervisor's own lines.
pub(crate) const SUPERVISOR: &str = "hab-sup";
