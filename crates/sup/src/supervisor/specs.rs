//! The spec directory, and the services it asks for (reference: services §2.3 and §4.2).

use std::collections::BTreeMap;

use roost_ident::{DesiredState, PackageIdent, ServiceGroup, ShutdownSignal};
use roost_launch::wire::{self, Process, Request, Welcome};
use roost_pkg::followed;
use roost_service::{
    BackoffSettings, BuildFailure, Difference, Event as Told, Machine, PhaseName, Plan, ProcessEnd,
    Remembered, ServiceSpec, Settings, Survivor,
};

use super::{
    Course, Supervisor,
    errands::Kind,
    event::{Event, Watch},
    launched::process_end,
    managed::Managed,
    orphans::service_of,
};
use crate::{
    files::{
        specs::{self, Listing, Rewrite},
        watch::Target,
    },
    services::built::{Blueprint, Built},
    system,
    vital::guarded,
};

/// A process of the former Supervisor that no service of this one stands for yet.
#[derive(Debug)]
pub(super) struct Inherited {
    pub(super) running: Process,
    /// It has ended meanwhile, like this.
    pub(super) ended: Option<ProcessEnd>,
    /// It has ended, and others of its group can still run.
    pub(super) left: bool,
    /// It is of an earlier launcher, which kept nothing of its service: nothing reads its output, so
    /// it is stopped and started again.
    pub(super) stray: bool,
}

impl Inherited {
    /// Something of it can still run.
    pub(super) fn lives(&self) -> bool {
        self.ended.is_none() || self.left
    }

    /// Nothing of it runs, and its stop is not over.
    fn is_gone(&self, remembered: &Remembered) -> bool {
        !self.lives() && (self.stray || remembered.stopping)
    }

    /// False when nothing of it runs and nothing is left to be done after it: the former Supervisor
    /// knew of its end, or the user or that Supervisor ended it. Its service goes on without it.
    fn is_to_be_taken_back(&self, spec: &ServiceSpec, remembered: &Remembered) -> bool {
        let pid = self.running.pid;
        let was_wanted = remembered
            .last_process_state
            .is_some_and(|last| last.pid == Some(pid) && !last.reason.is_failure());
        let is_known = |end: &ProcessEnd| {
            let known = remembered.account.exit.as_ref().filter(|exit| exit.pid == pid);
            known.is_some_and(|exit| exit.at_unix_ms == end.at_unix_ms)
        };
        self.lives()
            || self.is_gone(remembered)
            || self.ended.as_ref().is_some_and(|end| {
                spec.desired_state == DesiredState::Up && !was_wanted && !is_known(end)
            })
    }
}

/// What the former Supervisor kept of a service; nothing when it cannot be understood.
pub(super) fn remembered(state: &[u8]) -> Remembered {
    Remembered::decode(state).unwrap_or_default()
}

/// A process that outlived the former Supervisor, as the machine of its service takes it back.
fn survivor(
    Inherited { running, ended, stray, .. }: &Inherited,
    spec: &ServiceSpec,
    mut remembered: Remembered,
    is_gone: bool,
) -> Survivor {
    if *stray && ended.is_none() {
        // It is stopped the way it was started to be stopped, then its service starts again.
        remembered.stopping = true;
        remembered.plan.get_or_insert_with(|| Plan {
            shutdown_signal: ShutdownSignal::from_number(running.shutdown.signal)
                .unwrap_or_default(),
            shutdown_timeout_s: u32::try_from(running.shutdown.timeout_ms / 1_000).ok(),
            ..Plan::bare(&spec.ident.to_string())
        });
    }
    let Process { pid, started_unix_ms, .. } = *running;
    Survivor { pid, started_unix_ms, remembered, is_gone }
}

