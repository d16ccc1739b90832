//! Plain directories: watched, and staged anew when something in them has changed.

use std::path::{Path, PathBuf};

use roost_ident::PackageIdent;
use roost_pkg::stage::Staged;
use roost_service::Event as Told;

use super::{
    Supervisor,
    event::{Event, Watch},
};
use crate::files::watch::Target;

/// A plain directory.
#[derive(Debug)]
pub(super) struct Directory {
    /// The release it stands for, if one is known.
    release: Option<PackageIdent>,
    watched: bool,
    staging: Staging,
}

/// Whether a directory is being staged: once at a time, and once more when something has changed
/// meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Staging {
    No,
    UnderWay,
    Again,
}

impl From<Option<PackageIdent>> for Directory {
    fn from(release: Option<PackageIdent>) -> Self {
        Self { release, watched: false, staging: Staging::No }
    }
}

impl Supervisor {
    /// Releases that stand for directories.
    pub(super) fn releases(&self) -> impl Iterator<Item = &PackageIdent> {
        self.directories.values().filter_map(|directory| directory.release.as_ref())
    }

    /// Stages a plain directory anew, because a file of it changed.
    pub(super) fn stage(&mut self, directory: PathBuf) {
        let Some(known) = self.directories.get_mut(&directory) else { return };
        if known.staging != Staging::No {
            known.staging = Staging::Again;
            return;
        }
        known.staging = Staging::UnderWay;
        let root = self.world.config.root.clone();
        let running = self.services.values().filter_map(|managed| managed.machine.plan().cloned());
        let inherited = self.remembered.values().filter_map(|known| known.plan.clone());
        let keep: Vec<PackageIdent> =
            running.chain(inherited).filter_map(|plan| plan.ident.parse().ok()).collect();
        self.beside(move || {
            let result = crate::load::stage(&root, &directory, &keep);
            // Directories inside may have come.
            let targets = directory_targets(&directory);
            Event::Staged { directory, result, targets }
        });
    }

    pub(super) fn staged(
        &mut self,
        directory: &Path,
        result: Result<Staged, String>,
        targets: Vec<Target>,
    ) {
        let Some(known) = self.directories.get_mut(directory) else { return };
        let staging = std::mem::replace(&mut known.staging, Staging::No);
        let key = Watch::Directory(directory.to_owned());
        if std::mem::replace(&mut known.watched, true) {
            self.world.watcher_of_places().watch(key, targets);
        } else {
            // It may have changed before the watching began.
            self.world.watcher_of_places().watch_and_report(key, targets);
        }
        if staging == Staging::Again {
            // What was staged is old already.
            self.stage(directory.to_owned());
        }
        let Staged { ident, changed_file, warnings, .. } = match result {
            Ok(staged) => staged,
            Err(_) if staging == Staging::Again => return,
            Err(error) => return self.world.output.sup(&error),
        };
        for warning in &warnings {
            self.advise(warning);
        }
        let before = self
            .directories
            .get_mut(directory)
            .and_then(|known| known.release.replace(ident.clone()));
        let running = self.services.get(&ident.name).and_then(|managed| managed.machine.plan());
        let runs = running.is_some_and(|plan| plan.ident == ident.to_string());
        if before.as_ref() == Some(&ident) || runs {
            return;
        }
        if let Some(file) = changed_file {
            // A service that writes there itself would be restarted again and again.
            self.world.output.sup(&format!("{} has changed", directory.join(file).display()));
        }
        self.tell(&ident.name, Told::PackageUpdated(ident.to_string()));
    }
}

/// What a plain directory is made of.
fn directory_targets(directory: &Path) -> Vec<Target> {
    let places = roost_pkg::stage::watch_paths(directory).into_iter();
    let target = |place: roost_pkg::stage::Watch| match place.recursive {
        true => Target::Tree(place.path),
        false => Target::Directory(place.path),
    };
    places.map(target).collect()
}
