//! The services that the spec directory asks for (reference: services §2.3 and §4.2).

use rand::RngCore;
use roost_ident::{DesiredState, PackageIdent, ServiceGroup, ServiceGroupError};
use roost_service::{Difference, Machine, MachineEvent, PhaseName, Remembered, ServiceSpec};

use super::Fleet;
use crate::{
    action::{Action, SUPERVISOR},
    hook::HookOutput,
    release::Release,
    service::{Process, Service},
    specs::{Listing, service_of},
    stored::Stored,
    survivors::{Held, Inherited},
    watched::{Place, Watched},
};

impl<R: Release> Fleet<R> {
    pub(super) fn take_specs(&mut self, listing: Option<Listing<R>>) {
        let read = self.folder.end_reading();
        if read.again {
            self.read_specs();
        }
        if self.course.specs_until_ms().is_some() {
            self.take_back_to_stop(&listing.unwrap_or_default());
            return self.stop_all();
        }
        if self.is_ending() {
            return;
        }
        // Without a listing nothing is known, so nothing is changed.
        let Some(mut listing) = listing else {
            if !read.again {
                self.folder.fail(self.now.mono_ms);
                self.fresh = None;
            }
            return;
        };
        for line in self.folder.complain(std::mem::take(&mut listing.complaints)) {
            self.actions.line(SUPERVISOR, "SD", line);
        }
        let at_start = self.course.read_specs();
        if at_start {
            // Every spec is brought into its full form once.
            for rewrite in listing.rewrites.drain(..) {
                self.actions.store(Stored::Spec(rewrite));
            }
        }
        self.follow(&mut listing, read.settled);
        self.stop_inherited_without(&listing);
        self.forget_remembered_without(&listing);
        for (name, spec) in &listing.specs {
            if self.services.contains_key(name) {
                self.change(name, spec);
            } else {
                if !at_start {
                    self.record_load(name, spec);
                }
                self.create(spec, listing.formers.get(name), false);
            }
        }
        for name in self.names(|service| listing.is_unloaded(&service.name)) {
            let service = self.services.get_mut(&name);
            let timeout_s = service.and_then(|service| service.stop_timeout_s.take());
            let cause = self.record.take_expected(&name);
            self.tell_because(cause, &name, MachineEvent::Unload { timeout_s });
        }
        if read.settled {
            self.record.expect_nothing();
            self.fresh = None;
        }
    }

    /// Takes back what still runs, at the end of everything: so it is stopped with its hooks.
    fn take_back_to_stop(&mut self, listing: &Listing<R>) {
        for spec in listing.specs.values() {
            if self.group_of(spec).is_ok_and(|group| self.survivors.lives(group.as_str())) {
                self.create(spec, None, false);
            }
        }
    }

    pub(super) fn group_of(&self, spec: &ServiceSpec) -> Result<ServiceGroup, ServiceGroupError> {
        let organization = self.config.organization.as_deref();
        ServiceGroup::new(&spec.ident.name, &spec.group, organization)
    }

    /// Loads a service: with the process and the state that outlived the former Supervisor, if
    /// there are any. `former` is what it ran from last; of one that `is_unloaded` only the stop is
    /// left.
    fn create(&mut self, spec: &ServiceSpec, former: Option<&String>, is_unloaded: bool) {
        let group = match self.group_of(spec) {
            Ok(group) => group,
            Err(error) => return self.complain_of_group(spec, &error.to_string()),
        };
        let name = spec.ident.name.clone();
        let remembered = self.survivors.recall(group.as_str());
        let inherited = self.survivors.take(group.as_str());
        let known = remembered.clone().unwrap_or_default();
        let back = inherited.as_ref().filter(|it| it.is_to_be_taken_back(spec, &known));
        let lives = back.filter(|it| !it.is_gone(&known));
        let mut machine = match (back, &remembered) {
            (Some(inherited), _) => self.adopt(spec, group, inherited, known.clone()),
            (None, Some(known)) => self.resume(spec, group, inherited.as_ref(), known),
            (None, None) => {
                let seed = self.rng.next_u64();
                Machine::new(self.now, group, spec.clone(), self.config.settings, seed)
            }
        };
        if let Some(former) = former {
            machine.know_former(former);
        }
        let mut service = Service::new(spec, machine);
        service.is_unloaded = is_unloaded;
        if let Some(Inherited { process: Held { id, pid, .. }, .. }) = lives {
            service.process = Some(Process { id: *id, pid: Some(*pid) });
            service.health_output = last_output(&known);
            self.processes.adopt(*id, &name);
        }
        self.services.insert(name.clone(), service);
        let cause = self.record.take_expected(&name);
        if let Some(service) = self.services.get_mut(&name) {
            service.machine.introduce(self.now, cause);
        }
        // Reported once: it may be read, and change, before the watching has begun.
        let (what, place) = (Watched::User(name.clone()), Place::UserToml(name.clone()));
        self.actions.push(Action::Watch { what, place, report: true });
        // Every rendering reads it.
        let (what, place) = (Watched::Monitor(name.clone()), Place::Monitor(name.clone()));
        self.actions.push(Action::Watch { what, place, report: false });
        self.drive(&name);
        if let Some(Inherited { process, ended: Some(end), left, .. }) = lives {
            self.exited(process.id, process.pid, *left, end.clone());
        }
        if spec.desired_state == DesiredState::Down {
            self.tell(&name, MachineEvent::Stop { timeout_s: None });
            self.look(spec);
        }
    }

