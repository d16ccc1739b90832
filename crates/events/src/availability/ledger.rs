//! All that is kept of the availability of one service.

use super::{Account, Entry, Hours, INCIDENTS_MAX, Incident, Seen};

/// The past of one service up to its last event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    /// The present state.
    pub account: Account,
    /// What it was in.
    pub hours: Hours,
    /// Incidents that are over, the oldest first.
    pub incidents: Vec<Incident>,
}

impl Ledger {
    /// Takes an event of the service or of the Supervisor, in the order of their numbers.
    pub fn take(&mut self, event: &Seen<'_>) {
        let mut entries = Vec::new();
        self.account.take(event, &mut entries);
        self.enter(entries);
    }

    /// The past of the service up to now. The last incident may go on.
    #[must_use]
    pub fn at(mut self, now_ms: u64) -> Self {
        let mut entries = Vec::new();
        self.account.clone().end(now_ms, &mut entries);
        self.enter(entries);
        self
    }

    fn enter(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            match entry {
                Entry::Span(span) => self.hours.add(span),
                Entry::Incident(incident) => self.incidents.push(incident),
            }
        }
        let surplus = self.incidents.len().saturating_sub(INCIDENTS_MAX);
        self.incidents.drain(..surplus);
    }
}
