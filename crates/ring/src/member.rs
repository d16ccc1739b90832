//! A member of the ring: its record, its health, and their wire forms.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

pub use roost_ident::MemberHealth as Health;

use crate::{dropped::Dropped, id::MemberId, names::member_id};

/// Wire form (reference: ring §3.1).
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct MemberWire {
    #[prost(string, optional, tag = "1")]
    id: Option<String>,
    #[prost(uint64, optional, tag = "2")]
    incarnation: Option<u64>,
    #[prost(string, optional, tag = "3")]
    address: Option<String>,
    #[prost(int32, optional, tag = "4")]
    swim_port: Option<i32>,
    #[prost(int32, optional, tag = "5")]
    gossip_port: Option<i32>,
    #[prost(bool, optional, tag = "6")]
    persistent: Option<bool>,
    #[prost(bool, optional, tag = "7")]
    departed: Option<bool>,
    #[prost(bool, optional, tag = "8")]
    probe_ping: Option<bool>,
}

/// Wire form of [`Membership`].
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct MembershipWire {
    #[prost(message, optional, tag = "1")]
    member: Option<MemberWire>,
    #[prost(int32, optional, tag = "2")]
    health: Option<i32>,
}

/// The record of a member, from itself or from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: MemberId,
    /// Version of the record; only the member itself raises it.
    pub incarnation: u64,
    /// Its address for others. `None` (on the wire the empty text) is valid only in a member's own
    /// messages.
    pub address: Option<Ipv4Addr>,
    /// Its UDP port.
    pub swim_port: u16,
    /// Its TCP port.
    pub gossip_port: u16,
    /// It is a permanent peer: probed whatever its health.
    pub persistent: bool,
    /// It announced its shutdown.
    pub departed: bool,
    /// The record came in a `PROBEPING`.
    pub probe_ping: bool,
}

/// A member and its health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The member.
    pub member: Member,
    /// Its health.
    pub health: Health,
}

impl Member {
    /// Its address for datagrams.
    #[must_use]
    pub fn swim_addr(&self) -> Option<SocketAddr> {
        self.address.map(|ip| SocketAddr::new(IpAddr::V4(ip), self.swim_port))
    }

    /// Its address for gossip.
    #[must_use]
    pub fn gossip_addr(&self) -> Option<SocketAddr> {
        self.address.map(|ip| SocketAddr::new(IpAddr::V4(ip), self.gossip_port))
    }

    pub(crate) fn to_wire(&self) -> MemberWire {
        MemberWire {
            id: Some(self.id.to_string()),
            incarnation: Some(self.incarnation),
            address: Some(self.address.map_or_else(String::new, |address| address.to_string())),
            swim_port: Some(self.swim_port.into()),
            gossip_port: Some(self.gossip_port.into()),
            persistent: Some(self.persistent),
            departed: Some(self.departed),
            probe_ping: Some(self.probe_ping),
        }
    }

    pub(crate) fn from_wire(wire: MemberWire) -> Result<Self, Dropped> {
        let port = |port: Option<i32>, field| {
            port.and_then(|port| u16::try_from(port).ok()).ok_or(Dropped::MissingField(field))
        };
        Ok(Self {
            id: member_id(wire.id, "id")?,
            incarnation: wire.incarnation.unwrap_or_default(),
            address: wire.address.and_then(|address| address.parse().ok()),
            swim_port: port(wire.swim_port, "swim-port")?,
            gossip_port: port(wire.gossip_port, "gossip-port")?,
            persistent: wire.persistent.unwrap_or_default(),
            departed: wire.departed.unwrap_or_default(),
            probe_ping: wire.probe_ping.unwrap_or_default(),
        })
    }
}

impl Membership {
    pub(crate) fn to_wire(&self) -> MembershipWire {
        let health = match self.health {
            Health::Alive => 1,
            Health::Suspect => 2,
            Health::Confirmed => 3,
            Health::Departed => 4,
        };
        MembershipWire { member: Some(self.member.to_wire()), health: Some(health) }
    }

    pub(crate) fn from_wire(wire: MembershipWire) -> Result<Self, Dropped> {
        Ok(Self {
            member: Member::from_wire(wire.member.ok_or(Dropped::MissingField("member"))?)?,
            health: match wire.health {
                Some(2) => Health::Suspect,
                Some(3) => Health::Confirmed,
                Some(4) => Health::Departed,
                _ => Health::Alive,
            },
        })
    }
}
