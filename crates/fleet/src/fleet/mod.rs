//! The fleet: its parts, what it handles, what it shows.

mod building;
mod candidates;
mod effects;
mod ending;
mod files;
mod following;
mod installing;
mod loading;
mod outlook;
mod processes;
mod record;
mod suitability;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use roost_census::{Census, Update};
use roost_events::Cause;
use roost_service::{MachineEvent, Now, Settings};

use self::record::Record;
use crate::{
    action::{Action, Actions},
    context::Context,
    course::{Course, Ending},
    directories::Directories,
    event::FleetEvent,
    heard::Heard,
    job::Job,
    orphans::Orphans,
    processes::Processes,
    release::Release,
    service::{Fresh, Service},
    shutdown::{Left, SIGKILL},
    spec_folder::SpecFolder,
    specs::service_of,
    survivors::{Inheritance, Survivors},
    watched::{Place, Watched},
    work::{Kind, Work},
};

/// What does not change while a fleet lives.
#[derive(Debug, Clone)]
pub struct Config {
    /// The spec directory, for messages and as the place of full forms.
    pub specs: PathBuf,
    /// The organization that all service groups here belong to.
    pub organization: Option<String>,
    /// This Supervisor's member id.
    pub member_id: String,
    /// Times that govern services.
    pub settings: Settings,
    /// Decides back-offs and splays.
    pub seed: u64,
}

/// Why the fleet looks at the ring ([`Fleet::see`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glance {
    /// The ring has changed, or groups came to run here: the answer to [`Action::LookAround`].
    Ring,
    /// What the last look left closed was opened: services look in any case.
    Opened,
    /// What services see of it was parsed: the answer to [`Job::ReadContents`].
    Contents,
}

/// All services of one Supervisor.
#[derive(Debug)]
pub struct Fleet<R: Release> {
    config: Config,
    /// The time of the call under way.
    now: Now,
    rng: ChaCha8Rng,
    services: BTreeMap<String, Service<R>>,
    survivors: Survivors,
    orphans: Orphans,
    processes: Processes,
    work: Work,
    folder: SpecFolder,
    fresh: Option<Fresh<R>>,
    directories: Directories<R::Rights>,
    context: Context,
    /// Advice about services and directories that was logged.
    advice: Heard,
    /// Services that documents may show differently.
    touched: BTreeSet<String>,
    /// A service is in another group than when the census was last asked to look.
    groups_changed: bool,
    left: Vec<Left>,
    course: Course,
    record: Record,
    actions: Actions<R>,
}

impl<R: Release> Fleet<R> {
    /// Takes over what the launcher holds, and begins to read the specs.
    #[must_use]
    pub fn new(now: Now, config: Config, inheritance: Inheritance) -> Self {
        let processes = Processes::new(inheritance.next_id);
        let (survivors, older) = Survivors::take_over(inheritance);
        let mut fleet = Self {
            now,
            rng: ChaCha8Rng::seed_from_u64(config.seed),
            services: BTreeMap::new(),
            survivors,
            orphans: Orphans::default(),
            processes,
            work: Work::default(),
            folder: SpecFolder::default(),
            fresh: None,
            directories: Directories::new(),
            context: Context::new(&config.member_id),
            advice: Heard::default(),
            touched: BTreeSet::new(),
            groups_changed: false,
            left: Vec::new(),
            course: Course::start(),
            record: Record::default(),
            actions: Actions::new(),
            config,
        };
        for held in older {
            fleet.stop_orphan(held);
        }
        let (what, place) = (Watched::Specs, Place::Specs);
        fleet.actions.push(Action::Watch { what, place, report: true });
        fleet.read_specs();
        fleet
    }

    /// Names what in the record the end of the Supervisor follows from.
    pub fn end_because(&mut self, cause: Cause) {
        self.record.end_follows_from(cause);
    }

