//! What has to be known of a service between two of its events, to find what it was in.

use roost_ident::time::parse_rfc3339_ms;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Availability, Incident, Span,
    incidents::{self, Open, Piece},
};
use crate::{
    LAST_SEEN, PRINTED_OUTPUT, PRINTED_STDERR,
    document::EventDocument,
    event::{Event, Seq},
    kind::{Kind, Topic},
};

/// While a clock is behind the last event by less, no time passes. One that is set back by more was
/// wrong before, and time goes on from where it is now.
const CLOCK_TOLERANCE_MS: u64 = 60 * 60 * 1000;

/// What an account reads of an event.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Its number.
    pub seq: Seq,
    /// When it was recorded, milliseconds since 1970.
    pub time_ms: u64,
    kind: Kind,
    before: Option<&'a str>,
    after: Option<&'a str>,
    message: &'a str,
    data: &'a Map<String, Value>,
}

impl Seen<'_> {
    /// True for an event that accounts are about: of their service, or of the Supervisor.
    #[must_use]
    pub fn is_of_interest(&self) -> bool {
        let topics = [Topic::Supervisor, Topic::Service, Topic::Health, Topic::Process];
        topics.contains(&self.kind.topic())
    }

    /// True for an event that concerns all accounts.
    #[must_use]
    pub fn is_of_supervisor(&self) -> bool {
        self.kind.topic() == Topic::Supervisor
    }
}

impl<'a> From<&'a Event> for Seen<'a> {
    fn from(event: &'a Event) -> Self {
        let Event { seq, time_ms, cause: _, fact } = event;
        Self {
            seq: *seq,
            time_ms: *time_ms,
            kind: fact.kind,
            before: fact.before.as_deref(),
            after: fact.after.as_deref(),
            message: &fact.message,
            data: &fact.data,
        }
    }
}

impl<'a> From<&'a EventDocument> for Seen<'a> {
    fn from(event: &'a EventDocument) -> Self {
        Self {
            seq: event.seq,
            time_ms: parse_rfc3339_ms(&event.time).unwrap_or(0),
            kind: event.kind,
            before: event.before.as_deref(),
            after: event.after.as_deref(),
            message: &event.message,
            data: &event.data,
        }
    }
}

/// What follows from an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A time in one state is over.
    Span(Span),
    /// An incident is over, or goes on at the end of what is known.
    Incident(Incident),
}

/// The present state of one service, as its events show it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Account {
    /// When the state began; `None` before the first event.
    since_ms: Option<u64>,
    state: Option<Kind>,
    health: Option<String>,
    /// The event that the state began with.
    begin: Option<Began>,
    /// An unexpected end of the process, until the state after it begins.
    exit: Option<Began>,
    /// It started, and has not passed a check since.
    is_start: bool,
    /// The time of the last event.
    last_ms: u64,
    incident: Option<Open>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Began {
    event: Seq,
    reason: String,
    printed: Vec<String>,
    is_failure: bool,
}

impl Began {
    fn of(event: &Seen<'_>, is_failure: bool) -> Self {
        let printed = [PRINTED_STDERR, PRINTED_OUTPUT];
        let lines = printed.iter().filter_map(|key| event.data.get(*key)?.as_array()).flatten();
        Self {
            event: event.seq,
            reason: event.message.to_owned(),
            printed: lines.filter_map(Value::as_str).map(str::to_owned).collect(),
            is_failure,
        }
    }
}

