//! Commands: READY with its metadata, PING and PONG (RFC 37, "command").

use bytes::{BufMut, BytesMut};

use crate::{error::ProtocolError, frame::encode_command};

/// Longest context that a PING may carry.
const PING_CONTEXT_BYTES_MAX: usize = 16;

/// Bytes of the time-to-live in a PING.
const PING_TTL_BYTES: usize = 2;

const SOCKET_TYPE: &str = "Socket-Type";

/// An incoming command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command<'a> {
    /// READY, with the rest of its body.
    Ready(&'a [u8]),
    /// ERROR.
    Error,
    /// PING, with the context to send back.
    Ping(&'a [u8]),
    /// Any other one.
    Other,
}

impl<'a> Command<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, ProtocolError> {
        let (name, rest) = take(body, 1)?;
        Ok(match name {
            b"READY" => Self::Ready(rest),
            b"ERROR" => Self::Error,
            b"PING" => {
                let context = rest.get(PING_TTL_BYTES..).ok_or(ProtocolError::BadCommand)?;
                if context.len() > PING_CONTEXT_BYTES_MAX {
                    return Err(ProtocolError::BadCommand);
                }
                Self::Ping(context)
            }
            _ => Self::Other,
        })
    }
}

/// The socket type in the metadata of a READY.
pub(crate) fn socket_type(mut metadata: &[u8]) -> Result<Option<&[u8]>, ProtocolError> {
    let mut found = None;
    while !metadata.is_empty() {
        let (name, rest) = take(metadata, 1)?;
        let (value, rest) = take(rest, 4)?;
        if name.eq_ignore_ascii_case(SOCKET_TYPE.as_bytes()) {
            found = Some(value);
        }
        metadata = rest;
    }
    Ok(found)
}

/// Takes a piece with a length prefix of `length_bytes`; returns it and the rest.
fn take(input: &[u8], length_bytes: usize) -> Result<(&[u8], &[u8]), ProtocolError> {
    let (length, rest) = input.split_at_checked(length_bytes).ok_or(ProtocolError::BadCommand)?;
    let length = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    rest.split_at_checked(length).ok_or(ProtocolError::BadCommand)
}

pub(crate) fn encode_ready(socket_type: &str, output: &mut BytesMut) {
    let mut body = BytesMut::with_capacity(32);
    put_name("READY", &mut body);
    put_name(SOCKET_TYPE, &mut body);
    body.put_u32(u32::try_from(socket_type.len()).expect("PUSH and PULL are short"));
    body.put_slice(socket_type.as_bytes());
    encode_command(&body, output);
}

pub(crate) fn encode_pong(context: &[u8], output: &mut BytesMut) {
    let mut body = BytesMut::with_capacity(32);
    put_name("PONG", &mut body);
    body.put_slice(context);
    encode_command(&body, output);
}

fn put_name(name: &str, body: &mut BytesMut) {
    body.put_u8(u8::try_from(name.len()).expect("our names are short"));
    body.put_slice(name.as_bytes());
}
