//! The journal on disk: one redb file.
//!
//! | table | holds |
//! |---|---|
//! | `events` | each event by its number, as a [`row`] |
//! | `events_of_services` | numbers of the events of each service group, and of the Supervisor |
//! | `hours` | for each hour of the clock the lowest and highest number of its events, since a clock can be set back and numbers cannot |
//! | `meta` | format, numbers that were handed out, sizes |
//!
//! [`accounts`] and [`holes`](crate::holes) have tables of their own.
//!
//! redb promises that a commit is there completely or not at all. It does not promise to survive
//! bytes that were changed behind its back: it panics on some. Every call of it is therefore
//! guarded, and a panic means a damaged file.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use redb::{
    Database, DatabaseError, ReadableDatabase, ReadableTable, StorageBackend, StorageError, Table,
    TableDefinition,
};
use roost_events::{
    Event, Gap, Seq, Topic,
    availability::{Ledger, Seen},
};

use crate::{
    accounts::{self, ACCOUNTED, Accounts, Progress},
    holes::Holes,
    query::{Entry, Filter, Order, Page, Query},
    row,
};

const EVENTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("events");
const OF_SERVICES: TableDefinition<'_, (&str, u64), ()> =
    TableDefinition::new("events_of_services");
const HOURS: TableDefinition<'_, u64, (u64, u64)> = TableDefinition::new("hours");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

/// The Supervisor in the index of services.
const SUPERVISOR: &str = "";

const FORMAT: &str = "format";
/// The number of the last event that may have been handed out.
const RESERVED: &str = "reserved";
/// The number of the last event in the file.
const LAST: &str = "last";
/// Bytes of all rows.
const BYTES: &str = "bytes";
/// Bytes of rows that the file has room for, once that is known.
const CAPACITY: &str = "capacity";
/// The size of the file when its capacity was last lowered.
const FILLED: &str = "filled";

const FORMAT_VERSION: u64 = 1;
const CACHE_BYTES: usize = 1024 * 1024;
const HOUR_MS: u64 = 3_600_000;
/// Numbers that a running Supervisor may hand out beyond the last commit. After an end without
/// order the next one begins behind them, so that no number ever means two events: enough for days
/// with a full disk, and for a million such ends before numbers exceed the clock, from which they
/// are taken without a journal.
const RESERVE: u64 = 1 << 20;
/// The highest number that JavaScript can hold.
pub(crate) const SEQ_MAX: u64 = (1 << 53) - 1;
/// Rows that one query looks at.
const SCAN_MAX: usize = 20_000;
/// Rows that one commit removes, so that it stays short.
const PRUNE_MAX: usize = 10_000;
/// Events that one commit adds to the accounts, when they lack some.
const CATCH_UP: usize = 5_000;

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// Its content makes no sense: it has to be set aside.
    #[error("{0}")]
    Damaged(String),
    /// Another process has it open.
    #[error("another process has it open")]
    Locked,
    /// The system does not let it be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl From<redb::Error> for FileError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
                Self::Damaged(error.to_string())
            }
            // Bytes that the file should have, by what stands in it.
            redb::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Self::Damaged("it is truncated".into())
            }
            redb::Error::Io(error) => Self::Io(error),
            redb::Error::PreviousIo => Self::Io(io::Error::other("an earlier write failed")),
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => Self::Locked,
            other => Self::Damaged(other.to_string()),
        }
    }
}

macro_rules! through_redb_error {
    ($($error:ty),+) => {$(
        impl From<$error> for FileError {
            fn from(error: $error) -> Self {
                redb::Error::from(error).into()
            }
        }
    )+};
}

through_redb_error!(
    DatabaseError,
    StorageError,
    redb::TableError,
    redb::TransactionError,
    redb::CommitError
);

/// Runs work with redb; a panic in it is a damaged file.
fn guarded<T>(work: impl FnOnce() -> Result<T, FileError>) -> Result<T, FileError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panic");
        Err(FileError::Damaged(text.to_owned()))
    })
}