    /// Takes in what happened. Actions are then to be drawn with [`Fleet::poll`].
    pub fn handle(&mut self, now: Now, event: FleetEvent<R>) {
        self.now = now;
        match event {
            FleetEvent::Spawned { id, pid, started_unix_ms } => {
                self.spawned(id, pid, started_unix_ms);
            }
            FleetEvent::SpawnFailed { id, message } => self.spawn_failed(id, message),
            FleetEvent::Exited { id, pid, group_alive, end } => {
                self.exited(id, pid, group_alive, end);
            }
            FleetEvent::GroupGone { id } => self.group_gone(id),
            FleetEvent::OutOfReach { id, processes } => self.out_of_reach(id, processes),
            FleetEvent::OrphanEnded { id } => drop(self.orphan_gone(id)),
            FleetEvent::Notice { id, text } => self.notice(id, &text),
            FleetEvent::HookEnded { id, outcome, output } => self.hook_ended(id, outcome, output),
            FleetEvent::Probed { service, round, place, found } => {
                self.tell(&service, MachineEvent::Probed { round, place, found });
            }
            FleetEvent::LauncherGone => self.launcher_gone(),
            FleetEvent::NeedSuitability { group, term } => self.find_suitability(group, term),
            FleetEvent::Changed(what) => self.changed(what),
            FleetEvent::Specs(listing) => self.take_specs(listing),
            FleetEvent::Built { service, result, look } => self.built(&service, result, look),
            FleetEvent::CandidateBuilt { service, result } => {
                self.candidate_built(&service, result);
            }
            FleetEvent::CandidateChecked { service, result } => {
                self.candidate_checked(&service, result);
            }
            FleetEvent::Rendered { service, rendering } => self.rendered(&service, rendering),
            FleetEvent::UserLayer { service, result } => self.take_user_layer(&service, result),
            FleetEvent::InstallReady { service, result } => self.run_install_hook(&service, result),
            FleetEvent::FilesWritten { service, files, failed, initial } => {
                self.files_written(&service, files, failed, initial);
            }
            FleetEvent::Staged { service, directory, result } => {
                self.staged(&service, &directory, result);
            }
            FleetEvent::WillChange { service, timeout_s, cause } => {
                self.record.expect(&service, cause);
                if let Some(service) = self.services.get_mut(&service) {
                    service.stop_timeout_s = timeout_s;
                }
            }
            FleetEvent::Applied { what, version, cause } => {
                self.record.apply(what, version, cause);
            }
            FleetEvent::SpecsBeingWritten => self.folder.begin_command(),
            FleetEvent::Read { spec, release } => {
                self.fresh = Some(Fresh { spec: *spec, release });
            }
            FleetEvent::SpecsWritten => {
                if self.folder.end_command() {
                    self.begin_to_read_specs();
                }
            }
            FleetEvent::ShutDown => {
                self.actions.sup("Supervisor received shutdown signal from launcher");
                self.shut_down(Ending::Done);
            }
            FleetEvent::Departed => self.shut_down(Ending::Departed),
            FleetEvent::Restart => self.restart(),
        }
        self.settle();
    }

    /// Does what is due. To be called at [`Fleet::next_wake_ms`]; earlier does no harm.
    pub fn wake(&mut self, now: Now) {
        self.now = now;
        let is_due = |at_ms: Option<u64>| at_ms.is_some_and(|at_ms| at_ms <= now.mono_ms);
        for name in self.names(|service| is_due(service.machine.next_wake_ms())) {
            if let Some(service) = self.services.get_mut(&name) {
                service.machine.wake(now);
            }
            self.drive(&name);
        }
        self.look_after_orphans();
        self.give_up_work();
        if is_due(self.course.specs_until_ms()) {
            self.stop_all();
        }
        if is_due(self.folder.next_wake_ms()) {
            self.read_specs();
        }
        for id in self.processes.take_late(now.mono_ms) {
            self.actions.signal(id, SIGKILL);
        }
        for name in self.names(|service| is_due(service.files.again_at_ms)) {
            self.write_files_again(&name);
        }
        self.settle();
    }

    /// Looks at the ring: `look` brings the census up to date, or reports that nothing in it is
    /// different. Returns whether it shows something else.
    pub fn see(
        &mut self,
        now: Now,
        glance: Glance,
        look: impl FnOnce(&mut Census) -> Update,
    ) -> bool {
        self.now = now;
        self.context.census.look_at(self.services.values().map(Service::group));
        let update = look(&mut self.context.census);
        for warning in update.warnings {
            self.actions.line(crate::action::SUPERVISOR, "CE", warning);
        }
        match glance {
            Glance::Ring if !update.changed => {}
            Glance::Ring | Glance::Opened => self.look_at_ring(),
            Glance::Contents => {
                self.context.is_read = false;
                self.look_at_ring();
            }
        }
        self.settle();
        update.changed
    }

    /// When [`Fleet::wake`] is due, on the clock of [`Now::mono_ms`].
    #[must_use]
    pub fn next_wake_ms(&self) -> Option<u64> {
        let services = self.services.values().flat_map(|service| {
            [service.machine.next_wake_ms(), service.files.again_at_ms].into_iter().flatten()
        });
        let own = [
            self.orphans.next_wake_ms(),
            self.work.next_wake_ms(),
            self.processes.next_wake_ms(),
            self.course.specs_until_ms(),
            self.folder.next_wake_ms(),
        ];
        services.chain(own.into_iter().flatten()).min()
    }

