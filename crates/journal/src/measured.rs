//! What the benches measure: a journal with many events, pages of it, and the availability of a
//! service.

use std::{fs::OpenOptions, io, path::Path, sync::Arc};

use redb::backends::FileBackend;
use roost_events::{
    Event, Fact, Kind, Seq,
    availability::{hour_of, start_of_hour},
};

use crate::{
    file::{Bounds, FileError, JournalFile},
    query::{Filter, Order, Query},
};

/// Events of one commit.
const BATCH: u64 = 10_000;

/// A journal with events of 100 services in turn.
#[derive(Debug)]
pub struct Filled {
    file: JournalFile,
    last: u64,
}

impl Filled {
    /// A journal with so many events.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(path: &Path, count: u64) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).open(path)?;
        let backend = FileBackend::new(file).map_err(io::Error::other)?;
        let (file, _) = JournalFile::open(backend, Seq(0)).map_err(io::Error::other)?;
        let mut filled = Self { file, last: 0 };
        while filled.last < count {
            filled.append(BATCH.min(count - filled.last)).map_err(io::Error::other)?;
        }
        Ok(filled)
    }

    fn append(&mut self, count: u64) -> Result<(), FileError> {
        let event = |seq: u64| {
            let fact = Fact::new(Kind::HealthChanged, "health changed from ok to critical")
                .of(format!("service-{}.default", seq % 100))
                .change(Some("ok"), "critical")
                .with("exit_code", 2);
            Arc::new(Event { seq: Seq(seq), time_ms: seq * 1000, cause: None, fact })
        };
        let events: Vec<_> = (self.last + 1..=self.last + count).map(event).collect();
        self.last += count;
        let bounds = Bounds { max_bytes: u64::MAX, oldest_ms: None };
        self.file.append(&events, &bounds, 0)?;
        Ok(())
    }

    /// Commits one more event.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn commit(&mut self) -> io::Result<()> {
        self.append(1).map_err(io::Error::other)
    }

    /// Reads the newest 100 events of a service; returns how many there are.
    #[must_use]
    pub fn page(&self, service: u64) -> usize {
        let service = Some(format!("service-{service}.default"));
        let filter = Filter { service, ..Filter::default() };
        let query = Query { filter, order: Order::NewestFirst, limit: 100, after: None };
        self.file.page(&query).map_or(0, |page| page.items.len())
    }
}

/// A journal of 90 days in which the health of a service changed every ten minutes.
#[derive(Debug)]
pub struct Quarter(JournalFile);

impl Quarter {
    const SERVICE: &str = "web.default";
    const HOURS: u64 = 90 * 24;
    const FIRST_HOUR: u64 = 472_222;
    const CHANGES_PER_HOUR: u64 = 6;

    /// A journal with the events of 90 days.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).open(path)?;
        let backend = FileBackend::new(file).map_err(io::Error::other)?;
        let (file, _) = JournalFile::open(backend, Seq(0)).map_err(io::Error::other)?;
        let event = |seq: u64| {
            let words = ["ok", "critical"];
            let (kind, health) = match seq {
                1 => (Kind::ServiceUp, "ok"),
                _ => (Kind::HealthChanged, words[(seq % 2) as usize]),
            };
            let fact = Fact::new(kind, "it changed").of(Self::SERVICE).change(None, health);
            let time_ms =
                start_of_hour(Self::FIRST_HOUR) + start_of_hour(seq) / Self::CHANGES_PER_HOUR;
            Arc::new(Event { seq: Seq(seq), time_ms, cause: None, fact })
        };
        let events: Vec<_> = (1..Self::HOURS * Self::CHANGES_PER_HOUR).map(event).collect();
        let bounds = Bounds { max_bytes: u64::MAX, oldest_ms: None };
        file.append(&events, &bounds, 0).map_err(io::Error::other)?;
        Ok(Self(file))
    }

    /// Milliseconds in which the service was available, of each of the four windows.
    #[must_use]
    pub fn availability(&self) -> [u64; 4] {
        let now_ms = start_of_hour(Self::FIRST_HOUR + Self::HOURS);
        let past = match self.0.ledger(Self::SERVICE) {
            Ok((ledger, _)) => ledger.at(now_ms),
            Err(_) => return [0; 4],
        };
        [1, 7, 30, 90].map(|days| {
            let first = hour_of(now_ms) - days * 24;
            past.hours.tally(first, now_ms).available_ms()
        })
    }
}
