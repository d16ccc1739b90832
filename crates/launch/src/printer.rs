//! The launcher's stdout and stderr, which must never block the launcher.
//!
//! A slow reader slows the services down, like a pipe: while more than [`HIGH_BYTES`] wait, their
//! pipes are not read ([`Printer::is_congested`]). After [`STALL`] without progress a reader counts
//! as stalled: services are not slowed down any more, [`SPARE_BYTES`] are kept for the reader,
//! further lines are dropped and counted, and the count is printed when it reads again. An output
//! that is closed or fails loses its lines in the same way.
//!
//! A file is slow when its disk is, and then blocks its writer: a thread writes to it
//! ([`FileWriter`]).

use std::{
    fs::{File, OpenOptions},
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::OpenOptionsExt,
    },
    time::{Duration, Instant},
};

use roost_ident::time::rfc3339_s;
use roost_logs::Stream;
use rustix::{
    event::{PollFd, PollFlags},
    fs::FileType,
    net::SendFlags,
};

use crate::{
    clock,
    file_writer::{FileWriter, Written},
    line::{self, Level, Line, Style},
};

/// Waiting bytes before services are slowed down.
const HIGH_BYTES: usize = 64 * 1024;
/// Limit of waiting bytes. Above [`HIGH_BYTES`] there are only lines of the launcher itself and
/// those of one last read, which are fewer even with the longest preambles.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// Bytes kept for a stalled reader: a disk that is busy for some seconds loses no line.
const SPARE_BYTES: usize = 1024 * 1024;
/// Time without progress after which a reader counts as stalled.
const STALL: Duration = Duration::from_secs(1);
/// Bytes that the kernel writes into a pipe atomically (pipe(7)): lines of the launcher and of the
/// Supervisor, which share the output, do not mix up to this length.
const WHOLE_BYTES: usize = libc::PIPE_BUF;
/// Bytes handed over at once to the thread that writes a file, which writes any number of bytes.
const HANDOVER_BYTES: usize = 64 * 1024;

/// Both outputs and the style of lines.
#[derive(Debug)]
pub(crate) struct Printer {
    style: Style,
    stdout: Output,
    stderr: Output,
}

impl Printer {
    pub(crate) fn new(style: Style) -> Printer {
        Printer { style, stdout: Output::new(Stream::Stdout), stderr: Output::new(Stream::Stderr) }
    }

    pub(crate) fn set_style(&mut self, style: Style) {
        self.style = style;
    }

    /// A line of the launcher about itself, `hab-launch(SV): TEXT`.
    #[track_caller]
    pub(crate) fn own(&mut self, text: &str) {
        self.about(line::LAUNCHER, text);
    }

    /// A line of the launcher about a service, `GROUP(SV): TEXT`.
    #[track_caller]
    pub(crate) fn about(&mut self, preamble: &str, text: &str) {
        let place = std::panic::Location::caller();
        self.stdout.line(self.style, Line::new(preamble, "SV", text).at(place));
        self.stdout.flush(self.style);
    }

    /// A line of a service. Call [`Printer::flush`] after the last of a batch.
    pub(crate) fn service(&mut self, stream: Stream, group: &str, text: &str) {
        let style = self.style;
        self.output(stream).line(style, Line::printed(group, None, stream, text));
    }

    /// A line of the Supervisor, unchanged. Call [`Printer::flush`] after the last.
    pub(crate) fn supervisor(&mut self, stream: Stream, line: &str) {
        let output = self.output(stream);
        output.push(line);
        output.push("\n");
    }

    /// Whether a write to this output may block, so that only our thread may write to it.
    pub(crate) fn may_block(&self, stream: Stream) -> bool {
        let output = match stream {
            Stream::Stdout => &self.stdout,
            Stream::Stderr => &self.stderr,
        };
        matches!(output.sink.way, Way::Thread(_))
    }

    /// A line of the diagnostic log on stderr (reference: control §20.4).
    pub(crate) fn log_error(&mut self, text: &str) {
        let line = format!("[{} ERROR hab_launch] {text}", rfc3339_s(clock::unix_ms()));
        self.stderr.text(self.style, if self.style.json { text } else { &line });
        self.stderr.flush(self.style);
    }

    /// Text without preamble on stdout, as fatal errors are printed (reference: control §19).
    pub(crate) fn plain(&mut self, text: &str) {
        self.stdout.text(self.style, text);
        self.stdout.flush(self.style);
    }

    /// Writes as much as the outputs accept now.
    pub(crate) fn flush(&mut self) {
        self.stdout.flush(self.style);
        self.stderr.flush(self.style);
    }