impl Account {
    /// Takes an event of the service or of the Supervisor, in the order of their numbers.
    pub fn take(&mut self, event: &Seen<'_>, entries: &mut Vec<Entry>) {
        let at_ms = self.moment(event.time_ms);
        match event.kind.topic() {
            Topic::Supervisor if event.kind == Kind::SupervisorStarted => {
                let seen = event.data.get(LAST_SEEN).and_then(Value::as_str);
                let seen_ms = seen.and_then(parse_rfc3339_ms).unwrap_or(0);
                self.lose_sight(seen_ms.max(self.last_ms).min(at_ms), entries);
            }
            Topic::Service if event.kind == Kind::ServiceUnloaded => {
                self.close(at_ms, None, entries);
                self.state = Some(Kind::ServiceDown);
                self.begin = None;
            }
            Topic::Service if is_state(event.kind) => {
                self.close(at_ms, Some(event.kind), entries);
                self.state = Some(event.kind);
                // A service that was taken back has no state before.
                self.is_start = event.kind == Kind::ServiceUp && event.before.is_some();
                self.begin = self.exit.take().or_else(|| Some(Began::of(event, false)));
            }
            // What a service is in depends on its health only while it is up.
            Topic::Health if self.state.is_some_and(|state| state != Kind::ServiceUp) => {
                self.health = event.after.map(str::to_owned);
            }
            Topic::Health => {
                self.close(at_ms, self.state, entries);
                self.health = event.after.map(str::to_owned);
                self.is_start &= !matches!(event.after, Some("ok" | "warning"));
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

    /// What follows from the end of what is known, which is now.
    pub fn end(mut self, now_ms: u64, entries: &mut Vec<Entry>) {
        self.close(self.moment(now_ms), None, entries);
        entries.extend(self.incident.and_then(Open::end).map(Entry::Incident));
    }

    /// True for a service that has had no event since then, and was not wanted up or not loaded.
    #[must_use]
    pub fn is_over(&self, since_ms: u64) -> bool {
        self.last_ms < since_ms && matches!(self.state, None | Some(Kind::ServiceDown))
    }

    /// The time of its last event, in milliseconds since 1970.
    #[must_use]
    pub fn last_ms(&self) -> u64 {
        self.last_ms
    }

    fn moment(&self, time_ms: u64) -> u64 {
        match time_ms.saturating_add(CLOCK_TOLERANCE_MS) < self.last_ms {
            true => time_ms,
            false => time_ms.max(self.last_ms),
        }
    }

    /// Between the end of a Supervisor and the start of the next one nothing is observed.
    fn lose_sight(&mut self, from_ms: u64, entries: &mut Vec<Entry>) {
        if self.state.is_none() || self.class(None) == Availability::Down {
            return;
        }
        self.close(from_ms, None, entries);
        // Until its first event of the new Supervisor.
        self.state = None;
        self.health = None;
        self.exit = None;
        self.begin = None;
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
            // A stop that was asked for is not an outage. What runs after a failure is.
            Some(Kind::ServiceStopping) => match next {
                Some(Kind::ServiceDown) => Availability::Down,
                None | Some(Kind::ServiceStopping) if !self.has_failed() => Availability::Down,
                _ => Availability::Stopping,
            },
            Some(Kind::ServiceStarting) => Availability::Starting,
            Some(Kind::ServiceBlocked) => Availability::Blocked,
            Some(Kind::ServiceBackingOff) => Availability::BackingOff,
            Some(Kind::ServiceFailed) => Availability::Failed,
            Some(_) => Availability::Down,
        }
    }

    /// True when the present state began with a failure of the process.
    fn has_failed(&self) -> bool {
        self.begin.as_ref().is_some_and(|began| began.is_failure)
    }

    /// Ends the present span.
    fn close(&mut self, at_ms: u64, next: Option<Kind>, entries: &mut Vec<Entry>) {
        let Some(from_ms) = self.since_ms.replace(at_ms) else { return };
        let began = self.begin.as_ref();
        let state = self.class(next);
        let piece = Piece {
            span: Span { from_ms, to_ms: at_ms.max(from_ms), state },
            has_failed: self.has_failed(),
            is_start: self.is_start && state == Availability::Critical,
            event: began.map_or(Seq(0), |began| began.event),
            reason: began.map(|began| began.reason.clone()).unwrap_or_default(),
            printed: began.map(|began| began.printed.clone()).unwrap_or_default(),
        };
        if from_ms < at_ms {
            entries.push(Entry::Span(piece.span));
        }
        entries.extend(incidents::take(&mut self.incident, &piece).map(Entry::Incident));
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
