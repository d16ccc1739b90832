//! The numbered stream, shared: parts of the Supervisor record facts, readers follow.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use roost_events::{Batch, Event, Fact, Kind, Numbering, Position, Report, Seq, Stream};
use tokio::sync::watch;

use crate::{holes, writer::Start};

/// Records facts. Cheap to clone; recording waits for no reader and no disk.
#[derive(Debug, Clone)]
pub struct Recorder(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    stream: Mutex<Stream>,
    last: watch::Sender<Seq>,
    /// The event before the first one.
    begun: Seq,
    /// For the one thread that follows.
    bell: Condvar,
    /// Events by type, in the order of [`Kind::ALL`].
    counts: Vec<AtomicU64>,
}

impl Recorder {
    /// A recorder whose first event follows this one.
    #[must_use]
    pub fn new(last: Seq) -> Self {
        Self(Arc::new(Shared {
            stream: Mutex::new(Stream::new(last, Stream::CAPACITY)),
            last: watch::Sender::new(last),
            begun: last,
            bell: Condvar::new(),
            counts: Kind::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
        }))
    }

    /// A recorder for a start with this journal.
    ///
    /// What earlier Supervisors lost is stated by its first event: the first commit has it.
    #[must_use]
    pub fn after(start: &Start) -> Self {
        let recorder = Self::new(start.last);
        for lost in &start.lost {
            recorder.record(None, holes::recovered(*lost));
        }
        recorder
    }

    /// Records a fact now. Returns its number, which can be the cause of others.
    pub fn record(&self, cause: Option<Seq>, fact: Fact) -> Seq {
        self.record_at(now_ms(), cause, fact)
    }

    /// As [`Recorder::record`], at this time.
    pub(crate) fn record_at(&self, time_ms: u64, cause: Option<Seq>, fact: Fact) -> Seq {
        self.0.counts[fact.kind as usize].fetch_add(1, Ordering::Relaxed);
        // Under the lock, so that readers see numbers in order.
        let mut stream = self.stream();
        let seq = stream.push(time_ms, cause, fact).seq;
        self.0.last.send_replace(seq);
        self.0.bell.notify_all();
        seq
    }

    /// Records the reports of one source, which name each other as causes.
    #[must_use]
    pub fn source(&self) -> Source {
        Source { recorder: self.clone(), numbering: Numbering::default() }
    }

    /// A reader that goes on after this event, or that gets the events from now on.
    #[must_use]
    pub fn reader(&self, after: Option<Seq>) -> Reader {
        let position = Position::after(after.unwrap_or_else(|| self.last()));
        Reader { recorder: self.clone(), last: self.0.last.subscribe(), position }
    }

    /// The number of the last event.
    #[must_use]
    pub fn last(&self) -> Seq {
        self.stream().last()
    }

    /// The number before the first event of this Supervisor.
    pub(crate) fn begun(&self) -> Seq {
        self.0.begun
    }

    /// The latest events, the oldest first.
    #[must_use]
    pub fn held(&self) -> Vec<Arc<Event>> {
        self.stream().held()
    }

    /// The number of the oldest event in memory, or of the next one.
    #[must_use]
    pub fn first(&self) -> Seq {
        self.stream().first()
    }

