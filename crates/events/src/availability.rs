//! How available a service was, from its events: what it was in at every moment, how long it was
//! not available although it should have been, and why.
//!
//! Time that was not observed is not guessed: while no Supervisor ran, and before the first event,
//! the state is not known.

use std::collections::BTreeMap;

use roost_ident::time::parse_rfc3339_ms;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    LAST_SEEN, PRINTED_OUTPUT, PRINTED_STDERR,
    document::EventDocument,
    event::Seq,
    kind::{Kind, Topic},
};

/// Being available for less than this does not end an incident.
const RECOVERY_MS: u64 = 30_000;
/// A start or stop up to this long, without a failure, is not an incident.
const UNEVENTFUL_MS: u64 = 10_000;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The beginning.
    pub from_ms: u64,
    /// The end.
    pub to_ms: u64,
    /// The state.
    pub state: Availability,
}

/// A time in which a service was not available although it should have been.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// What the events of a service show of its past.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// Each moment from the first event on, once, in order.
    pub spans: Vec<Span>,
    /// Incidents, the oldest first.
    pub incidents: Vec<Incident>,
}

/// The times of one window by state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Milliseconds in each state.
    pub states_ms: BTreeMap<Availability, u64>,
    /// Milliseconds before the first event.
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

impl History {
    /// Reads the events of a service and those of the Supervisor, in the order of their numbers, up
    /// to now.
    #[must_use]
    pub fn of(events: &[EventDocument], now_ms: u64) -> Self {
        let mut reading = Reading::default();
        for event in events {
            reading.take(event);
        }
        reading.end(now_ms)
    }

    /// The times of a window by state.
    #[must_use]
    pub fn tally(&self, from_ms: u64, to_ms: u64) -> Tally {
        let mut tally = Tally::default();
        let mut recorded = 0;
        for span in &self.spans {
            let ms = span.to_ms.min(to_ms).saturating_sub(span.from_ms.max(from_ms));
            if ms > 0 {
                *tally.states_ms.entry(span.state).or_default() += ms;
                recorded += ms;
            }
        }
        tally.not_recorded_ms = to_ms.saturating_sub(from_ms) - recorded;
        tally
    }

    /// The worst state of each of so many parts of a window; `None` before the first event.
    #[must_use]
    pub fn worst(&self, from_ms: u64, to_ms: u64, parts: u64) -> Vec<Option<Availability>> {
        let length = to_ms.saturating_sub(from_ms);
        let edge = |part: u64| {
            let share = u128::from(length) * u128::from(part) / u128::from(parts.max(1));
            from_ms + u64::try_from(share).unwrap_or(length)
        };
        let worst = |part: u64| {
            let (from, to) = (edge(part), edge(part + 1));
            let within = self.spans.iter().filter(|span| span.from_ms < to && span.to_ms > from);
            within.map(|span| span.state).max()
        };
        (0..parts).map(worst).collect()
    }
}

/// A span with what is needed for incidents.
#[derive(Debug)]
struct Piece {
    span: Span,
    /// The process ended without having been asked to.
    has_failed: bool,
    event: Seq,
    reason: String,
    printed: Vec<String>,
}

#[derive(Debug, Default)]
struct Reading {
    pieces: Vec<Piece>,
    /// When the state began; `None` before the first event.
    since_ms: Option<u64>,
    state: Option<Kind>,
    health: Option<String>,
    /// The event that the state began with.
    begin: Option<Began>,
    /// An unexpected end of the process, until the state after it begins.
    exit: Option<Began>,
    /// The time of the last event.
    last_ms: u64,
    is_running: bool,
}

#[derive(Debug, Clone)]
struct Began {
    event: Seq,
    reason: String,
    printed: Vec<String>,
    is_failure: bool,
}

impl Began {
    fn of(event: &EventDocument, is_failure: bool) -> Self {
        let printed = [PRINTED_STDERR, PRINTED_OUTPUT];
        let lines = printed.iter().filter_map(|key| event.data.get(*key)?.as_array()).flatten();
        Self {
            event: event.seq,
            reason: event.message.clone(),
            printed: lines.filter_map(Value::as_str).map(str::to_owned).collect(),
            is_failure,
        }
    }
}

impl Reading {
    fn take(&mut self, event: &EventDocument) {
        // A clock that was set back makes no time negative.
        let at_ms = parse_rfc3339_ms(&event.time).unwrap_or(0).max(self.last_ms);
        match event.topic {
            Topic::Supervisor => self.supervisor(event, at_ms),
            Topic::Service if event.kind == Kind::ServiceUnloaded => {
                self.close(at_ms, None);
                self.state = Some(Kind::ServiceDown);
                self.begin = None;
            }
            Topic::Service if is_state(event.kind) => {
                self.close(at_ms, Some(event.kind));
                self.state = Some(event.kind);
                self.begin = self.exit.take().or_else(|| Some(Began::of(event, false)));
            }
            Topic::Health => {
                self.close(at_ms, self.state);
                self.health.clone_from(&event.after);
                self.begin = Some(Began::of(event, false));
            }
            Topic::Process if event.kind == Kind::ProcessExited => {
                let unexpected = event.data.get("cause").and_then(Value::as_str);
                self.exit = (unexpected == Some("unexpected")).then(|| Began::of(event, true));
            }
            _ => {}
        }
        self.last_ms = at_ms;
    }