impl Supervisor {
    /// Sorts what the launcher holds: services to take back, and processes to stop.
    pub(super) fn take_over(&mut self, welcome: &Welcome) {
        // The Supervisor keeps a note about itself there too.
        let is_service = |entry: &&wire::Remembered| entry.name.parse::<ServiceGroup>().is_ok();
        let known = welcome.remembered.iter().filter(is_service);
        self.remembered =
            known.map(|entry| (entry.name.clone(), remembered(&entry.bytes))).collect();
        let running = welcome.running.iter().cloned();
        let taken =
            |running: Process, ended| Inherited { running, ended, left: false, stray: false };
        let mut inherited: BTreeMap<_, _> =
            running.map(|running| (running.name.clone(), taken(running, None))).collect();
        // A service that ended while nobody watched is taken back too, and ends at once: so its
        // restart is counted like any other.
        for ended in &welcome.ended {
            let gone = Process {
                id: ended.id,
                name: ended.name.clone(),
                pid: ended.pid,
                started_unix_ms: ended.at_unix_ms,
                ..Process::default()
            };
            let end = process_end(ended);
            let stray = !self.remembered.contains_key(&ended.name);
            let gone = Inherited { stray, ..taken(gone, Some(end)) };
            inherited.entry(ended.name.clone()).or_insert(gone);
        }
        for survivor in &welcome.survivors {
            let Some(known) = inherited.get_mut(&survivor.name) else {
                let stray = Inherited { stray: true, ..taken(survivor.clone(), None) };
                inherited.insert(survivor.name.clone(), stray);
                continue;
            };
            if known.running.id == survivor.id {
                // Its first process has ended, others of its group live.
                known.left = true;
                known.running.shutdown = survivor.shutdown;
            } else {
                // Older than the one that is taken back.
                let Process { id, name, pid, shutdown, .. } = survivor.clone();
                self.stop_orphan(id, name, pid, shutdown);
            }
        }
        self.inherited = inherited;
    }

    /// Reads the spec directory beside this task.
    pub(super) fn read_specs(&mut self) {
        if self.specs_being_read {
            self.specs_read_again = true;
            return;
        }
        self.specs_being_read = true;
        let directory = self.world.config.root.sup().specs();
        let inherited = self.inherited.keys().map(|group| service_of(group).to_owned());
        let known: Vec<String> = self.services.keys().cloned().chain(inherited).collect();
        let root = self.world.config.root.clone();
        self.beside(move || match specs::read_all(&directory, &known) {
            Ok(mut listing) => {
                listing.followed = guarded(|| followed::read_all(&root)).unwrap_or_default();
                listing.read_formers(|name| root.sup().release_file(name));
                Event::Specs(Some(listing))
            }
            Err(error) => {
                tracing::error!("Unable to read the specs in {}: {error}", directory.display());
                Event::Specs(None)
            }
        });
    }

    pub(super) fn take_specs(&mut self, listing: Option<Listing>) {
        self.specs_being_read = false;
        let again = std::mem::take(&mut self.specs_read_again);
        if again {
            self.read_specs();
        }
        let settled = !again && !self.specs_being_written;
        if self.end_waits_until_ms.is_some() {
            self.take_back_to_stop(&listing.unwrap_or_default());
            return self.stop_all();
        }
        // Without a listing nothing is known, so nothing is changed.
        let Some(mut listing) = listing.filter(|_| !self.is_ending()) else { return };
        self.complain(&mut listing);
        if let Course::Starting { specs_read, .. } = &mut self.course {
            // Every spec is brought into its full form once.
            for Rewrite { path, text, canonical } in listing.rewrites.drain(..) {
                let (of, bytes) = (text.into_bytes(), canonical.into_bytes());
                self.world.store.reform_later(&path, of, bytes, 0o600);
            }
            *specs_read = true;
        }
        self.follow(&mut listing, settled);
        self.stop_inherited_without(&listing);
        self.forget_remembered_without(&listing);
        for (name, spec) in &listing.specs {
            if self.services.contains_key(name) {
                self.change(name, spec);
            } else {
                self.create(spec);
                if let Some(managed) = self.services.get_mut(name)
                    && let Some(former) = listing.formers.get(name)
                {
                    managed.machine.know_former(former);
                }
            }
        }
        // A file that cannot be used says nothing: its service goes on as it was.
        let is_gone =
            |name: &&String| !listing.specs.contains_key(*name) && !listing.unusable.contains(name);
        let gone: Vec<String> = self.services.keys().filter(is_gone).cloned().collect();
        for name in gone {
            let timeout_s = self.services.get_mut(&name).and_then(|m| m.stop_timeout.take());
            self.tell(&name, Told::Unload { timeout_s });
        }
    }

