//! `/v1/ring/members`: one row for each member.

use roost_ident::MemberHealth;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A page of members, ordered by `id`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RingMemberList {
    /// The members of this page.
    pub items: Vec<RingMember>,
    /// The cursor of the next page; null on the last one.
    pub next: Option<String>,
}

/// A member of the ring as this Supervisor sees it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RingMember {
    /// Its member id.
    pub id: String,
    /// True for this Supervisor itself.
    pub own: bool,
    /// How it is.
    pub state: MemberState,
    /// Since when, to a tenth of a second; null when this is not known, because it was so before
    /// this Supervisor started.
    #[schema(format = DateTime, examples("2026-11-22T15:51:38.900Z"))]
    pub since: Option<String>,
    /// From whom that is known.
    pub source: MemberSource,
    /// The member that reported it, for `news`; null when that one is not known.
    pub reported_by: Option<String>,
    /// Version of its record; only the member itself raises it.
    pub incarnation: u64,
    /// Name of its machine, by its services; null without services.
    pub hostname: Option<String>,
    /// Its address in the ring; null when only this Supervisor knows it.
    pub address: Option<String>,
    /// Its UDP port for probes.
    pub swim_port: u16,
    /// Its TCP port for rumors.
    pub gossip_port: u16,
    /// Address and port of its HTTP gateway, by its services; null without services, and when the
    /// gateway cannot be reached from other machines.
    #[schema(examples("10.0.0.7:9631"))]
    pub http: Option<String>,
    /// Version of the program; known of this Supervisor alone, see `/v1/ring/health`.
    pub version: Option<String>,
    /// Groups of its services, ordered.
    #[schema(examples(json!(["redis.default"])))]
    pub services: Vec<String>,
    /// It is a permanent peer: probed whatever its state.
    pub persistent: bool,
    /// It announced that it leaves.
    pub departed: bool,
    /// Smoothed time from a ping of this Supervisor to the direct answer; null when it has not
    /// answered one yet. No change of the document.
    #[schema(examples(0.42))]
    pub round_trip_ms: Option<f64>,
    /// When a datagram of it arrived here last; null when none did. No change of the document.
    #[schema(format = DateTime)]
    pub last_heard: Option<String>,
}

/// How a member of the ring is.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum MemberState {
    /// It answers.
    #[default]
    Alive,
    /// It did not answer a probe.
    Suspect,
    /// It is dead.
    Confirmed,
    /// It left, or was dead for three days.
    Departed,
}

impl MemberState {
    /// All words, in the order of severity.
    pub const WORDS: &[&str] = &["alive", "suspect", "confirmed", "departed"];

    /// The word in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Suspect => "suspect",
            Self::Confirmed => "confirmed",
            Self::Departed => "departed",
        }
    }
}

impl From<MemberHealth> for MemberState {
    fn from(health: MemberHealth) -> Self {
        match health {
            MemberHealth::Alive => Self::Alive,
            MemberHealth::Suspect => Self::Suspect,
            MemberHealth::Confirmed => Self::Confirmed,
            MemberHealth::Departed => Self::Departed,
        }
    }
}

/// From whom the state of a member is known; events of members have the same words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MemberSource {
    /// It is this Supervisor.
    #[default]
    Own,
    /// The member itself.
    Direct,
    /// This Supervisor probed it.
    Probe,
    /// Another member reported it.
    News,
    /// It was suspected, or dead, for the time that is allowed.
    Timeout,
    /// An operator made it depart.
    Command,
    /// A new member took its place in a group without quorum.
    Replaced,
    /// An earlier process of this Supervisor.
    DataFile,
}
