//! Which states of a service, one after the other, are one incident.

use serde::{Deserialize, Serialize};

use super::{Availability, Incident, Span};
use crate::event::Seq;

/// Being available for less than this does not end an incident.
const RECOVERY_MS: u64 = 30_000;
/// A start or stop up to this long, without a failure, is not an incident.
const UNEVENTFUL_MS: u64 = 10_000;

/// A span with what is needed for incidents.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) span: Span,
    /// The process ended without having been asked to.
    pub(super) has_failed: bool,
    /// It started, and no check has been passed since.
    pub(super) is_start: bool,
    pub(super) event: Seq,
    pub(super) reason: String,
    pub(super) printed: Vec<String>,
}

/// Takes the next piece of time of a service. Returns the incident that it ends.
pub(super) fn take(open: &mut Option<Open>, piece: &Piece) -> Option<Incident> {
    if piece.span.state.is_outage() {
        match open {
            Some(open) => open.go_on(piece),
            None => *open = Some(Open::begin(piece)),
        }
        return None;
    }
    let is_over = open.as_mut().is_some_and(|open| open.recover(piece.span));
    is_over.then(|| open.take()).flatten().and_then(Open::end)
}

/// What explains an incident, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// A start or stop.
    Change,
    /// A check that was critical before the first one was passed: the service may not listen yet.
    Check,
    Failure,
}

/// An incident that may go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Open {
    incident: Incident,
    has_failed: bool,
    /// There was nothing but a start whose checks were not passed yet.
    #[serde(default)]
    is_start: bool,
}

impl Open {
    fn begin(piece: &Piece) -> Self {
        let incident = Incident {
            from_ms: piece.span.from_ms,
            to_ms: None,
            worst: piece.span.state,
            event: piece.event,
            reason: piece.reason.clone(),
            printed: piece.printed.clone(),
        };
        Self { incident, has_failed: piece.has_failed, is_start: piece.is_start }
    }

    /// True while there was nothing but a start or stop, and checks before the end of the start.
    fn is_uneventful(&self) -> bool {
        self.weight() < Weight::Failure
    }

    fn weight(&self) -> Weight {
        let is_change = self.incident.worst <= Availability::Starting;
        match (self.has_failed, is_change) {
            (false, true) => Weight::Change,
            (false, false) if self.is_start => Weight::Check,
            _ => Weight::Failure,
        }
    }

    fn go_on(&mut self, piece: &Piece) {
        let next = Self::begin(piece);
        let worst = self.incident.worst.max(piece.span.state);
        let is_failure = self.weight().max(next.weight()) == Weight::Failure;
        let is_start = !is_failure && (self.is_start || next.is_start);
        if next.weight() > self.weight() {
            // The failure explains it, not the start before.
            self.incident = Incident { from_ms: self.incident.from_ms, ..next.incident };
        }
        self.incident.to_ms = None;
        self.incident.worst = worst;
        self.is_start = is_start;
        self.has_failed |= piece.has_failed;
    }

    /// The service is in a state that is not an outage. True when that ends the incident. A start
    /// goes on until the first result of a check.
    fn recover(&mut self, span: Span) -> bool {
        let ended_ms = *self.incident.to_ms.get_or_insert(span.from_ms);
        let is_known = span.state != Availability::Unknown;
        (self.is_uneventful() && is_known)
            || span.state == Availability::Down
            || span.to_ms.saturating_sub(ended_ms) >= RECOVERY_MS
    }

    /// `None` for a short start or stop.
    pub(super) fn end(self) -> Option<Incident> {
        let length = self.incident.to_ms.map(|to_ms| to_ms.saturating_sub(self.incident.from_ms));
        let is_short = length.is_some_and(|length| length <= UNEVENTFUL_MS);
        (!is_short || !self.is_uneventful()).then_some(self.incident)
    }
}
