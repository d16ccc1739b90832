//! The census and its queries.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use roost_ident::ServiceGroup;

use crate::{
    group::{Group, GroupConfig},
    input::{Counters, Input},
    known::KnownMembers,
    member::Member,
    reading::{Budget, Content},
    rebuild::{self, Decrypt},
};

/// The combined state of the ring's rumors, as one Supervisor sees it.
#[derive(Debug, Clone)]
pub struct Census {
    local_member_id: String,
    counters: Counters,
    groups: BTreeMap<String, Entry>,
    members: KnownMembers,
    /// Groups visible to local services; `None` for all.
    looked_at: Option<BTreeSet<String>>,
    /// Groups that became visible and are not reported yet.
    newly_visible: BTreeSet<ServiceGroup>,
    /// The caller parses contents, see [`Census::read_beside`].
    read_beside: bool,
    budget: Budget,
    /// Groups that list changed files until the next change.
    naming_files: BTreeSet<String>,
    updates: u64,
}

/// A group with internal state of the census.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) group: Arc<Group>,
    /// Number of the last update that changed template values.
    seen: u64,
    /// Unreadable contents, so that each is tried and reported once: the config under `None`, files
    /// under their names.
    pub(crate) unreadable: BTreeMap<Option<String>, Unreadable>,
    /// A newer config that the caller has not read yet.
    pub(crate) waiting: Option<GroupConfig>,
    /// Boxes that the caller opens, by the names of `unreadable`.
    pub(crate) closed: BTreeSet<Option<String>>,
}

/// A version of a config or a file that could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) incarnation: u64,
    /// It is a box, which another key may decrypt.
    pub(crate) encrypted: bool,
}

/// Result of an update.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    /// Whether the census document has changed.
    pub changed: bool,
    /// Log lines about unreadable configs and files, each reported once.
    pub warnings: Vec<String>,
}

