//! Holes: numbers without an event, and the events that state them.

use roost_events::{Fact, Gap, Kind};

/// The Supervisor before this one did not end in order, and may have recorded more than the journal
/// has.
pub(crate) fn recovered(lost: Gap) -> Fact {
    let message = "The Supervisor before this one did not end in order; what it recorded in its \
                   last second may be missing";
    let fact = Fact::new(Kind::SupervisorRecovered, message);
    fact.with("first_missing", lost.first.0).with("last_missing", lost.last.0)
}
