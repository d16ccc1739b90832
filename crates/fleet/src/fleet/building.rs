//! Reading what a service is made of, rendering it, and work that takes too long.

use roost_ident::DesiredState;
use roost_service::{BuildFailure, MachineEvent, PhaseName, RenderFailure, Rendering, ServiceSpec};

use super::Fleet;
use crate::{
    action::Action,
    job::{Blueprint, Job},
    release::Release,
    service::{Fresh, HeldBuild},
    watched::{Place, Watched},
    work::{Kind, Piece, unread},
};

impl<R: Release> Fleet<R> {
    /// Reads a service, as soon as nothing of an earlier run of it lives; one that was taken back
    /// runs already.
    pub(super) fn build(&mut self, name: &str, pin: Option<String>) {
        if !self.begin_build(name, || HeldBuild::Newest { pin: pin.clone() }) {
            return;
        }
        let Some(service) = self.services.get(name) else { return };
        let is_same = |fresh: &mut Fresh<R>| fresh.spec == *service.spec();
        let read = self.fresh.take_if(is_same).filter(|_| pin.is_none() && !service.is_unloaded);
        let read = read.map(|fresh| fresh.release);
        // What a directory is now counts, not which of its releases sorts last.
        let pin = pin.or_else(|| self.directories.release(name).map(ToString::to_string));
        let directory = self.directories.path(name);
        // A release does not know the directory that messages are to name.
        let read = read.filter(|_| directory.is_none());
        let for_end = service.is_unloaded;
        let blueprint = Blueprint { pin, directory, for_end, ..service.blueprint() };
        self.actions.work(Job::Build { blueprint, read, look: false });
    }

    /// Reads what the service ran from before: in the state that it had then where that is known.
    /// Its own configuration file is read again, and the last good one stays in force.
    pub(super) fn build_former(&mut self, name: &str, release: String) {
        if !self.begin_build(name, || HeldBuild::Former { release: release.clone() }) {
            return;
        }
        let Some(service) = self.services.get(name) else { return };
        let ran = service.ran.clone().filter(|ran| ran.ident().to_string() == release);
        let user = service.configuration.layers().user.clone();
        let (pin, directory) = (Some(release), self.directories.path(name));
        let blueprint = Blueprint { pin, exact: true, directory, ..service.blueprint() };
        self.actions.work(Job::BuildFormer { blueprint, ran, user });
    }

    /// False when the reading is `held` until the end of an orphan, or is refused because the one
    /// before it has not ended.
    fn begin_build(&mut self, name: &str, held: impl FnOnce() -> HeldBuild) -> bool {
        let Some(service) = self.services.get_mut(name) else { return false };
        if !self.work.begin(name, Kind::Build, self.now.mono_ms) {
            service.settled = true;
            let failure = MachineEvent::BuildFailed(BuildFailure::Unread(unread()));
            service.machine.handle(self.now, failure);
            return false;
        }
        if service.process.is_none() && self.orphans.hold(name) {
            service.held_build = Some(held());
            return false;
        }
        true
    }

    /// Reads a service that is not to be started, for the documents.
    pub(super) fn look(&mut self, spec: &ServiceSpec) {
        let name = &spec.ident.name;
        if !self.work.begin(name, Kind::Look, self.now.mono_ms) {
            if let Some(service) = self.services.get_mut(name) {
                service.look_again = true;
            }
            return;
        }
        let directory = self.directories.path(name);
        let blueprint = Blueprint { prepare: false, directory, ..Blueprint::of(spec) };
        self.actions.work(Job::Build { blueprint, read: None, look: true });
    }

    /// A service was read from disk, or could not be.
    pub(super) fn built(&mut self, name: &str, result: Result<Box<R>, BuildFailure>, look: bool) {
        let kind = if look { Kind::Look } else { Kind::Build };
        if !self.work.end(name, kind) {
            return self.ended_late(name, kind);
        }
        let Some(service) = self.services.get_mut(name) else { return };
        if look && std::mem::take(&mut service.look_again) {
            let spec = service.spec().clone();
            return self.look(&spec);
        }
        if look && service.built.is_some() && service.machine.status().phase != PhaseName::Stopped {
            // It runs, or still does: what was found now is not what that is made of.
            return;
        }
        self.touched.insert(name.into());
        match result {
            Ok(built) => self.take_built(name, *built, look),
            Err(failure) => self.build_failed(name, failure, look),
        }
        let service = self.services.get_mut(name);
        let again = service.is_some_and(|service| std::mem::take(&mut service.read_user_again));
        // A reading that has begun since sees the change.
        if again && !self.is_being_read(name) {
            self.changed(Watched::User(name.into()));
        }
    }

