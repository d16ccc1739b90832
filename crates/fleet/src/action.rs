//! What the fleet asks of its shell.

use std::{collections::VecDeque, panic::Location, sync::Arc};

use roost_events::Report;

use crate::{
    hook::{HookRun, ProbeRun},
    job::Job,
    release::Release,
    service::Service,
    shutdown::Shutdown,
    stored::Stored,
    watched::{Place, Watched},
};

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
/// [`crate::FleetEvent`], however late.
#[derive(Debug)]
pub enum Action<R: Release> {
    /// Log a line.
    Line(Line),
    /// Record a fact.
    Record(Report),
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
    /// Run a check that is not a hook. Answer: `Probed`; none is needed after `EndProbes`.
    RunProbe(ProbeRun),
    /// Stop the checks of a service that were started with `RunProbe`.
    EndProbes {
        /// The service.
        service: String,
    },
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
    /// All health checks of a service have ended; the service has the result.
    Checked {
        /// The service.
        service: String,
    },
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
