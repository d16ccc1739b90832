//! The journal on a disk that stops at any moment: the process is killed at a system call, or the
//! power fails and what was not synced is there in part, or the disk is full.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use proptest::prelude::*;
use redb::StorageBackend;
use roost_events::{Fact, Kind};

use super::*;

#[derive(Debug, Clone)]
enum Write {
    At(u64, Vec<u8>),
    Length(u64),
}

/// A disk: what programs see of it, and what a power failure leaves.
#[derive(Debug, Default)]
struct Disk {
    seen: Vec<u8>,
    synced: Vec<u8>,
    /// Since the last sync.
    writes: Vec<Write>,
    /// Calls until the disk stops.
    calls_left: Option<usize>,
    /// Room; a call that needs more fails.
    room: Option<u64>,
}

#[derive(Debug, Clone, Default)]
struct Backend(Arc<Mutex<Disk>>);

fn apply(bytes: &mut Vec<u8>, write: &Write) {
    match write {
        Write::Length(length) => bytes.resize(usize::try_from(*length).unwrap(), 0),
        Write::At(at, data) => {
            let at = usize::try_from(*at).unwrap();
            let end = at + data.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[at..end].copy_from_slice(data);
        }
    }
}

impl Backend {
    fn of(bytes: Vec<u8>) -> Self {
        let disk = Disk { seen: bytes.clone(), synced: bytes, ..Disk::default() };
        Self(Arc::new(Mutex::new(disk)))
    }

    fn disk(&self) -> std::sync::MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, write: Write) -> io::Result<()> {
        let mut disk = self.disk();
        let needed = match &write {
            Write::Length(length) => *length,
            Write::At(at, data) => at + data.len() as u64,
        };
        if disk.room.is_some_and(|room| needed > room) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        match &mut disk.calls_left {
            Some(0) => return Err(io::Error::other("the process was killed")),
            Some(1) => {
                disk.calls_left = Some(0);
                // The last call is done in part.
                if let Write::At(at, mut data) = write {
                    data.truncate(data.len() / 2);
                    let write = Write::At(at, data);
                    apply(&mut disk.seen, &write);
                    disk.writes.push(write);
                }
                return Err(io::Error::other("the process was killed"));
            }
            Some(left) => *left -= 1,
            None => {}
        }
        apply(&mut disk.seen, &write);
        disk.writes.push(write);
        Ok(())
    }

    /// What is there after a power failure: of what was not synced, what `keeps` selects.
    fn after_power_failure(&self, keeps: impl Fn(usize) -> bool) -> Vec<u8> {
        let disk = self.disk();
        let mut bytes = disk.synced.clone();
        for (_, write) in disk.writes.iter().enumerate().filter(|(index, _)| keeps(*index)) {
            apply(&mut bytes, write);
        }
        bytes
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let disk = self.disk();
        let at = usize::try_from(offset).unwrap();
        let bytes = disk.seen.get(at..at + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Write::Length(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut disk = self.disk();
        if disk.calls_left == Some(0) {
            return Err(io::Error::other("the process was killed"));
        }
        disk.synced = disk.seen.clone();
        disk.writes.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Write::At(offset, data.to_vec()))
    }
}

const WIDE: Bounds = Bounds { max_bytes: u64::MAX, oldest_ms: None };

fn events(first: u64, count: u64) -> Vec<Arc<Event>> {
    let event = |seq| {
        let fact = Fact::new(Kind::ServiceUp, format!("event {seq}")).of("web.default");
        Arc::new(Event { seq: Seq(seq), time_ms: seq * 1000, cause: None, fact })
    };
    (first..first + count).map(event).collect()
}

fn numbers(file: &JournalFile) -> Vec<u64> {
    let query = Query {
        filter: Filter { service: Some("web.default".into()), ..Filter::default() },
        order: Order::OldestFirst,
        limit: 10_000,
        after: None,
    };
    file.page(&query).unwrap().items.iter().map(|entry| entry.seq.0).collect()
}

/// Commits until the disk stops. Returns the number of the last event that was committed, and of
/// the last one that was tried.
fn commit_until_stopped(backend: &Backend, batches: u64) -> (u64, u64) {
    let Ok((file, _)) = JournalFile::open(backend.clone(), Seq(0)) else { return (0, 0) };
    let (mut committed, mut tried) = (0, 0);
    for _ in 0..batches {
        let batch = events(tried + 1, 3);
        tried += 3;
        match file.append(&batch, &WIDE, 0) {
            Ok(_) => committed = tried,
            Err(_) => break,
        }
    }
    (committed, tried)
}

/// Opens what is left: it is whole, up to a commit that was not lost.
fn check(bytes: Vec<u8>, committed: u64, tried: u64) {
    let (file, opened) = match JournalFile::open(Backend::of(bytes), Seq(0)) {
        Ok(opened) => opened,
        // Before its first commit it is not a journal yet, and is set aside.
        Err(FileError::Damaged(_)) if committed == 0 => return,
        Err(error) => panic!("{error:?} after {committed} of {tried} events"),
    };
    let found = numbers(&file);
    let last = found.last().copied().unwrap_or(0);
    assert!(last >= committed && last <= tried && last % 3 == 0, "{last} of {committed}..{tried}");
    assert_eq!(found, (1..=last).collect::<Vec<_>>());
    assert_eq!(opened.written, Seq(last));
    assert!(tried == 0 || opened.last.0 >= tried || committed == 0, "{opened:?}");
    file.append(&events(opened.last.0 + 1, 1), &WIDE, 0).expect("a commit");
}

#[test]
fn a_kill_at_any_call_costs_no_committed_event() {
    let all = Backend::default();
    commit_until_stopped(&all, 4);
    let mut calls = 0;
    loop {
        let backend = Backend::default();
        backend.disk().calls_left = Some(calls);
        let (committed, tried) = commit_until_stopped(&backend, 4);
        let is_complete = backend.disk().calls_left.is_some_and(|left| left > 0);
        let bytes = backend.disk().seen.clone();
        check(bytes, committed, tried);
        if is_complete {
            break;
        }
        calls += 1;
    }
    assert!(calls > 20, "{calls}");
}

#[test]
fn a_full_disk_costs_no_committed_event_and_is_used_again_when_there_is_room() {
    let backend = Backend::default();
    backend.disk().room = Some(150_000);
    let (committed, tried) = commit_until_stopped(&backend, 10_000);
    assert!(committed > 0 && committed < tried, "{committed} of {tried}");
    let bytes = backend.disk().seen.clone();
    check(bytes, committed, tried);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_power_failure_costs_no_committed_event(
        calls in 0..120_usize,
        kept in prop::collection::vec(any::<bool>(), 64),
    ) {
        let backend = Backend::default();
        backend.disk().calls_left = Some(calls);
        let (committed, tried) = commit_until_stopped(&backend, 4);
        let bytes = backend.after_power_failure(|index| kept[index % kept.len()]);
        check(bytes, committed, tried);
    }
}
