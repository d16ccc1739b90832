//! One connection as a state machine: bytes in, events and bytes out.

use bytes::{Buf, Bytes, BytesMut};

use crate::{
    command::{Command, encode_pong, encode_ready, socket_type},
    error::ProtocolError,
    frame::FrameHeader,
    greeting::{GREETING_BYTES, check_greeting, greeting},
};

/// Longest command. READY with an identity of 255 bytes fits easily.
pub const COMMAND_BYTES_MAX: u64 = 8192;

/// Messages up to this size are copied out of the receive buffer, so that a kept message does
/// not hold the whole buffer in memory.
const COPY_BYTES_MAX: usize = 16 * 1024;

/// Our socket type; the peer must have the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// We receive.
    Pull,
    /// We send.
    Push,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Pull => "PULL",
            Self::Push => "PUSH",
        }
    }

    fn counterpart(self) -> Self {
        match self {
            Self::Pull => Self::Push,
            Self::Push => Self::Pull,
        }
    }
}

/// Limits on what a peer may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodecLimits {
    /// Longest frame, in bytes.
    pub frame_bytes_max: u64,
    /// Longest message of several frames, in bytes, headers included.
    pub message_bytes_max: u64,
}

impl Default for CodecLimits {
    fn default() -> Self {
        Self { frame_bytes_max: 16 * 1024 * 1024, message_bytes_max: 16 * 1024 * 1024 }
    }
}

/// An incoming event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The handshake is done; messages may be sent.
    Ready,
    /// A message of one frame.
    Message(Bytes),
    /// A message of several frames was skipped: the ring does not use them.
    MultipartDropped,
}

/// The state of one connection.
#[derive(Debug)]
pub struct Codec {
    role: Role,
    limits: CodecLimits,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Waits for the peer's greeting.
    Greeting,
    /// Waits for the peer's READY.
    Handshake,
    /// Waits for a frame, the first of a message or a command.
    Idle,
    /// Within a message of several frames.
    Multipart {
        /// Bytes of all frames so far.
        message_bytes: u64,
        /// Bytes of the current frame still to come.
        rest_bytes: u64,
        /// The current frame is the last one.
        last: bool,
    },
}

impl Codec {
    /// A new connection.
    #[must_use]
    pub fn new(role: Role, limits: CodecLimits) -> Self {
        Self { role, limits, state: State::Greeting }
    }

    /// Appends the bytes that we send first.
    pub fn start(&self, output: &mut BytesMut) {
        output.extend_from_slice(&greeting());
    }

