//! What a reader of past events asks for, and what it gets.

use std::sync::Arc;

use roost_events::{Event, Kind, Seq, Severity, Topic};

use crate::row::Row;

/// The order of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The newest event first.
    #[default]
    NewestFirst,
    /// The oldest event first.
    OldestFirst,
}

/// Which events. An empty list allows all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Not recorded before this time.
    pub since_ms: Option<u64>,
    /// Not recorded after this time.
    pub until_ms: Option<u64>,
    /// About one of these.
    pub topics: Vec<Topic>,
    /// Of one of these types.
    pub kinds: Vec<Kind>,
    /// As serious as one of these.
    pub severities: Vec<Severity>,
    /// About this service group.
    pub service: Option<String>,
}

impl Filter {
    /// True for an event that is wanted.
    #[must_use]
    pub fn allows(&self, event: &Event) -> bool {
        self.allows_row(&Row {
            time_ms: event.time_ms,
            severity: event.fact.severity,
            kind: event.fact.kind.as_str(),
            service: event.fact.service.as_deref(),
            json: "",
        })
    }

    pub(crate) fn allows_row(&self, row: &Row<'_>) -> bool {
        let topic = row.kind.split('.').next().unwrap_or_default();
        self.since_ms.is_none_or(|since| row.time_ms >= since)
            && self.until_ms.is_none_or(|until| row.time_ms <= until)
            && self.service.as_deref().is_none_or(|service| row.service == Some(service))
            && is_one_of(&self.severities, |severity| *severity == row.severity)
            && is_one_of(&self.topics, |wanted| wanted.as_str() == topic)
            && is_one_of(&self.kinds, |wanted| wanted.as_str() == row.kind)
    }
}

fn is_one_of<T>(wanted: &[T], is: impl Fn(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(is)
}

/// A page of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Which events.
    pub filter: Filter,
    /// In which order.
    pub order: Order,
    /// At most so many.
    pub limit: usize,
    /// Beyond this number, in the direction of the order; from the beginning without it.
    pub after: Option<Seq>,
}

/// An event, as its document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub seq: Seq,
    /// Its document, on one line.
    pub json: Arc<str>,
    time_ms: u64,
    severity: Severity,
    kind: Box<str>,
    service: Option<Box<str>>,
}

impl Entry {
    /// The entry of an event in memory.
    #[must_use]
    pub fn of(event: &Event) -> Self {
        Self {
            seq: event.seq,
            json: event.to_json().into(),
            time_ms: event.time_ms,
            severity: event.fact.severity,
            kind: event.fact.kind.as_str().into(),
            service: event.fact.service.as_deref().map(Box::from),
        }
    }

    pub(crate) fn of_row(seq: Seq, row: &Row<'_>) -> Self {
        Self {
            seq,
            json: row.json.into(),
            time_ms: row.time_ms,
            severity: row.severity,
            kind: row.kind.into(),
            service: row.service.map(Box::from),
        }
    }

    /// The number of the event that it follows from.
    pub(crate) fn cause(&self) -> Option<Seq> {
        // Also of types of a later version.
        let document: serde_json::Value = serde_json::from_str(&self.json).ok()?;
        document["cause"].as_u64().map(Seq)
    }

    pub(crate) fn row(&self) -> Row<'_> {
        Row {
            time_ms: self.time_ms,
            severity: self.severity,
            kind: &self.kind,
            service: self.service.as_deref(),
            json: &self.json,
        }
    }
}

/// The answer to a [`Query`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The events.
    pub items: Vec<Entry>,
    /// Where the next page begins. `None` at the end. A page can hold fewer events than its limit
    /// and still have a next one: the search has looked at as many as it may at once.
    pub next: Option<Seq>,
    /// The journal could not be read: there are events that are not shown.
    pub is_partial: bool,
}
