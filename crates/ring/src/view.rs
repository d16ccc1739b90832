//! What others may know of the ring's state: cheap to take, parts that did not change are shared.

use std::{collections::BTreeMap, sync::Arc};

use crate::{Departure, Election, Health, Member, MemberId, Service, ServiceConfig, ServiceFile};

/// A picture of the ring.
#[derive(Debug, Clone)]
pub struct View {
    /// This member's id.
    pub id: MemberId,
    /// This member's own incarnation, which its entry in the list may lag behind.
    pub incarnation: u64,
    /// The member list.
    pub members: Arc<MemberList>,
    /// Services by group and member id.
    pub services: Arc<Rumors<Service>>,
    /// Configurations by group and the constant `service_config`.
    pub service_configs: Arc<Rumors<ServiceConfig>>,
    /// Files by group and file name.
    pub service_files: Arc<Rumors<ServiceFile>>,
    /// Leader elections by group and the constant `election`.
    pub elections: Arc<Rumors<Election>>,
    /// Update elections by group and the constant `election`.
    pub update_elections: Arc<Rumors<Election>>,
    /// Manual departures by the constant `departure` and member id.
    pub departures: Arc<Rumors<Departure>>,
}

/// The member list, sorted by id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemberList {
    /// Every member ever met, this one as soon as others spoke of it.
    pub members: Vec<(Member, Health)>,
    /// Accepted changes since the start (ring chapter 5.1).
    pub update_counter: u64,
}

impl MemberList {
    /// The member with this id, and its health.
    #[must_use]
    pub fn get(&self, id: &MemberId) -> Option<&(Member, Health)> {
        let place = self.members.binary_search_by(|(member, _)| member.id.cmp(id)).ok()?;
        Some(&self.members[place])
    }
}

/// The store of one kind of rumors: first level key (a group, or the constant `departure`),
/// then id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rumors<T> {
    /// The rumors.
    pub list: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Arc<T>>>,
    /// Accepted changes since the start.
    pub update_counter: u64,
}

impl<T> Default for Rumors<T> {
    fn default() -> Self {
        Self { list: BTreeMap::new(), update_counter: 0 }
    }
}

impl<T> Rumors<T> {
    /// The rumor with this key and id.
    #[must_use]
    pub fn get(&self, key: &str, id: &str) -> Option<&Arc<T>> {
        self.list.get(key)?.get(id)
    }

    /// All rumors, by key and id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        self.list.values().flat_map(BTreeMap::values)
    }

    /// How many rumors there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.values().map(BTreeMap::len).sum()
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.values().all(BTreeMap::is_empty)
    }
}
