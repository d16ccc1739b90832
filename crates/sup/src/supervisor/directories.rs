//! Plain directories: watched, and staged anew when something in them has changed.
//!
//! Which are followed is on disk, one file per service, written by the command that loads the
//! directory. What is wrong with one of them costs its own service nothing but the change: the
//! release that was staged before goes on.

use std::path::PathBuf;

use roost_ident::PackageIdent;
use roost_pkg::{
    followed::{self, Followed},
    stage::Staged,
};
use roost_service::Event as Told;

use super::{
    Supervisor,
    event::{Event, Watch},
};
use crate::{
    files::{specs::Listing, watch::Target},
    load::{NotStaged, Wanted, own_output},
    vital,
};

/// A plain directory that is followed.
#[derive(Debug)]
pub(super) struct Directory {
    followed: Followed,
    staging: Staging,
    /// What was wrong with it when it was staged last.
    trouble: Option<String>,
    /// The release that the spec did not let it become, so that this is told once.
    held_back: Option<PackageIdent>,
}

/// Whether a directory is being staged: once at a time, and once more when something has changed
/// meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Staging {
    No,
    UnderWay,
    Again,
}

impl Supervisor {
    /// The release that the directory of a service stands for.
    pub(super) fn directory_release(&self, service: &str) -> Option<&PackageIdent> {
        self.directories.get(service)?.followed.release.as_ref()
    }

    /// The directory that a service's releases are staged from.
    pub(super) fn directory_of(&self, service: &str) -> Option<PathBuf> {
        self.directories.get(service).map(|known| known.followed.path.clone())
    }

    /// Follows the directories that are to be followed, and no others. `settled` when no command
    /// is about to change that.
    pub(super) fn follow(&mut self, listing: &mut Listing, settled: bool) {
        for complaint in std::mem::take(&mut listing.followed.1) {
            self.advise(&complaint);
        }
        let mut wanted = std::mem::take(&mut listing.followed.0);
        wanted.retain(|followed| {
            let spec = listing.specs.get(&followed.name);
            let unusable = listing.unusable.contains(&followed.name);
            match spec {
                Some(spec) => spec.ident.origin == followed.origin,
                // A spec that cannot be used says nothing.
                None => unusable,
            }
        });
        let is_gone = |service: &&String| !wanted.iter().any(|known| known.name == **service);
        let gone: Vec<String> = self.directories.keys().filter(is_gone).cloned().collect();
        for service in gone.iter().filter(|_| settled) {
            self.directories.remove(service);
            self.tell(service, Told::ReleaseFit);
            self.world.watcher_of_places().unwatch(Watch::Directory(service.clone()));
            let (root, store) = (&self.world.config.root, self.world.store.clone());
            let paths = [followed::release_file(root, service), followed::file(root, service)];
            vital::spawn("followed directories", async move {
                for path in paths {
                    // It is tried again by the next Supervisor.
                    let _ = store.remove(&path).await;
                }
            });
        }
        for followed in wanted {
            let service = followed.name.clone();
            let known = self.directories.get(&service).map(|known| &known.followed);
            let same = |known: &Followed| {
                known.path == followed.path && known.pinned() == followed.pinned()
            };
            if known.is_some_and(same) {
                continue;
            }
            let path = followed.path.clone();
            let directory =
                Directory { followed, staging: Staging::No, trouble: None, held_back: None };
            self.directories.insert(service.clone(), directory);
            let target = Target::Service {
                root: self.world.config.root.clone(),
                directory: path,
                leave_out: own_output(),
            };
            // Reported once, so that it is staged: it may have changed while nobody watched.
            let key = Watch::Directory(service);
            self.world.watcher_of_places().watch_and_report(key, vec![target]);
        }
    }

    /// Stages a plain directory anew, because a file of it changed.
    pub(super) fn stage(&mut self, service: String) {
        let keep = self.releases_in_use();
        let Some(known) = self.directories.get_mut(&service) else { return };
        if known.staging != Staging::No {
            known.staging = Staging::Again;
            return;
        }
        known.staging = Staging::UnderWay;
        let wanted = Wanted {
            root: self.world.config.root.clone(),
            directory: known.followed.path.clone(),
            origin: Some(known.followed.origin.clone()),
            keep,
            pinned: Some(known.followed.pinned()),
        };
        self.beside(move || {
            let directory = wanted.directory.clone();
            let result = crate::load::stage(wanted);
            Event::Staged { service, directory, result }
        });
    }

