//! The writer of the journal: a thread that follows the stream and commits.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use roost_events::{Event, Fact, Gap, Kind, Seq, availability::Ledger};
use tokio::sync::oneshot;

use crate::{
    accounts::Progress,
    file::{Bounds, FileError, JournalFile, Opened},
    holes,
    place::Place,
    query::{Page, Query},
    recorder::{Reader, Recorder, now_ms},
};

/// The pause between two commits, each of which syncs the disk.
const COMMIT_PAUSE: Duration = Duration::from_secs(1);
/// The pause before a file that cannot be used is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(10);
/// How often a file is tried that a Supervisor which is ending may still have open.
const LOCKED_PAUSE: Duration = Duration::from_millis(50);
const LOCKED_TRIES: usize = 30;
/// How often it is noted that the Supervisor runs.
const SEEN_PERIOD: Duration = Duration::from_secs(60);
/// Between two looks for events that are too old.
const AGE_PAUSE: Duration = Duration::from_secs(3600);
/// How far the clock may be from where it should be before no event is too old by it.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(600);

/// Where the journal is, and what it may keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The file.
    pub path: std::path::PathBuf,
    /// What it may take on the disk.
    pub max_bytes: u64,
    /// How long events are kept.
    pub max_age: Duration,
}

/// What the journal makes known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Events are kept in memory alone, because of this.
    Lossy(String),
    /// Events are on disk again.
    Whole,
    /// The file was set aside, because of this.
    Recovered(String),
}

/// How the journal was found at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The last number that an earlier Supervisor may have handed out.
    pub last: Seq,
    /// Numbers whose events are not in the journal, and which no event states: an earlier
    /// Supervisor did not end in order.
    pub lost: Vec<Gap>,
    /// When the earlier Supervisor was last seen, in milliseconds since 1970.
    pub last_seen_ms: Option<u64>,
}

impl Start {
    /// A start without a journal: behind any number that an earlier Supervisor can have used.
    #[must_use]
    pub fn without_journal() -> Self {
        Self { last: Seq(now_ms()), lost: Vec::new(), last_seen_ms: None }
    }

    fn of(opened: &Opened) -> Self {
        Self { last: opened.last, lost: opened.lost.clone(), last_seen_ms: None }
    }
}

/// Reads the journal, for as many as want to. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Journal(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    file: Mutex<Option<Arc<JournalFile>>>,
    /// Damage that a reader has met.
    damage: Mutex<Option<String>>,
    /// The writer has something else to do than to wait for events.
    called: AtomicBool,
    ending: AtomicBool,
    ended: Mutex<Vec<oneshot::Sender<()>>>,
    bytes: AtomicU64,
    lost: AtomicU64,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Journal {
    /// A page of the events on disk. `None` while there is no file, or it is damaged.
    pub(crate) fn page(&self, recorder: &Recorder, query: &Query) -> Option<Page> {
        self.read(recorder, |file| file.page(query))
    }

    /// The availability of a service, from the events in the file. `None` without a file, and with
    /// a damaged one.
    pub(crate) fn ledger(&self, recorder: &Recorder, service: &str) -> Option<(Ledger, Progress)> {
        self.read(recorder, |file| file.ledger(service))
    }

    fn read<T>(
        &self,
        recorder: &Recorder,
        read: impl FnOnce(&JournalFile) -> Result<T, FileError>,
    ) -> Option<T> {
        let file = locked(&self.0.file).clone()?;
        match read(&file) {
            Ok(found) => Some(found),
            Err(FileError::Damaged(problem)) => {
                *locked(&self.0.damage) = Some(problem);
                self.call(recorder);
                None
            }
            Err(FileError::Io(_) | FileError::Locked) => None,
        }
    }

    /// What the file takes on the disk.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// How many events did not reach the disk.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// Writes what is outstanding, and gives back unused numbers. Nothing is written afterwards.
    pub async fn end(&self, recorder: &Recorder) {
        let (done, ended) = oneshot::channel();
        locked(&self.0.ended).push(done);
        self.0.ending.store(true, Ordering::Relaxed);
        self.call(recorder);
        // The writer is gone only when the process is ending.
        let _ = ended.await;
    }

    fn call(&self, recorder: &Recorder) {
        self.0.called.store(true, Ordering::Relaxed);
        recorder.wake();
    }

    fn is_ending(&self) -> bool {
        self.0.ending.load(Ordering::Relaxed)
    }
}

