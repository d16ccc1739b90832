//! Messages to bytes.

use std::fmt;
use std::os::unix::ffi::OsStrExt;

use super::*;
use crate::wire::{
    Event, Kind, MAX_MESSAGE_BYTES, Notice, Request, Scope, Shutdown, Spawn, Status, Stream,
    Welcome,
};

/// A message that cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodeError {
    /// Its size without the length prefix.
    pub bytes: usize,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a message of {} bytes is larger than the limit of {MAX_MESSAGE_BYTES} \
             (arguments and environment of one process)",
            self.bytes
        )
    }
}

impl std::error::Error for EncodeError {}

/// Appends the frame of a request.
///
/// # Errors
/// [`EncodeError`] when it is too large; `out` is as before.
pub fn append_request(out: &mut Vec<u8>, request: &Request) -> Result<(), EncodeError> {
    match request {
        Request::Hello { version, style } => frame(out, HELLO, |f| {
            f.number(VERSION, u64::from(*version));
            f.number(COLOR, u64::from(style.color));
            f.number(JSON, u64::from(style.json));
            f.number(VERBOSE, u64::from(style.verbose));
            f.number(TIME, u64::from(style.time));
        }),
        Request::Spawn(spawn) => frame(out, SPAWN, |f| append_spawn(f, spawn)),
        Request::Signal { id, signal, scope } => frame(out, SIGNAL, |f| {
            f.number(ID, *id);
            f.signed(SIGNAL_NUMBER, *signal);
            f.number(SCOPE, u64::from(*scope == Scope::Process));
        }),
        Request::Remember { name, bytes } => frame(out, REMEMBER, |f| {
            f.bytes(NAME, name.as_bytes());
            f.bytes(BYTES, bytes);
        }),
        Request::Forget { name } => frame(out, FORGET, |f| f.bytes(NAME, name.as_bytes())),
        Request::Notify(notice) => frame(out, NOTIFY, |f| match notice {
            Notice::Ready => f.number(NOTICE_KIND, NOTICE_READY),
            Notice::Stopping => f.number(NOTICE_KIND, NOTICE_STOPPING),
            Notice::Status(text) => {
                f.number(NOTICE_KIND, NOTICE_STATUS);
                f.bytes(TEXT, text.as_bytes());
            }
        }),
        Request::Alive { within_ms } => frame(out, ALIVE, |f| f.number(WITHIN_MS, *within_ms)),
    }
}

fn append_spawn(f: &mut Fields<'_>, spawn: &Spawn) {
    f.number(ID, spawn.id);
    f.number(KIND, u64::from(spawn.kind == Kind::Hook));
    f.bytes(NAME, spawn.name.as_bytes());
    f.bytes(PROGRAM, spawn.program.as_bytes());
    for arg in &spawn.args {
        f.bytes(ARG, arg.as_bytes());
    }
    for (key, value) in &spawn.env {
        f.bytes(ENV_KEY, key.as_bytes());
        f.bytes(ENV_VALUE, value.as_bytes());
    }
    f.shutdown(spawn.shutdown);
    if let Some(ids) = &spawn.user {
        f.number(USER, u64::from(ids.uid));
        f.number(GROUP, u64::from(ids.gid));
        if let Some(groups) = &ids.groups {
            f.number(SUPPLEMENTARY_SET, 1);
            for group in groups {
                f.number(SUPPLEMENTARY, u64::from(*group));
            }
        }
    }
}

/// Appends the frame of an event; for a Welcome also those of its entries.
///
/// # Errors
/// [`EncodeError`] when one frame is too large; `out` may hold entries of the Welcome then.
pub fn append_event(out: &mut Vec<u8>, event: &Event) -> Result<(), EncodeError> {
    match event {
        Event::Welcome(welcome) => append_welcome(out, welcome),
        Event::Spawned { id, pid, started_unix_ms } => frame(out, SPAWNED, |f| {
            f.number(ID, *id);
            f.number(PID, u64::from(*pid));
            f.number(AT_MS, *started_unix_ms);
        }),
        Event::SpawnFailed { id, errno, message } => frame(out, SPAWN_FAILED, |f| {
            f.number(ID, *id);
            f.signed(ERRNO, *errno);
            f.bytes(TEXT, message.as_bytes());
        }),
        Event::Notice { id, text } => frame(out, NOTICE, |f| {
            f.number(ID, *id);
            f.bytes(TEXT, text.as_bytes());
        }),
        Event::Output { id, stream, bytes } => frame(out, OUTPUT, |f| {
            f.number(ID, *id);
            f.number(STREAM, u64::from(*stream == Stream::Stderr));
            f.bytes(BYTES, bytes);
        }),
        Event::HookEnded { id, status } => frame(out, HOOK_ENDED, |f| {
            f.number(ID, *id);
            f.status(*status);
        }),
        Event::Exited { id, pid, status, at_unix_ms, last_words, group_alive } => {
            frame(out, EXITED, |f| {
                f.number(ID, *id);
                f.number(PID, u64::from(*pid));
                f.status(*status);
                f.number(AT_MS, *at_unix_ms);
                f.bytes(LAST_WORDS, last_words.as_bytes());
                f.number(GROUP_ALIVE, u64::from(*group_alive));
            })
        }
        Event::OutOfReach { id, processes } => frame(out, OUT_OF_REACH, |f| {
            f.number(ID, *id);
            f.bytes(TEXT, processes.as_bytes());
        }),
        Event::GroupGone { id } => frame(out, GROUP_GONE, |f| f.number(ID, *id)),
        Event::Shutdown { signal } => frame(out, SHUTDOWN, |f| f.signed(SIGNAL_NUMBER, *signal)),
        Event::Restart => frame(out, RESTART, |_| ()),
    }
}

