//! The configuration of one service: its layers and their merge.

use std::sync::Arc;

use roost_ident::ServiceGroup;
use roost_template::config::{Layers, MergeError};
use toml::{Table, Value};

/// What came of a change of a layer.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Merged {
    /// Errors that were not reported before.
    pub(crate) errors: Vec<MergeError>,
    /// The keys whose effective values are others now, with those of tables in front.
    pub(crate) keys: Vec<String>,
}

/// The configuration of one service.
#[derive(Debug)]
pub(crate) struct Configuration {
    layers: Layers,
    /// The same, shared with documents, as of the last merge.
    shared: Arc<Layers>,
    merged: Arc<Table>,
    /// Rises with each change of `merged`.
    revision: u64,
    /// Layers that could not be merged, so that each is reported once.
    errors: Vec<MergeError>,
    /// The group that the gossiped layer is of.
    group: ServiceGroup,
}

impl Configuration {
    pub(crate) fn new(group: ServiceGroup) -> Self {
        let (layers, merged) = (Layers::default(), Arc::default());
        Self { layers, shared: Arc::default(), merged, revision: 0, errors: Vec::new(), group }
    }

    pub(crate) fn layers(&self) -> &Layers {
        &self.layers
    }

    pub(crate) fn shared(&self) -> &Arc<Layers> {
        &self.shared
    }

    pub(crate) fn merged(&self) -> &Arc<Table> {
        &self.merged
    }

    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// The service is in this group now; true when it was in another one, whose gossiped layer is
    /// dropped.
    pub(crate) fn enter(&mut self, group: &ServiceGroup) -> bool {
        let is_other = self.group != *group;
        if is_other {
            self.group = group.clone();
            self.layers.gossip = None;
        }
        is_other
    }

    /// Takes the layers that come from files; the gossiped one stays.
    pub(crate) fn take_files(&mut self, layers: &Layers) -> Merged {
        let gossip = self.layers.gossip.take();
        self.layers = Layers { gossip, ..layers.clone() };
        self.merge()
    }

    /// Takes a newer `user.toml`.
    pub(crate) fn take_user(&mut self, user: Option<Table>) -> Merged {
        self.layers.user = user;
        self.merge()
    }

    /// Takes a gossiped layer; `None` when it is not newer than the one in use.
    pub(crate) fn take_gossip(&mut self, version: u64, table: &Table) -> Option<Merged> {
        self.layers.take_gossip(version, table.clone()).then(|| self.merge())
    }

    fn merge(&mut self) -> Merged {
        if *self.shared != self.layers {
            self.shared = Arc::new(self.layers.clone());
        }
        let (table, errors) = self.layers.merged();
        let mut keys = Vec::new();
        if table != *self.merged {
            add_changed(&mut keys, "", &self.merged, &table);
            self.merged = Arc::new(table);
            self.revision += 1;
        }
        let news = if errors == self.errors { Vec::new() } else { errors.clone() };
        self.errors = errors;
        Merged { errors: news, keys }
    }
}

/// Adds the keys with other values in `new`: not those of a table that is new or gone, but its own.
fn add_changed(keys: &mut Vec<String>, prefix: &str, old: &Table, new: &Table) {
    let added = new.keys().filter(|key| !old.contains_key(*key));
    for key in old.keys().chain(added) {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match (old.get(key), new.get(key)) {
            (Some(Value::Table(old)), Some(Value::Table(new))) => {
                add_changed(keys, &path, old, new);
            }
            (old, new) if old == new => {}
            _ => keys.push(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str) -> ServiceGroup {
        ServiceGroup::new("web", name, None).expect("a group")
    }

    fn table(text: &str) -> Table {
        text.parse().expect("TOML")
    }

    #[test]
    fn the_gossiped_layer_stays_until_the_group_changes() {
        let mut configuration = Configuration::new(group("default"));
        let files = Layers { default: Some(table("a = 1\nb = 1")), ..Layers::default() };
        configuration.take_files(&files);
        assert!(configuration.take_gossip(2, &table("a = 2")).is_some());
        assert!(configuration.take_gossip(2, &table("a = 3")).is_none(), "it is not newer");
        configuration.take_files(&files);
        assert_eq!(**configuration.merged(), table("a = 2\nb = 1"));
        assert!(!configuration.enter(&group("default")) && configuration.enter(&group("blue")));
        configuration.take_files(&files);
        assert_eq!(**configuration.merged(), table("a = 1\nb = 1"));
    }

    #[test]
    fn a_change_names_its_keys_and_no_values() {
        let mut configuration = Configuration::new(group("default"));
        configuration.take_user(Some(table("port = 1\nname = 'x'\n[db]\nuser = 'a'\npass = 'b'")));
        let merged = configuration.take_user(Some(table(
            "port = 2\nname = 'x'\n[db]\nuser = 'a'\npass = 'c'\n[log]\na = 1",
        )));
        assert_eq!(merged.keys, ["port", "db.pass", "log"]);
        assert_eq!(configuration.take_user(None).keys, ["port", "name", "db", "log"]);
        assert_eq!(configuration.take_user(None), Merged::default());
    }

    #[test]
    fn the_revision_rises_with_changes_alone() {
        let mut configuration = Configuration::new(group("default"));
        configuration.take_user(Some(table("a = 1")));
        let before = configuration.revision();
        configuration.take_user(Some(table("a = 1")));
        assert_eq!(configuration.revision(), before);
        configuration.take_user(None);
        assert_eq!(configuration.revision(), before + 1);
    }
}
