//! How available a service was, from its events: what it was in at every moment, how long it was
//! not available although it should have been, and why.
//!
//! Time that was not observed is not guessed: while no Supervisor ran, and before the first event,
//! the state is not known.
//!
//! | module | holds |
//! |---|---|
//! | `account` | [`Account`]: what has to be known of a service between two of its events |
//! | `incidents` | which states are one incident |
//! | `hours` | [`Hours`]: milliseconds of each state by hours, and the worst state of each minute |
//! | `ledger` | [`Ledger`]: all of one service |

mod account;
mod hours;
mod incidents;
mod ledger;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::{
    account::{Account, Entry, Seen},
    hours::{Hours, KEPT_DAYS, day_of, hour_of, start_of_hour},
    ledger::Ledger,
};
use crate::event::Seq;

/// Incidents of one service that are kept.
pub const INCIDENTS_MAX: usize = 100;

/// What a service was in, the least serious first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Availability {
    /// It was not wanted up, or not loaded.
    Down,
    /// Up, and its health check was ok, or it has none.
    Up,
    /// Up, and its health check warned.
    Warning,
    /// It is not known: no Supervisor ran, or the health check gave no result.
    Unknown,
    /// It stopped, to start again.
    Stopping,
    /// It was starting.
    Starting,
    /// It waited for something before it could start.
    Blocked,
    /// Up, and its health check was critical.
    Critical,
    /// It had failed and waited before it started again.
    BackingOff,
    /// It could not start.
    Failed,
}

impl Availability {
    const ALL: [Self; 10] = [
        Self::Down,
        Self::Up,
        Self::Warning,
        Self::Unknown,
        Self::Stopping,
        Self::Starting,
        Self::Blocked,
        Self::Critical,
        Self::BackingOff,
        Self::Failed,
    ];

    /// True when it should have been available and was not.
    #[must_use]
    pub fn is_outage(self) -> bool {
        self >= Self::Stopping
    }

    /// True when it should have been available and was.
    #[must_use]
    pub fn is_available(self) -> bool {
        matches!(self, Self::Up | Self::Warning)
    }
}

/// A time in one state, from one moment up to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The beginning.
    pub from_ms: u64,
    /// The end.
    pub to_ms: u64,
    /// The state.
    pub state: Availability,
}

/// A time in which a service was not available although it should have been.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// The beginning.
    pub from_ms: u64,
    /// The end; `None` while it goes on.
    pub to_ms: Option<u64>,
    /// The worst state.
    pub worst: Availability,
    /// The event that it began with.
    pub event: Seq,
    /// The message of that event.
    pub reason: String,
    /// What the process or the check printed then.
    pub printed: Vec<String>,
}

/// The times of one window by state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Milliseconds in each state.
    pub states_ms: BTreeMap<Availability, u64>,
    /// Milliseconds of which nothing was recorded, such as those before the first event.
    pub not_recorded_ms: u64,
}

impl Tally {
    /// Milliseconds in which it was available.
    #[must_use]
    pub fn available_ms(&self) -> u64 {
        self.sum(Availability::is_available)
    }

    /// Milliseconds in which it should have been available, as far as is known.
    #[must_use]
    pub fn expected_ms(&self) -> u64 {
        self.sum(|state| state.is_available() || state.is_outage())
    }

    fn sum(&self, of: impl Fn(Availability) -> bool) -> u64 {
        self.states_ms.iter().filter(|(state, _)| of(**state)).map(|(_, ms)| ms).sum()
    }
}

#[cfg(test)]
mod tests;
