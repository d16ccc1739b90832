//! Messages of the SWIM half, which travel as datagrams (reference: ring §3.1, §3.3).

use bytes::Bytes;
use prost::Message;

use crate::{
    dropped::Dropped,
    member::{Member, MemberWire, Membership, MembershipWire},
};

/// A message and the memberships sent along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swim {
    /// The question or answer.
    pub kind: SwimKind,
    /// News about members; empty with a `ProbePing`.
    pub memberships: Vec<Membership>,
}

/// The question or answer of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SwimKind {
    /// Are you there?
    Ping {
        /// The sender.
        from: Member,
        /// The member that requested the ping.
        forward_to: Option<Member>,
    },
    /// I am.
    Ack {
        /// The answering member.
        from: Member,
        /// The member to which the receiver must forward the answer.
        forward_to: Option<Member>,
    },
    /// Ask that member for me.
    PingReq {
        /// The sender.
        from: Member,
        /// The member that did not answer.
        target: Member,
    },
    /// Another member reports that you are dead; raise your incarnation if you are not.
    ProbePing {
        /// The sender.
        from: Member,
    },
}

impl SwimKind {
    /// The sending member.
    #[must_use]
    pub const fn from(&self) -> &Member {
        match self {
            Self::Ping { from, .. }
            | Self::Ack { from, .. }
            | Self::PingReq { from, .. }
            | Self::ProbePing { from } => from,
        }
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct SwimWire {
    #[prost(int32, optional, tag = "1")]
    kind: Option<i32>,
    #[prost(oneof = "PayloadWire", tags = "2, 3, 4, 6")]
    payload: Option<PayloadWire>,
    #[prost(message, repeated, tag = "5")]
    membership: Vec<MembershipWire>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum PayloadWire {
    #[prost(message, tag = "2")]
    Ping(PingWire),
    #[prost(message, tag = "3")]
    Ack(PingWire),
    #[prost(message, tag = "4")]
    PingReq(PingReqWire),
    #[prost(message, tag = "6")]
    ProbePing(ProbePingWire),
}

/// `Ping` and `Ack` have the same fields.
#[derive(Clone, PartialEq, prost::Message)]
struct PingWire {
    #[prost(message, optional, tag = "1")]
    from: Option<MemberWire>,
    #[prost(message, optional, tag = "2")]
    forward_to: Option<MemberWire>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PingReqWire {
    #[prost(message, optional, tag = "1")]
    from: Option<MemberWire>,
    #[prost(message, optional, tag = "2")]
    target: Option<MemberWire>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ProbePingWire {
    #[prost(message, optional, tag = "1")]
    from: Option<MemberWire>,
}

fn member(wire: Option<MemberWire>, field: &'static str) -> Result<Member, Dropped> {
    Member::from_wire(wire.ok_or(Dropped::MissingField(field))?)
}

impl Swim {
    /// The canonical bytes (reference: ring §3.3).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let ping = |from: &Member, forward_to: &Option<Member>| PingWire {
            from: Some(from.to_wire()),
            forward_to: forward_to.as_ref().map(Member::to_wire),
        };
        let (kind, payload) = match &self.kind {
            SwimKind::Ping { from, forward_to } => (1, PayloadWire::Ping(ping(from, forward_to))),
            SwimKind::Ack { from, forward_to } => (2, PayloadWire::Ack(ping(from, forward_to))),
            SwimKind::PingReq { from, target } => (
                3,
                PayloadWire::PingReq(PingReqWire {
                    from: Some(from.to_wire()),
                    target: Some(target.to_wire()),
                }),
            ),
            SwimKind::ProbePing { from } => {
                (4, PayloadWire::ProbePing(ProbePingWire { from: Some(from.to_wire()) }))
            }
        };
        SwimWire {
            kind: Some(kind),
            payload: Some(payload),
            membership: self.memberships.iter().map(Membership::to_wire).collect(),
        }
        .encode_to_vec()
    }

    /// Reads a message.
    ///
    /// # Errors
    /// When a mandatory field is absent, a port out of range, type and content disagree, or the
    /// bytes are not a message.
    pub fn decode(bytes: Bytes) -> Result<Self, Dropped> {
        let wire =
            SwimWire::decode(bytes).map_err(|error| Dropped::Undecodable(error.to_string()))?;
        let kind = wire.kind.filter(|kind| (1..=4).contains(kind));
        let kind = kind.ok_or(Dropped::MissingField("type"))?;
        let payload = wire.payload.ok_or(Dropped::MissingField("payload"))?;
        let kind = match (kind, payload) {
            (1, PayloadWire::Ping(ping)) => SwimKind::Ping {
                from: member(ping.from, "from")?,
                forward_to: ping.forward_to.map(Member::from_wire).transpose()?,
            },
            (2, PayloadWire::Ack(ack)) => SwimKind::Ack {
                from: member(ack.from, "from")?,
                forward_to: ack.forward_to.map(Member::from_wire).transpose()?,
            },
            (3, PayloadWire::PingReq(request)) => SwimKind::PingReq {
                from: member(request.from, "from")?,
                target: member(request.target, "target")?,
            },
            (4, PayloadWire::ProbePing(ping)) => {
                SwimKind::ProbePing { from: member(ping.from, "from")? }
            }
            _ => return Err(Dropped::TypeMismatch),
        };
        let memberships =
            wire.membership.into_iter().map(Membership::from_wire).collect::<Result<_, _>>()?;
        Ok(Self { kind, memberships })
    }
}
