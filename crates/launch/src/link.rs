//! The launcher's view of the Supervisor: a process and a socket.

use std::{
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    time::Instant,
};

use rustix::net::SendFlags;

use crate::{
    codec::{self, Decoder},
    launcher::Promise,
    wire::{LauncherEvent, Request},
};

/// Above this number of unsent bytes, hooks' pipes are not read.
const OUTPUT_HIGH_BYTES: usize = 64 * 1024;
/// Above this number of unsent bytes, no more requests are read.
const ALL_HIGH_BYTES: usize = 1024 * 1024;
/// Size of a read.
const READ_BYTES: usize = 16 * 1024;
/// Capacity kept by an empty queue.
const KEPT_BYTES: usize = 4096;

/// One Supervisor from its start to its end.
pub(crate) struct Link {
    pub(crate) pid: u32,
    pub(crate) started: Instant,
    /// It has sent Hello.
    pub(crate) greeted: bool,
    /// Time of KILL for a missed deadline.
    pub(crate) kill_at: Option<Instant>,
    /// Its promised next report.
    pub(crate) promise: Option<Promise>,
    /// Smallest id that it may assign to a process.
    pub(crate) first_id: u64,
    /// Reports whether exec succeeded.
    pub(crate) status: OwnedFd,
    socket: UnixStream,
    closed: bool,
    decoder: Decoder<Request>,
    out: Vec<u8>,
    sent: usize,
}

/// Result of a read.
pub(crate) enum Read {
    Requests(Vec<Request>),
    /// No data is available.
    Nothing,
    /// The socket is closed.
    Closed,
    /// It sent invalid bytes; the reason.
    Garbage(String),
}

impl Link {
    pub(crate) fn new(pid: u32, socket: UnixStream, status: OwnedFd, first_id: u64) -> Link {
        Link {
            pid,
            started: Instant::now(),
            greeted: false,
            kill_at: None,
            promise: None,
            first_id,
            status,
            socket,
            closed: false,
            decoder: Decoder::new(),
            out: Vec::new(),
            sent: 0,
        }
    }

    /// The socket with the events to wait for; `None` when it is closed.
    pub(crate) fn interest(&self) -> Option<(BorrowedFd<'_>, bool, bool)> {
        let waiting = self.out.len() - self.sent;
        (!self.closed).then(|| (self.socket.as_fd(), waiting < ALL_HIGH_BYTES, waiting > 0))
    }

    /// Whether output of hooks may be added.
    pub(crate) fn takes_output(&self) -> bool {
        self.greeted && !self.closed && self.out.len() - self.sent < OUTPUT_HIGH_BYTES
    }

    /// Queues an event. One that exceeds the limit would be a bug: texts are short and output comes
    /// in pieces.
    pub(crate) fn send(&mut self, event: &LauncherEvent) {
        if !self.closed && codec::append(&mut self.out, event).is_err() {
            self.closed = true;
        }
    }

    /// Sends as much as the socket accepts.
    pub(crate) fn flush(&mut self) {
        while self.sent < self.out.len() && !self.closed {
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            match rustix::net::send(&self.socket, &self.out[self.sent..], flags) {
                Ok(count) => self.sent += count,
                Err(rustix::io::Errno::INTR) => (),
                Err(rustix::io::Errno::AGAIN) => break,
                // reading detects its end
                Err(_) => self.sent = self.out.len(),
            }
        }
        if self.sent == self.out.len() {
            self.out.clear();
            self.out.shrink_to(KEPT_BYTES);
            self.sent = 0;
        } else if self.sent > self.out.len() / 2 {
            self.out.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Reads the available bytes, at most one buffer.
    pub(crate) fn read(&mut self) -> Read {
        let mut buffer = [0; READ_BYTES];
        let count = match rustix::io::read(&self.socket, &mut buffer) {
            Ok(count) => count,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {
                return Read::Nothing;
            }
            Err(_) => 0,
        };
        if count == 0 {
            self.closed = true;
            return Read::Closed;
        }
        self.decoder.push(&buffer[..count]);
        let mut requests = Vec::new();
        loop {
            match self.decoder.next() {
                Ok(Some(request)) => requests.push(request),
                Ok(None) => return Read::Requests(requests),
                Err(error) => {
                    self.closed = true;
                    return Read::Garbage(error.to_string());
                }
            }
        }
    }

    /// Reads the remaining requests of a Supervisor that ended.
    pub(crate) fn drain(&mut self) -> Vec<Request> {
        let mut all = Vec::new();
        while let Read::Requests(requests) = self.read() {
            all.extend(requests);
        }
        all
    }
}

/// A pair of connected sockets, close-on-exec; ours is non-blocking.
pub(crate) fn socket_pair() -> io::Result<(UnixStream, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    Ok((ours, theirs))
}
