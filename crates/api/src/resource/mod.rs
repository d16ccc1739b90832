//! Every resource of the API in one table, which the router, the metrics, the OpenAPI description
//! and the pages for browsers read. Its rows are in one file for each matter.

mod events;
mod habitat;
mod pages;
mod ring;
mod row;
mod services;
mod supervisor;

pub(crate) use self::row::{Gives, Outcome, Page, Renderer, Resource, is_probe, is_v1};

/// The parts of the table, in the order in which people see them.
const PARTS: &[&[Resource]] = &[
    habitat::RESOURCES,
    services::RESOURCES,
    events::RESOURCES,
    ring::RESOURCES,
    supervisor::RESOURCES,
    pages::RESOURCES,
];

const RESOURCES: [&Resource; ResourceId::COUNT] = {
    let mut all = [&PARTS[0][0]; ResourceId::COUNT];
    let (mut part, mut next) = (0, 0);
    while part < PARTS.len() {
        let mut row = 0;
        while row < PARTS[part].len() {
            all[next] = &PARTS[part][row];
            (row, next) = (row + 1, next + 1);
        }
        part += 1;
    }
    all
};

/// A place in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ResourceId(usize);

impl ResourceId {
    /// The number of resources.
    pub(crate) const COUNT: usize = {
        let (mut count, mut part) = (0, 0);
        while part < PARTS.len() {
            count += PARTS[part].len();
            part += 1;
        }
        count
    };

    /// Each of them, in the order of the table.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    /// Its place, below [`Self::COUNT`].
    pub(crate) const fn index(self) -> usize {
        self.0
    }

    /// Its row.
    pub(crate) fn resource(self) -> &'static Resource {
        RESOURCES[self.0]
    }
}
