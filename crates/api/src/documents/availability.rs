//! How available a service was.

use std::collections::BTreeMap;

use roost_events::{Availability, Seq};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How available one service was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AvailabilityV1 {
    /// Its service group, `name.group[@org]`.
    #[schema(examples("redis.default"))]
    pub id: String,
    /// The last 24 hours, 7, 30 and 90 days, each from the beginning of an hour on.
    pub windows: Vec<WindowV1>,
    /// Incidents of the last 90 days, the newest first; at most 100.
    pub incidents: Vec<IncidentV1>,
    /// Events are missing that could not be read: the time before the next one may be wrong.
    pub partial: bool,
}

/// The availability of one window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowV1 {
    /// Its length: `24h`, `7d`, `30d` or `90d`.
    pub window: String,
    /// Its beginning: the full hour so long ago.
    #[schema(format = DateTime)]
    pub from: String,
    /// Its end: now.
    #[schema(format = DateTime)]
    pub to: String,
    /// `available_ms` of `expected_ms`, from 0 to 1; null when it was never expected to be
    /// available.
    pub ratio: Option<f64>,
    /// Time in which it was available: `up` and `warning`.
    pub available_ms: u64,
    /// Time in which it should have been available, as far as is known: not `down`, not `unknown`.
    pub expected_ms: u64,
    /// Time of which nothing is kept: before the first event of the service.
    pub not_recorded_ms: u64,
    /// Time by state; with `not_recorded_ms` it adds up to the window.
    pub states_ms: BTreeMap<Availability, u64>,
}

/// A time in which a service was not available although it should have been.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IncidentV1 {
    /// When it began.
    #[schema(format = DateTime)]
    pub from: String,
    /// When it ended; null while it goes on. Less than 30 seconds of availability do not end it.
    #[schema(format = DateTime)]
    pub to: Option<String>,
    /// The worst state.
    pub worst: Availability,
    /// The number of the event that it began with.
    pub event: Seq,
    /// The message of that event.
    pub reason: String,
    /// What the process or the check printed then; empty where output is redacted.
    pub printed: Vec<String>,
}

/// The states of a service over a window, for strips.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TimelineV1 {
    /// Its service group, `name.group[@org]`.
    #[schema(examples("redis.default"))]
    pub id: String,
    /// The end of the last bucket: now.
    #[schema(format = DateTime)]
    pub to: String,
    /// Parts of equal length, the oldest first, cut at full minutes.
    pub buckets: Vec<BucketV1>,
}

/// A part of a timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BucketV1 {
    /// Its beginning.
    #[schema(format = DateTime)]
    pub from: String,
    /// The worst state in it; null before the first event that is kept.
    pub state: Option<Availability>,
}