fn append_welcome(out: &mut Vec<u8>, welcome: &Welcome) -> Result<(), EncodeError> {
    for entry in &welcome.running {
        frame(out, WELCOME_RUNNING, |f| {
            f.number(ID, entry.id);
            f.bytes(NAME, entry.name.as_bytes());
            f.number(PID, u64::from(entry.pid));
            f.number(START_TICKS, entry.start_ticks);
            f.number(AT_MS, entry.started_unix_ms);
            f.shutdown(entry.shutdown);
        })?;
    }
    for entry in &welcome.ended {
        frame(out, WELCOME_ENDED, |f| {
            f.number(ID, entry.id);
            f.bytes(NAME, entry.name.as_bytes());
            f.number(PID, u64::from(entry.pid));
            f.status(entry.status);
            f.number(AT_MS, entry.at_unix_ms);
            f.bytes(LAST_WORDS, entry.last_words.as_bytes());
        })?;
    }
    for entry in &welcome.survivors {
        frame(out, WELCOME_SURVIVOR, |f| {
            f.number(ID, entry.id);
            f.bytes(NAME, entry.name.as_bytes());
            f.number(PID, u64::from(entry.pid));
            f.number(AT_MS, entry.started_unix_ms);
            f.shutdown(entry.shutdown);
        })?;
    }
    for entry in &welcome.remembered {
        frame(out, WELCOME_REMEMBERED, |f| {
            f.bytes(NAME, entry.name.as_bytes());
            f.bytes(BYTES, &entry.bytes);
        })?;
    }
    frame(out, WELCOME, |f| {
        f.number(VERSION, u64::from(welcome.version));
        f.number(PID, u64::from(welcome.launcher_pid));
        f.number(NEXT_ID, welcome.next_id);
    })
}

/// Writes the fields of one frame.
struct Fields<'a> {
    out: &'a mut Vec<u8>,
}

impl Fields<'_> {
    fn bytes(&mut self, tag: u8, bytes: &[u8]) {
        self.out.push(tag);
        // a frame of 4 GiB is refused at its end, so that the cut number is never sent
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.out.extend_from_slice(&length.to_le_bytes());
        self.out.extend_from_slice(bytes);
    }

    fn number(&mut self, tag: u8, value: u64) {
        self.bytes(tag, &value.to_le_bytes());
    }

    fn signed(&mut self, tag: u8, value: i32) {
        self.bytes(tag, &i64::from(value).to_le_bytes());
    }

    fn shutdown(&mut self, shutdown: Shutdown) {
        self.signed(SIGNAL_NUMBER, shutdown.signal);
        self.number(SHUTDOWN_TIMEOUT_MS, shutdown.timeout_ms);
    }

    fn status(&mut self, status: Status) {
        match status {
            Status::Code(code) => self.signed(EXIT_CODE, code),
            Status::Signal(signal) => self.signed(EXIT_SIGNAL, signal),
            Status::Unknown => (),
        }
    }
}

fn frame(
    out: &mut Vec<u8>,
    kind: u16,
    fill: impl FnOnce(&mut Fields<'_>),
) -> Result<(), EncodeError> {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    out.extend_from_slice(&kind.to_le_bytes());
    fill(&mut Fields { out });
    let bytes = out.len() - start - LENGTH_BYTES;
    if bytes > MAX_MESSAGE_BYTES {
        out.truncate(start);
        return Err(EncodeError { bytes });
    }
    let length = u32::try_from(bytes).expect("MAX_MESSAGE_BYTES fits");
    out[start..start + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
    Ok(())
}
