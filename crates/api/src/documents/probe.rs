//! `/livez`, `/readyz`, `/startupz`: what was checked, and how it is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::supervisor::ConditionStatus;

/// The answer of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProbeReport {
    /// The worst of the checks. `fail` has the HTTP status 503.
    pub status: ConditionStatus,
    /// The checks of this probe.
    pub checks: Vec<Check>,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// What.
    pub name: CheckName,
    /// How it is.
    pub status: ConditionStatus,
    /// Since when, as far as this Supervisor knows.
    #[schema(format = DateTime)]
    pub since: String,
    /// For people.
    pub detail: String,
}

/// What is checked.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum CheckName {
    /// The task that decides about services handles events.
    EventLoop,
    /// The launcher, which holds the processes of services.
    Launcher,
    /// The ports of the ring.
    Gossip,
    /// The port of the control gateway.
    Control,
    /// Every spec was read, and its service can be shown.
    Specs,
    /// Another member of the ring is alive, where peers are given.
    RingJoined,
    /// Events are kept on disk.
    Journal,
    /// The disk of the state files takes what is written.
    Disk,
}

impl CheckName {
    /// The word in documents and parameters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EventLoop => "event_loop",
            Self::Launcher => "launcher",
            Self::Gossip => "gossip",
            Self::Control => "control",
            Self::Specs => "specs",
            Self::RingJoined => "ring_joined",
            Self::Journal => "journal",
            Self::Disk => "disk",
        }
    }
}
