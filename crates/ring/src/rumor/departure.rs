//! A manual departure: the member must not come back. Never replaced or removed.

/// Wire form (reference: ring §3.2).
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct DepartureWire {
    #[prost(string, optional, tag = "1")]
    pub(crate) member_id: Option<String>,
}

/// The first level key of the store of departures.
pub const DEPARTURE_KEY: &str = "departure";

/// The rumor that a member was departed manually.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departure {
    /// The departed member.
    pub member_id: crate::id::MemberId,
}
