//! Log files of services.
//!
//! The loop hands lines over without waiting: a thread writes them, a bounded number waits, and
//! lines without room, or refused by the disk, are counted. A mark in the file shows where and how
//! many lines are missing.
//!
//! A service that prints faster than the thread writes is slowed down, as by a slow reader of the
//! launcher's output: its pipes are not read while [`HIGH_OF_GROUP_BYTES`] of its lines wait
//! ([`ServiceLogs::is_congested`]). So a disk that works loses no line, however busy the machine
//! is. After [`STALL`] without progress the disk counts as hanging, and slows no service down.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use roost_logs::{DEFAULT_TOTAL_BYTES, Line, LogFile, Stream, Tag, directory_of};

use crate::{
    clock,
    disk::{self, News, Teller},
};

/// Most waiting bytes of one service's lines.
const MOST_OF_GROUP_BYTES: usize = 512 * 1024;
/// Most waiting bytes of all services' lines.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// Waiting bytes of one service from which it is slowed down. The lines of one more read fit above
/// it, even when all of them are empty.
const HIGH_OF_GROUP_BYTES: usize = MOST_OF_GROUP_BYTES / 2;
/// Waiting bytes of all services from which each that has more than its share is slowed down.
const HIGH_BYTES: usize = MOST_BYTES / 2;
/// Time without progress after which the disk counts as hanging.
const STALL: Duration = Duration::from_secs(1);
/// Lines within this time are written together.
const PAUSE: Duration = Duration::from_millis(20);
/// Waiting bytes that are written without a pause.
const EAGER_BYTES: usize = 64 * 1024;
/// Time limit at the end for the disk to accept the waiting lines.
const PATIENCE: Duration = Duration::from_secs(1);
/// Size of a write, up to a line end, so that a file does not grow far beyond its limit.
const CHUNK_BYTES: usize = 64 * 1024;
/// Most open files. Beyond it all are closed, and reopened when needed.
const MOST_FILES: usize = 256;

/// The launcher's end.
pub(crate) struct ServiceLogs {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

struct Queue {
    groups: BTreeMap<String, Waiting>,
    bytes: usize,
    /// Since when a service is slowed down, until the thread takes the lines.
    full_since: Option<Instant>,
    /// Limit of one service's files in bytes; 0 keeps no lines.
    total_bytes: u64,
    is_writing: bool,
    is_ending: bool,
}

/// Unwritten lines of one service.
#[derive(Debug, Default, PartialEq, Eq)]
struct Waiting {
    lines: Vec<u8>,
    /// Number of dropped lines after those.
    lost: u64,
}

impl ServiceLogs {
    /// Starts the thread that writes below `root`.
    pub(crate) fn start(root: &Path, news: Teller) -> io::Result<ServiceLogs> {
        let shared = Arc::new(Shared { queue: Mutex::new(Queue::new()), changed: Condvar::new() });
        let (theirs, writer) = (Arc::clone(&shared), Writer::new(root.into(), news));
        disk::spawn("service-logs", move || theirs.serve(writer))?;
        Ok(ServiceLogs { shared })
    }

    /// Sets the limit of each service's files, in bytes; 0 stops keeping lines.
    pub(crate) fn set_room(&self, total_bytes: u64) {
        self.shared.lock().total_bytes = total_bytes;
    }

    /// Hands over a line of a service group.
    pub(crate) fn add(&self, group: &str, line: Line<'_>) {
        let mut queue = self.shared.lock();
        let before = queue.bytes;
        let was_idle = queue.groups.is_empty();
        queue.add(group, line);
        let is_eager = before < EAGER_BYTES && queue.bytes >= EAGER_BYTES;
        // each of the many lines in between would cost a call of the system
        if !queue.is_writing && (was_idle || is_eager) {
            self.shared.changed.notify_all();
        }
    }

    /// Whether this service should wait until its lines are written.
    pub(crate) fn is_congested(&self, group: &str) -> bool {
        self.shared.lock().is_congested(group, Instant::now())
    }

    /// Time from which a hanging disk slows no service down.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let at = self.shared.lock().full_since? + STALL;
        (at > Instant::now()).then_some(at)
    }