    /// Takes back what still runs, at the end of everything: so it is stopped with its hooks.
    fn take_back_to_stop(&mut self, listing: &Listing) {
        for spec in listing.specs.values() {
            let runs = |group: &ServiceGroup| {
                self.inherited.get(group.as_str()).is_some_and(Inherited::lives)
            };
            if self.group_of(spec).is_ok_and(|group| runs(&group)) {
                self.create(spec);
            }
        }
    }

    /// Tells each complaint about a file once, until it changes.
    fn complain(&mut self, listing: &mut Listing) {
        for (path, line) in &listing.complaints {
            if self.spec_complaints.get(path) != Some(line) {
                self.world.output.line("hab-sup", "SD", line);
            }
        }
        self.spec_complaints = std::mem::take(&mut listing.complaints);
    }

    fn group_of(&self, spec: &ServiceSpec) -> Result<ServiceGroup, roost_ident::ServiceGroupError> {
        let organization = self.world.config.organization.as_deref();
        ServiceGroup::new(&spec.ident.name, &spec.group, organization)
    }

    fn create(&mut self, spec: &ServiceSpec) {
        self.create_with(spec, false);
    }

    fn create_with(&mut self, spec: &ServiceSpec, is_unloaded: bool) {
        let group = match self.group_of(spec) {
            Ok(group) => group,
            Err(error) => return self.complain_of_group(spec, &error.to_string()),
        };
        let now = self.world.clock.now();
        let inherited = self.inherited.remove(group.as_str());
        let remembered = self.remembered.remove(group.as_str());
        let known = remembered.clone().unwrap_or_default();
        let (inherited, ended) = match inherited {
            Some(inherited) if inherited.is_to_be_taken_back(spec, &known) => {
                (Some(inherited), None)
            }
            Some(Inherited { running, ended, .. }) => (None, ended.map(|end| (running.pid, end))),
            None => (None, None),
        };
        let (settings, seed) = (self.settings(), system::seed());
        let output = known.account.check.as_ref().map(|check| &check.printed);
        let output = output.map(|it| (it.stdout.text(), it.stderr.text())).unwrap_or_default();
        let is_gone = inherited.as_ref().is_some_and(|it| it.is_gone(&known));
        let machine = match (&inherited, remembered) {
            (Some(inherited), _) => {
                let survivor = survivor(inherited, spec, known, is_gone);
                Machine::adopt(now, group, spec.clone(), settings, seed, survivor)
            }
            (None, Some(known)) => {
                // What an end that was known says is in there already.
                let is_news =
                    |(pid, end): &(u32, ProcessEnd)| {
                        known.account.exit.as_ref().is_none_or(|exit| {
                            (exit.pid, exit.at_unix_ms) != (*pid, end.at_unix_ms)
                        })
                    };
                let ended = ended.filter(is_news);
                Machine::resume(now, group, spec.clone(), settings, seed, &known, ended)
            }
            (None, None) => Machine::new(now, group, spec.clone(), settings, seed),
        };
        let mut managed = Managed::new(&self.world.config.root, spec, machine);
        managed.is_unloaded = is_unloaded;
        let name = managed.name.clone();
        let inherited = inherited.filter(|_| !is_gone);
        if let Some(Inherited { running, .. }) = &inherited {
            managed.process = Some(running.id);
            managed.pid = Some(running.pid);
            managed.health_output = output;
            self.processes.insert(running.id, name.clone());
        }
        self.services.insert(name.clone(), managed);
        let user = vec![Target::File(self.world.config.root.user_toml(&name))];
        // Reported once: it may be read, and change, before the watching has begun.
        self.world.watcher.watch_and_report(Watch::User(name.clone()), user);
        self.drive(&name);
        if let Some(Inherited { running, ended: Some(end), left, .. }) = inherited {
            if !left {
                self.processes.remove(&running.id);
                self.forget_process(&name, running.id);
            }
            self.tell(&name, Told::Exited { pid: running.pid, group_alive: left, end });
        }
        if spec.desired_state == DesiredState::Down {
            self.tell(&name, Told::Stop { timeout_s: None });
            self.look(spec);
        }
    }