/// Writes the journal on a thread of its own: a disk that hangs delays only this.
pub struct Writer {
    place: Place,
    config: Config,
    journal: Journal,
    notices: Box<dyn Fn(Notice) + Send>,
    /// The file that is open, by its inode.
    inode: u64,
    /// Why there is no file, and when the writer opens it again.
    closed: Option<Instant>,
    is_lossy: bool,
    /// Whether an earlier Supervisor lost events, once the journal has been open.
    has_lost: Option<bool>,
    /// Holes that the journal has, and that events in memory state.
    stated: Vec<Gap>,
    /// When the journal was last searched for old events, by both clocks.
    aged: Option<(Instant, u64)>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Writer {
    /// The writer, to be run on a thread, and the journal for readers.
    #[must_use]
    pub fn new(config: Config, notices: impl Fn(Notice) + Send + 'static) -> (Self, Journal) {
        let journal = Journal::default();
        let writer = Self {
            place: Place::new(config.path.clone()),
            config,
            journal: journal.clone(),
            notices: Box::new(notices),
            inode: 0,
            closed: None,
            is_lossy: false,
            has_lost: None,
            stated: Vec::new(),
            aged: None,
        };
        (writer, journal)
    }

    /// Opens the journal, sends how it was found, and writes what the recorder records until the
    /// end.
    pub fn run(mut self, start: oneshot::Sender<Start>, recorder: mpsc::Receiver<Recorder>) {
        let mut set_aside = None;
        let found = self.open(Seq(0), &mut set_aside);
        let at_start = match &found {
            Ok(opened) => Start::of(opened),
            Err(_) => Start::without_journal(),
        };
        // A start that does not wait for the journal any more has taken numbers of its own.
        let _ = start.send(Start { last_seen_ms: self.place.last_seen_ms(), ..at_start });
        let Some(recorder) = recorder.into_iter().next() else { return };
        self.recovered(&recorder, set_aside);
        let mut reader = recorder.reader(Some(Seq(recorder.first().0 - 1)));
        match found {
            Ok(opened) if opened.last > reader.position().taken() => {
                self.begin_again(&recorder, &reader, "its numbers are those of a later Supervisor");
            }
            Ok(_) => {}
            Err(error) => self.failed(error),
        }
        self.follow(&recorder, &mut reader);
    }

    fn follow(&mut self, recorder: &Recorder, reader: &mut Reader) {
        let mut committed: Option<Instant> = None;
        let mut seen_at = Instant::now();
        self.place.note_seen(now_ms());
        loop {
            if seen_at.elapsed() >= SEEN_PERIOD {
                seen_at = Instant::now();
                self.place.note_seen(now_ms());
            }
            let pause = match self.closed {
                Some(retry_at) => retry_at.saturating_duration_since(Instant::now()),
                None => SEEN_PERIOD.saturating_sub(seen_at.elapsed()),
            };
            match self.closed {
                // Events do not open a file.
                Some(_) => recorder.wait(Seq(u64::MAX), pause, &self.journal.0.called),
                None => recorder.wait(reader.position().taken(), pause, &self.journal.0.called),
            }
            self.journal.0.called.store(false, Ordering::Relaxed);
            let damage = locked(&self.journal.0.damage).take();
            if let Some(problem) = damage {
                self.begin_again(recorder, reader, &problem);
            }
            if self.closed.is_some_and(|retry_at| retry_at <= Instant::now()) {
                self.retry(recorder, reader);
            }
            let rest =
                committed.map_or(Duration::ZERO, |at| COMMIT_PAUSE.saturating_sub(at.elapsed()));
            self.rest(recorder, rest);
            if self.closed.is_none() && self.commit(recorder, reader) {
                committed = Some(Instant::now());
            }
            if self.journal.is_ending() {
                self.end(recorder, reader);
                return;
            }
        }
    }

    /// Waits, but not beyond the end.
    fn rest(&self, recorder: &Recorder, rest: Duration) {
        let until = Instant::now() + rest;
        while !self.journal.is_ending() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            recorder.wait(Seq(u64::MAX), left, &self.journal.0.ending);
        }
    }

