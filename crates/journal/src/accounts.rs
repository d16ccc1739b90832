//! How available services were, kept in the journal beside the events, so that a query of months
//! reads no event.
//!
//! | table | holds |
//! |---|---|
//! | `accounts` | the present state of each service, as its events show it |
//! | `availability` | by service and day: milliseconds of each state in each hour |
//! | `incidents` | by service and beginning: what happened, and what was printed |
//!
//! They follow from the events alone, up to the one that [`ACCOUNTED`] names, and are written in
//! the transaction of the events. A journal without them, or with events of an earlier version
//! behind them, gets what is missing from its events.

use std::collections::BTreeMap;

use redb::{
    ReadTransaction, ReadableTable, ReadableTableMetadata, Table, TableDefinition, WriteTransaction,
};
use roost_events::{
    EventDocument, Seq,
    availability::{
        Account, Entry, Hours, INCIDENTS_MAX, Incident, KEPT_DAYS, Ledger, Seen, Span, day_of,
    },
};
use serde::de::DeserializeOwned;

use crate::file::FileError;

const ACCOUNTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("accounts");
const DAYS: TableDefinition<'_, (&str, u64), &[u8]> = TableDefinition::new("availability");
const INCIDENTS: TableDefinition<'_, (&str, u64), &[u8]> = TableDefinition::new("incidents");

/// In the table `meta`: the number of the last event that the accounts have.
pub(crate) const ACCOUNTED: &str = "accounted";
/// Services with an account. Beyond it, the one whose last event is the oldest goes.
const ACCOUNTS_MAX: u64 = 2_000;

/// The accounts during a write.
pub(crate) struct Accounts<'t> {
    accounts: Table<'t, &'static str, &'static [u8]>,
    days: Table<'t, (&'static str, u64), &'static [u8]>,
    incidents: Table<'t, (&'static str, u64), &'static [u8]>,
    /// Those that events of this write are about.
    open: BTreeMap<String, Open>,
}

#[derive(Default)]
struct Open {
    account: Account,
    entries: Vec<Entry>,
}

impl<'t> Accounts<'t> {
    pub(crate) fn open(transaction: &'t WriteTransaction) -> Result<Self, FileError> {
        Ok(Self {
            accounts: transaction.open_table(ACCOUNTS)?,
            days: transaction.open_table(DAYS)?,
            incidents: transaction.open_table(INCIDENTS)?,
            open: BTreeMap::new(),
        })
    }

    /// Takes an event of this service, or of the Supervisor.
    pub(crate) fn take(
        &mut self,
        service: Option<&str>,
        event: &Seen<'_>,
    ) -> Result<(), FileError> {
        if !event.is_of_interest() {
            return Ok(());
        }
        if event.is_of_supervisor() {
            for name in self.names()? {
                self.take_of(&name, event)?;
            }
        } else if let Some(service) = service {
            self.take_of(service, event)?;
        }
        Ok(())
    }

    fn take_of(&mut self, service: &str, event: &Seen<'_>) -> Result<(), FileError> {
        if !self.open.contains_key(service) {
            let account = stored(&self.accounts, service)?.unwrap_or_default();
            self.open.insert(service.to_owned(), Open { account, entries: Vec::new() });
        }
        if let Some(Open { account, entries }) = self.open.get_mut(service) {
            account.take(event, entries);
        }
        Ok(())
    }