    fn complain_of_group(&mut self, spec: &ServiceSpec, error: &str) {
        let path = self.world.config.root.sup().spec_file(&spec.ident.name);
        let line = format!(
            "Error when loading service spec file '{}' ({error}). This file will be skipped.",
            path.display()
        );
        if self.spec_complaints.insert(path, line.clone()).as_ref() != Some(&line) {
            self.world.output.line("hab-sup", "SD", &line);
        }
    }

    fn settings(&self) -> Settings {
        let config = &self.world.config;
        let ms =
            |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Settings {
            backoff: BackoffSettings {
                min_ms: ms(config.backoff.min),
                max_ms: ms(config.backoff.max),
                cooldown_ms: ms(config.backoff.cooldown),
            },
            hook_timeouts: config.hook_timeouts,
            ..Settings::default()
        }
    }

    /// The spec of a loaded service may have changed.
    fn change(&mut self, name: &str, spec: &ServiceSpec) {
        let Some(managed) = self.services.get_mut(name) else { return };
        // A service that is being unloaded still has the spec that was deleted.
        let is_stopping = managed.machine.status().phase == PhaseName::Stopping;
        if managed.machine.newest_spec() == spec && !is_stopping {
            return;
        }
        let known = managed.machine.spec();
        let difference = known.difference(spec);
        let timeout_s = match (known.desired_state, spec.desired_state) {
            // A time that was given while there was nothing to stop is of no later stop.
            (_, DesiredState::Down) | (DesiredState::Down, _) => managed.stop_timeout.take(),
            (DesiredState::Up, DesiredState::Up) => None,
        };
        let group = match self.group_of(spec) {
            Ok(group) => group,
            Err(error) => return self.complain_of_group(spec, &error.to_string()),
        };
        if spec.desired_state == DesiredState::Down && timeout_s.is_some() {
            self.tell(name, Told::Stop { timeout_s });
        }
        self.tell(name, Told::SpecChanged { spec: spec.clone(), group });
        if spec.desired_state == DesiredState::Down {
            self.look(spec);
        } else if difference == Difference::Swap {
            // Only how it is updated is different: the rumor says so, the process goes on.
            self.announce_again(name);
        }
    }

    /// Reads a service that is not to be started, for the documents.
    pub(super) fn look(&mut self, spec: &ServiceSpec) {
        if !self.begin_errand(&spec.ident.name, Kind::Look) {
            if let Some(managed) = self.services.get_mut(&spec.ident.name) {
                managed.look_again = true;
            }
            return;
        }
        let blueprint = Blueprint { prepare: false, ..self.blueprint(spec) };
        let service = spec.ident.name.clone();
        self.beside(move || {
            let result = guarded(|| blueprint.build().map(Box::new))
                .unwrap_or_else(|bug| Err(BuildFailure::Refused(bug)));
            Event::Built { service, result, look: true }
        });
    }

