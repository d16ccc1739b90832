//! Frames: a 32 bit header, an optional transaction word, a message id and a body
//! (reference: control §2.1). Big-endian, without padding, split over packets in any way.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Longest message id in bytes: its length has six bits.
pub const MAX_ID_BYTES: usize = 63;
/// Longest body in bytes: its length has twenty bits.
pub const MAX_BODY_BYTES: usize = (1 << 20) - 1;
/// Greatest transaction number: it has thirty bits.
pub const MAX_TRANSACTION: u32 = (1 << 30) - 1;

const HAS_TRANSACTION: u32 = 1 << 31;
const ID_SHIFT: u32 = 20;
const RESPONSE: u32 = 1 << 31;
const LAST: u32 = 1 << 30;

/// The transaction word of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transaction {
    /// Number of the transaction, chosen by the client: 0 for the handshake, 1 for the request.
    pub number: u32,
    /// The frame is an answer.
    pub response: bool,
    /// The frame is the last of its transaction.
    pub last: bool,
}

impl Transaction {
    /// A request with this number.
    #[must_use]
    pub const fn request(number: u32) -> Self {
        Self { number, response: false, last: false }
    }

    /// An answer to this transaction.
    #[must_use]
    pub const fn answer(self, last: bool) -> Self {
        Self { number: self.number, response: true, last }
    }

    const fn to_word(self) -> u32 {
        let flags = if self.response { RESPONSE } else { 0 } | if self.last { LAST } else { 0 };
        flags | (self.number & MAX_TRANSACTION)
    }

    const fn from_word(word: u32) -> Self {
        Self {
            number: word & MAX_TRANSACTION,
            response: word & RESPONSE != 0,
            last: word & LAST != 0,
        }
    }
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Transaction word, when present.
    pub transaction: Option<Transaction>,
    /// Name of the message.
    pub id: String,
    /// The message as protobuf.
    pub body: Bytes,
}

/// Bytes that are not a frame, or a frame beyond a limit. Fatal for the connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The message id is not text.
    #[error("message id is not UTF-8")]
    IdNotUtf8,
    /// The body is longer than allowed at this point.
    #[error("message body of {bytes} bytes is longer than the limit of {limit_bytes}")]
    BodyTooLarge {
        /// Length announced or to be written.
        bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
    /// The message id exceeds the range of its length field.
    #[error("message id of {0} bytes is longer than the limit of {MAX_ID_BYTES}")]
    IdTooLong(usize),
}

impl Frame {
    /// Appends the bytes of this frame.
    ///
    /// # Errors
    /// When id or body exceed the range of their length fields.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), FrameError> {
        let (id_bytes, body_bytes) = (self.id.len(), self.body.len());
        if id_bytes > MAX_ID_BYTES {
            return Err(FrameError::IdTooLong(id_bytes));
        }
        if body_bytes > MAX_BODY_BYTES {
            return Err(FrameError::BodyTooLarge {
                bytes: body_bytes,
                limit_bytes: MAX_BODY_BYTES,
            });
        }
        // Both fit their bit fields: checked above.
        let lengths = (id_bytes as u32) << ID_SHIFT | body_bytes as u32;
        match self.transaction {
            Some(transaction) => {
                out.put_u32(HAS_TRANSACTION | lengths);
                out.put_u32(transaction.to_word());
            }
            None => out.put_u32(lengths),
        }
        out.put_slice(self.id.as_bytes());
        out.put_slice(&self.body);
        Ok(())
    }
}

/// Splits a stream of bytes into frames.
#[derive(Debug)]
pub struct Decoder {
    buffer: BytesMut,
    limit_bytes: usize,
}

impl Decoder {
    /// Starts with an empty buffer. Refuses a body longer than `limit_bytes` once its header is
    /// complete, before storing any of it.
    #[must_use]
    pub fn new(limit_bytes: usize) -> Self {
        Self { buffer: BytesMut::new(), limit_bytes }
    }

    /// Changes the limit of bodies.
    pub fn set_limit(&mut self, limit_bytes: usize) {
        self.limit_bytes = limit_bytes;
    }

