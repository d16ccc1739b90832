//! `/v1/ring/…` from the ring's view.

mod groups;
mod members;

use roost_api::documents::ring::RingDocuments;
use roost_ring::View;

use crate::ring::Origin;

/// The documents of a view.
pub(crate) fn documents(view: &View, origin: &Origin) -> RingDocuments {
    RingDocuments { members: members::documents(view, origin), groups: groups::documents(view) }
}
