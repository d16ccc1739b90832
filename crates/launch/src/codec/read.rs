//! Bytes to messages.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::marker::PhantomData;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::*;
use crate::line::Style;
use crate::wire::{
    Ended, Event, Ids, Kind, MAX_ENTRIES, MAX_MESSAGE_BYTES, Notice, Remembered, Request, Running,
    Scope, Shutdown, Spawn, Status, Stream, Survivor, Welcome,
};

/// Room that an idle decoder may keep.
const KEPT_BYTES: usize = 4096;

/// Bytes that are no message. The connection cannot be used any further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecodeError {
    /// The length prefix is above [`MAX_MESSAGE_BYTES`] or below the two bytes of the kind.
    Length(u32),
    /// A field of this kind of message is longer than the message.
    Truncated(u16),
    /// A field that this kind of message cannot do without is missing.
    Missing {
        /// Kind of the message.
        kind: u16,
        /// Tag of the field.
        tag: u8,
    },
    /// A field has a value that is not possible.
    Value {
        /// Kind of the message.
        kind: u16,
        /// Tag of the field.
        tag: u8,
    },
    /// More entries of a Welcome than [`MAX_ENTRIES`] of each sort.
    TooMany,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Length(length) => write!(f, "impossible message length {length}"),
            DecodeError::Truncated(kind) => write!(f, "message of kind {kind} is cut off"),
            DecodeError::Missing { kind, tag } => {
                write!(f, "message of kind {kind} lacks field {tag}")
            }
            DecodeError::Value { kind, tag } => {
                write!(f, "message of kind {kind} has an impossible field {tag}")
            }
            DecodeError::TooMany => write!(f, "more than {MAX_ENTRIES} entries"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// A message that a [`Decoder`] can give.
pub trait Message: Sized + sealed::Sealed {
    /// What is gathered from several frames.
    #[doc(hidden)]
    type Parts: Default + fmt::Debug;
    /// One frame; `None` when it is unknown or only a part.
    #[doc(hidden)]
    fn read(kind: u16, body: &[u8], parts: &mut Self::Parts) -> Result<Option<Self>, DecodeError>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::wire::Request {}
    impl Sealed for crate::wire::Event {}
}

/// Turns bytes as they arrive into messages. Holds at most one message more than it was pushed.
#[derive(Debug)]
pub struct Decoder<M: Message> {
    bytes: VecDeque<u8>,
    parts: M::Parts,
    failed: Option<DecodeError>,
    message: PhantomData<M>,
}

impl<M: Message> Default for Decoder<M> {
    fn default() -> Self {
        Decoder::new()
    }
}

impl<M: Message> Decoder<M> {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Decoder {
            bytes: VecDeque::new(),
            parts: M::Parts::default(),
            failed: None,
            message: PhantomData,
        }
    }

    /// Takes bytes in. Call [`Decoder::next`] until it gives `None` before pushing more.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.bytes.extend(bytes);
        }
    }

    /// The next message, `None` while it is incomplete.
    ///
    /// # Errors
    /// [`DecodeError`] for bytes that are no message; from then on always the same.
    #[allow(clippy::should_implement_trait)] // fallible and resumable: no iterator
    pub fn next(&mut self) -> Result<Option<M>, DecodeError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let result = self.read_frames();
        if let Err(error) = &result {
            self.failed = Some(error.clone());
            self.bytes = VecDeque::new();
        }
        result
    }

    fn read_frames(&mut self) -> Result<Option<M>, DecodeError> {
        loop {
            if self.bytes.len() < LENGTH_BYTES {
                self.release();
                return Ok(None);
            }
            let all = self.bytes.make_contiguous();
            let length = u32::from_le_bytes([all[0], all[1], all[2], all[3]]);
            let size = length as usize;
            if !(2..=MAX_MESSAGE_BYTES).contains(&size) {
                return Err(DecodeError::Length(length));
            }
            let Some(frame) = all.get(LENGTH_BYTES..LENGTH_BYTES + size) else {
                return Ok(None);
            };
            let kind = u16::from_le_bytes([frame[0], frame[1]]);
            let message = M::read(kind, &frame[2..], &mut self.parts)?;
            self.bytes.drain(..LENGTH_BYTES + size);
            if message.is_some() {
                self.release();
                return Ok(message);
            }
        }
    }

    /// Gives back the room of a large message.
    fn release(&mut self) {
        if self.bytes.is_empty() && self.bytes.capacity() > KEPT_BYTES {
            self.bytes = VecDeque::new();
        }
    }
}

/// The fields of one frame, first of each tag; lists are walked with [`Body::each`].
#[derive(Clone, Copy)]
struct Body<'a> {
    kind: u16,
    bytes: &'a [u8],
}