    /// Whether services that print to this output should wait.
    pub(crate) fn is_congested(&self, stream: Stream) -> bool {
        let output = match stream {
            Stream::Stdout => &self.stdout,
            Stream::Stderr => &self.stderr,
        };
        output.waiting.len() > HIGH_BYTES && !output.given_up
    }

    /// Events to wait for before more can be written.
    pub(crate) fn pending(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        [&self.stdout, &self.stderr].into_iter().filter_map(Output::awaited)
    }

    /// Time when a stalled output is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        [&self.stdout, &self.stderr]
            .into_iter()
            .filter(|output| !output.given_up)
            .filter_map(|output| output.stalled_since.map(|since| since + STALL))
            .min()
    }

    /// Marks outputs as stalled after their time limit.
    pub(crate) fn on_time(&mut self, now: Instant) {
        for output in [&mut self.stdout, &mut self.stderr] {
            output.given_up |= output.stalled_since.is_some_and(|since| now >= since + STALL);
        }
    }

    /// Writes the rest before the end, at most for as long as a stall. A thread blocked by a
    /// hanging disk keeps the process from being reaped until the disk answers, after everything
    /// ended.
    pub(crate) fn finish(&mut self) {
        let end = Instant::now() + STALL;
        loop {
            self.flush();
            let left = end.saturating_duration_since(Instant::now());
            let mut fds: Vec<PollFd<'_>> =
                self.pending().map(|(fd, flags)| PollFd::from_borrowed_fd(fd, flags)).collect();
            if fds.is_empty() || left.is_zero() {
                return;
            }
            let timeout = rustix::event::Timespec::try_from(left).ok();
            let _ = rustix::event::poll(&mut fds, timeout.as_ref());
        }
    }

    fn output(&mut self, stream: Stream) -> &mut Output {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }
}

/// One of the two outputs.
#[derive(Debug)]
struct Output {
    sink: Sink,
    is_terminal: bool,
    is_journal: bool,
    /// Whole lines, except the first, which may be partially written.
    waiting: Vec<u8>,
    stalled_since: Option<Instant>,
    given_up: bool,
    dropped_lines: u64,
}

impl Output {
    fn new(stream: Stream) -> Output {
        let here = Style { color: true, ..Style::default() }.of_output(stream);
        Output {
            sink: Sink::open(stream),
            is_terminal: here.color,
            is_journal: here.journal,
            waiting: Vec::new(),
            stalled_since: None,
            given_up: false,
            dropped_lines: 0,
        }
    }

    fn line(&mut self, style: Style, line: Line<'_>) {
        let style = self.style(style);
        self.push(&line.format(style));
    }

    /// An error without preamble.
    fn text(&mut self, style: Style, text: &str) {
        let style = self.style(style);
        self.push(&line::format_text(style, line::LAUNCHER, Level::Error, text));
    }

    /// The style for this output.
    fn style(&self, style: Style) -> Style {
        Style { journal: self.is_journal, ..style.on(self.is_terminal) }
    }

    fn push(&mut self, line: &str) {
        let room = if self.given_up { SPARE_BYTES } else { MOST_BYTES };
        if self.waiting.len() > room {
            self.dropped_lines += 1;
        } else {
            self.waiting.extend_from_slice(line.as_bytes());
        }
    }

    /// The descriptor that signals when there is work, if any.
    fn awaited(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        match &self.sink.way {
            Way::Thread(writer) => (writer.is_busy() || !self.waiting.is_empty())
                .then(|| (writer.as_fd(), PollFlags::IN)),
            _ => (!self.waiting.is_empty()).then(|| (self.sink.fd(), PollFlags::OUT)),
        }
    }

    /// Applies the results of the thread.
    fn settle(&mut self) {
        if let Way::Thread(writer) = &self.sink.way
            && let Some(Written { lost_lines }) = writer.take_result()
        {
            self.dropped_lines += lost_lines.unwrap_or(0);
            self.sink.failed = lost_lines.is_some();
        }
    }

    fn flush(&mut self, style: Style) {
        loop {
            self.settle();
            self.write_waiting();
            if !self.waiting.is_empty() {
                return;
            }
            self.given_up = false;
            self.stalled_since = None;
            if self.dropped_lines == 0 || self.sink.failed {
                return;
            }
            let text = format!(
                "{} lines of output could not be written and are lost",
                std::mem::take(&mut self.dropped_lines)
            );
            self.line(style, Line::new(line::LAUNCHER, "SV", &text));
        }
    }

