//! Voters of a group.

use std::collections::BTreeSet;

use crate::{id::MemberId, member::Health, quorum::Quorum, stores::RumorStores, table::Table};

/// The members with a service in a group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Electorate {
    /// Those that are not Departed.
    pub(super) population: usize,
    /// The alive ones among them.
    pub(super) alive: BTreeSet<MemberId>,
}

impl Electorate {
    pub(crate) fn of(group: &str, table: &Table, rumors: &RumorStores) -> Self {
        let mut electorate = Self::default();
        for id in rumors.population(group) {
            match table.health_of(id) {
                Some(Health::Alive) => {
                    electorate.population += 1;
                    electorate.alive.insert(id.clone());
                }
                Some(Health::Suspect | Health::Confirmed) => electorate.population += 1,
                Some(Health::Departed) | None => {}
            }
        }
        electorate
    }

    /// True when more than half are alive.
    pub(crate) fn has_quorum(&self) -> bool {
        Quorum { electorate: self.population, alive: self.alive.len() }.is_reached()
    }
}
