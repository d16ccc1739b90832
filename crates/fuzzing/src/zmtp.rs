//! Gossip connections.

use bytes::BytesMut;
use roost_zmtp::{Codec, CodecLimits, Event, ProtocolError, Role, encode_message};

const LIMITS: CodecLimits = CodecLimits { frame_bytes_max: 4096, message_bytes_max: 8192 };

/// What a peer gets for some bytes.
#[derive(Debug, PartialEq, Eq)]
struct Heard {
    events: Vec<Event>,
    output: BytesMut,
    error: Option<ProtocolError>,
}

fn hear<'a>(role: Role, pieces: impl Iterator<Item = &'a [u8]>) -> Heard {
    let mut codec = Codec::new(role, LIMITS);
    let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
    codec.start(&mut output);
    let mut heard = Heard { events: Vec::new(), output, error: None };
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match codec.decode(&mut input, &mut heard.output) {
                Ok(Some(event)) => heard.events.push(event),
                Ok(None) => break,
                Err(error) => {
                    heard.error = Some(error);
                    return heard;
                }
            }
        }
        // What waits is never more than a frame of the greatest length, a header and the piece.
        assert!(input.len() as u64 <= LIMITS.frame_bytes_max.max(8192) + 9 + piece.len() as u64);
        // A refused frame ended it above, so what is awaited is within the limits.
        assert!(codec.awaited_bytes(&input) <= LIMITS.frame_bytes_max.max(8192));
        assert!(codec.is_amid(&input) || input.is_empty());
    }
    heard
}

/// Reads the bytes as both ends of a connection; how they are cut must not matter. The bytes as a
/// message come out as they went in.
pub fn codec(data: &[u8]) {
    for role in [Role::Pull, Role::Push] {
        let whole = hear(role, std::iter::once(data));
        let mut cut = hear(role, crate::pieces::chunks(data));
        if cut.error.is_none() {
            cut.error.clone_from(&whole.error);
        }
        assert_eq!(whole, cut);
    }
    let mut input = BytesMut::new();
    let mut push = Codec::new(Role::Push, LIMITS);
    push.start(&mut input);
    let mut answer = BytesMut::new();
    Codec::new(Role::Pull, LIMITS).start(&mut answer);
    push.decode(&mut answer, &mut input).expect("a greeting");
    let short = &data[..data.len().min(4096)];
    encode_message(short, &mut input);
    let heard = hear(Role::Pull, std::iter::once(&*input));
    assert_eq!(heard.events, [Event::Ready, Event::Message(short.to_vec().into())]);
}
