//! Lines for people: `hab-sup(MR): …`, `web.default(SR): …` (reference: control §20.1).
//!
//! A thread writes them, so that a terminal or log collector that stops reading never stops the
//! Supervisor. What does not fit into the queue is counted, and the count is logged once there is
//! room again.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    panic::Location,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, SyncSender, TrySendError},
    },
    time::{Duration, Instant},
};

use roost_launch::line::{Level, Line, SUPERVISOR, Style, format_text};
use roost_logs::Stream;

use crate::vital;

/// Lines that wait for a slow reader.
const QUEUE_LINES: usize = 1024;
/// Lost lines are reported no more often than this.
const LOSS_PERIOD: Duration = Duration::from_secs(1);
/// How long the end of the process waits for a reader that does not read.
const FLUSH_PATIENCE: Duration = Duration::from_secs(2);

/// Where lines go. Cheap to clone; all clones share one queue.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    style: Style,
    queue: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Message {
    Line(String),
    Flush(SyncSender<()>),
}

impl Output {
    /// Starts the writing thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(style: Style) -> io::Result<Self> {
        let style = style.of_output(Stream::Stdout);
        let (queue, inbox) = mpsc::sync_channel(QUEUE_LINES);
        let dropped = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&dropped);
        vital::spawn_thread("hab-output", 64 * 1024, move || write_all(&inbox, style, &counter))?;
        Ok(Self { style, queue, dropped })
    }

    /// Prints one line with the preamble (`hab-sup`, a service group, …) and key.
    #[track_caller]
    pub(crate) fn line(&self, preamble: &str, key: &str, text: &str) {
        self.line_at(Location::caller(), preamble, key, text);
    }

    /// The same for a line of another place in the code.
    pub(crate) fn line_at(
        &self,
        at: &'static Location<'static>,
        preamble: &str,
        key: &str,
        text: &str,
    ) {
        self.put(Line::new(preamble, key, text).at(at).format(self.style));
    }

    /// Prints a line that a hook printed.
    pub(crate) fn hook(&self, group: &str, hook: &str, stream: Stream, text: &str) {
        self.put(Line::printed(group, Some(hook), stream, text).format(self.style));
    }

    /// Prints text without preamble: the reason why the Supervisor cannot go on.
    pub(crate) fn text(&self, text: &str) {
        self.put(format_text(self.style, SUPERVISOR, Level::Error, text));
    }

    fn put(&self, line: String) {
        if let Err(TrySendError::Full(_)) = self.queue.try_send(Message::Line(line)) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A line of the Supervisor itself under the key of its main part.
    #[track_caller]
    pub(crate) fn sup(&self, text: &str) {
        self.line(SUPERVISOR, "MR", text);
    }

    /// Waits until all queued lines are written, for at most two seconds.
    pub(crate) fn flush(&self) {
        let (done, answer) = mpsc::sync_channel(1);
        if self.queue.try_send(Message::Flush(done)).is_ok() {
            // A reader that does not read does not delay the end of the process.
            let _ = answer.recv_timeout(FLUSH_PATIENCE);
        }
    }
}

/// Writes what is in the queue until the last handle is gone.
fn write_all(inbox: &mpsc::Receiver<Message>, style: Style, dropped: &AtomicU64) {
    let mut reported_at = Instant::now();
    let rest = file_of_launcher();
    let print = |line: &str| print(line, rest.as_ref());
    for message in inbox {
        match message {
            Message::Line(line) => print(&line),
            Message::Flush(done) => drop(done.send(())),
        }
        if dropped.load(Ordering::Relaxed) > 0 && reported_at.elapsed() >= LOSS_PERIOD {
            reported_at = Instant::now();
            let lost = dropped.swap(0, Ordering::Relaxed);
            let text = format!("{lost} lines were lost because the output is not read fast enough");
            print(&Line::new(SUPERVISOR, "MR", &text).format(style));
        }
    }
}

/// The file that the launcher writes our lines into: without a launcher we do that ourselves.
fn file_of_launcher() -> Option<File> {
    let launcher = rustix::process::getppid()?;
    let path = format!("/proc/{launcher}/fd/1");
    let is_file = std::fs::metadata(&path).is_ok_and(|found| found.is_file());
    is_file.then(|| OpenOptions::new().append(true).open(&path).ok()).flatten()
}

/// One write per line: lines of launcher and Supervisor share the stream.
fn print(line: &str, rest: Option<&File>) {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush());
    if let (Err(_), Some(mut file)) = (written, rest) {
        // A line that cannot be written here either is lost.
        let _ = file.write_all(line.as_bytes());
    }
}