impl<'a> Body<'a> {
    /// Checks that the frame consists of whole fields, so that walking it cannot fail.
    fn new(kind: u16, bytes: &'a [u8]) -> Result<Body<'a>, DecodeError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (_, _, next) = split_field(rest).ok_or(DecodeError::Truncated(kind))?;
            rest = next;
        }
        Ok(Body { kind, bytes })
    }

    fn all(self) -> impl Iterator<Item = (u8, &'a [u8])> {
        let mut rest = self.bytes;
        std::iter::from_fn(move || {
            let (tag, field, next) = split_field(rest)?;
            rest = next;
            Some((tag, field))
        })
    }

    fn each(self, tag: u8) -> impl Iterator<Item = &'a [u8]> {
        self.all().filter_map(move |(t, field)| (t == tag).then_some(field))
    }

    fn value(self, tag: u8) -> DecodeError {
        DecodeError::Value { kind: self.kind, tag }
    }

    fn bytes(self, tag: u8) -> Result<&'a [u8], DecodeError> {
        self.each(tag).next().ok_or(DecodeError::Missing { kind: self.kind, tag })
    }

    fn text(self, tag: u8) -> Result<String, DecodeError> {
        let text = std::str::from_utf8(self.bytes(tag)?).map_err(|_| self.value(tag))?;
        Ok(text.to_owned())
    }

    /// Text that older programs do not send.
    fn text_if_any(self, tag: u8) -> Result<String, DecodeError> {
        if self.each(tag).next().is_some() { self.text(tag) } else { Ok(String::new()) }
    }

    fn parse(self, tag: u8, field: &[u8]) -> Result<u64, DecodeError> {
        let bytes: [u8; 8] = field.try_into().map_err(|_| self.value(tag))?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn optional(self, tag: u8) -> Result<Option<u64>, DecodeError> {
        self.each(tag).next().map(|field| self.parse(tag, field)).transpose()
    }

    fn number(self, tag: u8) -> Result<u64, DecodeError> {
        self.parse(tag, self.bytes(tag)?)
    }

    fn small(self, tag: u8) -> Result<u32, DecodeError> {
        u32::try_from(self.number(tag)?).map_err(|_| self.value(tag))
    }

    fn signed(self, tag: u8) -> Result<i32, DecodeError> {
        i32::try_from(self.number(tag)?.cast_signed()).map_err(|_| self.value(tag))
    }

    /// Missing counts as false: flags are added over time.
    fn flag(self, tag: u8) -> Result<bool, DecodeError> {
        Ok(self.optional(tag)?.unwrap_or(0) != 0)
    }

    /// Programs from before there was one do not send it.
    fn shutdown(self) -> Result<Shutdown, DecodeError> {
        let Some(timeout_ms) = self.optional(SHUTDOWN_TIMEOUT_MS)? else {
            return Ok(Shutdown::default());
        };
        Ok(Shutdown { signal: self.signed(SIGNAL_NUMBER)?, timeout_ms })
    }

    fn status(self) -> Result<Status, DecodeError> {
        if self.optional(EXIT_CODE)?.is_some() {
            Ok(Status::Code(self.signed(EXIT_CODE)?))
        } else if self.optional(EXIT_SIGNAL)?.is_some() {
            Ok(Status::Signal(self.signed(EXIT_SIGNAL)?))
        } else {
            Ok(Status::Unknown)
        }
    }
}

/// Tag, content and what follows; `None` when cut off.
fn split_field(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, a, b, c, d], rest) = bytes.split_first_chunk::<5>()?;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    let (field, rest) = rest.split_at_checked(length)?;
    Some((tag, field, rest))
}

fn os(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}

impl Message for Request {
    type Parts = ();

    fn read(kind: u16, body: &[u8], (): &mut ()) -> Result<Option<Request>, DecodeError> {
        let f = Body::new(kind, body)?;
        Ok(Some(match kind {
            HELLO => Request::Hello {
                version: f.small(VERSION)?,
                style: Style {
                    color: f.flag(COLOR)?,
                    json: f.flag(JSON)?,
                    verbose: f.flag(VERBOSE)?,
                    time: f.flag(TIME)?,
                    journal: false,
                },
            },
            SPAWN => Request::Spawn(read_spawn(f)?),
            SIGNAL => Request::Signal {
                id: f.number(ID)?,
                signal: f.signed(SIGNAL_NUMBER)?,
                scope: if f.flag(SCOPE)? { Scope::Process } else { Scope::Group },
            },
            REMEMBER => Request::Remember { name: f.text(NAME)?, bytes: f.bytes(BYTES)?.to_vec() },
            FORGET => Request::Forget { name: f.text(NAME)? },
            NOTIFY => match f.number(NOTICE_KIND)? {
                NOTICE_READY => Request::Notify(Notice::Ready),
                NOTICE_STOPPING => Request::Notify(Notice::Stopping),
                NOTICE_STATUS => Request::Notify(Notice::Status(f.text(TEXT)?)),
                // of a newer Supervisor
                _ => return Ok(None),
            },
            ALIVE => Request::Alive { within_ms: f.number(WITHIN_MS)? },
            _ => return Ok(None),
        }))
    }
}