    fn take_built(&mut self, name: &str, built: R, look: bool) {
        let Some(service) = self.services.get_mut(name) else { return };
        let (plan, complaints) = (built.plan(), built.complaints().to_vec());
        let refused = built.user_fault().map(Into::into);
        let to_keep = built.user_to_keep().map(Into::into);
        let was_read = service.built.is_some();
        let merged = service.take_built(built);
        let is_refused = service.machine.is_refused();
        for complaint in complaints {
            self.say(name, "HK", complaint);
        }
        self.keep_user_toml(name, to_keep);
        self.tell(name, MachineEvent::UserConfig { refused });
        self.report_merge(name, &merged, was_read.then_some("release"));
        self.read_contents();
        self.take_gossip(name);
        if look {
            return;
        }
        if !is_refused {
            self.unwatch_sources(name);
        }
        let release = plan.ident.clone();
        self.tell(name, MachineEvent::Built(plan));
        if let Some(service) = self.services.get_mut(name) {
            service.keep_ran();
        }
        self.write_files(name, true);
        self.refresh(name);
        self.follow_directory(name, &release);
    }

    fn build_failed(&mut self, name: &str, failure: BuildFailure, look: bool) {
        let Some(service) = self.services.get_mut(name) else { return };
        service.settled = true;
        if look {
            service.look_failure = Some(failure.to_string());
        } else {
            self.watch_sources(name);
            self.tell(name, MachineEvent::BuildFailed(failure));
        }
    }

    /// Watches what a service that could not be read is made of, so that it is tried again as
    /// soon as something of that changes.
    ///
    /// The first time it is reported at once, because it may have changed before the watching
    /// began; later times the watching went on.
    pub(super) fn watch_sources(&mut self, name: &str) {
        let Some(service) = self.services.get_mut(name) else { return };
        let report = !std::mem::replace(&mut service.sources_watched, true);
        let place = Place::Sources(Box::new(service.spec().clone()));
        self.actions.push(Action::Watch { what: Watched::Sources(name.into()), place, report });
    }

    fn unwatch_sources(&mut self, name: &str) {
        let service = self.services.get_mut(name);
        if service.is_some_and(|service| std::mem::take(&mut service.sources_watched)) {
            self.actions.push(Action::Unwatch(Watched::Sources(name.into())));
        }
    }

    /// Renders what was asked for as soon as the census has this service: templates see it as
    /// `svc.me`.
    pub(super) fn render(&mut self, name: &str) {
        let Some(service) = self.services.get_mut(name) else { return };
        let Some(wanted) = service.rendering else { return };
        let Some(release) = service.built.clone() else { return };
        let scope = self.context.scope(service.cfg(), service.group(), &service.binds());
        let Some(scope) = scope else { return };
        if !self.work.begin(name, Kind::Render, self.now.mono_ms) {
            // Never two that write the same files: it begins when the one before it has ended.
            return;
        }
        service.rendering = None;
        service.known.seen = Some(self.context.seen(service));
        let (service, whole) = (name.into(), wanted.whole);
        self.actions.work(Job::Render { service, release, scope, whole });
    }

    /// Templates were rendered.
    pub(super) fn rendered(&mut self, name: &str, rendering: Rendering) {
        match self.work.end(name, Kind::Render) {
            true => self.tell(name, MachineEvent::Rendered(rendering)),
            false => self.ended_late(name, Kind::Render),
        }
    }

    /// Answers in the place of work that takes too long.
    pub(super) fn give_up_work(&mut self) {
        for Piece { service: name, kind } in self.work.give_up(self.now.mono_ms) {
            match kind {
                Kind::Build => self.give_up_build(&name),
                Kind::Look => {
                    if let Some(service) = self.services.get_mut(&name) {
                        service.settled = true;
                        service.look_failure = Some(unread());
                        self.touched.insert(name);
                    }
                }
                Kind::Render => {
                    let rendering = Rendering::failed(RenderFailure::Unfinished(unread()));
                    self.tell(&name, MachineEvent::Rendered(rendering));
                }
                Kind::Check => self.tell(&name, MachineEvent::Checked(Err(unread()))),
                Kind::Install => self.fail_install(&name, unread()),
            }
        }
    }

    fn give_up_build(&mut self, name: &str) {
        let Some(service) = self.services.get_mut(name) else { return };
        service.settled = true;
        let failure = match service.held_build.take() {
            None => BuildFailure::Unread(unread()),
            Some(_) => {
                // It never began.
                self.work.end(name, Kind::Build);
                let text = "a process of an earlier run still lives and is being stopped";
                BuildFailure::Refused(text.into())
            }
        };
        self.tell(name, MachineEvent::BuildFailed(failure));
    }

    /// Work that was given up has ended: now the service can be tried again.
    pub(super) fn ended_late(&mut self, name: &str, kind: Kind) {
        match kind {
            Kind::Build | Kind::Check => self.tell(name, MachineEvent::FilesChanged),
            Kind::Look => {
                let spec = self.services.get(name).map(|service| service.spec().clone());
                if let Some(spec) = spec.filter(|spec| spec.desired_state == DesiredState::Down) {
                    self.look(&spec);
                }
            }
            Kind::Render => {
                let waits = self.services.get(name).is_some_and(|it| it.rendering.is_some());
                match waits {
                    true => self.render(name),
                    false => self.tell(name, MachineEvent::ContextChanged),
                }
            }
            // The machine retries it, at most once per second.
            Kind::Install => {}
        }
    }
}