    /// Hands over a mark of the launcher.
    pub(crate) fn mark(&self, group: &str, tag: Tag, text: &str) {
        self.add(group, Line { unix_ms: clock::unix_ms(), stream: Stream::Stdout, tag, text });
    }

    /// Waits until everything is written, as far as the disk answers.
    pub(crate) fn finish(&self) {
        let mut queue = self.shared.lock();
        queue.is_ending = true;
        self.shared.changed.notify_all();
        let is_busy = |queue: &mut Queue| queue.is_writing || !queue.groups.is_empty();
        // the lines of a hanging disk are dropped
        drop(self.shared.changed.wait_timeout_while(queue, PATIENCE, is_busy));
    }
}

impl Queue {
    fn new() -> Queue {
        Queue {
            groups: BTreeMap::new(),
            bytes: 0,
            full_since: None,
            total_bytes: DEFAULT_TOTAL_BYTES,
            is_writing: false,
            is_ending: false,
        }
    }

    fn add(&mut self, group: &str, line: Line<'_>) {
        if self.total_bytes == 0 {
            return;
        }
        if !self.groups.contains_key(group) {
            self.groups.insert(group.to_owned(), Waiting::default());
        }
        let Some(waiting) = self.groups.get_mut(group) else { return };
        // A line after lost ones would hide the gap.
        if waiting.lost > 0
            || waiting.lines.len() + line.text.len() > MOST_OF_GROUP_BYTES
            || self.bytes + line.text.len() > MOST_BYTES
        {
            waiting.lost += 1;
            return;
        }
        let before = waiting.lines.len();
        line.write_to(&mut waiting.lines);
        self.bytes += waiting.lines.len() - before;
        if waiting.lines.len() > HIGH_OF_GROUP_BYTES || self.bytes > HIGH_BYTES {
            self.full_since.get_or_insert_with(Instant::now);
        }
    }

    fn is_congested(&self, group: &str, now: Instant) -> bool {
        let Some(since) = self.full_since else { return false };
        let Some(waiting) = self.groups.get(group) else { return false };
        // A service that prints little does not wait for those that print much.
        let most = match self.bytes > HIGH_BYTES {
            true => (HIGH_BYTES / self.groups.len()).min(HIGH_OF_GROUP_BYTES),
            false => HIGH_OF_GROUP_BYTES,
        };
        now < since + STALL && waiting.lines.len() > most
    }

    fn take(&mut self) -> BTreeMap<String, Waiting> {
        self.bytes = 0;
        self.full_since = None;
        self.is_writing = true;
        std::mem::take(&mut self.groups)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // the content is consistent whenever it is unlocked
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut writer: Writer) {
        loop {
            let idle = |queue: &mut Queue| queue.groups.is_empty();
            let waited = self.changed.wait_while(self.lock(), idle);
            let mut queue = waited.unwrap_or_else(PoisonError::into_inner);
            let was_full = queue.full_since.is_some();
            let (groups, total_bytes) = (queue.take(), queue.total_bytes);
            drop(queue);
            if was_full {
                // their pipes are read again
                writer.news.wake();
            }
            for (group, waiting) in &groups {
                writer.write(group, waiting, total_bytes);
            }
            writer.close_surplus();
            let mut queue = self.lock();
            queue.is_writing = false;
            self.changed.notify_all();
            let may_pause = |queue: &mut Queue| !queue.is_ending && queue.bytes < EAGER_BYTES;
            drop(self.changed.wait_timeout_while(queue, PAUSE, may_pause));
        }
    }
}

/// The files, and their write errors.
struct Writer {
    root: PathBuf,
    news: Teller,
    groups: BTreeMap<String, Progress>,
    /// The limit of the open files.
    total_bytes: u64,
}

#[derive(Default)]
struct Progress {
    file: Option<LogFile>,
    /// Number of lines refused by the disk since the last accepted one.
    lost: u64,
    /// The error was reported.
    is_reported: bool,
}

impl Writer {
    fn new(root: PathBuf, news: Teller) -> Writer {
        Writer { root, news, groups: BTreeMap::new(), total_bytes: 0 }
    }