/// What is known of a journal that was just opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opened {
    /// The number of the last event in it.
    pub(crate) written: Seq,
    /// The number of the last event that may have been handed out.
    pub(crate) last: Seq,
    /// Numbers up to `last` that no event has and none states: what earlier Supervisors may have
    /// lost.
    pub(crate) lost: Vec<Gap>,
}

/// What a commit did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Appended {
    /// How many events it has removed.
    pub(crate) removed: usize,
    /// Numbers without an event that no event on disk states.
    pub(crate) holes: Vec<Gap>,
}

/// What bounds the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) max_bytes: u64,
    /// Events of earlier hours go.
    pub(crate) oldest_ms: Option<u64>,
}

/// An open journal.
#[derive(Debug)]
pub(crate) struct JournalFile(Option<Database>);

impl Drop for JournalFile {
    fn drop(&mut self) {
        // Closing writes, and can meet damaged bytes; no component is left to report them to.
        let database = self.0.take();
        let _ = guarded(move || {
            drop(database);
            Ok(())
        });
    }
}

impl JournalFile {
    /// Opens a journal, or begins one in an empty file, whose first event follows `base`.
    pub(crate) fn open(
        backend: impl StorageBackend,
        base: Seq,
    ) -> Result<(Self, Opened), FileError> {
        let mut builder = Database::builder();
        builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
        let database = guarded(|| Ok(builder.create_with_backend(backend)?))?;
        let file = Self(Some(database));
        let opened = guarded(|| file.begin(base))?;
        Ok((file, opened))
    }

    fn database(&self) -> Result<&Database, FileError> {
        self.0.as_ref().ok_or_else(|| FileError::Damaged("it was closed".into()))
    }

    /// Reads where the last Supervisor ended, and reserves numbers for this one.
    fn begin(&self, base: Seq) -> Result<Opened, FileError> {
        let transaction = self.database()?.begin_write()?;
        let opened = {
            let mut meta = transaction.open_table(META)?;
            let format = get(&meta, FORMAT)?;
            if format.is_some_and(|format| format != FORMAT_VERSION) {
                let text = format!("its format is {}, not {FORMAT_VERSION}", format.unwrap_or(0));
                return Err(FileError::Damaged(text));
            }
            let is_new = get(&meta, LAST)?.is_none();
            let written = get(&meta, LAST)?.unwrap_or(base.0);
            let reserved = get(&meta, RESERVED)?.unwrap_or(base.0).max(written);
            if reserved > SEQ_MAX - RESERVE {
                return Err(FileError::Damaged("its numbers are too high".into()));
            }
            meta.insert(FORMAT, FORMAT_VERSION)?;
            meta.insert(LAST, written)?;
            meta.insert(RESERVED, reserved + RESERVE)?;
            if is_new {
                meta.insert(ACCOUNTED, written)?;
            }
            // They exist from here on, so that reading needs no case without them.
            transaction.open_table(EVENTS)?;
            transaction.open_table(OF_SERVICES)?;
            transaction.open_table(HOURS)?;
            Accounts::open(&transaction)?;
            let mut lost = Holes::open(&transaction)?.oldest()?;
            if reserved > written {
                lost.push(Gap { first: Seq(written + 1), last: Seq(reserved) });
            }
            Opened { written: Seq(written), last: Seq(reserved), lost }
        };
        transaction.commit()?;
        Ok(opened)
    }

    /// Appends events, which have rising numbers, and removes what exceeds the bounds.
    pub(crate) fn append(
        &self,
        events: &[Arc<Event>],
        bounds: &Bounds,
        file_bytes: u64,
    ) -> Result<Appended, FileError> {
        self.catch_up()?;
        guarded(|| {
            let transaction = self.database()?.begin_write()?;
            let appended = {
                let mut holes = Holes::open(&transaction)?;
                let mut accounts = Accounts::open(&transaction)?;
                let mut tables = Tables {
                    events: transaction.open_table(EVENTS)?,
                    of_services: transaction.open_table(OF_SERVICES)?,
                    hours: transaction.open_table(HOURS)?,
                    meta: transaction.open_table(META)?,
                };
                let mut last = Seq(tables.get(LAST)?.unwrap_or(0));
                for event in events {
                    holes.note_between(last, event.seq)?;
                    last = event.seq;
                    tables.insert(event)?;
                    holes.take(event)?;
                    accounts.take(event.fact.service.as_deref(), &Seen::from(&**event))?;
                }
                if let Some(last) = events.last() {
                    tables.meta.insert(ACCOUNTED, last.seq.0)?;
                }
                if let Some(oldest_ms) = bounds.oldest_ms {
                    accounts.remove_over(oldest_ms)?;
                }
                accounts.finish()?;
                Appended { removed: tables.prune(bounds, file_bytes)?, holes: holes.oldest()? }
            };
            transaction.commit()?;
            Ok(appended)
        })
    }