/// The census state visible to one service's templates. If two sights are equal, there is nothing
/// to render.
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
            members: KnownMembers::default(),
            looked_at: None,
            newly_visible: BTreeSet::new(),
            read_beside: false,
            budget: Budget::default(),
            naming_files: BTreeSet::new(),
            updates: 0,
        }
    }

    /// Applies the state of the ring, or the changed parts of it (see [`crate::input`]). Groups and
    /// members are never removed; the leader of a finished election stays until another one is
    /// finished; configs and files are replaced by higher incarnations that can be read. The cost
    /// is proportional to the groups in the input and those of changed members.
    ///
    /// `decrypt` decrypts BOX-1 messages. It is called for encrypted configs and files of visible
    /// groups; failed ones are retried when [`Input::keys_changed`] is set and their group is in
    /// the input (see [`Census::locked`]). Unencrypted contents are tried once.
    pub fn update(&mut self, input: &Input<'_>, decrypt: Decrypt<'_>) -> Update {
        let mut groups = self.concerned(input);
        let is_included = |group: &ServiceGroup| groups.contains_key(group.as_str());
        self.newly_visible.retain(|group| !is_included(group));
        let context = rebuild::Context {
            me: &self.local_member_id,
            members: &self.members,
            looked_at: self.looked_at.as_ref(),
            budget: &self.budget,
            read_beside: self.read_beside,
        };
        let warnings = rebuild::rebuild(&mut groups, &context, input, decrypt);

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

    /// The groups that an update may change, in their current state.
    fn concerned(&mut self, input: &Input<'_>) -> BTreeMap<String, Entry> {
        let mut names = self.naming_files.clone();
        for fact in &input.members {
            names.extend(self.members.see(fact).cloned());
        }
        let elections = input.elections.iter().chain(&input.update_elections);
        names.extend(elections.map(|fact| fact.group.to_owned()));
        names.extend(input.configs.iter().map(|fact| fact.group.to_string()));
        let known = |name: String| Some((name.clone(), self.groups.get(&name)?.clone()));
        let mut groups: BTreeMap<String, Entry> = names.into_iter().filter_map(known).collect();
        // A service or a file creates a group; a config or an election does not.
        let services = input.services.iter().map(|fact| fact.group);
        for group in services.chain(input.files.iter().map(|fact| fact.group)) {
            if !groups.contains_key(group.as_str()) {
                let known = self.groups.get(group.as_str()).cloned();
                groups.insert(group.to_string(), known.unwrap_or_else(|| Entry::new(group)));
            }
        }
        for fact in &input.services {
            self.members.serves(fact.member_id, fact.group.as_str());
        }
        groups
    }

    /// Stores a rebuilt group, sharing its unchanged parts.
    fn take(&mut self, name: String, mut entry: Entry, changed: bool) {
        let looks_same = match self.groups.get(&name) {
            None => false,
            Some(old) => {
                // Names of changed files are listed until the next change.
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
        if entry.group.changed_service_files.is_empty() {
            self.naming_files.remove(&name);
        } else {
            self.naming_files.insert(name.clone());
        }
        self.groups.insert(name, entry);
    }

    /// Id of the local Supervisor.
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

    /// Groups with a config or a file that no local key decrypts.
    pub fn locked(&self) -> impl Iterator<Item = &ServiceGroup> {
        let locked = |entry: &&Entry| entry.unreadable.values().any(|content| content.encrypted);
        self.groups.values().filter(locked).map(|entry| &entry.group.service_group)
    }

    /// Sets the groups visible to local services: those that they are in or bound to. Only contents
    /// of these are read; initially, of all. Groups that become visible must be part of the next
    /// input ([`Census::newly_visible`]); true when there are any.
    pub fn look_at<'a>(&mut self, groups: impl IntoIterator<Item = &'a ServiceGroup>) -> bool {
        let groups: BTreeSet<&ServiceGroup> = groups.into_iter().collect();
        if let Some(before) = &self.looked_at {
            if before.iter().map(String::as_str).eq(groups.iter().map(|group| group.as_str())) {
                return !self.newly_visible.is_empty();
            }
            let news = groups.iter().filter(|group| !before.contains(group.as_str()));
            self.newly_visible.extend(news.map(|group| (*group).clone()));
            self.newly_visible.retain(|group| groups.contains(group));
        }
        self.looked_at = Some(groups.into_iter().map(ToString::to_string).collect());
        !self.newly_visible.is_empty()
    }

    /// Groups that became visible since the last report.
    pub fn newly_visible(&self) -> impl Iterator<Item = &ServiceGroup> {
        self.newly_visible.iter()
    }

    /// Leaves the parsing of TOML to the caller, for example on another thread: all that
    /// [`Census::unread`] returns for groups must be read before templates or binds of these groups
    /// are queried. A config takes effect with the next update that includes its group after it was
    /// read (see [`Census::waiting`]).
    #[must_use]
    pub fn read_beside(mut self) -> Self {
        self.read_beside = true;
        self
    }

    /// Unread contents visible to services in or bound to these groups.
    #[must_use]
    pub fn unread<'a>(
        &self,
        groups: impl IntoIterator<Item = &'a ServiceGroup>,
    ) -> Vec<Arc<Content>> {
        if !self.read_beside {
            return Vec::new();
        }
        let entries = groups.into_iter().filter_map(|group| self.groups.get(group.as_str()));
        let contents = entries.flat_map(|entry| {
            let group = &entry.group;
            let me = group.population.get(&self.local_member_id);
            let shown = [group.first(), group.update_leader(), me];
            let is_shown = move |member: &&Arc<Member>| {
                let is_it = |it: &Arc<Member>| Arc::ptr_eq(it, member);
                member.is_active() || shown.iter().flatten().any(|it| is_it(it))
            };
            let members = group.population.values().filter(is_shown).map(|member| &member.cfg);
            let configs = [&entry.waiting, &group.service_config].into_iter().flatten();
            members.chain(configs.map(|config| &config.value))
        });
        contents.filter(|content| !content.is_read()).cloned().collect()
    }

    /// Groups with a config that must be read before it takes effect, or with a box that the caller
    /// opens.
    pub fn waiting(&self) -> impl Iterator<Item = &ServiceGroup> {
        let waits = |entry: &&Entry| {
            let taken = entry.group.service_config.as_ref();
            let unreadable = |config: &GroupConfig| {
                self.sees(&entry.group) && config.value.is_read() && config.value.error().is_some()
            };
            let waits = entry.waiting.is_some() || !entry.closed.is_empty();
            waits || taken.is_some_and(unreadable)
        };
        self.groups.values().filter(waits).map(|entry| &entry.group.service_group)
    }

    fn sees(&self, group: &Group) -> bool {
        let name = group.service_group.as_str();
        self.looked_at.as_ref().is_none_or(|groups| groups.contains(name))
    }

    /// One group.
    #[must_use]
    pub fn group(&self, group: &ServiceGroup) -> Option<&Arc<Group>> {
        self.groups.get(group.as_str()).map(|entry| &entry.group)
    }

    /// State visible to a service's templates: its own group and those it is bound to.
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
        Self {
            group: Arc::new(Group::new(group.clone())),
            seen: 0,
            unreadable: BTreeMap::new(),
            waiting: None,
            closed: BTreeSet::new(),
        }
    }
}
