//! Which command stopped a service. The record has it; this keeps it at hand for explanations.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use roost_events::{EventDocument, Fact, Kind};
use roost_journal::{Filter, Order, Query, Record};
use serde_json::{Map, Value};

use crate::{clock, vital};

/// Events of the past that are searched.
const PAST: usize = 1000;

/// The last command about each service, by its group. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stops(Arc<Mutex<BTreeMap<String, Last>>>);

/// What was last wanted of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Last {
    /// The command that stopped it. `None` when it was to run.
    stopped_by: Option<String>,
    at_ms: u64,
}

impl Stops {
    /// A command was carried out, or refused.
    pub(crate) fn note(&self, fact: &Fact) {
        if let (Some(group), Some(stopped_by)) = (&fact.service, wish(&fact.data)) {
            let last = Last { stopped_by, at_ms: clock::unix_ms() };
            self.lock().insert(group.clone(), last);
        }
    }

    /// The process of a service started at this time: what stopped it before says nothing now.
    pub(crate) fn started(&self, group: &str, at_ms: u64) {
        let mut all = self.lock();
        if all.get(group).is_some_and(|last| last.at_ms <= at_ms) {
            all.remove(group);
        }
    }

    /// The service is gone. Another one of its name was not stopped yet.
    pub(crate) fn forget(&self, group: &str) {
        self.lock().remove(group);
    }

    /// The command that stopped a service.
    pub(crate) fn of(&self, group: &str) -> Option<String> {
        self.lock().get(group).and_then(|last| last.stopped_by.clone())
    }

    /// Reads what former Supervisors recorded. A command that came meanwhile counts more.
    pub(crate) async fn recall(&self, record: Record) {
        let kinds = vec![Kind::ControlRequest, Kind::ServiceStarting, Kind::ServiceUnloaded];
        let filter = Filter { kinds, ..Filter::default() };
        let query = Query { filter, order: Order::NewestFirst, limit: PAST, after: None };
        let reading = vital::spawn_blocking("stops of the past", move || record.page(&query));
        let Ok(page) = reading.await else { return };
        let events = page.items.iter();
        self.restore(events.filter_map(|entry| serde_json::from_str(&entry.json).ok()));
    }

    /// `events` has the newest first.
    fn restore(&self, events: impl Iterator<Item = EventDocument>) {
        let mut all = self.lock();
        for event in events {
            let stopped_by = match event.kind {
                Kind::ControlRequest => wish(&event.data),
                _ => Some(None),
            };
            if let (Some(group), Some(stopped_by)) = (event.service, stopped_by) {
                all.entry(group).or_insert(Last { stopped_by, at_ms: 0 });
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Last>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a command wants of its service: `Some(None)` that it runs or is not there. `None` for a
/// command that does not say, or was not carried out.
fn wish(data: &Map<String, Value>) -> Option<Option<String>> {
    let text = |key: &str| data.get(key).and_then(Value::as_str);
    if text("result") != Some("done") {
        return None;
    }
    match text("command")? {
        "svc stop" => {
            let mut by = format!("hab svc stop {}", text("about").unwrap_or_default());
            if let Some(address) = text("address") {
                by.push_str(&format!(" from {address}"));
            }
            if let Some(subject) = text("certificate") {
                by.push_str(&format!(" ({})", roost_text::shown(subject)));
            }
            Some(Some(by))
        }
        "svc start" | "svc load" | "svc unload" => Some(None),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use roost_events::{Event, Seq};

    use super::*;

    fn command(command: &str, result: &str) -> Fact {
        Fact::new(Kind::ControlRequest, "a command")
            .of("web.default")
            .with("command", command)
            .with("about", "acme/web")
            .with("address", "192.0.2.7:4711")
            .with("result", result)
    }

    #[test]
    fn the_last_command_that_was_carried_out_counts() {
        let by = Some("hab svc stop acme/web from 192.0.2.7:4711".to_owned());
        let stops = Stops::default();
        stops.note(&command("svc stop", "failed"));
        assert_eq!(stops.of("web.default"), None);
        stops.note(&command("svc stop", "done"));
        stops.note(&command("svc start", "failed"));
        assert_eq!(stops.of("web.default"), by);
        assert_eq!(stops.of("db.default"), None);
        stops.started("web.default", 7);
        assert_eq!(stops.of("web.default"), by, "it ran before it was stopped");
        stops.started("web.default", u64::MAX);
        assert_eq!(stops.of("web.default"), None, "its spec was edited");
    }

    #[test]
    fn of_the_past_the_newest_event_of_a_service_counts_and_a_command_since_more() {
        let document =
            |fact: Fact| EventDocument::from(&Event { seq: Seq(1), time_ms: 0, cause: None, fact });
        let stop = || document(command("svc stop", "done"));
        let start = || document(Fact::new(Kind::ServiceStarting, "it starts").of("web.default"));
        let stops = Stops::default();
        stops.restore([stop(), start()].into_iter());
        assert!(stops.of("web.default").is_some());
        let stops = Stops::default();
        stops.restore([start(), stop()].into_iter());
        assert_eq!(stops.of("web.default"), None);
        let stops = Stops::default();
        stops.note(&command("svc start", "done"));
        stops.restore([stop()].into_iter());
        assert_eq!(stops.of("web.default"), None);
    }
}
