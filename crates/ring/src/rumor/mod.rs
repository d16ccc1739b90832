//! Rumors: the messages of gossip (reference: ring §3.2, §8). One file per kind contains its
//! fields, key and merge rule.

mod config;
mod departure;
mod election;
mod file;
mod service;

use bytes::Bytes;
use prost::Message;
use roost_ident::ServiceGroup;

pub use config::{SERVICE_CONFIG_ID, ServiceConfig};
pub use departure::{DEPARTURE_KEY, Departure};
pub(crate) use election::ElectionKind;
pub use election::{ELECTION_ID, Election, Status};
pub use file::ServiceFile;
pub use service::{Service, SysInfo};

use crate::{
    dropped::Dropped,
    id::MemberId,
    limits::{GROUP_BYTES_MAX, ID_BYTES_MAX},
    member::{Membership, MembershipWire},
};

/// The sender in injected rumors (reference: ring §7.5).
pub const CLIENT_ID: &str = "butterflyclient";

/// A rumor in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rumor {
    /// The health of a member, and the id of the member that reports it.
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
    ElectionUpdate(Election),
    /// A manual departure.
    Departure(Departure),
}

/// Kinds of rumors, in the order in which documents list them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // see [`Rumor`]
pub enum RumorKind {
    Member,
    Service,
    ServiceConfig,
    ServiceFile,
    Election,
    ElectionUpdate,
    Departure,
}

impl RumorKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Member,
        Self::Service,
        Self::ServiceConfig,
        Self::ServiceFile,
        Self::Election,
        Self::ElectionUpdate,
        Self::Departure,
    ];

    /// The spelling in labels of metrics (reference: ring §15.3).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Service => "service",
            Self::ServiceConfig => "service-config",
            Self::ServiceFile => "service-file",
            Self::Election => "election",
            Self::ElectionUpdate => "election-update",
            Self::Departure => "departure",
        }
    }
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

/// A copy of the content: a decoded slice would keep the whole message in memory.
pub(crate) fn detached(content: Option<Bytes>) -> Bytes {
    content.map(|content| Bytes::copy_from_slice(&content)).unwrap_or_default()
}

/// A member id within its limit.
pub(crate) fn member_id(id: Option<String>, field: &'static str) -> Result<MemberId, Dropped> {
    let id = id.ok_or(Dropped::MissingField(field))?;
    checked_text(&id, ID_BYTES_MAX)?;
    Ok(MemberId::new(&id))
}

/// Checks free text that appears in logs and documents.
fn checked_text(text: &str, bytes_max: usize) -> Result<(), Dropped> {
    if text.len() > bytes_max {
        return Err(Dropped::NameTooLong);
    }
    if text.contains(roost_text::is_unprintable) { Err(Dropped::InvalidName) } else { Ok(()) }
}

/// The name of a group within its limit, whatever its form.
pub(crate) fn group_name(group: Option<String>) -> Result<String, Dropped> {
    let group = group.ok_or(Dropped::MissingField("service-group"))?;
    checked_text(&group, GROUP_BYTES_MAX)?;
    Ok(group)
}

/// A valid name of a group; drops a legacy prefix.
pub(crate) fn checked_group(group: Option<String>) -> Result<String, Dropped> {
    let group = group_name(group)?;
    match group.parse::<ServiceGroup>() {
        Ok(group) => Ok(group.into()),
        Err(_) => Err(Dropped::InvalidServiceGroup(group)),
    }
}

impl Rumor {
    /// The kind of the rumor.
    #[must_use]
    pub const fn kind(&self) -> RumorKind {
        match self {
            Self::Member(..) => RumorKind::Member,
            Self::Service(_) => RumorKind::Service,
            Self::Election(_) => RumorKind::Election,
            Self::ServiceConfig(_) => RumorKind::ServiceConfig,
            Self::ServiceFile(_) => RumorKind::ServiceFile,
            Self::ElectionUpdate(_) => RumorKind::ElectionUpdate,
            Self::Departure(_) => RumorKind::Departure,
        }
    }

    /// The canonical bytes (reference: ring §3.3, §3.4).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (kind, from_id, payload) = match self {
            Self::Member(from_id, membership) => {
                (1, from_id.clone(), PayloadWire::Member(membership.to_wire()))
            }
            Self::Service(service) => {
                (2, service.member_id.to_string(), PayloadWire::Service(service.to_wire()))
            }
            Self::Election(election) => {
                (3, election.member_id.to_string(), PayloadWire::Election(election.to_wire()))
            }
            Self::ServiceConfig(config) => {
                (4, config.from_id.clone(), PayloadWire::ServiceConfig(config.to_wire()))
            }
            Self::ServiceFile(file) => {
                (5, file.from_id.clone(), PayloadWire::ServiceFile(file.to_wire()))
            }
            Self::ElectionUpdate(election) => {
                (8, election.member_id.to_string(), PayloadWire::Election(election.to_wire()))
            }
            Self::Departure(departure) => {
                let member_id = Some(departure.member_id.to_string());
                (
                    9,
                    CLIENT_ID.into(),
                    PayloadWire::Departure(departure::DepartureWire { member_id }),
                )
            }
        };
        RumorWire { kind: Some(kind), from_id: Some(from_id), payload: Some(payload) }
            .encode_to_vec()
    }

    /// Reads a rumor.
    ///
    /// # Errors
    /// When a mandatory field is absent, a group invalid, a limit exceeded, type and content
    /// disagree, or the bytes are not a rumor.
    pub fn decode(bytes: Bytes) -> Result<Self, Dropped> {
        let wire =
            RumorWire::decode(bytes).map_err(|error| Dropped::Undecodable(error.to_string()))?;
        let kind = wire.kind.filter(|kind| (1..=9).contains(kind));
        let kind = kind.ok_or(Dropped::MissingField("type"))?;
        if kind == 6 || kind == 7 {
            return Err(Dropped::TestRumor);
        }
        let from_id = wire.from_id.ok_or(Dropped::MissingField("from-id"))?;
        checked_text(&from_id, ID_BYTES_MAX)?;
        match (kind, wire.payload.ok_or(Dropped::MissingField("payload"))?) {
            (1, PayloadWire::Member(wire)) => {
                Ok(Self::Member(from_id, Membership::from_wire(wire)?))
            }
            (2, PayloadWire::Service(wire)) => Ok(Self::Service(Service::from_wire(wire)?)),
            (3, PayloadWire::Election(wire)) => {
                Ok(Self::Election(Election::from_wire(&from_id, wire)?))
            }
            (4, PayloadWire::ServiceConfig(wire)) => {
                Ok(Self::ServiceConfig(ServiceConfig::from_wire(from_id, wire)?))
            }
            (5, PayloadWire::ServiceFile(wire)) => {
                Ok(Self::ServiceFile(ServiceFile::from_wire(from_id, wire)?))
            }
            (8, PayloadWire::Election(wire)) => {
                Ok(Self::ElectionUpdate(Election::from_wire(&from_id, wire)?))
            }
            (9, PayloadWire::Departure(wire)) => Ok(Self::Departure(Departure {
                member_id: member_id(wire.member_id, "member-id")?,
            })),
            _ => Err(Dropped::TypeMismatch),
        }
    }
}