    /// Releases that run, that a process of a former Supervisor runs, or that a spec names.
    fn releases_in_use(&self) -> Vec<PackageIdent> {
        let plans = self.services.values().filter_map(|managed| managed.machine.plan().cloned());
        let inherited = self.remembered.values().filter_map(|known| known.plan.clone());
        let run = plans.chain(inherited).filter_map(|plan| plan.ident.parse().ok());
        let named = self.services.values().map(|managed| managed.spec().ident.clone());
        run.chain(named.filter(|ident| ident.release.is_some())).collect()
    }

    pub(super) fn staged(
        &mut self,
        service: &str,
        directory: &std::path::Path,
        result: Result<Staged, NotStaged>,
    ) {
        let Some(known) = self.directories.get_mut(service) else { return };
        let staging = std::mem::replace(&mut known.staging, Staging::No);
        // Loaded anew from elsewhere meanwhile.
        let outdated = known.followed.path != directory;
        if staging == Staging::Again || outdated {
            // What was staged is old already.
            self.stage(service.to_owned());
        }
        if outdated {
            return;
        }
        let Staged { ident, changed_file, warnings, .. } = match result {
            Ok(staged) => staged,
            Err(_) if staging == Staging::Again => return,
            Err(error) => return self.not_staged(service, error),
        };
        for warning in &warnings {
            self.advise(warning);
        }
        let Some(known) = self.directories.get_mut(service) else { return };
        let mended = known.trouble.take().is_some();
        if mended {
            let text = format!("{} can be read again", directory.display());
            self.world.output.sup(&text);
        }
        // Also when the release stays what it was, or is held back.
        self.tell(service, Told::ReleaseFit);
        let Some(known) = self.directories.get_mut(service) else { return };
        let before = known.followed.release.replace(ident.clone());
        if before.as_ref() != Some(&ident) {
            let path = followed::release_file(&self.world.config.root, service);
            self.world.store.write_later(&path, format!("{ident}\n").into_bytes(), 0o600);
        }
        let Some(managed) = self.services.get(service) else { return };
        let runs = managed.machine.plan().is_some_and(|plan| plan.ident == ident.to_string());
        if runs {
            if mended {
                self.tell(service, Told::PackageUpdated(ident.to_string()));
            }
            return;
        }
        let spec = &managed.spec().ident;
        if !ident.satisfies(spec) {
            let text = format!(
                "{} is {ident} now; {service} stays at {spec}, which it was loaded with. To \
                 follow the directory again: hab svc load --force {0}",
                directory.display()
            );
            let Some(known) = self.directories.get_mut(service) else { return };
            if known.held_back.replace(ident.clone()) != Some(ident) {
                self.world.output.sup(&text);
            }
            return;
        }
        if before.as_ref() == Some(&ident) && !mended {
            return;
        }
        if let Some(file) = changed_file {
            // A service that writes there itself would be restarted again and again.
            self.world.output.sup(&format!("{} has changed", directory.join(file).display()));
        }
        self.tell(service, Told::PackageUpdated(ident.to_string()));
    }

    /// The former release continues; the reason is logged once, and is the condition of the service.
    fn not_staged(&mut self, service: &str, error: NotStaged) {
        let text = error.into_text();
        let condition: Vec<&str> = text.lines().collect();
        // Whatever was logged: the service may have been loaded since.
        self.tell(service, Told::ReleaseRefused(condition.join("; ")));
        let Some(known) = self.directories.get_mut(service) else { return };
        if known.trouble.replace(text.clone()).as_ref() == Some(&text) {
            return;
        }
        let release = known.followed.release.as_ref().map(ToString::to_string);
        for line in text.lines() {
            self.world.output.sup(line);
        }
        if let Some(release) = release {
            self.world.output.sup(&format!("{service} goes on with {release}"));
        }
    }
}