    fn end(&mut self, recorder: &Recorder, reader: &Reader) {
        self.place.note_seen(now_ms());
        let file = locked(&self.journal.0.file).take();
        if let Some(file) = file
            && recorder.last() == reader.position().taken()
            && let Err(error) = file.end(recorder.last())
        {
            // The next Supervisor takes this one for one that did not end in order.
            self.note(Notice::Lossy(error.to_string()));
        }
        for done in locked(&self.journal.0.ended).drain(..) {
            // The receiver may be gone.
            let _ = done.send(());
        }
    }

    /// Opens the journal. A damaged one is set aside, which is noted in `set_aside`, and another
    /// one begun, whose first event follows `base`, or is behind any number of an earlier
    /// Supervisor.
    fn open(&mut self, base: Seq, set_aside: &mut Option<String>) -> Result<Opened, FileError> {
        match self.open_file(base) {
            Err(FileError::Damaged(problem)) => {
                *set_aside = Some(self.set_aside(&problem)?);
                self.open_file(base.max(Start::without_journal().last))
            }
            result => result,
        }
    }

    fn open_file(&mut self, base: Seq) -> Result<Opened, FileError> {
        let mut tries = 0;
        let (file, opened) = loop {
            match self.place.open(base) {
                Err(FileError::Locked) if tries < LOCKED_TRIES => {
                    tries += 1;
                    thread::sleep(LOCKED_PAUSE);
                }
                result => break result?,
            }
        };
        let size = self.place.size()?;
        self.inode = size.inode;
        self.journal.0.bytes.store(size.bytes, Ordering::Relaxed);
        *locked(&self.journal.0.file) = Some(Arc::new(file));
        self.closed = None;
        self.has_lost.get_or_insert(!opened.lost.is_empty());
        Ok(opened)
    }

    fn close(&mut self) {
        // Closing can wait for the disk, which readers need not.
        let file = locked(&self.journal.0.file).take();
        drop(file);
        self.closed = Some(Instant::now() + RETRY_PAUSE);
    }

    /// Renames a damaged file. Returns what people read about it.
    fn set_aside(&self, problem: &str) -> Result<String, FileError> {
        let aside = self.place.set_aside().map_err(|error| {
            io::Error::other(format!("it is damaged ({problem}) and could not be renamed: {error}"))
        })?;
        Ok(format!(
            "{} cannot be used ({problem}); a new journal begins. The old one is kept as {}",
            self.place.path().display(),
            aside.display()
        ))
    }

    fn recovered(&self, recorder: &Recorder, set_aside: Option<String>) {
        if let Some(text) = set_aside {
            recorder.record(None, Fact::new(Kind::JournalRecovered, &text));
            self.note(Notice::Recovered(text));
        }
    }

    /// Sets a damaged file aside and goes on with another one.
    fn begin_again(&mut self, recorder: &Recorder, reader: &Reader, problem: &str) {
        self.close();
        match self.set_aside(problem) {
            Ok(text) => {
                self.recovered(recorder, Some(text));
                self.retry(recorder, reader);
            }
            Err(error) => self.failed(error),
        }
    }

    fn retry(&mut self, recorder: &Recorder, reader: &Reader) {
        let taken = reader.position().taken();
        let mut set_aside = None;
        let opened = self.open(taken, &mut set_aside);
        self.recovered(recorder, set_aside);
        match opened {
            Ok(opened) if opened.written > taken => {
                self.begin_again(recorder, reader, "another Supervisor has written to it");
            }
            Ok(_) => {}
            Err(error) => self.failed(error),
        }
    }

