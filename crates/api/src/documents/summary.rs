//! `/v1/services`: one row for each loaded service.

use roost_ident::ServiceState;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::v1::{Desired, Health, Restarts, ServiceV1};

/// A page of services, ordered by `id`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceList {
    /// The services of this page.
    pub items: Vec<ServiceSummary>,
    /// The cursor of the next page; null on the last one.
    pub next: Option<String>,
}

/// The most important facts of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceSummary {
    /// Its service group, `name.group[@org]`.
    #[schema(examples("redis.default"))]
    pub id: String,
    /// The release in use, or what the spec asks for while none is known.
    pub package: String,
    /// Where it is in its life.
    pub state: ServiceState,
    /// Since when its process is up or down.
    #[schema(format = DateTime, examples("2026-11-22T15:51:38.999Z"))]
    pub since: String,
    /// What the user wants.
    pub desired: Desired,
    /// The last result; unknown while the process is down.
    pub health: Health,
    /// Since when; null when it was never anything else.
    #[schema(format = DateTime)]
    pub health_since: Option<String>,
    /// Process id while up.
    pub pid: Option<u32>,
    /// Restarts after failures.
    pub restarts: Restarts,
    /// Member id of the leader of its group; null without one, and when the API is redacted.
    pub leader: Option<String>,
    /// One line: why it is not up, or not well.
    pub why: Option<String>,
}

impl ServiceSummary {
    /// The summary of a service.
    #[must_use]
    pub fn new(service: &ServiceV1, leader: Option<String>) -> Self {
        Self {
            id: service.id.clone(),
            package: service.package.clone(),
            state: service.state,
            since: service.since.clone(),
            desired: service.desired,
            health: service.health,
            health_since: service.health_since.clone(),
            pid: service.pid,
            restarts: service.restarts.clone(),
            leader,
            why: service.why.clone(),
        }
    }
}
