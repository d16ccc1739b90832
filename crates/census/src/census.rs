//! The census itself, and what a caller asks it.

use std::{collections::BTreeMap, sync::Arc};

use roost_ident::ServiceGroup;

use crate::{
    group::Group,
    input::{Counters, Input},
    rebuild::{self, Decrypt},
};

/// What the ring's rumors add up to, as one Supervisor sees it.
#[derive(Debug, Clone)]
pub struct Census {
    local_member_id: String,
    counters: Counters,
    groups: BTreeMap<String, Entry>,
    updates: u64,
}

/// A group and what the census remembers about it for itself.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) group: Arc<Group>,
    /// Number of the update that last changed what templates see.
    seen: u64,
    /// Incarnations that could not be read, so that each is told once: of the config under
    /// `None`, of files under their names.
    pub(crate) unreadable: BTreeMap<Option<String>, u64>,
}

/// What came of an update.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    /// Whether anything that the census document shows has changed.
    pub changed: bool,
    /// Configs and files that could not be read, each told once, as lines for the log.
    pub warnings: Vec<String>,
}

/// What the templates of one service can see of the census. Equal sights, taken at different
/// times: nothing to render.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight(Vec<(String, Option<u64>)>);

impl Census {
    /// An empty census of the Supervisor with this id.
    #[must_use]
    pub fn new(local_member_id: &str) -> Self {
        Self {
            local_member_id: local_member_id.into(),
            counters: Counters::default(),
            groups: BTreeMap::new(),
            updates: 0,
        }
    }

    /// Takes in the state of the ring. Groups and members once seen stay; the leader of a
    /// finished election stays until another one is finished; configs and files are replaced
    /// by higher incarnations that can be read.
    ///
    /// `decrypt` opens BOX-1 messages. It is called for encrypted configs and files that were
    /// not read yet; those that fail are tried again with each update, because a key may have
    /// come.
    pub fn update(&mut self, input: &Input<'_>, decrypt: Decrypt<'_>) -> Update {
        let mut groups = self.groups.clone();
        let warnings = rebuild::rebuild(&mut groups, &self.local_member_id, input, decrypt);

        let is_same = |(name, entry): (&String, &Entry)| {
            self.groups.get(name).is_some_and(|old| entry.group.is_same(&old.group))
        };
        let changed = input.counters != self.counters || !groups.iter().all(is_same);
        self.counters = input.counters;
        self.updates += u64::from(changed);
        for (name, entry) in groups {
            self.take(name, entry, changed);
        }
        Update { changed, warnings }
    }

    /// Puts a rebuilt group in its place; what did not change stays shared.
    fn take(&mut self, name: String, mut entry: Entry, changed: bool) {
        let looks_same = match self.groups.get(&name) {
            None => false,
            Some(old) => {
                // Names of changed files are told until the next change of anything.
                let files = [&entry, old].map(|entry| &entry.group.changed_service_files);
                if entry.group.is_same(&old.group) && (!changed || files[0] == files[1]) {
                    entry.group = Arc::clone(&old.group);
                }
                entry.group.looks_same(&old.group, &self.local_member_id)
            }
        };
        if !looks_same {
            entry.seen = self.updates;
        }
        self.groups.insert(name, entry);
    }

    /// This Supervisor.
    #[must_use]
    pub fn local_member_id(&self) -> &str {
        &self.local_member_id
    }

    /// Counters of the rumor stores, as of the last update.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// All groups, in the order of their names.
    pub fn groups(&self) -> impl Iterator<Item = &Arc<Group>> {
        self.groups.values().map(|entry| &entry.group)
    }

    /// One group.
    #[must_use]
    pub fn group(&self, group: &ServiceGroup) -> Option<&Arc<Group>> {
        self.groups.get(group.as_str()).map(|entry| &entry.group)
    }

    /// What the templates of a service can see now: its own group and those it is bound to.
    pub fn sight<'a>(
        &self,
        own: &'a ServiceGroup,
        bound: impl IntoIterator<Item = &'a ServiceGroup>,
    ) -> Sight {
        let groups = std::iter::once(own).chain(bound);
        let seen = |group: &ServiceGroup| self.groups.get(group.as_str()).map(|entry| entry.seen);
        Sight(groups.map(|group| (group.as_str().to_owned(), seen(group))).collect())
    }
}

impl Entry {
    pub(crate) fn new(group: &ServiceGroup) -> Self {
        Self { group: Arc::new(Group::new(group.clone())), seen: 0, unreadable: BTreeMap::new() }
    }
}
