//! Rumors: what travels over the gossip half (reference: ring §3.2, §8). One file per kind holds
//! its fields, key, merge rule and wire form; `kind` holds the table of all kinds.

mod config;
mod departure;
mod election;
mod file;
mod kind;
mod service;

use bytes::Bytes;
use prost::Message;
pub use roost_ident::{ServiceConfig, ServiceFile};

pub use self::{
    config::SERVICE_CONFIG_ID,
    departure::{DEPARTURE_KEY, Departure},
    election::{ELECTION_ID, Election, ElectionUpdate, Status},
    kind::RumorKind,
    service::Service,
};
pub(crate) use self::{
    election::ElectionKind,
    kind::{Merge, RumorType, for_each_kind},
};
use crate::{
    dropped::Dropped,
    limits::ID_BYTES_MAX,
    member::{Membership, MembershipWire},
    names::checked_text,
};

/// The sender that injected rumors name (reference: ring §7.5).
pub const CLIENT_ID: &str = departure::CLIENT_ID;

/// A rumor in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive] // a new kind concerns those alone that use it
pub enum Rumor {
    /// How a member is, and the id of the member that reports it.
    Member(String, Membership),
    /// A service of a member.
    Service(Service),
    /// A leader election.
    Election(Election),
    /// Configuration for a group.
    ServiceConfig(ServiceConfig),
    /// A file for a group.
    ServiceFile(ServiceFile),
    /// An election of the member that leads a rolling update.
    ElectionUpdate(ElectionUpdate),
    /// A manual departure.
    Departure(Departure),
}

#[derive(Clone, PartialEq, prost::Message)]
struct RumorWire {
    #[prost(int32, optional, tag = "1")]
    kind: Option<i32>,
    #[prost(string, optional, tag = "3")]
    from_id: Option<String>,
    #[prost(oneof = "PayloadWire", tags = "4, 5, 6, 7, 8, 9")]
    payload: Option<PayloadWire>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum PayloadWire {
    #[prost(message, tag = "4")]
    Member(MembershipWire),
    #[prost(message, tag = "5")]
    Service(service::ServiceWire),
    #[prost(message, tag = "6")]
    ServiceConfig(config::ServiceConfigWire),
    #[prost(message, tag = "7")]
    ServiceFile(file::ServiceFileWire),
    #[prost(message, tag = "8")]
    Election(election::ElectionWire),
    #[prost(message, tag = "9")]
    Departure(departure::DepartureWire),
}

/// The number of member rumors on the wire.
const MEMBER: i32 = 1;
/// Numbers of kinds that only Habitat's own tests use.
const TESTS: [i32; 2] = [6, 7];

macro_rules! make_wire {
    ($($(#[$doc:meta])* $kind:ident($payload:ident) = $number:literal, $label:literal, $list:ident;)*) => {
        const NUMBERS: &[i32] = &[MEMBER, $($number),*];

        impl Rumor {
            /// Which kind it is.
            #[must_use]
            pub const fn kind(&self) -> RumorKind {
                match self {
                    Self::Member(..) => RumorKind::Member,
                    $(Self::$kind(_) => <$kind as RumorType>::KIND,)*
                }
            }

            fn to_wire(&self) -> RumorWire {
                let (kind, from_id, payload) = match self {
                    Self::Member(from_id, membership) => {
                        (MEMBER, from_id.clone(), PayloadWire::Member(membership.to_wire()))
                    }
                    $(Self::$kind(rumor) => {
                        ($number, rumor.sender(), PayloadWire::$payload(rumor.to_wire()))
                    })*
                };
                RumorWire { kind: Some(kind), from_id: Some(from_id), payload: Some(payload) }
            }

            fn from_wire(kind: i32, from_id: String, payload: PayloadWire) -> Result<Self, Dropped> {
                match (kind, payload) {
                    (MEMBER, PayloadWire::Member(wire)) => {
                        Ok(Self::Member(from_id, Membership::from_wire(wire)?))
                    }
                    $(($number, PayloadWire::$payload(wire)) => {
                        Ok(Self::$kind($kind::from_wire(from_id, wire)?))
                    })*
                    _ => Err(Dropped::TypeMismatch),
                }
            }
        }
    };
}
for_each_kind!(make_wire);

impl Rumor {
    /// The canonical bytes (reference: ring §3.3, §3.4).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.to_wire().encode_to_vec()
    }

    /// Reads a rumor.
    ///
    /// # Errors
    /// When a mandatory field is absent, a group invalid, a limit exceeded, type and content
    /// disagree, or the bytes are not a rumor at all.
    pub fn decode(bytes: Bytes) -> Result<Self, Dropped> {
        let wire =
            RumorWire::decode(bytes).map_err(|error| Dropped::Undecodable(error.to_string()))?;
        let kind = wire.kind.filter(|kind| NUMBERS.contains(kind) || TESTS.contains(kind));
        let kind = kind.ok_or(Dropped::MissingField("type"))?;
        if TESTS.contains(&kind) {
            return Err(Dropped::TestRumor);
        }
        let from_id = wire.from_id.ok_or(Dropped::MissingField("from-id"))?;
        checked_text(&from_id, ID_BYTES_MAX)?;
        let payload = wire.payload.ok_or(Dropped::MissingField("payload"))?;
        Self::from_wire(kind, from_id, payload)
    }
}
