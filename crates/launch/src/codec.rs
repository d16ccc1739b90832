//! How [`crate::wire`] messages are written as bytes.
//!
//! A frame is `u32 length` (of what follows) `u16 kind`, then fields `u8 tag, u32 length, bytes`,
//! all numbers little-endian; a number in a field takes eight bytes, a list repeats its tag, a
//! structure is a field of fields. Unknown kinds and tags are skipped, which is what lets old and
//! new programs talk. Tags and kinds are never used for another meaning.
//!
//! A [`Event::Welcome`] may be larger than a frame, so its entries travel as frames of their own
//! before it; the [`Decoder`] puts them together.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::marker::PhantomData;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::line::Style;
use crate::wire::{
    Ended, Event, Ids, Kind, MAX_ENTRIES, MAX_MESSAGE_BYTES, Remembered, Request, Running, Scope,
    Spawn, Status, Stream, Survivor, Welcome,
};

/// Bytes of the length before each frame.
const LENGTH_BYTES: usize = 4;
/// Room that an idle decoder may keep.
const KEPT_BYTES: usize = 4096;

// kinds of requests
const HELLO: u16 = 1;
const SPAWN: u16 = 2;
const SIGNAL: u16 = 3;
const REMEMBER: u16 = 4;
const FORGET: u16 = 5;
// kinds of events
const WELCOME: u16 = 101;
const WELCOME_RUNNING: u16 = 102;
const WELCOME_ENDED: u16 = 103;
const WELCOME_SURVIVOR: u16 = 104;
const WELCOME_REMEMBERED: u16 = 105;
const SPAWNED: u16 = 110;
const SPAWN_FAILED: u16 = 111;
const NOTICE: u16 = 112;
const OUTPUT: u16 = 113;
const OUTPUT_END: u16 = 114;
const EXITED: u16 = 115;
const GROUP_GONE: u16 = 116;
const SHUTDOWN: u16 = 117;
const RESTART: u16 = 118;

// tags shared by all messages; one meaning each
const ID: u8 = 1;
const NAME: u8 = 2;
const PID: u8 = 3;
const BYTES: u8 = 4;
const TEXT: u8 = 5;
const AT_MS: u8 = 6;
const SIGNAL_NUMBER: u8 = 7;
const VERSION: u8 = 8;
const KIND: u8 = 9;
const PROGRAM: u8 = 10;
const ARG: u8 = 11;
const ENV_KEY: u8 = 12;
const ENV_VALUE: u8 = 13;
const USER: u8 = 14;
const GROUP: u8 = 15;
const SUPPLEMENTARY: u8 = 16;
const SUPPLEMENTARY_SET: u8 = 17;
const SCOPE: u8 = 18;
const STREAM: u8 = 19;
const EXIT_CODE: u8 = 20;
const EXIT_SIGNAL: u8 = 21;
const ERRNO: u8 = 22;
const START_TICKS: u8 = 23;
const NEXT_ID: u8 = 24;
const COLOR: u8 = 25;
const JSON: u8 = 26;
const VERBOSE: u8 = 27;

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

// ---- writing ----

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
        Event::OutputEnd { id } => frame(out, OUTPUT_END, |f| f.number(ID, *id)),
        Event::Exited { id, pid, status, at_unix_ms } => frame(out, EXITED, |f| {
            f.number(ID, *id);
            f.number(PID, u64::from(*pid));
            f.status(*status);
            f.number(AT_MS, *at_unix_ms);
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
        })?;
    }
    for entry in &welcome.ended {
        frame(out, WELCOME_ENDED, |f| {
            f.number(ID, entry.id);
            f.bytes(NAME, entry.name.as_bytes());
            f.number(PID, u64::from(entry.pid));
            f.status(entry.status);
            f.number(AT_MS, entry.at_unix_ms);
        })?;
    }
    for entry in &welcome.survivors {
        frame(out, WELCOME_SURVIVOR, |f| {
            f.number(ID, entry.id);
            f.bytes(NAME, entry.name.as_bytes());
            f.number(PID, u64::from(entry.pid));
            f.number(AT_MS, entry.started_unix_ms);
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

// ---- reading ----

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
            OUTPUT_END => Event::OutputEnd { id: f.number(ID)? },
            EXITED => Event::Exited {
                id: f.number(ID)?,
                pid: f.small(PID)?,
                status: f.status()?,
                at_unix_ms: f.number(AT_MS)?,
            },
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
        }),
        WELCOME_ENDED => parts.ended.push(Ended {
            id: f.number(ID)?,
            name: f.text(NAME)?,
            pid: f.small(PID)?,
            status: f.status()?,
            at_unix_ms: f.number(AT_MS)?,
        }),
        WELCOME_SURVIVOR => parts.survivors.push(Survivor {
            id: f.number(ID)?,
            name: f.text(NAME)?,
            pid: f.small(PID)?,
            started_unix_ms: f.number(AT_MS)?,
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
