//! One loaded service with all that the Supervisor holds for it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use roost_api::documents::ConfigTable;
use roost_census::{Bind, Sight};
use roost_ident::{ElectionStatus, PackageIdent, ServiceGroup};
use roost_launch::wire::Shutdown;
use roost_pkg::FsRoot;
use roost_service::{BindReport, Machine, ServiceSpec, Status};
use roost_template::config::{Layers, MergeError};

use crate::{documents::service::Facts, services::built::Built};

/// A loaded service.
#[derive(Debug)]
pub(crate) struct Managed {
    /// Name of its package, of its spec file, of its directory.
    pub(crate) name: String,
    pub(crate) machine: Machine,
    /// What it is made of, once that was read.
    pub(crate) built: Option<Arc<Built>>,
    /// What its process was started from.
    pub(crate) ran: Option<Arc<Built>>,
    /// What was checked last to replace that.
    pub(crate) candidate: Option<Arc<Built>>,
    /// The spec and the group that are being checked.
    pub(crate) checking: Option<(ServiceSpec, ServiceGroup)>,
    pub(crate) facts: Facts,
    pub(crate) layers: Layers,
    pub(crate) cfg: ConfigTable,
    /// Rises with each change of `cfg`.
    pub(crate) cfg_revision: u64,
    /// Layers that could not be merged, so that each is told once.
    merge_errors: Vec<MergeError>,
    /// The launcher's number of its process.
    pub(crate) process: Option<u64>,
    /// Its process id, until nothing of its group lives.
    pub(crate) pid: Option<u32>,
    /// What the last health check printed.
    pub(crate) health_output: (String, String),
    /// What templates saw when the machine was last told or asked to render.
    pub(crate) seen: Option<(Sight, u64)>,
    /// What the census showed it when the machine was last told of binds and elections.
    pub(crate) told: Option<Sight>,
    /// A rendering was asked for before the own service rumor was in the census.
    pub(crate) render_waits: bool,
    /// It is to be written in whole or not at all.
    pub(crate) render_whole: bool,
    /// A reading that waits for the end of a process of an earlier run, with the release wanted.
    pub(crate) held_build: Option<Option<String>>,
    /// What it is made of is watched, because it could not be read.
    pub(crate) sources_watched: bool,
    /// `user.toml` has changed while the service was read, which may have seen it before.
    pub(crate) read_user_again: bool,
    /// It is to be read for the documents once more when the reading under way has ended.
    pub(crate) look_again: bool,
    /// The service rumor was published.
    pub(crate) announced: bool,
    /// The group that `layers.gossip` and `files` are of.
    gossip_group: ServiceGroup,
    /// Incarnations of the gossiped files that were written.
    pub(crate) files: BTreeMap<String, u64>,
    /// Those that could not be, with the reason that was told.
    pub(crate) file_failures: BTreeMap<String, String>,
    /// They are about to be tried again.
    pub(crate) files_again: bool,
    pub(crate) binds_told: Option<Vec<BindReport>>,
    pub(crate) election_told: Option<(ElectionStatus, Option<String>)>,
    /// Packages whose install hook is still to run.
    pub(crate) installs: VecDeque<PackageIdent>,
    /// How long the next stop may take, when a command said so.
    pub(crate) stop_timeout: Option<u32>,
    /// It was read from disk, or that failed: documents can show it.
    pub(crate) settled: bool,
    /// Why a service that is not wanted up could not be read.
    pub(crate) look_failure: Option<String>,
    /// It was unloaded while no Supervisor ran: only its stop is left.
    pub(crate) is_unloaded: bool,
}

impl Managed {
    /// How its process is stopped by those who do not know the service.
    pub(crate) fn shutdown(&self) -> Shutdown {
        let (signal, timeout_s) = self.machine.shutdown();
        Shutdown { signal: signal.number(), timeout_ms: u64::from(timeout_s) * 1_000 }
    }

    pub(crate) fn new(root: &FsRoot, spec: &ServiceSpec, machine: Machine) -> Self {
        Self {
            name: spec.ident.name.clone(),
            built: None,
            ran: None,
            candidate: None,
            checking: None,
            facts: Facts::unknown(root, spec),
            layers: Layers::default(),
            cfg: ConfigTable::default(),
            cfg_revision: 0,
            merge_errors: Vec::new(),
            process: None,
            pid: None,
            health_output: Default::default(),
            seen: None,
            told: None,
            render_waits: false,
            render_whole: false,
            held_build: None,
            look_again: false,
            sources_watched: false,
            read_user_again: false,
            announced: false,
            gossip_group: machine.group().clone(),
            files: BTreeMap::new(),
            file_failures: BTreeMap::new(),
            files_again: false,
            binds_told: None,
            election_told: None,
            installs: VecDeque::new(),
            stop_timeout: None,
            settled: false,
            look_failure: None,
            is_unloaded: false,
            machine,
        }
    }

    /// What documents and the status table show.
    pub(crate) fn status(&self) -> Status {
        let status = self.machine.status();
        let own = || self.look_failure.clone();
        Status { reason: status.reason.clone().or_else(own), ..status }
    }

    pub(crate) fn group(&self) -> &ServiceGroup {
        self.machine.group()
    }

    pub(crate) fn spec(&self) -> &ServiceSpec {
        self.machine.spec()
    }

    /// Takes in what was read from disk; the gossip layer stays as long as the group does.
    pub(crate) fn take_built(&mut self, built: Built) -> Vec<MergeError> {
        self.facts = Facts::new(&built, self.spec());
        if self.gossip_group != *self.group() {
            self.gossip_group = self.group().clone();
            self.layers.gossip = None;
            self.files.clear();
        }
        let gossip = self.layers.gossip.take();
        self.layers = Layers { gossip, ..built.layers.clone() };
        self.built = Some(Arc::new(built));
        self.look_failure = None;
        self.settled = true;
        self.merge()
    }

    /// Merges the layers anew. Returns errors that were not told before.
    pub(crate) fn merge(&mut self) -> Vec<MergeError> {
        let (table, errors) = self.layers.merged();
        if table != *self.cfg.table() {
            self.cfg = table.into();
            self.cfg_revision += 1;
        }
        let news = if errors == self.merge_errors { Vec::new() } else { errors.clone() };
        self.merge_errors = errors;
        news
    }

    /// The binds of the spec with what the package asks of them.
    pub(crate) fn binds(&self) -> Vec<Bind<'_>> {
        binds(self.spec(), self.built.as_deref())
    }
}

/// The binds of a spec with what a package asks of them.
pub(crate) fn binds<'a>(spec: &'a ServiceSpec, built: Option<&'a Built>) -> Vec<Bind<'a>> {
    let declared = |name: &str| {
        let package = &built?.package;
        package.all_binds().find(|bind| bind.name == name)
    };
    let binds = spec.binds.iter();
    binds
        .map(|bind| Bind {
            name: &bind.name,
            group: &bind.group,
            exports: declared(&bind.name).map_or(&[], |bind| bind.exports.as_slice()),
        })
        .collect()
}
