//! One loaded service with all that the fleet holds for it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use roost_census::{Bind, Sight};
use roost_events::Cause;
use roost_ident::{ElectionStatus, PackageIdent, ServiceGroup, Topology};
use roost_service::{BindReport, Histories, Machine, ServiceSpec, Status};
use roost_template::config::Layers;
use toml::Table;

use crate::{
    configuration::{Configuration, Merged},
    hook::HookOutput,
    job::Blueprint,
    release::Release,
    shutdown::Shutdown,
};

/// A loaded service.
#[derive(Debug)]
pub struct Service<R> {
    pub(crate) name: String,
    /// Boxed, since a node of the map of services has room for eleven.
    pub(crate) machine: Box<Machine>,
    /// What it is made of, once that was read.
    pub(crate) built: Option<Arc<R>>,
    /// What its process was started from.
    pub(crate) ran: Option<Arc<R>>,
    /// What was checked last to replace that.
    pub(crate) candidate: Option<Arc<R>>,
    pub(crate) checking: Option<Checking>,
    pub(crate) configuration: Configuration,
    /// What made the configuration what it is, until the machine sees it.
    pub(crate) change: Cause,
    /// The last fact about it.
    pub(crate) last_fact: Cause,
    pub(crate) process: Option<Process>,
    /// What the last health checks printed.
    pub(crate) health_output: HookOutput,
    /// What the hook of the checks under way has printed, once it has ended.
    pub(crate) hook_output: Option<HookOutput>,
    pub(crate) known: Known,
    /// The group that its state is remembered under.
    pub(crate) remembered_as: ServiceGroup,
    /// A rendering that was asked for and could not begin yet.
    pub(crate) rendering: Option<WantedRendering>,
    /// A reading that waits for the end of a process of an earlier run.
    pub(crate) held_build: Option<HeldBuild>,
    /// What it is made of is watched, because it could not be read.
    pub(crate) sources_watched: bool,
    /// `user.toml` has changed while the service was read, which may have seen it before.
    pub(crate) read_user_again: bool,
    /// It is to be read for the documents once more when the reading under way has ended.
    pub(crate) look_again: bool,
    /// The service rumor was published.
    pub(crate) announced: bool,
    pub(crate) files: GossipedFiles,
    /// Packages whose install hook is still to run.
    pub(crate) installs: VecDeque<PackageIdent>,
    /// How long the next stop may take, when a command set that.
    pub(crate) stop_timeout_s: Option<u32>,
    /// It was read from disk, or that failed: documents can show it.
    pub(crate) settled: bool,
    /// Why a service that is not wanted up could not be read.
    pub(crate) look_failure: Option<String>,
    /// It was unloaded while no Supervisor ran: only its stop is left.
    pub(crate) is_unloaded: bool,
}

/// What may come into force once it was checked.
#[derive(Debug)]
pub(crate) struct Checking {
    pub(crate) spec: ServiceSpec,
    pub(crate) group: ServiceGroup,
}

/// What a command has read of a service while it checked the spec that it then wrote: the service
/// is not read again to be loaded.
#[derive(Debug)]
pub(crate) struct Fresh<R> {
    pub(crate) spec: ServiceSpec,
    pub(crate) release: Box<R>,
}

/// The process of a service, until nothing of its group lives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process {
    /// The launcher's number of it.
    pub(crate) id: u64,
    /// Its process id, once it was started.
    pub(crate) pid: Option<u32>,
}

/// What the machine knows of the ring, so that it hears of changes alone.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// What the census showed when the machine last heard of binds and elections.
    pub(crate) sight: Option<Sight>,
    /// What templates saw when the machine last heard of it or asked to render.
    pub(crate) seen: Option<Seen>,
    pub(crate) binds: Option<Vec<BindReport>>,
    pub(crate) election: Option<Election>,
}

/// What templates see, as numbers that change with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) sight: Sight,
    pub(crate) revision: u64,
}

/// How far the election of a group is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Election {
    pub(crate) status: ElectionStatus,
    pub(crate) leader: Option<String>,
}

/// A rendering that was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WantedRendering {
    /// It is to be written in whole or not at all.
    pub(crate) whole: bool,
}

/// A reading that cannot begin yet.
#[derive(Debug, Clone)]
pub(crate) enum HeldBuild {
    /// Of the newest release, or of the pinned one.
    Newest { pin: Option<String> },
    /// Of what the service ran from before.
    Former { release: String },
}

/// Gossiped files of the group that the service is in.
#[derive(Debug, Default)]
pub(crate) struct GossipedFiles {
    /// Incarnations of those that were written.
    pub(crate) written: BTreeMap<String, u64>,
    /// Those that could not be, with the reason that was logged.
    pub(crate) failures: BTreeMap<String, String>,
    /// When they are tried again.
    pub(crate) again_at_ms: Option<u64>,
}

impl<R: Release> Service<R> {
    pub(crate) fn new(spec: &ServiceSpec, machine: Machine) -> Self {
        Self {
            name: spec.ident.name.clone(),
            built: None,
            ran: None,
            candidate: None,
            checking: None,
            configuration: Configuration::new(machine.group().clone()),
            change: Cause::Unknown,
            last_fact: Cause::Unknown,
            process: None,
            health_output: HookOutput::default(),
            hook_output: None,
            known: Known::default(),
            remembered_as: machine.group().clone(),
            rendering: None,
            held_build: None,
            look_again: false,
            sources_watched: false,
            read_user_again: false,
            announced: false,
            files: GossipedFiles::default(),
            installs: VecDeque::new(),
            stop_timeout_s: None,
            settled: false,
            look_failure: None,
            is_unloaded: false,
            machine: Box::new(machine),
        }
    }