    /// Adds to the accounts the events that they lack: those of a version without accounts.
    fn catch_up(&self) -> Result<(), FileError> {
        while !guarded(|| self.catch_up_some())? {}
        Ok(())
    }

    /// Adds some, in a commit of their own. True when no event is missing.
    fn catch_up_some(&self) -> Result<bool, FileError> {
        let transaction = self.database()?.begin_write()?;
        {
            let mut meta = transaction.open_table(META)?;
            let progress = progress(&meta)?;
            if progress.is_complete() {
                return Ok(true);
            }
            let events = transaction.open_table(EVENTS)?;
            let mut accounts = Accounts::open(&transaction)?;
            let mut accounted = progress.written.0;
            for (count, row) in events.range(progress.accounted.0 + 1..)?.enumerate() {
                let (seq, bytes) = row?;
                if count == CATCH_UP {
                    accounted = seq.value() - 1;
                    break;
                }
                let row = row::decode(bytes.value()).ok_or_else(|| {
                    FileError::Damaged(format!("event {} is damaged", seq.value()))
                })?;
                if let Some(document) = accounts::document(row.json) {
                    accounts.take(row.service, &Seen::from(&document))?;
                }
            }
            accounts.finish()?;
            meta.insert(ACCOUNTED, accounted)?;
        }
        transaction.commit()?;
        Ok(false)
    }

    /// How available a service was up to a certain event.
    pub(crate) fn ledger(&self, service: &str) -> Result<(Ledger, Progress), FileError> {
        guarded(|| {
            let reading = self.database()?.begin_read()?;
            let progress = progress(&reading.open_table(META)?)?;
            Ok((accounts::ledger(&reading, service)?, progress))
        })
    }

    /// Gives back the numbers that were reserved and not used: the Supervisor ends in order.
    pub(crate) fn end(&self, last: Seq) -> Result<(), FileError> {
        guarded(|| {
            let transaction = self.database()?.begin_write()?;
            {
                let mut meta = transaction.open_table(META)?;
                if progress(&meta)?.is_complete() {
                    meta.insert(ACCOUNTED, last.0)?;
                }
                // A Supervisor whose numbers begin at the clock may have recorded nothing.
                let written = Seq(get(&meta, LAST)?.unwrap_or(0));
                Holes::open(&transaction)?.note_between(written, Seq(last.0.saturating_add(1)))?;
                meta.insert(RESERVED, last.0)?;
                meta.insert(LAST, last.0)?;
            }
            transaction.commit()?;
            Ok(())
        })
    }

    /// A page of what is in the file.
    pub(crate) fn page(&self, query: &Query) -> Result<Page, FileError> {
        guarded(|| {
            let reading = self.database()?.begin_read()?;
            let events = reading.open_table(EVENTS)?;
            let range = span(&reading.open_table(HOURS)?, query)?;
            let mut search = Search { query, page: Page::default(), looked_at: 0 };
            let Some((first, last)) = range else { return Ok(search.page) };
            let row_of = |seq: u64| events.get(seq);
            if let Some(name) = index_for(&query.filter) {
                let index = reading.open_table(OF_SERVICES)?;
                let mut numbers = index.range((name, first)..=(name, last))?;
                loop {
                    let next = match query.order {
                        Order::OldestFirst => numbers.next(),
                        Order::NewestFirst => numbers.next_back(),
                    };
                    let Some(next) = next else { break };
                    let (_, seq) = next?.0.value();
                    let row = row_of(seq)?
                        .ok_or_else(|| FileError::Damaged(format!("event {seq} is missing")))?;
                    if !search.look_at(seq, row.value())? {
                        break;
                    }
                }
            } else {
                let mut rows = events.range(first..=last)?;
                loop {
                    let next = match query.order {
                        Order::OldestFirst => rows.next(),
                        Order::NewestFirst => rows.next_back(),
                    };
                    let Some(next) = next else { break };
                    let (seq, row) = next?;
                    if !search.look_at(seq.value(), row.value())? {
                        break;
                    }
                }
            }
            Ok(search.page)
        })
    }
}

