//! Where what the fleet wants watched is on disk.

use roost_fleet::Place;
use roost_pkg::FsRoot;

use super::watch::Target;
use crate::load::own_output;

/// The files and directories of a place.
pub(crate) fn targets(root: &FsRoot, place: Place) -> Vec<Target> {
    match place {
        Place::Specs => vec![Target::Directory(root.sup().specs())],
        Place::UserToml(service) => vec![Target::File(root.user_toml(&service))],
        Place::Monitor(service) => vec![Target::File(root.user_monitor(&service))],
        Place::Sources(spec) => {
            let package = root.pkgs().join(&spec.ident.origin).join(&spec.ident.name);
            let stand_in = spec.config_from.as_ref().map(|path| Target::Tree(path.into()));
            [Target::Tree(package)].into_iter().chain(stand_in).collect()
        }
        Place::Directory(directory) => {
            vec![Target::Service { root: root.clone(), directory, leave_out: own_output() }]
        }
    }
}