    /// Name of its package, of its spec file, of its directory.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its group.
    #[must_use]
    pub fn group(&self) -> &ServiceGroup {
        self.machine.group()
    }

    /// The newest spec, which may not be in force yet.
    #[must_use]
    pub fn spec(&self) -> &ServiceSpec {
        self.machine.spec()
    }

    /// What it is made of, once that was read.
    #[must_use]
    pub fn release(&self) -> Option<&Arc<R>> {
        self.built.as_ref()
    }

    /// The release in use, or what the spec names while none is known.
    #[must_use]
    pub fn ident(&self) -> &PackageIdent {
        self.release().map_or(&self.spec().ident, |release| release.ident())
    }

    /// What documents and the status table show.
    #[must_use]
    pub fn status(&self) -> Status {
        let status = self.machine.status();
        let reason = status.reason.clone().or_else(|| self.look_failure.clone());
        Status { reason, ..status }
    }

    /// True when what it shows depends on members of the ring: those of its binds, those that elect
    /// with it.
    #[must_use]
    pub fn sees_others(&self) -> bool {
        !self.spec().binds.is_empty() || self.spec().topology == Topology::Leader
    }

    /// True while it waits for others.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.machine.is_blocked()
    }

    /// True while it is not decided what it runs from.
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        self.machine.is_undecided()
    }

    /// Its effective configuration.
    #[must_use]
    pub fn cfg(&self) -> &Arc<Table> {
        self.configuration.merged()
    }

    /// The layer of its configuration that comes with the package.
    #[must_use]
    pub fn default_cfg(&self) -> Option<&Table> {
        self.configuration.layers().default.as_ref()
    }

    /// The layers of its configuration.
    #[must_use]
    pub fn layers(&self) -> &Arc<Layers> {
        self.configuration.shared()
    }

    /// What the last health check printed.
    #[must_use]
    pub fn health_output(&self) -> &HookOutput {
        &self.health_output
    }

    /// The last results of each health check.
    #[must_use]
    pub fn check_histories(&self) -> &Histories {
        self.machine.check_histories()
    }

    /// When the next health checks start, Unix milliseconds.
    #[must_use]
    pub fn next_check_unix_ms(&self) -> Option<u64> {
        self.machine.next_check_unix_ms()
    }

    /// Critical health results in a row.
    #[must_use]
    pub fn consecutive_failures(&self) -> u32 {
        self.machine.consecutive_failures()
    }

    /// Critical health results in a row after which it is restarted; 0 is never.
    #[must_use]
    pub fn restart_after(&self) -> u32 {
        self.machine.restart_after()
    }

    /// State of its binds.
    #[must_use]
    pub fn bind_reports(&self) -> &[BindReport] {
        self.known.binds.as_deref().unwrap_or_default()
    }

    /// Why it could not be read for the documents, while it is not wanted up.
    #[must_use]
    pub fn unread(&self) -> Option<&str> {
        self.look_failure.as_deref()
    }

    /// The id of its process.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process?.pid
    }

    /// How its process is stopped by those who do not know the service.
    pub(crate) fn shutdown(&self) -> Shutdown {
        let (signal, timeout_s) = self.machine.shutdown();
        Shutdown { signal: signal.number(), timeout_ms: u64::from(timeout_s) * 1_000 }
    }

    /// Groups that it is bound to, or will be. A spec that is being checked waits for its binds
    /// too.
    pub(crate) fn bound(&self) -> impl Iterator<Item = &ServiceGroup> {
        let waiting = self.machine.newest_spec().binds.iter();
        self.spec().binds.iter().chain(waiting).map(|bind| &bind.group)
    }

    /// The binds of the spec with what the package asks of them.
    pub(crate) fn binds(&self) -> Vec<Bind<'_>> {
        binds(self.spec(), self.built.as_deref())
    }

    /// Takes in what was read from disk; the gossiped layer stays as long as the group does.
    pub(crate) fn take_built(&mut self, built: R) -> Merged {
        if self.configuration.enter(self.machine.group()) {
            self.files.written.clear();
        }
        let merged = self.configuration.take_files(built.layers());
        self.built = Some(Arc::new(built));
        self.look_failure = None;
        self.settled = true;
        merged
    }

    /// The process is up, or was taken back and what it runs from is read: that is what the service
    /// goes back to.
    pub(crate) fn keep_ran(&mut self) {
        let runs = |built: &Arc<R>| {
            self.machine.status().process.pid.is_some()
                && self.machine.former() == Some(built.ident().to_string().as_str())
        };
        if self.built.as_ref().is_some_and(runs) {
            self.ran.clone_from(&self.built);
        }
    }

    /// What is read of it, in general.
    pub(crate) fn blueprint(&self) -> Blueprint {
        Blueprint::of(self.spec())
    }
}

/// The binds of a spec with what a package asks of them.
pub(crate) fn binds<'a, R: Release>(
    spec: &'a ServiceSpec,
    release: Option<&'a R>,
) -> Vec<Bind<'a>> {
    let binds = spec.binds.iter();
    binds
        .map(|bind| Bind {
            name: &bind.name,
            group: &bind.group,
            exports: release.map_or(&[], |release| release.exports_of(&bind.name)),
        })
        .collect()
}