    /// The file cannot be used now: events stay in memory.
    fn failed(&mut self, error: FileError) {
        self.close();
        self.is_lossy = true;
        let error = match error {
            FileError::Io(error) if error.kind() == io::ErrorKind::StorageFull => {
                "the disk is full".to_owned()
            }
            error => error.to_string(),
        };
        self.note(Notice::Lossy(error));
    }

    fn note(&self, notice: Notice) {
        (self.notices)(notice);
    }

    /// Writes all new events. True when something was written.
    fn commit(&mut self, recorder: &Recorder, reader: &mut Reader) -> bool {
        let mut wrote = false;
        loop {
            let before = reader.position();
            let batch = reader.take();
            if batch.events.is_empty() {
                return wrote;
            }
            match self.write(&batch.events) {
                Ok(holes) => {
                    wrote = true;
                    if let Some(gap) = batch.gap {
                        self.dropped(gap);
                    }
                    self.state(recorder, holes);
                }
                Err(error) => {
                    reader.go_back_to(before);
                    match error {
                        FileError::Damaged(problem) => self.begin_again(recorder, reader, &problem),
                        error => self.failed(error),
                    }
                    return wrote;
                }
            }
        }
    }

    /// Returns the holes of the journal that no event on disk states.
    fn write(&mut self, events: &[Arc<Event>]) -> Result<Vec<Gap>, FileError> {
        let size = self.place.size();
        if !size.as_ref().is_ok_and(|size| size.inode == self.inode) {
            return Err(FileError::Damaged("it was removed or replaced".into()));
        }
        let file = locked(&self.journal.0.file).clone();
        let file = file.ok_or_else(|| io::Error::other("it is closed"))?;
        let bounds = Bounds { max_bytes: self.config.max_bytes, oldest_ms: self.oldest_ms() };
        let appended = file.append(events, &bounds, size?.bytes)?;
        if let Ok(size) = self.place.size() {
            self.journal.0.bytes.store(size.bytes, Ordering::Relaxed);
        }
        if self.is_lossy {
            self.is_lossy = false;
            self.note(Notice::Whole);
        }
        Ok(appended.holes)
    }

    /// Events that the disk did not get and memory no longer has.
    fn dropped(&mut self, gap: Gap) {
        let count = gap.last.0 - gap.first.0 + 1;
        self.journal.0.lost.fetch_add(count, Ordering::Relaxed);
        // Events that state holes may be among them.
        self.stated.clear();
    }

    /// Records the holes that no event states yet.
    fn state(&mut self, recorder: &Recorder, holes: Vec<Gap>) {
        let is_earlier = |hole: &Gap| hole.first <= recorder.begun();
        for hole in holes.iter().filter(|hole| !self.stated.contains(hole)) {
            let fact = match is_earlier(hole) {
                true if self.has_lost == Some(true) => holes::recovered(*hole),
                true => holes::skipped(*hole),
                false => holes::dropped(*hole),
            };
            recorder.record(None, fact);
        }
        self.stated = holes;
    }

    /// The time before which events are too old; at most once an hour.
    ///
    /// A clock that was set wrong must not cost events: both clocks have to agree about the time
    /// since the last look.
    fn oldest_ms(&mut self) -> Option<u64> {
        let (now, unix_ms) = (Instant::now(), now_ms());
        let (then, then_ms) = *self.aged.get_or_insert((now, unix_ms));
        let passed = now.duration_since(then);
        if passed < AGE_PAUSE {
            return None;
        }
        self.aged = Some((now, unix_ms));
        let expected_ms = then_ms.saturating_add(milliseconds(passed));
        let age_ms = milliseconds(self.config.max_age);
        let is_right = unix_ms.abs_diff(expected_ms) <= milliseconds(CLOCK_TOLERANCE);
        is_right.then(|| unix_ms.saturating_sub(age_ms))
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
