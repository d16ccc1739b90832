//! `/v1/ring/…`: the ring as this Supervisor sees it.

pub mod members;

use self::members::RingMember;

/// What this Supervisor knows about its ring, of one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RingDocuments {
    /// The members by id, each with its place in [`Contacts`](crate::Contacts); this Supervisor
    /// has none.
    pub members: Vec<(Option<usize>, RingMember)>,
}