    fn write_waiting(&mut self) {
        let mut done = 0;
        while done < self.waiting.len() {
            let rest = &self.waiting[done..];
            match self.sink.write(&rest[..chunk_len(rest, self.sink.chunk_bytes())]) {
                Ok(count) if count > 0 => {
                    done += count;
                    self.stalled_since = None;
                    // a batch given to a thread may still fail
                    self.sink.failed &= matches!(self.sink.way, Way::Thread(_));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    // gone or full: no waiting byte can be written, later lines try again
                    let lost = rest.iter().filter(|b| **b == b'\n').count();
                    self.dropped_lines += lost as u64;
                    self.sink.failed = true;
                    done = self.waiting.len();
                }
            }
        }
        if done == self.waiting.len() {
            self.waiting.clear();
            self.waiting.shrink_to(WHOLE_BYTES);
        } else {
            self.waiting.drain(..done);
            self.stalled_since.get_or_insert_with(Instant::now);
        }
    }
}

/// As many whole lines as fit into `most` bytes, at least one line.
fn chunk_len(bytes: &[u8], most: usize) -> usize {
    let head = &bytes[..bytes.len().min(most)];
    let line_end = |bytes: &[u8]| bytes.iter().position(|b| *b == b'\n').map(|at| at + 1);
    match head.iter().rposition(|b| *b == b'\n') {
        Some(at) => at + 1,
        None => line_end(bytes).unwrap_or(bytes.len()),
    }
}

/// How to write to an output without blocking. Its flags are not changed: they belong to all
/// processes that share it (the Supervisor, the shell).
#[derive(Debug)]
struct Sink {
    stream: Stream,
    way: Way,
    failed: bool,
}

#[derive(Debug)]
enum Way {
    /// A file: through a thread.
    Thread(FileWriter),
    /// A file when the system provides no thread.
    Direct,
    /// A socket: send without blocking.
    Socket,
    /// A pipe or terminal, reopened with separate flags.
    Reopened(OwnedFd),
    /// A pipe or terminal that cannot be reopened: poll first, then write little.
    Ask,
}

impl Sink {
    fn open(stream: Stream) -> Sink {
        let mut sink = Sink { stream, way: Way::Direct, failed: false };
        let kind = rustix::fs::fstat(sink.fd()).map(|stat| FileType::from_raw_mode(stat.st_mode));
        sink.way = match kind {
            Ok(FileType::Socket) => Way::Socket,
            Ok(FileType::Fifo | FileType::CharacterDevice) => {
                reopen(stream).map_or(Way::Ask, Way::Reopened)
            }
            _ => sink.writer().map_or(Way::Direct, Way::Thread),
        };
        sink
    }

    fn writer(&self) -> io::Result<FileWriter> {
        FileWriter::start(self.fd().try_clone_to_owned()?)
    }

    fn chunk_bytes(&self) -> usize {
        match self.way {
            Way::Thread(_) => HANDOVER_BYTES,
            _ => WHOLE_BYTES,
        }
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match (&self.way, self.stream) {
            (Way::Reopened(fd), _) => fd.as_fd(),
            (_, Stream::Stdout) => rustix::stdio::stdout(),
            (_, Stream::Stderr) => rustix::stdio::stderr(),
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let fd = self.fd();
        let count = match &self.way {
            Way::Thread(writer) if writer.offer(bytes) => bytes.len(),
            Way::Thread(_) => return Err(io::ErrorKind::WouldBlock.into()),
            Way::Direct | Way::Reopened(_) => rustix::io::write(fd, bytes)?,
            Way::Socket => rustix::net::send(fd, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?,
            Way::Ask => {
                let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
                let none = rustix::event::Timespec::default();
                if rustix::event::poll(&mut fds, Some(&none))? == 0 {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                // a writable pipe accepts this much without blocking
                rustix::io::write(fd, &bytes[..bytes.len().min(WHOLE_BYTES)])?
            }
        };
        Ok(count)
    }
}

fn reopen(stream: Stream) -> Option<OwnedFd> {
    let number = match stream {
        Stream::Stdout => 1,
        Stream::Stderr => 2,
    };
    let opened: io::Result<File> = OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(format!("/proc/self/fd/{number}"));
    opened.ok().map(OwnedFd::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_end_with_lines_and_are_small_when_they_can_be() {
        assert_eq!(chunk_len(b"a\nb\n", WHOLE_BYTES), 4);
        assert_eq!(chunk_len(b"a\nb", WHOLE_BYTES), 2);
        assert_eq!(chunk_len(b"a", WHOLE_BYTES), 1);
        let many = b"0123456789abcde\n".repeat(1000);
        assert_eq!(chunk_len(&many, WHOLE_BYTES), WHOLE_BYTES);
        let odd = b"0123456789abcd\n".repeat(1000);
        assert_eq!(chunk_len(&odd, WHOLE_BYTES), WHOLE_BYTES / 15 * 15);
        let mut long = vec![b'x'; 10_000];
        long.extend_from_slice(b"\nnext\n");
        assert_eq!(chunk_len(&long, WHOLE_BYTES), 10_001);
    }
}