fn read_spawn(f: Body<'_>) -> Result<Spawn, DecodeError> {
    let kind = match f.number(KIND)? {
        0 => Kind::Service,
        1 => Kind::Hook,
        _ => return Err(f.value(KIND)),
    };
    // a value belongs to the key before it
    let mut env: Vec<(OsString, OsString)> = Vec::new();
    let mut key: Option<&OsStr> = None;
    for (tag, field) in f.all() {
        match tag {
            ENV_KEY => key = Some(OsStr::from_bytes(field)),
            ENV_VALUE => {
                let key = key.take().ok_or_else(|| f.value(ENV_VALUE))?;
                env.push((key.to_owned(), os(field)));
            }
            _ => (),
        }
    }
    let user = if f.optional(USER)?.is_some() {
        let groups = if f.flag(SUPPLEMENTARY_SET)? {
            let parse = |field| -> Result<u32, DecodeError> {
                u32::try_from(f.parse(SUPPLEMENTARY, field)?).map_err(|_| f.value(SUPPLEMENTARY))
            };
            Some(f.each(SUPPLEMENTARY).map(parse).collect::<Result<_, _>>()?)
        } else {
            None
        };
        Some(Ids { uid: f.small(USER)?, gid: f.small(GROUP)?, groups })
    } else {
        None
    };
    Ok(Spawn {
        id: f.number(ID)?,
        kind,
        name: f.text(NAME)?,
        program: os(f.bytes(PROGRAM)?),
        args: f.each(ARG).map(os).collect(),
        env,
        user,
        shutdown: f.shutdown()?,
    })
}

impl Message for Event {
    type Parts = Welcome;

    fn read(kind: u16, body: &[u8], parts: &mut Welcome) -> Result<Option<Event>, DecodeError> {
        let f = Body::new(kind, body)?;
        Ok(Some(match kind {
            WELCOME => {
                let mut welcome = std::mem::take(parts);
                welcome.version = f.small(VERSION)?;
                welcome.launcher_pid = f.small(PID)?;
                welcome.next_id = f.number(NEXT_ID)?;
                Event::Welcome(welcome)
            }
            WELCOME_RUNNING | WELCOME_ENDED | WELCOME_SURVIVOR | WELCOME_REMEMBERED => {
                read_part(f, parts)?;
                return Ok(None);
            }
            SPAWNED => Event::Spawned {
                id: f.number(ID)?,
                pid: f.small(PID)?,
                started_unix_ms: f.number(AT_MS)?,
            },
            SPAWN_FAILED => Event::SpawnFailed {
                id: f.number(ID)?,
                errno: f.signed(ERRNO)?,
                message: f.text(TEXT)?,
            },
            NOTICE => Event::Notice { id: f.number(ID)?, text: f.text(TEXT)? },
            OUTPUT => Event::Output {
                id: f.number(ID)?,
                stream: if f.flag(STREAM)? { Stream::Stderr } else { Stream::Stdout },
                bytes: f.bytes(BYTES)?.to_vec(),
            },
            HOOK_ENDED => Event::HookEnded { id: f.number(ID)?, status: f.status()? },
            EXITED => Event::Exited {
                id: f.number(ID)?,
                pid: f.small(PID)?,
                status: f.status()?,
                at_unix_ms: f.number(AT_MS)?,
                last_words: f.text_if_any(LAST_WORDS)?,
                // an older launcher tells only of the end of the group
                group_alive: f.optional(GROUP_ALIVE)?.is_none_or(|alive| alive != 0),
            },
            OUT_OF_REACH => Event::OutOfReach { id: f.number(ID)?, processes: f.text(TEXT)? },
            GROUP_GONE => Event::GroupGone { id: f.number(ID)? },
            SHUTDOWN => Event::Shutdown { signal: f.signed(SIGNAL_NUMBER)? },
            RESTART => Event::Restart,
            _ => return Ok(None),
        }))
    }
}

fn read_part(f: Body<'_>, parts: &mut Welcome) -> Result<(), DecodeError> {
    match f.kind {
        WELCOME_RUNNING => parts.running.push(Running {
            id: f.number(ID)?,
            name: f.text(NAME)?,
            pid: f.small(PID)?,
            start_ticks: f.number(START_TICKS)?,
            started_unix_ms: f.number(AT_MS)?,
            shutdown: f.shutdown()?,
        }),
        WELCOME_ENDED => parts.ended.push(Ended {
            id: f.number(ID)?,
            name: f.text(NAME)?,
            pid: f.small(PID)?,
            status: f.status()?,
            at_unix_ms: f.number(AT_MS)?,
            last_words: f.text_if_any(LAST_WORDS)?,
        }),
        WELCOME_SURVIVOR => parts.survivors.push(Survivor {
            id: f.number(ID)?,
            name: f.text(NAME)?,
            pid: f.small(PID)?,
            started_unix_ms: f.number(AT_MS)?,
            shutdown: f.shutdown()?,
        }),
        _ => parts
            .remembered
            .push(Remembered { name: f.text(NAME)?, bytes: f.bytes(BYTES)?.to_vec() }),
    }
    let most =
        [parts.running.len(), parts.ended.len(), parts.survivors.len(), parts.remembered.len()];
    if most.iter().any(|count| *count > MAX_ENTRIES) {
        return Err(DecodeError::TooMany);
    }
    Ok(())
}