    fn write(&mut self, group: &str, waiting: &Waiting, total_bytes: u64) {
        let Some(directory) = directory_of(&self.root, group) else { return };
        if self.total_bytes != total_bytes {
            self.total_bytes = total_bytes;
            self.close_all();
        }
        let progress = self.groups.entry(group.to_owned()).or_default();
        let before = progress.is_reported;
        let result = progress.write(&directory, waiting, total_bytes);
        progress.is_reported = result.is_err();
        let text = match (result, before) {
            (Err(error), false) => format!(
                "Lines of '{group}' cannot be kept in '{}' ({error}); those of now are counted as \
                 lost until they can",
                directory.display()
            ),
            (Ok(()), true) => format!("Lines of '{group}' are kept again"),
            _ => return,
        };
        self.news.tell(News::ServiceLog { text });
    }

    fn close_surplus(&mut self) {
        if self.groups.len() > MOST_FILES {
            self.groups.retain(|_, progress| progress.lost > 0);
            self.close_all();
        }
    }

    fn close_all(&mut self) {
        for progress in self.groups.values_mut() {
            progress.file = None;
        }
    }
}

impl Progress {
    fn write(&mut self, directory: &Path, waiting: &Waiting, total_bytes: u64) -> io::Result<()> {
        let mut rest = &waiting.lines[..];
        let written = self.write_lines(directory, &mut rest, total_bytes);
        let refused = rest.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.lost += refused + waiting.lost;
        let result = written.and_then(|()| self.write_lost());
        if result.is_err() {
            self.file = None;
        }
        result
    }

    /// Writes lines; `rest` are the unwritten ones.
    fn write_lines(
        &mut self,
        directory: &Path,
        rest: &mut &[u8],
        total_bytes: u64,
    ) -> io::Result<()> {
        if self.file.is_none() {
            self.file = Some(LogFile::open(directory, total_bytes)?);
        }
        self.write_lost()?;
        while !rest.is_empty() {
            let (chunk, later) = rest.split_at(chunk_len(rest));
            if let Some(file) = &mut self.file {
                file.append(chunk)?;
            }
            *rest = later;
        }
        Ok(())
    }

    /// Marks the place of missing lines.
    fn write_lost(&mut self) -> io::Result<()> {
        if let (Some(file), 1..) = (&mut self.file, self.lost) {
            let text = format!("{} lines are missing: they could not be written", self.lost);
            let unix_ms = clock::unix_ms();
            let mut bytes = Vec::new();
            Line { unix_ms, stream: Stream::Stdout, tag: Tag::Lost, text: &text }
                .write_to(&mut bytes);
            file.append(&bytes)?;
            self.lost = 0;
        }
        Ok(())
    }
}

