//! `/v1/ring/health`: how the services of all members are.

use roost_ident::ServiceState;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::members::MemberState;
use crate::documents::v1::Health;

/// The health of the ring, as its members answered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RingHealth {
    /// When the first members were asked. Clients share the answer until two seconds after the last
    /// one has answered, ten seconds later at most.
    #[schema(format = DateTime, examples("2026-11-22T15:51:38.900Z"))]
    pub at: String,
    /// True when a member that may run services did not answer.
    pub partial: bool,
    /// The members that did not depart, ordered by id.
    pub members: Vec<RingMemberHealth>,
}

/// What one member answered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RingMemberHealth {
    /// Its member id.
    pub id: String,
    /// Name of its machine, by its services.
    pub hostname: Option<String>,
    /// How it is in the ring, as this Supervisor sees it.
    pub state: MemberState,
    /// What came of asking it.
    pub result: RingAnswer,
    /// Why there is no answer; null with one.
    pub reason: Option<String>,
    /// Which documents answered; null without an answer.
    pub source: Option<RingSource>,
    /// When it answered; null without an answer.
    #[schema(format = DateTime)]
    pub at: Option<String>,
    /// How long the answer took.
    pub took_ms: Option<u64>,
    /// Version of its program; null without an answer, and when its documents do not name it.
    pub version: Option<String>,
    /// Groups that it announces; also without an answer.
    pub announced: Vec<String>,
    /// Its services as it answered.
    pub services: Vec<RingServiceHealth>,
}

/// What came of asking a member.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RingAnswer {
    /// It answered.
    Answered,
    /// It announces no services, and so no gateway.
    NoServices,
    /// It is dead in the ring, and was not asked. The matrix asks it.
    Dead,
    /// It announces a gateway that cannot be asked.
    NoGateway,
    /// No connection, or no complete answer in time.
    #[default]
    Unreachable,
    /// Its gateway requires a token or a certificate, or hides the requested documents.
    Refused,
    /// It answered something else: too long, malformed, a redirect, or of another member.
    Invalid,
    /// There was no time left to ask it.
    NotAsked,
}

/// Which documents answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RingSource {
    /// This Supervisor itself.
    Own,
    /// Those below `/v1` of a Supervisor of Roost.
    V1,
    /// Those of a Supervisor of Habitat.
    Habitat,
}

/// The health of one service of a member.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RingServiceHealth {
    /// Its service group.
    pub id: String,
    /// Where it is in its life.
    pub state: ServiceState,
    /// True when a user stopped it.
    pub stopped: bool,
    /// Its last result.
    pub health: Health,
    /// Why it is not up, or not well; null for Habitat, which does not know.
    pub why: Option<String>,
}
