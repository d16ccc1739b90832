//! Output of processes: lines of services to our own output, pieces of hooks to the Supervisor.

use std::time::{Duration, Instant};

use roost_logs::{Line, Stream, Tag};
use rustix::io::Errno;

use super::{HookEnd, HookExit, Launcher, Pipe, Sink};
use crate::{
    clock,
    link::Link,
    service_logs::ServiceLogs,
    wire::{HookEnded, KeptLines, LauncherEvent, MAX_OUTPUT_BYTES, Output, WireStatus},
};

/// Time to read the pipes of a hook after its end, if another process keeps them open.
const OUTPUT_GRACE: Duration = Duration::from_millis(500);
/// Size of a read that is split into lines: small, because the preamble makes empty lines grow
/// most.
const LINES_BYTES: usize = 4096;
/// Time limit at the end of the launcher for its outputs to accept what is left.
const END_PATIENCE: Duration = Duration::from_secs(1);
/// Most bytes read at the end of a process: more than a pipe usually holds.
const LAST_WORDS_BYTES: usize = 1024 * 1024;

impl Launcher {
    /// Whether there is room for a read from this pipe.
    pub(super) fn may_read(&self, pipe: &Pipe) -> bool {
        match &pipe.sink {
            Sink::Service { group, .. } => {
                !self.printer.is_congested(pipe.stream) && !self.service_logs.is_congested(group)
            }
            Sink::Supervisor { .. } => !self.printer.is_congested(pipe.stream),
            Sink::Hook { kept } => {
                let waits =
                    |(kept, _): &(KeptLines, _)| self.service_logs.is_congested(&kept.group);
                self.link.as_ref().is_some_and(Link::takes_output)
                    && !kept.as_ref().is_some_and(waits)
            }
        }
    }

    /// A pipe is readable.
    pub(super) fn on_pipe(&mut self, at: usize) {
        // an earlier one in the same turn may have used up the room
        if self.pipes.get(at).is_some_and(|pipe| self.may_read(pipe)) {
            self.read_pipe(at);
        }
    }

    /// Reads once; returns the number of bytes, 0 when there is nothing (now or any more).
    fn read_pipe(&mut self, at: usize) -> usize {
        let Some(Pipe { id, fd: fd @ Some(_), stream, sink }) = self.pipes.get_mut(at) else {
            return 0;
        };
        let (id, stream) = (*id, *stream);
        let mut buffer = [0; MAX_OUTPUT_BYTES];
        let room = match sink {
            Sink::Service { .. } | Sink::Hook { kept: Some(_) } => &mut buffer[..LINES_BYTES],
            Sink::Supervisor { .. } | Sink::Hook { kept: None } => &mut buffer[..],
        };
        let count = match fd.as_ref().map(|fd| rustix::io::read(fd, room)) {
            Some(Ok(count)) => count,
            Some(Err(Errno::AGAIN | Errno::INTR)) => return 0,
            _ => 0,
        };
        let printer = &mut self.printer;
        let (logs, unix_ms) = (&self.service_logs, clock::unix_ms());
        match sink {
            Sink::Service { group, splitter } => {
                let speaker = match stream {
                    Stream::Stdout => None,
                    Stream::Stderr => self.children.iter_mut().find(|c| c.entry.id == id),
                };
                let mut last_words = speaker.map(|child| &mut child.last_words);
                let print = |tag, line: &str| {
                    printer.service(stream, group, line);
                    logs.add(group, Line { unix_ms, stream, tag, text: line });
                    if let Some(last_words) = &mut last_words {
                        last_words.push(line);
                    }
                };
                if count > 0 {
                    splitter.push(&buffer[..count], print);
                } else {
                    splitter.end(print);
                    *fd = None;
                }
                self.printer.flush();
            }
            Sink::Supervisor { splitter } => {
                let print = |_, line: &str| printer.supervisor(stream, line);
                if count > 0 {
                    splitter.push(&buffer[..count], print);
                } else {
                    splitter.end(print);
                    *fd = None;
                }
                self.printer.flush();
            }
            Sink::Hook { kept } if count > 0 => {
                if let Some((kept, splitter)) = kept {
                    splitter.push(&buffer[..count], |_, line| keep(logs, kept, stream, line));
                }
                let bytes = buffer[..count].to_vec();
                let stream = stream.into();
                self.tell(&LauncherEvent::Output(Output { id, stream, bytes }));
            }
            Sink::Hook { kept } => {
                if let Some((kept, splitter)) = kept {
                    splitter.end(|_, line| keep(logs, kept, stream, line));
                }
                *fd = None;
                self.hook_pipe_ended(id);
            }
        }
        count
    }

