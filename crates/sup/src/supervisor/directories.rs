//! Plain directories: watched, and staged anew when something in them has changed.

use std::path::{Path, PathBuf};

use roost_ident::PackageIdent;
use roost_service::Event as Told;

use super::{
    Supervisor,
    event::{Event, Watch},
};
use crate::files::watch::Target;

impl Supervisor {
    /// Watches what a plain directory is made of. To be called after each staging: directories
    /// inside may have come.
    fn watch_directory(&self, directory: &Path) {
        let targets = directory_targets(directory);
        self.world.watcher.watch(Watch::Directory(directory.to_owned()), targets);
    }

    /// Stages a plain directory anew, because a file of it changed.
    pub(super) fn stage(&self, directory: PathBuf) {
        let root = self.world.config.root.clone();
        let keep: Vec<PackageIdent> = self
            .services
            .values()
            .filter_map(|managed| managed.machine.plan()?.ident.parse().ok())
            .collect();
        self.beside(move || {
            let result = crate::load::stage(&root, &directory, &keep);
            Event::Staged { directory, result }
        });
    }

    pub(super) fn staged(&mut self, directory: &Path, result: Result<PackageIdent, String>) {
        self.watch_directory(directory);
        match result {
            Err(error) => self.world.output.sup(&error),
            Ok(ident) => {
                let known = self.directories.insert(directory.to_owned(), Some(ident.clone()));
                if known.flatten().as_ref() != Some(&ident) {
                    let service = ident.name.clone();
                    self.tell(&service, Told::PackageUpdated(ident.to_string()));
                }
            }
        }
    }
}

/// What a plain directory is made of.
pub(super) fn directory_targets(directory: &Path) -> Vec<Target> {
    let places = roost_pkg::stage::watch_paths(directory).into_iter();
    let target = |place: roost_pkg::stage::Watch| match place.recursive {
        true => Target::Tree(place.path),
        false => Target::Directory(place.path),
    };
    places.map(target).collect()
}