/// Where an event is indexed: with its service, or with the Supervisor, whose name is empty.
fn index_of<'a>(service: Option<&'a str>, kind: &str) -> Option<&'a str> {
    service.or_else(|| kind.starts_with("supervisor.").then_some(SUPERVISOR))
}

/// The index that has all events of a filter.
fn index_for(filter: &Filter) -> Option<&str> {
    let is_of_supervisor = filter.topics == [Topic::Supervisor];
    filter.service.as_deref().or(is_of_supervisor.then_some(SUPERVISOR))
}

/// A search for the events of one page.
struct Search<'a> {
    query: &'a Query,
    page: Page,
    looked_at: usize,
}

impl Search<'_> {
    /// Looks at the next row. False when the page is complete.
    fn look_at(&mut self, seq: u64, bytes: &[u8]) -> Result<bool, FileError> {
        if self.page.items.len() >= self.query.limit || self.looked_at >= SCAN_MAX {
            return Ok(false);
        }
        self.looked_at += 1;
        let row = row::decode(bytes)
            .filter(|row| row.is_of(Seq(seq)))
            .ok_or_else(|| FileError::Damaged(format!("event {seq} is damaged")))?;
        if self.query.filter.allows_row(&row) {
            self.page.items.push(Entry::of_row(Seq(seq), &row));
        }
        // There may be more; an empty last page shows otherwise.
        let is_full = self.page.items.len() >= self.query.limit || self.looked_at >= SCAN_MAX;
        self.page.next = is_full.then_some(Seq(seq));
        Ok(true)
    }
}

/// The numbers that a query is about. `None` if there are none.
fn span(
    hours: &impl ReadableTable<u64, (u64, u64)>,
    query: &Query,
) -> Result<Option<(u64, u64)>, FileError> {
    let filter = &query.filter;
    let (mut first, mut last) = (0, u64::MAX);
    if filter.since_ms.is_some() || filter.until_ms.is_some() {
        let from = filter.since_ms.unwrap_or(0) / HOUR_MS;
        let to = filter.until_ms.unwrap_or(u64::MAX) / HOUR_MS;
        if from > to {
            return Ok(None);
        }
        let mut found = None;
        for hour in hours.range(from..=to)? {
            let (low, high) = hour?.1.value();
            let (least, most) = found.unwrap_or((low, high));
            found = Some((low.min(least), high.max(most)));
        }
        let Some(found) = found else { return Ok(None) };
        (first, last) = found;
    }
    if let Some(Seq(after)) = query.after {
        match query.order {
            Order::OldestFirst => first = first.max(after.saturating_add(1)),
            Order::NewestFirst => match after.checked_sub(1) {
                Some(before) => last = last.min(before),
                None => return Ok(None),
            },
        }
    }
    Ok((first <= last).then_some((first, last)))
}

fn get(meta: &impl ReadableTable<&'static str, u64>, key: &str) -> Result<Option<u64>, FileError> {
    Ok(meta.get(key)?.map(|value| value.value()))
}

fn progress(meta: &impl ReadableTable<&'static str, u64>) -> Result<Progress, FileError> {
    let number = |key| Ok::<_, FileError>(Seq(get(meta, key)?.unwrap_or(0)));
    Ok(Progress { accounted: number(ACCOUNTED)?, written: number(LAST)? })
}

/// The tables of a write.
struct Tables<'t> {
    events: Table<'t, u64, &'static [u8]>,
    of_services: Table<'t, (&'static str, u64), ()>,
    hours: Table<'t, u64, (u64, u64)>,
    meta: Table<'t, &'static str, u64>,
}

