//! Frames: a flags byte, a length of one or eight bytes, a body (RFC 37, "traffic").

use bytes::{BufMut, BytesMut};

use crate::error::ProtocolError;

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// The bytes before the body of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// More frames of the same message follow.
    pub more: bool,
    /// A command, not part of a message.
    pub command: bool,
    /// Bytes of the body.
    pub body_bytes: u64,
    /// Bytes of the header itself: 2 or 9.
    pub header_bytes: usize,
}

impl FrameHeader {
    /// Reads a header; `None` while it is incomplete.
    ///
    /// # Errors
    /// When the flags are impossible; detected at the first byte.
    pub fn decode(input: &[u8]) -> Result<Option<Self>, ProtocolError> {
        let Some(&flags) = input.first() else { return Ok(None) };
        let (more, command) = (flags & MORE != 0, flags & COMMAND != 0);
        if flags & !(MORE | LONG | COMMAND) != 0 || (more && command) {
            return Err(ProtocolError::BadFlags(flags));
        }
        let (body_bytes, header_bytes) = if flags & LONG == 0 {
            let Some(&length) = input.get(1) else { return Ok(None) };
            (u64::from(length), 2)
        } else {
            let Some(length) = input.get(1..9) else { return Ok(None) };
            (length.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)), 9)
        };
        Ok(Some(Self { more, command, body_bytes, header_bytes }))
    }
}

/// Appends a message of one frame.
pub fn encode_message(body: &[u8], output: &mut BytesMut) {
    encode(0, body, output);
}

pub(crate) fn encode_command(body: &[u8], output: &mut BytesMut) {
    encode(COMMAND, body, output);
}

fn encode(flags: u8, body: &[u8], output: &mut BytesMut) {
    output.reserve(9 + body.len());
    match u8::try_from(body.len()) {
        Ok(length) => output.put_slice(&[flags, length]),
        Err(_) => {
            output.put_u8(flags | LONG);
            output.put_u64(body.len() as u64);
        }
    }
    output.put_slice(body);
}