    /// A service was read from disk, or could not be.
    pub(super) fn built(
        &mut self,
        service: &str,
        result: Result<Box<Built>, BuildFailure>,
        look: bool,
    ) {
        let kind = if look { Kind::Look } else { Kind::Build };
        if !self.errands.end(service, kind) {
            return self.ended_late(service, kind);
        }
        let Some(managed) = self.services.get_mut(service) else { return };
        if look && std::mem::take(&mut managed.look_again) {
            let spec = managed.spec().clone();
            return self.look(&spec);
        }
        if look && managed.built.is_some() && managed.machine.status().phase != PhaseName::Stopped {
            // It runs, or still does: what was found now is not what that is made of.
            return;
        }
        self.touched.insert(service.into());
        self.take_result(service, result, look);
        let managed = self.services.get_mut(service);
        let again = managed.is_some_and(|managed| std::mem::take(&mut managed.read_user_again));
        // A reading that has begun since sees the change.
        if again && !self.is_being_read(service) {
            self.file_changed(Watch::User(service.into()));
        }
    }

    fn take_result(&mut self, service: &str, result: Result<Box<Built>, BuildFailure>, look: bool) {
        let Some(managed) = self.services.get_mut(service) else { return };
        match result {
            Ok(built) => {
                for complaint in &built.complaints {
                    self.world.output.line(managed.group().as_str(), "HK", complaint);
                }
                let plan = built.plan();
                let (refused, to_keep) = (built.user_fault.clone(), built.user_to_keep.clone());
                let errors = managed.take_built(*built);
                let is_refused = managed.machine.is_refused();
                self.keep_user_toml(service, to_keep);
                self.tell(service, Told::UserConfig { refused });
                self.tell_merge_errors(service, &errors);
                self.look_around();
                self.read_contents();
                self.take_gossip(service);
                if !look {
                    if !is_refused {
                        self.unwatch_sources(service);
                    }
                    let release = plan.ident.clone();
                    self.tell(service, Told::Built(plan));
                    if let Some(managed) = self.services.get_mut(service) {
                        Self::keep_ran(managed);
                    }
                    self.write_files(service, true);
                    self.refresh(service);
                    self.follow_directory(service, &release);
                }
            }
            Err(failure) => {
                managed.settled = true;
                if look {
                    managed.look_failure = Some(failure.to_string());
                } else {
                    self.watch_sources(service);
                    self.tell(service, Told::BuildFailed(failure));
                }
            }
        }
    }

    /// A plain directory may have changed while no Supervisor ran: a process that was taken back
    /// runs an older release of it then.
    fn follow_directory(&mut self, service: &str, release: &str) {
        // What is only being started is made of the newest that can be.
        if self.services.get(service).is_none_or(|managed| managed.process.is_none()) {
            return;
        }
        let spec = self.services.get(service).map(|managed| managed.spec().ident.clone());
        let staged = self.directory_release(service);
        let staged = staged.filter(|ident| spec.is_some_and(|spec| ident.satisfies(&spec)));
        let newer = staged.map(ToString::to_string).filter(|staged| staged != release);
        if let Some(newer) = newer {
            self.tell(service, Told::PackageUpdated(newer));
        }
    }

    /// Watches what a service that could not be read is made of, so that it is tried again as
    /// soon as something of that changes.
    ///
    /// The first time it is reported at once, because it may have changed before the watching
    /// began; later times the watching went on.
    pub(super) fn watch_sources(&mut self, service: &str) {
        let Some(managed) = self.services.get_mut(service) else { return };
        let first = !std::mem::replace(&mut managed.sources_watched, true);
        let spec = managed.spec();
        let package = self.world.config.root.pkgs().join(&spec.ident.origin).join(&spec.ident.name);
        let mut targets = vec![Target::Tree(package)];
        targets.extend(spec.config_from.as_ref().map(|path| Target::Tree(path.into())));
        let key = Watch::Sources(service.into());
        match first {
            true => self.world.watcher_of_places().watch_and_report(key, targets),
            false => self.world.watcher_of_places().watch(key, targets),
        }
    }

    fn unwatch_sources(&mut self, service: &str) {
        let Some(managed) = self.services.get_mut(service) else { return };
        if std::mem::take(&mut managed.sources_watched) {
            self.world.watcher_of_places().unwatch(Watch::Sources(service.into()));
        }
    }