impl Tables<'_> {
    fn get(&self, key: &str) -> Result<Option<u64>, FileError> {
        get(&self.meta, key)
    }

    fn insert(&mut self, event: &Event) -> Result<(), FileError> {
        let seq = event.seq.0;
        let row = row::encode(event);
        self.events.insert(seq, row.as_slice())?;
        let kind = event.fact.kind.as_str();
        if let Some(index) = index_of(event.fact.service.as_deref(), kind) {
            self.of_services.insert((index, seq), ())?;
        }
        let hour = event.time_ms / HOUR_MS;
        let known = self.hours.get(hour)?.map(|numbers| numbers.value());
        let (low, high) = known.unwrap_or((seq, seq));
        self.hours.insert(hour, (low.min(seq), high.max(seq)))?;
        let bytes = self.get(BYTES)?.unwrap_or(0);
        self.meta.insert(BYTES, bytes + row.len() as u64)?;
        self.meta.insert(LAST, seq)?;
        self.meta.insert(RESERVED, seq + RESERVE)?;
        Ok(())
    }

    /// Removes the oldest events while there are too many. Returns how many.
    fn prune(&mut self, bounds: &Bounds, file_bytes: u64) -> Result<usize, FileError> {
        let bytes = self.get(BYTES)?.unwrap_or(0);
        // redb does not report how many rows fit into a file of this size, and a file does not
        // shrink with its content. So the content of the full file is the measure.
        let mut capacity = self.get(CAPACITY)?.unwrap_or(u64::MAX);
        let filled = self.get(FILLED)?.unwrap_or(0);
        if file_bytes > bounds.max_bytes - bounds.max_bytes / 16 && file_bytes > filled {
            capacity = capacity.min(bytes - bytes / 16);
            self.meta.insert(CAPACITY, capacity)?;
            self.meta.insert(FILLED, file_bytes)?;
        }
        let target = match bytes > capacity {
            true => capacity - capacity / 8,
            false => u64::MAX,
        };
        let too_old = self.first_within(bounds.oldest_ms)?;
        self.remove_oldest(bytes, target, too_old)
    }

    /// The lowest number of an event that is not too old.
    fn first_within(&mut self, oldest_ms: Option<u64>) -> Result<u64, FileError> {
        let Some(oldest_ms) = oldest_ms else { return Ok(0) };
        let oldest = oldest_ms / HOUR_MS;
        let is_old = match self.hours.first()? {
            Some((hour, _)) => hour.value() < oldest,
            None => false,
        };
        if !is_old {
            return Ok(0);
        }
        let mut first = u64::MAX;
        for hour in self.hours.range(oldest..)? {
            first = first.min(hour?.1.value().0);
        }
        Ok(first)
    }

    fn remove_oldest(
        &mut self,
        mut bytes: u64,
        target: u64,
        first: u64,
    ) -> Result<usize, FileError> {
        let mut removed = 0;
        while removed < PRUNE_MAX {
            let Some(seq) = self.events.first()?.map(|(seq, _)| seq.value()) else { break };
            if bytes <= target && seq >= first {
                break;
            }
            let Some(row) = self.events.remove(seq)? else { break };
            bytes = bytes.saturating_sub(row.value().len() as u64);
            let decoded = row::decode(row.value())
                .ok_or_else(|| FileError::Damaged(format!("event {seq} is damaged")))?;
            if let Some(index) = index_of(decoded.service, decoded.kind) {
                self.of_services.remove((index, seq))?;
            }
            removed += 1;
        }
        if removed > 0 {
            self.meta.insert(BYTES, bytes)?;
            self.forget_hours()?;
        }
        Ok(removed)
    }

    /// Removes hours without events.
    fn forget_hours(&mut self) -> Result<(), FileError> {
        let first = match self.events.first()? {
            Some((seq, _)) => seq.value(),
            None => u64::MAX,
        };
        self.hours.retain(|_, (_, high)| high >= first)?;
        Ok(())
    }
}

#[cfg(test)]
mod accounted;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod torture;
