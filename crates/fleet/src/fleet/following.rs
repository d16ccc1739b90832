//! Services follow their plain directories.

use std::path::Path;

use roost_ident::PackageIdent;
use roost_service::MachineEvent;

use super::Fleet;
use crate::{
    action::Action,
    directories::StagingEnd,
    event::Staged,
    job::Job,
    release::Release,
    specs::Listing,
    stored::Stored,
    watched::{Place, Watched},
};

impl<R: Release> Fleet<R> {
    /// Follows the directories that are to be followed, and no others. `settled` when no command
    /// is about to change that.
    pub(super) fn follow(&mut self, listing: &mut Listing<R>, settled: bool) {
        for complaint in std::mem::take(&mut listing.followed_complaints) {
            self.advise(&complaint);
        }
        let mut wanted = std::mem::take(&mut listing.followed);
        wanted.retain(|followed| match listing.specs.get(&followed.service) {
            Some(spec) => spec.ident.origin == followed.origin,
            // A spec that cannot be used names no wish.
            None => listing.is_unusable(&followed.service),
        });
        let gone = if settled { self.directories.keep(&wanted) } else { Vec::new() };
        for service in gone {
            self.tell(&service, MachineEvent::ReleaseFit);
            self.actions.push(Action::Unwatch(Watched::Directory(service.clone())));
            self.actions.store(Stored::NoDirectory { service });
        }
        for followed in wanted {
            let what = Watched::Directory(followed.service.clone());
            let place = Place::Directory(followed.path.clone());
            if self.directories.follow(followed) {
                // Reported once, so that it is staged: it may have changed before it was watched.
                self.actions.push(Action::Watch { what, place, report: true });
            }
        }
    }

    /// Stages a plain directory again, because a file of it changed.
    pub(super) fn stage(&mut self, name: &str) {
        if let Some(followed) = self.directories.begin_staging(name) {
            let keep = self.releases_in_use();
            self.actions.work(Job::Stage { followed, keep });
        }
    }

    /// Releases that run, that a process of a former Supervisor runs, or that a spec names.
    fn releases_in_use(&self) -> Vec<PackageIdent> {
        let plans = self.services.values().filter_map(|service| service.machine.plan());
        let run = plans.map(|plan| plan.ident.as_str()).chain(self.survivors.releases());
        let run = run.filter_map(|ident| ident.parse().ok());
        let named = self.services.values().map(|service| service.spec().ident.clone());
        run.chain(named.filter(|ident| ident.release.is_some())).collect()
    }

    /// A plain directory was staged, or could not be.
    pub(super) fn staged(&mut self, name: &str, directory: &Path, result: Result<Staged, String>) {
        let Some(end) = self.directories.end_staging(name, directory) else { return };
        if end != StagingEnd::Current {
            // What was staged is old already.
            self.stage(name);
        }
        if end == StagingEnd::Elsewhere {
            return;
        }
        match result {
            Ok(staged) => self.take_staged(name, directory, staged),
            Err(_) if end == StagingEnd::Outdated => {}
            Err(error) => self.not_staged(name, &error),
        }
    }

    fn take_staged(&mut self, name: &str, directory: &Path, staged: Staged) {
        let Staged { ident, changed_file, warnings } = staged;
        for warning in &warnings {
            self.advise(warning);
        }
        let mended = self.directories.mend(name);
        if mended {
            self.actions.sup(format!("{} can be read again", directory.display()));
        }
        // Also when the release stays what it was, or is held back.
        self.tell(name, MachineEvent::ReleaseFit);
        let is_other = self.directories.take_release(name, &ident);
        if is_other {
            let (service, release) = (name.into(), ident.clone());
            self.actions.store(Stored::DirectoryRelease { service, release });
        }
        let Some(service) = self.services.get(name) else { return };
        let runs = service.machine.plan().is_some_and(|plan| plan.ident == ident.to_string());
        if runs {
            if mended {
                self.tell(name, MachineEvent::PackageUpdated(ident.to_string()));
            }
            return;
        }
        let wanted = &service.spec().ident;
        if !ident.satisfies(wanted) {
            if self.directories.hold_back(name, &ident) {
                self.actions.sup(format!(
                    "{} is {ident} now; {name} stays at {wanted}, which it was loaded with. To \
                     follow the directory again: hab svc load --force {0}",
                    directory.display()
                ));
            }
            return;
        }
        if !is_other && !mended {
            return;
        }
        if let Some(file) = changed_file {
            // A service that writes there itself would be restarted again and again.
            self.actions.sup(format!("{} has changed", directory.join(file).display()));
        }
        self.tell(name, MachineEvent::PackageUpdated(ident.to_string()));
    }

    /// The former release continues; the reason is logged once, and is the condition of the
    /// service.
    fn not_staged(&mut self, name: &str, text: &str) {
        let condition: Vec<&str> = text.lines().collect();
        // Whatever was logged: the service may have been loaded since.
        self.tell(name, MachineEvent::ReleaseRefused(condition.join("; ")));
        if !self.directories.refuse(name, text) {
            return;
        }
        for line in text.lines() {
            self.actions.sup(line);
        }
        if let Some(release) = self.directories.release(name) {
            self.actions.sup(format!("{name} goes on with {release}"));
        }
    }

    /// A plain directory may have changed while no Supervisor ran: a process that was taken back
    /// runs an older release of it then.
    pub(super) fn follow_directory(&mut self, name: &str, release: &str) {
        let Some(service) = self.services.get(name) else { return };
        // What is only being started is made of the newest that can be.
        if service.process.is_none() {
            return;
        }
        let wanted = &service.spec().ident;
        let staged = self.directories.release(name).filter(|ident| ident.satisfies(wanted));
        let newer = staged.map(ToString::to_string).filter(|staged| staged != release);
        if let Some(newer) = newer {
            self.tell(name, MachineEvent::PackageUpdated(newer));
        }
    }
}