    /// Takes the next event from the input. `None`: more bytes are needed. Answers are appended to
    /// the output. The input never needs to hold more than one frame of the greatest allowed length
    /// and its header.
    ///
    /// # Errors
    /// When the peer violates the protocol or a limit; close the connection then.
    pub fn decode(
        &mut self,
        input: &mut BytesMut,
        output: &mut BytesMut,
    ) -> Result<Option<Event>, ProtocolError> {
        loop {
            match self.state {
                State::Greeting => {
                    if !check_greeting(input)? {
                        return Ok(None);
                    }
                    input.advance(GREETING_BYTES);
                    encode_ready(self.role.name(), output);
                    self.state = State::Handshake;
                }
                State::Handshake => return self.decode_ready(input),
                State::Multipart { message_bytes, rest_bytes, last } if rest_bytes > 0 => {
                    let here = rest_bytes.min(input.len() as u64);
                    input.advance(usize::try_from(here).expect("not more than there is"));
                    let rest_bytes = rest_bytes - here;
                    self.state = State::Multipart { message_bytes, rest_bytes, last };
                    if rest_bytes > 0 {
                        return Ok(None);
                    }
                }
                State::Multipart { last: true, .. } => {
                    self.state = State::Idle;
                    return Ok(Some(Event::MultipartDropped));
                }
                State::Idle | State::Multipart { .. } => {
                    let Some(header) = FrameHeader::decode(input)? else { return Ok(None) };
                    if header.command {
                        let Some(body) = take_command(header, input)? else { return Ok(None) };
                        self.answer(&body, output)?;
                    } else if let Some(message) = self.take_frame(header, input)? {
                        return Ok(Some(Event::Message(message)));
                    } else if matches!(self.state, State::Idle) {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Bytes of the incomplete frame at the start of the input; 0 if there is none.
    #[must_use]
    pub fn awaited_bytes(&self, input: &[u8]) -> u64 {
        match (&self.state, FrameHeader::decode(input)) {
            (State::Idle, Ok(Some(header))) => header.body_bytes,
            _ => 0,
        }
    }

    /// True within a message or command, or before the handshake is done.
    #[must_use]
    pub fn is_amid(&self, input: &[u8]) -> bool {
        !(matches!(self.state, State::Idle) && input.is_empty())
    }

    fn decode_ready(&mut self, input: &mut BytesMut) -> Result<Option<Event>, ProtocolError> {
        let Some(header) = FrameHeader::decode(input)? else { return Ok(None) };
        if !header.command {
            return Err(ProtocolError::NotReady);
        }
        let Some(body) = take_command(header, input)? else { return Ok(None) };
        match Command::decode(&body)? {
            Command::Ready(metadata) => {
                let fits =
                    socket_type(metadata)? == Some(self.role.counterpart().name().as_bytes());
                if !fits {
                    return Err(ProtocolError::OtherSocketType);
                }
                self.state = State::Idle;
                Ok(Some(Event::Ready))
            }
            Command::Error => Err(ProtocolError::Refused),
            Command::Ping(_) | Command::Other => Err(ProtocolError::NotReady),
        }
    }

    /// Answers a command after the handshake. Unknown ones are ignored, as by a peer of an earlier
    /// minor version.
    fn answer(&self, body: &[u8], output: &mut BytesMut) -> Result<(), ProtocolError> {
        match Command::decode(body)? {
            Command::Ping(context) => encode_pong(context, output),
            Command::Error => return Err(ProtocolError::Refused),
            Command::Ready(_) | Command::Other => {}
        }
        Ok(())
    }

    /// Takes a frame of a message: a complete message of one frame, or the header of one of
    /// several, whose body is skipped.
    fn take_frame(
        &mut self,
        header: FrameHeader,
        input: &mut BytesMut,
    ) -> Result<Option<Bytes>, ProtocolError> {
        if self.role == Role::Push {
            return Err(ProtocolError::UnexpectedMessage);
        }
        if header.body_bytes > self.limits.frame_bytes_max {
            return Err(ProtocolError::FrameTooLong(header.body_bytes));
        }
        let before = match self.state {
            State::Multipart { message_bytes, .. } => Some(message_bytes),
            _ => header.more.then_some(0),
        };
        if let Some(before) = before {
            let message_bytes =
                before.saturating_add(header.header_bytes as u64).saturating_add(header.body_bytes);
            if message_bytes > self.limits.message_bytes_max {
                return Err(ProtocolError::MessageTooLong);
            }
            input.advance(header.header_bytes);
            self.state = State::Multipart {
                message_bytes,
                rest_bytes: header.body_bytes,
                last: !header.more,
            };
            return Ok(None);
        }
        Ok(take_body(header, input).map(|body| {
            if body.len() <= COPY_BYTES_MAX { Bytes::copy_from_slice(&body) } else { body.freeze() }
        }))
    }
}

/// Takes a whole command frame; `None` while it is incomplete.
fn take_command(
    header: FrameHeader,
    input: &mut BytesMut,
) -> Result<Option<BytesMut>, ProtocolError> {
    if header.body_bytes > COMMAND_BYTES_MAX {
        return Err(ProtocolError::FrameTooLong(header.body_bytes));
    }
    Ok(take_body(header, input))
}

fn take_body(header: FrameHeader, input: &mut BytesMut) -> Option<BytesMut> {
    let body_bytes = usize::try_from(header.body_bytes).ok()?;
    if input.len() - header.header_bytes < body_bytes {
        return None;
    }
    input.advance(header.header_bytes);
    Some(input.split_to(body_bytes))
}
