//! How available services were, as readers of the API ask for it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use roost_api::{
    Ask, Code, Problem,
    documents::availability::{AvailabilityV1, BucketV1, IncidentV1, TimelineV1, WindowV1},
    live::Pending,
};
use roost_events::availability::{Incident, Ledger, hour_of, start_of_hour};
use roost_ident::time::rfc3339_ms;
use roost_journal::Record;

use crate::{history::View, vital};

const HOUR: Duration = Duration::from_secs(3600);
/// Windows by name.
const WINDOWS: [(&str, u64); 4] = [("24h", 24), ("7d", 7 * 24), ("30d", 30 * 24), ("90d", 90 * 24)];
const LONGEST_HOURS: u64 = 90 * 24;
/// Incidents of one answer.
const INCIDENTS_MAX: usize = 100;
/// Parts of a timeline, if their number is not given.
const BUCKETS: u64 = 90;

/// How available the service was.
pub(crate) fn of(record: &Record, view: View, ask: &Ask) -> Pending<AvailabilityV1> {
    let reading = read(record, ask);
    Box::pin(async move {
        let Read { id, past, now_ms, is_partial } = reading.await?;
        let windows = WINDOWS.map(|(name, hours)| window(&past, name, hours, now_ms));
        let since_ms = now_ms.saturating_sub(milliseconds(LONGEST_HOURS));
        let is_recent = |it: &&Incident| it.to_ms.is_none_or(|to_ms| to_ms >= since_ms);
        let newest = past.incidents.iter().rev().filter(is_recent).take(INCIDENTS_MAX);
        let incidents = newest.map(|it| incident(it, view)).collect();
        Ok(AvailabilityV1 { id, windows: windows.into(), incidents, partial: is_partial })
    })
}

/// The worst states of the parts of a window.
pub(crate) fn timeline(record: &Record, ask: &Ask) -> Pending<TimelineV1> {
    let name = ask.query.word("window").unwrap_or(WINDOWS[0].0);
    let hours = WINDOWS.iter().find(|window| window.0 == name).map_or(24, |window| window.1);
    let count = ask.query.number("buckets").unwrap_or(BUCKETS);
    let reading = read(record, ask);
    Box::pin(async move {
        let Read { id, past, now_ms, .. } = reading.await?;
        let length = milliseconds(hours);
        let from_ms = now_ms.saturating_sub(length);
        let states = past.hours.worst(from_ms, now_ms, count);
        let bucket =
            |(index, state)| BucketV1 { from: rfc3339_ms(from_ms + length * index / count), state };
        let buckets = (0..).zip(states).map(bucket).collect();
        Ok(TimelineV1 { id, to: rfc3339_ms(now_ms), buckets })
    })
}

struct Read {
    id: String,
    past: Ledger,
    now_ms: u64,
    is_partial: bool,
}

fn read(record: &Record, ask: &Ask) -> Pending<Read> {
    let id = ask.service.as_ref().map(|service| service.group().to_owned());
    let record = record.clone();
    Box::pin(async move {
        let id = id.ok_or(Code::NotFound)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let reading = vital::spawn_blocking("availability", move || {
            let past = record.past_of(&id);
            Read { id, past: past.ledger.at(now_ms), now_ms, is_partial: past.is_partial }
        });
        reading.await.map_err(|_| Problem::from(Code::Unavailable))
    })
}

fn milliseconds(hours: u64) -> u64 {
    u64::try_from(HOUR.as_millis()).unwrap_or(0) * hours
}

/// Times are kept by the hour: a window begins with a full one.
fn window(past: &Ledger, name: &str, hours: u64, now_ms: u64) -> WindowV1 {
    let first = hour_of(now_ms.saturating_sub(milliseconds(hours)));
    let from_ms = start_of_hour(first);
    let tally = past.hours.tally(first, now_ms);
    let (available_ms, expected_ms) = (tally.available_ms(), tally.expected_ms());
    let ratio = (expected_ms > 0).then(|| available_ms as f64 / expected_ms as f64);
    WindowV1 {
        window: name.into(),
        from: rfc3339_ms(from_ms),
        to: rfc3339_ms(now_ms),
        ratio,
        available_ms,
        expected_ms,
        not_recorded_ms: tally.not_recorded_ms,
        states_ms: tally.states_ms,
    }
}

fn incident(incident: &Incident, view: View) -> IncidentV1 {
    IncidentV1 {
        from: rfc3339_ms(incident.from_ms),
        to: incident.to_ms.map(rfc3339_ms),
        worst: incident.worst,
        event: incident.event,
        reason: incident.reason.clone(),
        printed: match view {
            View::Whole => incident.printed.clone(),
            View::Redacted => Vec::new(),
        },
    }
}