    /// Lets a thread wait until there is an event after this one, or the time is over. With
    /// [`Recorder::wake`] it looks at `stop` again.
    pub(crate) fn wait(&self, after: Seq, most: Duration, stop: &AtomicBool) {
        let stream = self.stream();
        if stream.last() <= after && !stop.load(Ordering::Relaxed) {
            let waited = self.0.bell.wait_timeout(stream, most);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Ends a wait, after its `stop` was set.
    pub(crate) fn wake(&self) {
        let _stream = self.stream();
        self.0.bell.notify_all();
    }

    /// How many events of each type were recorded.
    pub fn counts(&self) -> impl Iterator<Item = (Kind, u64)> + '_ {
        let counts = self.0.counts.iter().map(|count| count.load(Ordering::Relaxed));
        Kind::ALL.iter().copied().zip(counts)
    }

    fn stream(&self) -> MutexGuard<'_, Stream> {
        self.0.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Records the reports of one source.
#[derive(Debug)]
pub struct Source {
    recorder: Recorder,
    numbering: Numbering,
}

impl Source {
    /// Records the next report of this source. Its cause may be an earlier one.
    pub fn record(&mut self, report: Report) -> Seq {
        let Report { id, cause, fact } = report;
        let seq = self.recorder.record(self.numbering.resolve(cause), fact);
        self.numbering.add(id, seq);
        seq
    }
}

/// Follows the events of a [`Recorder`].
#[derive(Debug)]
pub struct Reader {
    recorder: Recorder,
    last: watch::Receiver<Seq>,
    position: Position,
}

impl Reader {
    /// Events that are taken at once, so that the lock is held shortly.
    const BATCH: usize = 256;

    /// Where it is.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// Goes back to where it was.
    pub(crate) fn go_back_to(&mut self, position: Position) {
        self.position = position;
    }

    /// The next events without waiting; an empty batch when there are none.
    pub(crate) fn take(&mut self) -> Batch {
        self.last.mark_unchanged();
        self.recorder.stream().read(&mut self.position, Self::BATCH)
    }

    /// Waits for the next events.
    pub async fn next(&mut self) -> Batch {
        loop {
            let batch = self.take();
            if batch.gap.is_some() || !batch.events.is_empty() {
                return batch;
            }
            // A reader keeps its recorder, so the sender cannot be gone.
            let _ = self.last.changed().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use roost_events::{Cause, Gap, Reports};

    use super::*;

    fn up() -> Fact {
        Fact::new(Kind::ServiceUp, "redis.default is up").of("redis.default")
    }

    #[test]
    fn a_report_names_an_earlier_one_of_its_source_as_its_cause() {
        let recorder = Recorder::new(Seq(10));
        let (mut fleet, mut ring) = (recorder.source(), recorder.source());
        let mut reports = Reports::default();
        let (first, cause) = reports.report(Cause::Event(Seq(7)), up());
        let (second, _) = reports.report(cause, up());
        assert_eq!(fleet.record(first), Seq(11));
        assert_eq!(ring.record(Reports::default().report(Cause::Unknown, up()).0), Seq(12));
        assert_eq!(fleet.record(second), Seq(13));
        let causes: Vec<_> = recorder.held().iter().map(|event| event.cause).collect();
        assert_eq!(causes, [Some(Seq(7)), None, Some(Seq(11))]);
        assert_eq!(recorder.counts().find(|(kind, _)| *kind == Kind::ServiceUp).unwrap().1, 3);
    }

    #[test]
    fn a_reader_that_does_not_read_holds_up_no_event() {
        let recorder = Recorder::new(Seq(0));
        let mut slow = recorder.reader(None);
        for _ in 0..Stream::CAPACITY + 10 {
            recorder.record(None, up());
        }
        assert_eq!(slow.take().gap, Some(Gap { first: Seq(1), last: Seq(10) }));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_thousand_readers_get_every_event_in_order() {
        const EVENTS: u64 = 500;
        let recorder = Recorder::new(Seq(0));
        let readers: Vec<_> = (0..1000)
            .map(|_| {
                let mut reader = recorder.reader(None);
                tokio::spawn(async move {
                    let mut last = 0;
                    while last < EVENTS {
                        let batch = reader.next().await;
                        assert_eq!(batch.gap, None);
                        for event in batch.events {
                            assert_eq!(event.seq.0, last + 1);
                            last = event.seq.0;
                        }
                    }
                })
            })
            .collect();
        for _ in 0..EVENTS {
            recorder.record(None, up());
            tokio::task::yield_now().await;
        }
        for reader in readers {
            tokio::time::timeout(Duration::from_secs(60), reader).await.unwrap().unwrap();
        }
    }
}
