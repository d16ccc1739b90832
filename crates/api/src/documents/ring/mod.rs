//! `/v1/ring/…`: the ring as this Supervisor sees it.

pub mod groups;
pub mod health;
pub mod matrix;
pub mod members;
pub mod targets;

use self::{groups::RingGroup, members::RingMember};

/// What this Supervisor knows about its ring, of one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RingDocuments {
    /// The members by id, each with its place in [`Contacts`](crate::Contacts); this Supervisor
    /// has none.
    pub members: Vec<(Option<usize>, RingMember)>,
    /// The service groups by id.
    pub groups: Vec<RingGroup>,
}
