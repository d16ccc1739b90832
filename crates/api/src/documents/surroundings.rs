//! What a service has to do with others: the members that its binds lead to, the election of its
//! group.

use roost_ident::ElectionStatus;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ring::members::MemberState;

/// A bind of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Bind {
    /// Its name.
    pub name: String,
    /// The group that it is mapped to.
    pub group: String,
    /// The group gives what is needed.
    pub satisfied: bool,
    /// What is lacking, or that nothing is.
    pub message: String,
    /// How many members the group has.
    pub members_total: usize,
    /// At most 32 of them, the alive ones first. Empty when the API is redacted.
    pub members: Vec<BoundMember>,
}

/// A member of a group that a bind leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BoundMember {
    /// Its member id.
    pub member_id: String,
    /// How it is in the ring; null while the member list does not have it.
    pub state: Option<MemberState>,
    /// The name of its machine.
    pub hostname: String,
    /// Its address, for services.
    pub address: String,
    /// The package that it runs.
    pub package: String,
    /// It leads the group.
    pub leader: bool,
}

/// The election of the group of a service that has a leader.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Election {
    /// How far it is.
    pub state: ElectionState,
    /// Member id of the last leader, also while another one is elected.
    pub leader: Option<String>,
    /// The leader is this Supervisor.
    pub is_leader: bool,
    /// The members with a service in the group that have not departed.
    pub population: usize,
    /// Those of them that are alive.
    pub alive: usize,
    /// How many must be alive for an election.
    pub needed: usize,
}

/// How far an election is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ElectionState {
    /// There has been no election.
    #[default]
    None,
    /// Votes are being gathered.
    Running,
    /// Too few members are alive.
    NoQuorum,
    /// There is a leader.
    Finished,
}

impl From<ElectionStatus> for ElectionState {
    fn from(status: ElectionStatus) -> Self {
        match status {
            ElectionStatus::None => Self::None,
            ElectionStatus::InProgress => Self::Running,
            ElectionStatus::NoQuorum => Self::NoQuorum,
            ElectionStatus::Finished => Self::Finished,
        }
    }
}

/// Where the rest about a service is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the names of the resources")]
pub struct Links {
    #[schema(examples("/v1/services/redis.default/explain"))]
    pub explain: String,
    pub health: String,
    pub events: String,
    pub availability: String,
    pub timeline: String,
    pub stats: String,
    /// Null when the API is redacted.
    pub logs: Option<String>,
    /// Null when the API is redacted.
    pub config: Option<String>,
}

impl Links {
    /// Those of a service group.
    #[must_use]
    pub fn of(id: &str, redact: bool) -> Self {
        let to = |what: &str| format!("/v1/services/{id}/{what}");
        Self {
            explain: to("explain"),
            health: to("health"),
            events: to("events"),
            availability: to("availability"),
            timeline: to("timeline"),
            stats: to("stats"),
            logs: (!redact).then(|| to("logs")),
            config: (!redact).then(|| to("config")),
        }
    }
}
