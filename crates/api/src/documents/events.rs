//! Pages of the record.

use roost_events::{EventDocument, Seq};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A page of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventsV1 {
    /// The events, in the order that was asked for.
    pub items: Vec<EventDocument>,
    /// The cursor of the next page; null at the end. A page can hold fewer events than its limit
    /// and have a next one: the search has looked at as many events as it may at once.
    pub next: Option<String>,
    /// The number of the last event of the record when the page was made. A stream that resumes
    /// there continues the page without a hole.
    pub last: Seq,
    /// Events of the journal are missing, because it cannot be read at present.
    pub partial: bool,
}
