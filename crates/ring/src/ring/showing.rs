//! Public state of the ring: views, contents of the data file, and single facts.

use std::sync::Arc;

use super::Ring;
use crate::{
    config::Stores,
    counters::{Counters, HealthTally},
    id::MemberId,
    member::Health,
    rumor::{Election, ElectionKind, Service},
    standing::Contact,
    table::Entry,
    view::View,
};

impl Ring {
    /// The current view. Parts that did not change since the last one are shared.
    pub fn view(&mut self) -> View {
        if !self.stale_parts.is_empty() {
            let list = Arc::make_mut(&mut self.member_list);
            list.update_counter = self.table.update_counter;
            for number in std::mem::take(&mut self.stale_parts) {
                let part = Arc::new(self.table.part(number));
                match list.parts.get_mut(number) {
                    Some(stale) => *stale = part,
                    // they come in order, so this is the next one
                    None => list.parts.push(part),
                }
            }
        }
        let mut view = View::empty(self.me.id.clone());
        view.incarnation = self.me.incarnation;
        view.members = Arc::clone(&self.member_list);
        if !self.elections.conflicts().is_empty() {
            view.conflicts = Arc::new(self.elections.conflicts().clone());
        }
        self.rumors.show(&mut view);
        view
    }

    /// The contacts that are new since the last call, by place in the member list. Cheap: a member
    /// is heard a few times a minute.
    pub fn take_contacts(&mut self) -> Vec<(usize, Contact)> {
        self.table.take_contacts()
    }

    /// Contents of the data file.
    #[must_use]
    pub fn stores(&self) -> Stores {
        self.rumors.stores(self.table.entries.iter().map(Entry::membership).collect())
    }

    /// Number of members in the list, and of each health. Cheaper than a view.
    #[must_use]
    pub fn tally(&self) -> (usize, HealthTally) {
        (self.table.len(), self.table.tally())
    }

    /// The health of a member. Cheaper than a view.
    #[must_use]
    pub fn health_of(&self, id: &MemberId) -> Option<Health> {
        self.table.health_of(id)
    }

    /// Counters since the start.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Awareness by this member's own observations (own lag, failed probes): 0 is healthy.
    #[must_use]
    pub const fn awareness(&self) -> u32 {
        self.awareness.score()
    }

    /// A service of a member. Cheaper than a view.
    #[must_use]
    pub fn service(&self, group: &str, id: &MemberId) -> Option<&Service> {
        id.with_text(|id| self.rumors.get::<Service>(group, id)).map(|service| &**service)
    }

    /// Groups with an election of any kind with participation of this member.
    pub fn own_elections(&self) -> impl Iterator<Item = &str> {
        let groups = ElectionKind::ALL.into_iter();
        let groups = groups.flat_map(|kind| self.rumors.groups_with_election(kind));
        let groups = groups.map(|group| &**group);
        groups.filter(|group| self.rumors.has_service(group, &self.me.id))
    }

    /// The leader election of a group. Cheaper than a view.
    #[must_use]
    pub fn election(&self, group: &str) -> Option<&Election> {
        self.rumors.election(ElectionKind::Leader, group)
    }

    /// This member's own incarnation.
    #[must_use]
    pub const fn incarnation(&self) -> u64 {
        self.me.incarnation
    }
}
