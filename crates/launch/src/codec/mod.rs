//! Framing of [`crate::wire`] messages.
//!
//! A frame is the length of a message (`u32`, little-endian) and the message, which is a Protocol
//! Buffers message with one field: the request or event. A frame with an unknown field is skipped.
//! The length is checked before anything is stored or decoded.

use std::{collections::VecDeque, fmt, marker::PhantomData};

use prost::Message as _;

use crate::wire::{LauncherEvent, MAX_MESSAGE_BYTES, Request};

#[cfg(test)]
mod tests;

/// Bytes of the length before each message.
const LENGTH_BYTES: usize = 4;
/// Capacity that an idle decoder may keep.
const KEPT_BYTES: usize = 4096;

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

/// Bytes that are not a message. The connection is unusable afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecodeError {
    /// The length is 0 or above [`MAX_MESSAGE_BYTES`].
    Length(u32),
    /// The frame does not contain a valid message.
    Message(prost::DecodeError),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(length) => write!(f, "impossible message length {length}"),
            Self::Message(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DecodeError {}

/// Content of a frame: a [`Request`] or a [`LauncherEvent`].
pub trait Message: Sized + sealed::Sealed {
    /// The message around it.
    #[doc(hidden)]
    type Frame: prost::Message + Default;
    /// Content of the frame; `None` when it is unknown.
    #[doc(hidden)]
    fn of(frame: Self::Frame) -> Option<Self>;
    /// Bytes in a frame.
    #[doc(hidden)]
    fn size(&self) -> usize;
    /// Appends these bytes.
    #[doc(hidden)]
    fn write(&self, out: &mut Vec<u8>);
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::wire::Request {}
    impl Sealed for crate::wire::LauncherEvent {}
}

#[doc(hidden)]
#[derive(Clone, PartialEq, prost::Message)]
pub struct RequestFrame {
    #[prost(oneof = "Request", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9")]
    request: Option<Request>,
}

#[doc(hidden)]
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventFrame {
    #[prost(oneof = "LauncherEvent", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11")]
    event: Option<LauncherEvent>,
}

impl Message for Request {
    type Frame = RequestFrame;

    fn of(frame: RequestFrame) -> Option<Self> {
        frame.request
    }

    fn size(&self) -> usize {
        self.encoded_len()
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.encode(out);
    }
}

impl Message for LauncherEvent {
    type Frame = EventFrame;

    fn of(frame: EventFrame) -> Option<Self> {
        frame.event
    }

    fn size(&self) -> usize {
        self.encoded_len()
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.encode(out);
    }
}

/// Appends the frame of a message.
///
/// # Errors
/// [`EncodeError`] when it is too large; `out` is unchanged then.
pub fn append(out: &mut Vec<u8>, message: &impl Message) -> Result<(), EncodeError> {
    let bytes = message.size();
    let length = u32::try_from(bytes).ok().filter(|_| bytes <= MAX_MESSAGE_BYTES);
    let length = length.ok_or(EncodeError { bytes })?;
    out.reserve(LENGTH_BYTES + bytes);
    out.extend_from_slice(&length.to_le_bytes());
    message.write(out);
    Ok(())
}

/// Decodes received bytes into messages. Stores at most one message more than it was given.
#[derive(Debug)]
pub struct Decoder<M> {
    bytes: VecDeque<u8>,
    failed: Option<DecodeError>,
    message: PhantomData<M>,
}

impl<M: Message> Default for Decoder<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Message> Decoder<M> {
    /// An empty decoder.
    #[must_use]
    pub fn new() -> Self {
        Self { bytes: VecDeque::new(), failed: None, message: PhantomData }
    }

    /// Adds bytes. Call [`Decoder::next`] until it returns `None` before pushing more.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.bytes.extend(bytes);
        }
    }

    /// The next message, `None` while it is incomplete.
    ///
    /// # Errors
    /// [`DecodeError`] for bytes that are not a message; all further calls return the same error.
    #[allow(clippy::should_implement_trait)] // fallible and resumable: not an iterator
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
            let all = self.bytes.make_contiguous();
            let Some((length, rest)) = all.split_first_chunk::<LENGTH_BYTES>() else {
                self.release();
                return Ok(None);
            };
            let length = u32::from_le_bytes(*length);
            let size = length as usize;
            if !(1..=MAX_MESSAGE_BYTES).contains(&size) {
                return Err(DecodeError::Length(length));
            }
            let Some(frame) = rest.get(..size) else { return Ok(None) };
            let frame = M::Frame::decode(frame).map_err(DecodeError::Message)?;
            self.bytes.drain(..LENGTH_BYTES + size);
            if let Some(message) = M::of(frame) {
                self.release();
                return Ok(Some(message));
            }
        }
    }

    /// Frees the capacity used by a large message.
    fn release(&mut self) {
        if self.bytes.is_empty() && self.bytes.capacity() > KEPT_BYTES {
            self.bytes = VecDeque::new();
        }
    }
}
