//! `/v1/ring/…` from the ring's view.

mod groups;
mod members;

use roost_api::documents::ring::RingDocuments;
use roost_ring::View;

use crate::ring::{Origin, gateway::Here};

/// The documents of a view.
pub(crate) fn documents(view: &View, origin: &Origin, here: Here) -> RingDocuments {
    let members = members::documents(view, origin, here);
    RingDocuments { members, groups: groups::documents(view) }
}