/// As many whole lines as fit into a chunk, at least one.
fn chunk_len(lines: &[u8]) -> usize {
    let is_end = |byte: &u8| *byte == b'\n';
    let head = &lines[..lines.len().min(CHUNK_BYTES)];
    match head.iter().rposition(is_end).or_else(|| lines.iter().position(is_end)) {
        Some(at) => at + 1,
        None => lines.len(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const GROUP: &str = "redis.default";

    fn line(text: &str) -> Line<'_> {
        Line { unix_ms: 1, stream: Stream::Stdout, tag: Tag::Whole, text }
    }

    fn texts(root: &Path) -> Vec<String> {
        let mut texts = Vec::new();
        let directory = directory_of(root, GROUP).expect("a plain name");
        roost_logs::read(&directory, &roost_logs::Selection::default(), |record| {
            texts.push(record.line.text.to_owned());
            std::ops::ControlFlow::Continue(())
        })
        .expect("readable");
        texts
    }

    #[test]
    fn what_finds_no_room_is_counted_and_hides_no_hole() {
        let mut queue = Queue::new();
        let text = "x".repeat(1_000);
        for _ in 0..1_000 {
            queue.add(GROUP, line(&text));
        }
        queue.add(GROUP, line("short"));
        for group in 0..20 {
            for _ in 0..1_000 {
                queue.add(&format!("other{group}.default"), line(&text));
            }
        }
        let groups = queue.take();
        let waiting = &groups[GROUP];
        let kept = waiting.lines.iter().filter(|byte| **byte == b'\n').count() as u64;
        assert!(waiting.lines.len() < MOST_OF_GROUP_BYTES + 100);
        assert_eq!(kept + waiting.lost, 1_001);
        assert!(!waiting.lines.windows(5).any(|bytes| bytes == b"short"));
        let all: usize = groups.values().map(|waiting| waiting.lines.len()).sum();
        assert!(all < MOST_BYTES + 100, "{all}");
        assert_eq!(queue.bytes, 0);
    }

    #[test]
    fn a_service_is_slowed_down_until_its_lines_are_taken_or_the_disk_hangs() {
        let mut queue = Queue::new();
        let text = "x".repeat(1_000);
        let now = Instant::now;
        assert!(!queue.is_congested(GROUP, now()));
        for _ in 0..=HIGH_OF_GROUP_BYTES / text.len() {
            queue.add(GROUP, line(&text));
        }
        assert!(queue.is_congested(GROUP, now()));
        // a read that found it just below the limit may bring nothing but line feeds
        for _ in 0..4096 {
            queue.add(GROUP, line(""));
        }
        assert_eq!(queue.groups[GROUP].lost, 0);
        assert!(!queue.is_congested("other.default", now()), "each waits for its own lines");
        assert!(!queue.is_congested(GROUP, now() + STALL), "the disk hangs");
        queue.take();
        assert!(!queue.is_congested(GROUP, now()), "its lines are being written");
    }

    #[test]
    fn while_the_room_of_all_is_short_those_that_print_much_are_slowed_down() {
        let mut queue = Queue::new();
        let text = "x".repeat(1_000);
        queue.add(GROUP, line("a quiet service"));
        for number in 0..=HIGH_BYTES / text.len() {
            queue.add(&format!("other{}.default", number % 10), line(&text));
        }
        let now = Instant::now();
        for number in 0..10 {
            assert!(queue.is_congested(&format!("other{number}.default"), now));
        }
        assert!(!queue.is_congested(GROUP, now));
        assert!(!queue.is_congested("silent.default", now));
        assert!(queue.groups.values().all(|waiting| waiting.lost == 0));
    }

    #[test]
    fn without_room_for_files_nothing_is_kept() {
        let mut queue = Queue::new();
        queue.total_bytes = 0;
        queue.add(GROUP, line("x"));
        assert!(queue.groups.is_empty());
    }

    #[test]
    fn a_disk_that_refuses_costs_the_lines_of_that_time_which_a_mark_counts() {
        let root = tempfile::tempdir().expect("a directory");
        let directory = directory_of(root.path(), GROUP).expect("a plain name");
        let mut progress = Progress::default();
        let waiting = |texts: &[&str], lost| {
            let mut lines = Vec::new();
            for text in texts {
                line(text).write_to(&mut lines);
            }
            Waiting { lines, lost }
        };
        let mut write = |texts: &[&str], lost| {
            progress.write(&directory, &waiting(texts, lost), DEFAULT_TOTAL_BYTES)
        };
        write(&["a", "b"], 0).expect("written");
        write(&["c"], 2).expect("written");
        // A file in place of the directory simulates a disk that refuses everything.
        fs::rename(&directory, root.path().join("away")).expect("renamed");
        fs::write(&directory, "").expect("written");
        progress.file = None;
        let mut write = |texts: &[&str], lost| {
            progress.write(&directory, &waiting(texts, lost), DEFAULT_TOTAL_BYTES)
        };
        write(&["d", "e"], 3).expect_err("refused");
        write(&[], 1).expect_err("refused");
        fs::remove_file(&directory).expect("removed");
        fs::rename(root.path().join("away"), &directory).expect("renamed");
        write(&["f"], 0).expect("written");
        let missing = |count| format!("{count} lines are missing: they could not be written");
        assert_eq!(texts(root.path()), ["a", "b", "c", &missing(2), &missing(6), "f"]);
    }
}