    /// Adds received bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Received bytes that are not yet a whole frame.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        &self.buffer
    }

    /// Takes the next frame; `None` when more bytes are needed.
    ///
    /// # Errors
    /// When the bytes are not a frame or the body is too long; the stream is unusable then.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some((header, after)) = self.buffer.split_first_chunk::<4>() else { return Ok(None) };
        let header = u32::from_be_bytes(*header);
        let id_bytes = (header >> ID_SHIFT) as usize & MAX_ID_BYTES;
        let body_bytes = header as usize & MAX_BODY_BYTES;
        if body_bytes > self.limit_bytes {
            return Err(FrameError::BodyTooLarge {
                bytes: body_bytes,
                limit_bytes: self.limit_bytes,
            });
        }
        let has_transaction = header & HAS_TRANSACTION != 0;
        let transaction_bytes = if has_transaction { 4 } else { 0 };
        if after.len() < transaction_bytes + id_bytes + body_bytes {
            return Ok(None);
        }
        self.buffer.advance(4);
        let transaction = has_transaction.then(|| Transaction::from_word(self.buffer.get_u32()));
        let id = self.buffer.split_to(id_bytes);
        let id = std::str::from_utf8(&id).map_err(|_| FrameError::IdNotUtf8)?.to_owned();
        let body = self.buffer.split_to(body_bytes).freeze();
        Ok(Some(Frame { transaction, id, body }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_frame() -> impl Strategy<Value = Frame> {
        let word = proptest::option::of((0..=MAX_TRANSACTION, any::<bool>(), any::<bool>()));
        let body = proptest::collection::vec(any::<u8>(), 0..300);
        (word, "[A-Za-zé]{0,20}", body).prop_map(|(word, id, body)| Frame {
            transaction: word.map(|(number, response, last)| Transaction {
                number,
                response,
                last,
            }),
            id,
            body: body.into(),
        })
    }

    proptest! {
        #[test]
        fn frames_survive_any_cut_of_the_stream(
            frames in proptest::collection::vec(any_frame(), 1..5),
            cut in 1..40usize,
        ) {
            let mut bytes = BytesMut::new();
            for frame in &frames {
                frame.encode(&mut bytes).expect("within limits");
            }
            let mut decoder = Decoder::new(MAX_BODY_BYTES);
            let mut found = Vec::new();
            for piece in bytes.chunks(cut) {
                decoder.push(piece);
                while let Some(frame) = decoder.next_frame().expect("frames") {
                    found.push(frame);
                }
            }
            prop_assert_eq!(found, frames);
            prop_assert!(decoder.rest().is_empty());
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut decoder = Decoder::new(100);
            decoder.push(&bytes);
            while let Ok(Some(_)) = decoder.next_frame() {}
        }
    }

    #[test]
    fn a_body_beyond_the_limit_is_refused_from_its_header_alone() {
        let mut decoder = Decoder::new(4096);
        // An HTTP request: "GET " announces 0x75420 bytes.
        decoder.push(b"GET ");
        assert_eq!(
            decoder.next_frame(),
            Err(FrameError::BodyTooLarge { bytes: 0x5_5420, limit_bytes: 4096 })
        );
    }

    #[test]
    fn reserved_bits_of_the_header_are_ignored() {
        let mut decoder = Decoder::new(10);
        decoder.push(&[0b0111_1100, 0x10, 0, 1, b'A', 7]);
        let frame = decoder.next_frame().expect("a frame").expect("complete");
        assert_eq!((frame.id.as_str(), frame.body.as_ref()), ("A", &[7u8][..]));
        assert_eq!(frame.transaction, None);
    }

    #[test]
    fn an_id_that_is_not_text_is_fatal() {
        let mut decoder = Decoder::new(10);
        decoder.push(&[0, 0x10, 0, 0, 0xff]);
        assert_eq!(decoder.next_frame(), Err(FrameError::IdNotUtf8));
    }

    #[test]
    fn a_frame_beyond_its_length_fields_is_not_written() {
        let frame = |id: &str, body: usize| Frame {
            transaction: None,
            id: id.into(),
            body: vec![0; body].into(),
        };
        let mut out = BytesMut::new();
        assert!(frame(&"x".repeat(64), 0).encode(&mut out).is_err());
        assert!(frame("x", MAX_BODY_BYTES + 1).encode(&mut out).is_err());
        assert!(out.is_empty());
    }
}
