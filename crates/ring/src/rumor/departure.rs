//! A manual departure: the member must not come back. Never replaced or removed.

use std::borrow::Cow;

use super::kind::{Merge, RumorKind, RumorType};
use crate::{dropped::Dropped, id::MemberId, names::member_id};

/// Wire form (reference: ring §3.2).
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct DepartureWire {
    #[prost(string, optional, tag = "1")]
    pub(crate) member_id: Option<String>,
}

/// The first level key of the store of departures.
pub const DEPARTURE_KEY: &str = "departure";

/// The sender that injected rumors name.
pub(super) const CLIENT_ID: &str = "butterflyclient";

/// The rumor that a member was departed by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departure {
    /// The member that left.
    pub member_id: MemberId,
}

impl RumorType for Departure {
    const KIND: RumorKind = RumorKind::Departure;
    type Wire = DepartureWire;

    fn key(&self) -> &str {
        DEPARTURE_KEY
    }

    fn id(&self) -> Cow<'_, str> {
        self.member_id.to_string().into()
    }

    fn merged(&self, _: Self) -> Merge<Self> {
        Merge::Known
    }

    fn weight(&self) -> usize {
        0
    }

    fn sender(&self) -> String {
        CLIENT_ID.into()
    }

    fn to_wire(&self) -> DepartureWire {
        DepartureWire { member_id: Some(self.member_id.to_string()) }
    }

    fn from_wire(_: String, wire: DepartureWire) -> Result<Self, Dropped> {
        Ok(Self { member_id: member_id(wire.member_id, "member-id")? })
    }
}