    /// The next thing to be done.
    pub fn poll(&mut self) -> Option<Action<R>> {
        self.actions.pop()
    }

    /// All services, by name.
    pub fn services(&self) -> impl Iterator<Item = &Service<R>> {
        self.services.values()
    }

    /// One service.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Service<R>> {
        self.services.get(name)
    }

    /// What the ring adds up to.
    #[must_use]
    pub fn census(&self) -> &Census {
        &self.context.census
    }

    /// Names of services that documents may show differently since the last call.
    pub fn take_touched(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.touched)
    }

    /// True while what is wanted of services may be about to change.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.folder.is_pending()
    }

    /// True while what services see of the ring is being parsed. The next view waits for that, so
    /// that services see some view however fast changes follow each other.
    #[must_use]
    pub fn is_reading_ring(&self) -> bool {
        self.context.is_read
    }

    /// True once the end has begun.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.course.is_ending()
    }

    /// Why the Supervisor ends, once nothing is left to be done.
    #[must_use]
    pub fn finished(&self) -> Option<Ending> {
        let ending = self.course.ending()?;
        (self.services.is_empty() && self.orphans.is_empty()).then_some(ending)
    }

    /// Processes that only the end of the Supervisor stops, because the launcher is gone.
    #[must_use]
    pub fn left(&self) -> &[Left] {
        &self.left
    }

    /// The end of every call.
    fn settle(&mut self) {
        if std::mem::take(&mut self.groups_changed)
            && self.context.census.look_at(self.services.values().map(Service::group))
        {
            self.actions.push(Action::LookAround);
        }
        if self.course.run(|| self.services.values().all(|service| service.settled)) {
            self.actions.push(Action::Started);
        }
    }

    fn names(&self, is_wanted: impl Fn(&Service<R>) -> bool) -> Vec<String> {
        let services = self.services.values().filter(|service| is_wanted(service));
        services.map(|service| service.name.clone()).collect()
    }

    /// Hands an event to a service's machine and does what it asks for.
    fn tell(&mut self, name: &str, event: MachineEvent) {
        self.tell_because(Cause::Unknown, name, event);
    }

    /// Hands it an event that follows from something in the record.
    fn tell_because(&mut self, cause: Cause, name: &str, event: MachineEvent) {
        if let Some(service) = self.services.get_mut(name) {
            service.machine.because(cause).handle(self.now, event);
            self.drive(name);
        }
    }

    fn tell_all(&mut self, cause: Cause, event: &MachineEvent) {
        for name in self.names(|_| true) {
            self.tell_because(cause, &name, event.clone());
        }
    }

    /// Logs a line about a service, with its service group in front.
    #[track_caller]
    fn say(&mut self, name: &str, key: &'static str, text: impl Into<String>) {
        let service = self.services.get(name);
        let preamble = service.map_or(name, |service| service.group().as_str());
        self.actions.line(preamble, key, text);
    }

    /// Logs what an operator must know of, each thing once.
    #[track_caller]
    fn advise(&mut self, text: &str) {
        if self.advice.is_due(self.now.mono_ms, text) {
            self.actions.sup(text);
        }
    }

    /// Something on disk that is watched has changed.
    fn changed(&mut self, what: Watched) {
        if self.is_ending() {
            return;
        }
        match what {
            Watched::Specs => self.read_specs(),
            Watched::Sources(name) => self.tell(&name, MachineEvent::FilesChanged),
            Watched::User(name) if self.is_being_read(&name) => {
                if let Some(service) = self.services.get_mut(&name) {
                    service.read_user_again = true;
                }
                self.tell(&name, MachineEvent::FilesChanged);
            }
            Watched::Monitor(name) => self.tell(&name, MachineEvent::ContextChanged),
            Watched::User(service) => self.actions.work(Job::ReadUserLayer { service }),
            Watched::Directory(name) => self.stage(&name),
        }
    }

    /// True while the service is read from disk, `user.toml` with it.
    fn is_being_read(&self, name: &str) -> bool {
        [Kind::Build, Kind::Look].iter().any(|kind| self.work.is_under_way(name, *kind))
    }

    /// Reads the spec directory, now or after what is under way.
    fn read_specs(&mut self) {
        if self.folder.read() {
            self.begin_to_read_specs();
        }
    }

    fn begin_to_read_specs(&mut self) {
        let inherited = self.survivors.groups().map(|group| service_of(group).to_owned());
        let known = self.services.keys().cloned().chain(inherited).collect();
        self.actions.work(Job::ReadSpecs { known });
    }
}
