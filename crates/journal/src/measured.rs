//! What the benches measure: a journal with many events, and pages of it.

use std::{fs::OpenOptions, io, path::Path, sync::Arc};

use redb::backends::FileBackend;
use roost_events::{Event, Fact, Kind, Seq};

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