    /// Stops processes of the former Supervisor whose spec is gone.
    fn stop_inherited_without(&mut self, listing: &Listing) {
        let is_wanted = |name: &String| match listing.specs.get(service_of(name)) {
            // A file that cannot be used says nothing.
            None => listing.unusable.iter().any(|unusable| unusable == service_of(name)),
            Some(spec) => self.group_of(spec).map_or(true, |group| group.as_str() == name),
        };
        let unwanted: Vec<String> =
            self.inherited.keys().filter(|name| !is_wanted(name)).cloned().collect();
        for name in unwanted {
            if !self.end_unloaded(listing, &name)
                && let Some(inherited) = self.inherited.remove(&name)
            {
                self.stop_one_inherited(name, &inherited);
            }
        }
    }

    /// Takes back a service that was unloaded while no Supervisor ran, to end it with its hooks.
    /// False when too little of it is known, or nothing is left to do.
    fn end_unloaded(&mut self, listing: &Listing, group: &str) -> bool {
        let service = service_of(group).to_owned();
        if listing.specs.contains_key(&service) || self.services.contains_key(&service) {
            return false;
        }
        let Some(known) = self.remembered.get(group) else { return false };
        let release = known.plan.as_ref().and_then(|plan| plan.ident.parse::<PackageIdent>().ok());
        let (Some(release), Ok(parts)) = (release, group.parse::<ServiceGroup>()) else {
            return false;
        };
        let ident = PackageIdent { version: None, release: None, ..release };
        let mut spec = ServiceSpec::new(ident);
        spec.group = parts.group().into();
        let is_due =
            self.inherited.get(group).is_some_and(|it| it.is_to_be_taken_back(&spec, known));
        let is_same = self.group_of(&spec).is_ok_and(|it| it.as_str() == group);
        if spec.ident.name != service || !is_due || !is_same {
            return false;
        }
        self.create_with(&spec, true);
        self.tell(&service, Told::Unload { timeout_s: None });
        true
    }

    /// Drops what is known of services that were unloaded while no Supervisor ran.
    fn forget_remembered_without(&mut self, listing: &Listing) {
        let is_unloaded = |name: &str| {
            let service = service_of(name);
            !listing.specs.contains_key(service)
                && !listing.unusable.iter().any(|unusable| unusable == service)
        };
        let gone = self.remembered.extract_if(.., |name, _| is_unloaded(name));
        for (name, _) in gone {
            self.world.launcher.send(&Request::Forget(name));
        }
    }

    fn stop_one_inherited(&mut self, name: String, inherited: &Inherited) {
        let running = &inherited.running;
        if inherited.lives() {
            self.stop_orphan(running.id, name, running.pid, running.shutdown);
        }
    }

    /// The process of the former Supervisor that has this number and lives.
    pub(super) fn inherited_by_id(&mut self, id: u64) -> Option<&mut Inherited> {
        self.inherited
            .values_mut()
            .find(|inherited| inherited.running.id == id && inherited.ended.is_none())
    }

    /// The same when it has ended and others of its group live.
    pub(super) fn inherited_left_by_id(&mut self, id: u64) -> Option<&mut Inherited> {
        self.inherited.values_mut().find(|inherited| inherited.running.id == id && inherited.left)
    }

    /// Stops all processes of the former Supervisor that were not taken back yet.
    pub(super) fn stop_inherited(&mut self) {
        for (name, inherited) in std::mem::take(&mut self.inherited) {
            self.stop_one_inherited(name, &inherited);
        }
    }

    /// True when every spec was read and its service can be shown.
    pub(super) fn is_started(&self) -> bool {
        match &self.course {
            Course::Starting { specs_read, .. } => {
                *specs_read && self.services.values().all(|managed| managed.settled)
            }
            Course::Running | Course::Ending(_) => true,
        }
    }
}