    fn hook_pipe_ended(&mut self, id: u64) {
        if let Some(end) = self.hook_ends.iter_mut().find(|end| end.id == id) {
            end.open -= 1;
        }
        self.report_hook_end(id);
    }

    /// Reads the remaining output in a process's pipes, without waiting for more. When our own
    /// output is slow, the rest follows after the line about the end; nothing is lost.
    pub(super) fn read_last_words(&mut self, id: u64) {
        for at in 0..self.pipes.len() {
            let mut left = LAST_WORDS_BYTES;
            while left > 0 && self.pipes[at].id == id && self.may_read(&self.pipes[at]) {
                left = match self.read_pipe(at) {
                    0 => 0,
                    count => left.saturating_sub(count),
                };
            }
        }
    }

    /// Reads what processes that ended have left in their pipes, before the launcher itself ends:
    /// as long as the outputs accept it, and no longer than [`END_PATIENCE`].
    pub(super) fn read_the_rest(&mut self) {
        let end = Instant::now() + END_PATIENCE;
        loop {
            self.printer.on_time(Instant::now());
            self.printer.flush();
            for at in 0..self.pipes.len() {
                while Instant::now() < end
                    && self.may_read(&self.pipes[at])
                    && self.read_pipe(at) > 0
                {}
            }
            let is_held_up = |pipe: &Pipe| pipe.fd.is_some() && !self.may_read(pipe);
            if Instant::now() >= end || !self.pipes.iter().any(is_held_up) {
                break;
            }
            self.wait_for_outputs(end);
            self.on_disk();
        }
        // a background process may keep a pipe open
        for pipe in &mut self.pipes {
            let (stream, unix_ms) = (pipe.stream, clock::unix_ms());
            if let (Some(_), Sink::Service { group, splitter }) = (&pipe.fd, &mut pipe.sink) {
                splitter.end(|tag, text| {
                    self.printer.service(stream, group, text);
                    let line = Line { unix_ms, stream, tag, text };
                    self.service_logs.add(group, line);
                });
            }
        }
    }

    /// The process of a hook ended. Its output may continue for a short time.
    pub(super) fn hook_exited(&mut self, id: u64, status: Option<WireStatus>) {
        if let Some(end) = self.hook_ends.iter_mut().find(|end| end.id == id) {
            end.exit = Some(HookExit { status, until: Instant::now() + OUTPUT_GRACE });
        }
        self.report_hook_end(id);
    }

    /// Reports the end of a hook whose process and pipes have ended.
    fn report_hook_end(&mut self, id: u64) {
        let Some(at) = self.hook_ends.iter().position(|end| end.id == id) else { return };
        if let HookEnd { open: 0, exit: Some(HookExit { status, .. }), .. } = self.hook_ends[at] {
            self.hook_ends.swap_remove(at);
            self.tell(&LauncherEvent::HookEnded(HookEnded { id, status }));
        }
    }

    /// Reports the ends of hooks whose output was awaited long enough. Their pipes stay open: a
    /// background process must not die from printing.
    pub(super) fn end_hook_outputs(&mut self, now: Instant) {
        let takes_output = self.link.as_ref().is_some_and(Link::takes_output);
        for end in &mut self.hook_ends {
            if let Some(exit) = &mut end.exit
                && now >= exit.until
            {
                if takes_output {
                    end.open = 0;
                } else {
                    // output of the hook may still wait in the pipe for a slow Supervisor
                    exit.until = now + OUTPUT_GRACE;
                }
            }
        }
        let is_over = |end: &HookEnd| end.open == 0 && end.exit.is_some();
        while let Some(id) = self.hook_ends.iter().find(|end| is_over(end)).map(|end| end.id) {
            self.report_hook_end(id);
        }
    }

    /// Drops the outputs of a process without a report.
    pub(super) fn close_outputs(&mut self, id: u64) {
        for pipe in self.pipes.iter_mut().filter(|pipe| pipe.id == id) {
            pipe.fd = None;
        }
        self.hook_ends.retain(|end| end.id != id);
    }
}

/// Keeps a line of a hook among those of its service.
fn keep(logs: &ServiceLogs, kept: &KeptLines, stream: Stream, line: &str) {
    let unix_ms = clock::unix_ms();
    let text = format!("[{}] {line}", kept.hook);
    logs.add(&kept.group, Line { unix_ms, stream, tag: Tag::Hook, text: &text });
}
