//! The public state of the ring: cheap to take; unchanged parts are shared.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    id::MemberId,
    member::{Health, Member},
    rumor::{self, for_each_kind},
    standing::Source,
    time::Now,
};

macro_rules! make_view {
    ($($(#[$doc:meta])* $kind:ident($payload:ident) = $number:literal, $label:literal, $list:ident;)*) => {
        /// A picture of the ring.
        #[derive(Debug, Clone)]
        pub struct View {
            /// This member's id.
            pub id: MemberId,
            /// This member's own incarnation, which its entry in the list may lag behind.
            pub incarnation: u64,
            /// The member list.
            pub members: Arc<MemberList>,
            /// Groups with two leaders of one term.
            pub conflicts: Arc<BTreeMap<String, Conflict>>,
            $($(#[$doc])* pub $list: Arc<Rumors<rumor::$kind>>,)*
        }

        impl View {
            /// True when no store of rumors differs from that of an earlier view of the same
            /// ring; the member list may.
            #[must_use]
            pub fn has_rumors_of(&self, before: &Self) -> bool {
                $(Arc::ptr_eq(&self.$list, &before.$list))&&*
            }

            /// The picture of a member that knows nothing.
            #[must_use]
            pub fn empty(id: MemberId) -> Self {
                Self { id, incarnation: 0, members: Arc::default(), conflicts: Arc::default(), $($list: Arc::default(),)* }
            }
        }
    };
}
for_each_kind!(make_view);

/// Members in one part of the list.
pub(crate) const PART_MEMBERS: usize = 128;

/// Two leaders of one term: parts of the ring could not reach each other when they were elected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The term.
    pub term: u64,
    /// Both, ordered.
    pub leaders: [MemberId; 2],
}

impl Conflict {
    pub(crate) fn new(term: u64, mut leaders: [MemberId; 2]) -> Self {
        leaders.sort();
        Self { term, leaders }
    }
}

/// A member in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its record.
    pub member: Member,
    /// Its health.
    pub health: Health,
    /// Since when it has this health, to a tenth of a second; after a restart since that.
    pub since: Now,
    /// From whom the health is known.
    pub source: Source,
}

/// The member list, in the order in which members were first seen. It consists of parts of equal
/// length; a change replaces one part, and the others stay shared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemberList {
    pub(crate) parts: Vec<Arc<Vec<Listed>>>,
    /// Accepted changes since the start (reference: ring §5.1).
    pub update_counter: u64,
}

impl MemberList {
    /// Every member ever seen, including this one once others have mentioned it, with its health.
    pub fn iter(&self) -> impl Iterator<Item = &Listed> {
        self.parts.iter().flat_map(|part| part.iter())
    }

    /// The member at a place, as [`Source::News`] names them.
    #[must_use]
    pub fn at(&self, place: u32) -> Option<&Listed> {
        let place = usize::try_from(place).ok()?;
        self.parts.get(place / PART_MEMBERS)?.get(place % PART_MEMBERS)
    }

    /// Members of the parts that are not shared with an earlier list: all changed ones, and their
    /// neighbours.
    pub fn changed_since(&self, before: &Self) -> impl Iterator<Item = &Listed> {
        let is_same = |(place, part): &(usize, &Arc<_>)| {
            before.parts.get(*place).is_some_and(|before| Arc::ptr_eq(before, part))
        };
        let parts = self.parts.iter().enumerate().filter(move |part| !is_same(part));
        parts.flat_map(|(_, part)| part.iter())
    }

    /// Number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.len()).sum()
    }

    /// True when there are no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The member with this id, and its health, by linear search.
    #[must_use]
    pub fn get(&self, id: &MemberId) -> Option<&Listed> {
        self.iter().find(|listed| listed.member.id == *id)
    }
}

/// The rumors of a store under one key, by id. Shared until one of them changes.
pub type RumorGroup<T> = Arc<BTreeMap<Arc<str>, Arc<T>>>;

/// The store of one kind of rumors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rumors<T> {
    /// The rumors by first level key: a group, or the constant `departure`.
    pub list: BTreeMap<Arc<str>, RumorGroup<T>>,
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
        self.list.values().flat_map(|group| group.values())
    }

    /// Keys with a difference to an earlier state of the store.
    pub fn changed_since(&self, before: &Self) -> impl Iterator<Item = &Arc<str>> {
        let is_same = |(key, group): &(&Arc<str>, &RumorGroup<T>)| {
            before.list.get(*key).is_some_and(|before| Arc::ptr_eq(before, group))
        };
        self.list.iter().filter(move |group| !is_same(group)).map(|(key, _)| key)
    }

    /// Number of rumors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.values().map(|group| group.len()).sum()
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.values().all(|group| group.is_empty())
    }
}