    /// The services with an account.
    fn names(&self) -> Result<Vec<String>, FileError> {
        let mut names: Vec<String> = self.open.keys().cloned().collect();
        for account in self.accounts.iter()? {
            let name = account?.0.value().to_owned();
            if !self.open.contains_key(&name) {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Writes what the events of this write have changed.
    pub(crate) fn finish(mut self) -> Result<(), FileError> {
        for (service, Open { account, entries }) in std::mem::take(&mut self.open) {
            self.accounts.insert(service.as_str(), json(&account)?.as_slice())?;
            let mut spans = Vec::new();
            for entry in entries {
                match entry {
                    Entry::Span(span) => spans.push(span),
                    Entry::Incident(incident) => self.add_incident(&service, &incident)?,
                }
            }
            self.add_spans(&service, &spans)?;
        }
        while self.accounts.len()? > ACCOUNTS_MAX {
            self.remove_oldest()?;
        }
        Ok(())
    }

    fn add_spans(&mut self, service: &str, spans: &[Span]) -> Result<(), FileError> {
        let mut touched = Hours::default();
        spans.iter().for_each(|span| touched.add(*span));
        let touched: Vec<u64> = touched.days().collect();
        let Some(last) = spans.iter().map(|span| day_of(span.to_ms)).max() else { return Ok(()) };
        let mut hours = Hours::default();
        for day in &touched {
            if let Some(bytes) = self.days.get((service, *day))? {
                read_day(&mut hours, *day, bytes.value())?;
            }
        }
        spans.iter().for_each(|span| hours.add(*span));
        for day in touched {
            let bytes = hours.day(day).map_err(unwritable)?;
            self.days.insert((service, day), bytes.as_slice())?;
        }
        self.days
            .retain_in((service, 0)..(service, last.saturating_sub(KEPT_DAYS)), |_, _| false)?;
        Ok(())
    }

    fn add_incident(&mut self, service: &str, incident: &Incident) -> Result<(), FileError> {
        self.incidents.insert((service, incident.from_ms), json(incident)?.as_slice())?;
        let of_service = (service, 0)..=(service, u64::MAX);
        let count = self.incidents.range(of_service.clone())?.count();
        if count > INCIDENTS_MAX {
            let oldest = self.incidents.range(of_service)?.next().transpose()?;
            if let Some(from_ms) = oldest.map(|(key, _)| key.value().1) {
                self.incidents.remove((service, from_ms))?;
            }
        }
        Ok(())
    }

    /// Removes accounts that have had no event since then, of services that are not to be up.
    pub(crate) fn remove_over(&mut self, since_ms: u64) -> Result<(), FileError> {
        for service in self.names()? {
            let account: Option<Account> = stored(&self.accounts, &service)?;
            if account.is_some_and(|account| account.is_over(since_ms)) {
                self.remove(&service)?;
            }
        }
        Ok(())
    }

    fn remove_oldest(&mut self) -> Result<(), FileError> {
        let mut oldest: Option<(u64, String)> = None;
        for account in self.accounts.iter()? {
            let (name, bytes) = account?;
            let last_ms = parsed::<Account>(name.value(), bytes.value())?.last_ms();
            if oldest.as_ref().is_none_or(|(least_ms, _)| last_ms < *least_ms) {
                oldest = Some((last_ms, name.value().to_owned()));
            }
        }
        match oldest {
            Some((_, name)) => self.remove(&name),
            None => Ok(()),
        }
    }

    fn remove(&mut self, service: &str) -> Result<(), FileError> {
        self.accounts.remove(service)?;
        let all = (service, 0)..=(service, u64::MAX);
        self.days.retain_in(all.clone(), |_, _| false)?;
        self.incidents.retain_in(all, |_, _| false)?;
        Ok(())
    }
}

/// Everything that is stored of a service.
pub(crate) fn ledger(reading: &ReadTransaction, service: &str) -> Result<Ledger, FileError> {
    let mut ledger = Ledger::default();
    if let Some(account) = stored(&reading.open_table(ACCOUNTS)?, service)? {
        ledger.account = account;
    }
    let all = (service, 0)..=(service, u64::MAX);
    for day in reading.open_table(DAYS)?.range(all.clone())? {
        let (key, bytes) = day?;
        read_day(&mut ledger.hours, key.value().1, bytes.value())?;
    }
    for incident in reading.open_table(INCIDENTS)?.range(all)? {
        ledger.incidents.push(parsed(service, incident?.1.value())?);
    }
    Ok(ledger)
}

/// Makes a journal one of a version without accounts.
#[cfg(test)]
pub(crate) fn remove_all(transaction: &WriteTransaction) -> Result<(), FileError> {
    transaction.delete_table(ACCOUNTS)?;
    transaction.delete_table(DAYS)?;
    transaction.delete_table(INCIDENTS)?;
    Ok(())
}

/// The document of a stored event. `None` for a type of a later version.
pub(crate) fn document(json: &str) -> Option<EventDocument> {
    serde_json::from_str(json).ok()
}

/// Which events the accounts have, of a journal with events up to the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) accounted: Seq,
    pub(crate) written: Seq,
}

impl Progress {
    pub(crate) fn is_complete(self) -> bool {
        self.accounted >= self.written
    }
}

fn stored<T: DeserializeOwned>(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
    service: &str,
) -> Result<Option<T>, FileError> {
    table.get(service)?.map(|bytes| parsed(service, bytes.value())).transpose()
}

fn parsed<T: DeserializeOwned>(service: &str, bytes: &[u8]) -> Result<T, FileError> {
    let damaged =
        |error| FileError::Damaged(format!("the account of {service} is damaged: {error}"));
    serde_json::from_slice(bytes).map_err(damaged)
}

fn read_day(hours: &mut Hours, day: u64, bytes: &[u8]) -> Result<(), FileError> {
    let damaged = || FileError::Damaged(format!("the availability of day {day} is damaged"));
    hours.read_day(day, bytes).ok_or_else(damaged)
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>, FileError> {
    serde_json::to_vec(value).map_err(unwritable)
}

fn unwritable(error: serde_json::Error) -> FileError {
    FileError::Io(error.into())
}