    /// The machine of a service whose process outlived the former Supervisor.
    fn adopt(
        &mut self,
        spec: &ServiceSpec,
        group: ServiceGroup,
        inherited: &Inherited,
        known: Remembered,
    ) -> Machine {
        let (settings, seed) = (self.config.settings, self.rng.next_u64());
        let survivor = inherited.survivor(spec, known);
        Machine::adopt(self.now, group, spec.clone(), settings, seed, survivor)
    }

    /// The machine of a service that the former Supervisor knew and that has no process.
    fn resume(
        &mut self,
        spec: &ServiceSpec,
        group: ServiceGroup,
        inherited: Option<&Inherited>,
        known: &Remembered,
    ) -> Machine {
        let ended = inherited.and_then(|it| Some((it.process.pid, it.unseen_end(known)?)));
        let (settings, seed) = (self.config.settings, self.rng.next_u64());
        Machine::resume(self.now, group, spec.clone(), settings, seed, known, ended)
    }

    fn complain_of_group(&mut self, spec: &ServiceSpec, error: &str) {
        let path = self.config.specs.join(spec.file_name());
        let line = format!(
            "Error when loading service spec file '{}' ({error}). This file will be skipped.",
            path.display()
        );
        if self.folder.complain_of(path, &line) {
            self.actions.line(SUPERVISOR, "SD", line);
        }
    }

    /// The spec of a loaded service may have changed.
    fn change(&mut self, name: &str, spec: &ServiceSpec) {
        let Some(service) = self.services.get_mut(name) else { return };
        // A service that is being unloaded still has the spec that was deleted.
        let is_stopping = service.machine.status().phase == PhaseName::Stopping;
        if service.machine.newest_spec() == spec && !is_stopping {
            return;
        }
        let known = service.machine.spec();
        let difference = known.difference(spec);
        let timeout_s = match (known.desired_state, spec.desired_state) {
            // A time that was given while there was nothing to stop is of no later stop.
            (_, DesiredState::Down) | (DesiredState::Down, _) => service.stop_timeout_s.take(),
            (DesiredState::Up, DesiredState::Up) => None,
        };
        let group = match self.group_of(spec) {
            Ok(group) => group,
            Err(error) => return self.complain_of_group(spec, &error.to_string()),
        };
        let cause = self.record_options(name, spec);
        if spec.desired_state == DesiredState::Down && timeout_s.is_some() {
            self.tell_because(cause, name, MachineEvent::Stop { timeout_s });
        }
        self.tell_because(cause, name, MachineEvent::SpecChanged { spec: spec.clone(), group });
        if spec.desired_state == DesiredState::Down {
            self.look(spec);
        } else if difference == Difference::Swap {
            // Only how it is updated is different: the rumor shows it, the process goes on.
            self.announce_again(name);
        }
    }

    /// True when a spec wants a service in this group.
    fn is_wanted(&self, listing: &Listing<R>, group: &str) -> bool {
        match listing.spec_of(group) {
            // A file that cannot be used names no wish.
            None => listing.is_unusable(service_of(group)),
            Some(spec) => self.group_of(spec).map_or(true, |wanted| wanted.as_str() == group),
        }
    }

    /// Ends what is left of services whose spec is gone, or names another group.
    fn stop_inherited_without(&mut self, listing: &Listing<R>) {
        for group in self.survivors.unwanted(|group| self.is_wanted(listing, group)) {
            if !self.end_unloaded(listing, &group)
                && let Some(inherited) = self.survivors.take(&group)
                && inherited.lives()
            {
                self.stop_orphan(inherited.process);
            }
        }
    }

    /// Takes back a service that was unloaded while no Supervisor ran, to end it with its hooks.
    /// False when too little of it is known, or nothing is left to do.
    fn end_unloaded(&mut self, listing: &Listing<R>, group: &str) -> bool {
        let name = service_of(group).to_owned();
        if listing.specs.contains_key(&name) || self.services.contains_key(&name) {
            return false;
        }
        let release = self.survivors.release(group);
        let (Some(release), Ok(parts)) = (release, group.parse::<ServiceGroup>()) else {
            return false;
        };
        let mut spec = ServiceSpec::new(PackageIdent { version: None, release: None, ..release });
        spec.group = parts.group().into();
        let is_same = self.group_of(&spec).is_ok_and(|it| it.as_str() == group);
        if spec.ident.name != name || !self.survivors.is_due(group, &spec) || !is_same {
            return false;
        }
        self.create(&spec, None, true);
        self.tell(&name, MachineEvent::Unload { timeout_s: None });
        true
    }

    /// Drops what is known of groups that services left while no Supervisor ran: one that comes
    /// back to such a group does not go on from there. While something of it runs, the launcher
    /// keeps it.
    fn forget_remembered_without(&mut self, listing: &Listing<R>) {
        let unwanted = self.survivors.abandoned(|group| self.is_wanted(listing, group));
        for group in unwanted {
            self.survivors.recall(&group);
            if !self.orphans.has(&group) {
                self.actions.push(Action::Forget { group });
            }
        }
    }
}

/// What the last health check that the former Supervisor knew of printed.
fn last_output(known: &Remembered) -> HookOutput {
    let printed = known.account.check.as_ref().map(|check| &check.printed);
    let output = |printed: &roost_service::Printed| HookOutput {
        stdout: printed.stdout.text(),
        stderr: printed.stderr.text(),
    };
    printed.map(output).unwrap_or_default()
}