    /// Between the end of a Supervisor and the start of the next one nothing is observed.
    fn supervisor(&mut self, event: &EventDocument, at_ms: u64) {
        match event.kind {
            Kind::SupervisorStarted => {
                let seen = event.data.get(LAST_SEEN).and_then(Value::as_str);
                let seen_ms = seen.and_then(parse_rfc3339_ms).unwrap_or(0);
                self.lose_sight(seen_ms.clamp(self.last_ms, at_ms), at_ms);
                self.is_running = true;
            }
            Kind::SupervisorStopping => self.is_running = false,
            _ => {}
        }
    }

    fn lose_sight(&mut self, from_ms: u64, at_ms: u64) {
        if self.state.is_none() || self.class(None) == Availability::Down {
            return;
        }
        self.close(from_ms, None);
        // Until its first event of the new Supervisor.
        self.state = None;
        self.health = None;
        self.exit = None;
        self.begin = None;
        self.last_ms = at_ms;
    }

    /// What the present state means; `next` is the state that follows, if one is known.
    fn class(&self, next: Option<Kind>) -> Availability {
        match self.state {
            None => Availability::Unknown,
            Some(Kind::ServiceUp) => match self.health.as_deref() {
                None | Some("ok") => Availability::Up,
                Some("warning") => Availability::Warning,
                Some("critical") => Availability::Critical,
                Some(_) => Availability::Unknown,
            },
            // A stop that was asked for is not an outage.
            Some(Kind::ServiceStopping) => match next {
                None | Some(Kind::ServiceDown | Kind::ServiceStopping) => Availability::Down,
                Some(_) => Availability::Stopping,
            },
            Some(Kind::ServiceStarting) => Availability::Starting,
            Some(Kind::ServiceBlocked) => Availability::Blocked,
            Some(Kind::ServiceBackingOff) => Availability::BackingOff,
            Some(Kind::ServiceFailed) => Availability::Failed,
            Some(_) => Availability::Down,
        }
    }

    /// Ends the present span.
    fn close(&mut self, at_ms: u64, next: Option<Kind>) {
        let Some(from_ms) = self.since_ms.replace(at_ms) else { return };
        let state = self.class(next);
        let began = self.begin.as_ref();
        self.pieces.push(Piece {
            span: Span { from_ms, to_ms: at_ms, state },
            has_failed: began.is_some_and(|began| began.is_failure),
            event: began.map_or(Seq(0), |began| began.event),
            reason: began.map(|began| began.reason.clone()).unwrap_or_default(),
            printed: began.map(|began| began.printed.clone()).unwrap_or_default(),
        });
    }

    fn end(mut self, now_ms: u64) -> History {
        self.close(now_ms.max(self.last_ms), None);
        let spans = self.pieces.iter().map(|piece| piece.span);
        let spans = spans.filter(|span| span.from_ms < span.to_ms).collect();
        History { spans, incidents: incidents(&self.pieces) }
    }
}

fn is_state(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::ServiceStarting
            | Kind::ServiceUp
            | Kind::ServiceStopping
            | Kind::ServiceDown
            | Kind::ServiceBlocked
            | Kind::ServiceBackingOff
            | Kind::ServiceFailed
    )
}

/// An incident that may go on.
#[derive(Debug)]
struct Open {
    incident: Incident,
    has_failed: bool,
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
        Self { incident, has_failed: piece.has_failed }
    }

    /// True while there was nothing but a start or stop.
    fn is_uneventful(&self) -> bool {
        !self.has_failed && self.incident.worst <= Availability::Starting
    }

    fn go_on(&mut self, piece: &Piece) {
        let next = Self::begin(piece);
        if self.is_uneventful() && !next.is_uneventful() {
            // The failure explains it, not the start before.
            self.incident = Incident { from_ms: self.incident.from_ms, ..next.incident };
        }
        self.incident.to_ms = None;
        self.incident.worst = self.incident.worst.max(piece.span.state);
        self.has_failed |= piece.has_failed;
    }

    /// The service is in a state that is not an outage. True when that ends the incident.
    fn recover(&mut self, span: Span) -> bool {
        let ended_ms = *self.incident.to_ms.get_or_insert(span.from_ms);
        self.is_uneventful()
            || span.state == Availability::Down
            || span.to_ms.saturating_sub(ended_ms) >= RECOVERY_MS
    }

    /// `None` for a short start or stop.
    fn end(self) -> Option<Incident> {
        let length = self.incident.to_ms.map(|to_ms| to_ms.saturating_sub(self.incident.from_ms));
        let is_short = length.is_some_and(|length| length <= UNEVENTFUL_MS);
        (!is_short || !self.is_uneventful()).then_some(self.incident)
    }
}

fn incidents(pieces: &[Piece]) -> Vec<Incident> {
    let mut incidents = Vec::new();
    let mut open: Option<Open> = None;
    for piece in pieces {
        if piece.span.state.is_outage() {
            match &mut open {
                Some(open) => open.go_on(piece),
                None => open = Some(Open::begin(piece)),
            }
        } else if open.as_mut().is_some_and(|open| open.recover(piece.span)) {
            incidents.extend(open.take().and_then(Open::end));
        }
    }
    incidents.extend(open.and_then(Open::end));
    incidents
}

#[cfg(test)]
mod tests;
