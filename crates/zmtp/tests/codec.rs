//! The codec against recorded connections of Habitat 2.1.78 (libzmq 4.3) and hostile bytes.

#![expect(clippy::disallowed_methods, reason = "recordings are files")]

use std::{fs, path::Path};

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use roost_zmtp::{
    Codec, CodecLimits, Event, ProtocolError, Role, encode_message, greeting::greeting,
};
use serde_json::Value;

const READY_PUSH: &[u8] = b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PUSH";

/// Feeds pieces of bytes; returns all events, all answers and the final error.
fn feed<'a>(
    role: Role,
    limits: CodecLimits,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Event>, BytesMut, Option<ProtocolError>) {
    let mut codec = Codec::new(role, limits);
    let (mut input, mut output, mut events) = (BytesMut::new(), BytesMut::new(), Vec::new());
    codec.start(&mut output);
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match codec.decode(&mut input, &mut output) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(error) => return (events, output, Some(error)),
            }
        }
        let longest = limits.frame_bytes_max.max(8192) + 9;
        assert!(input.len() as u64 <= longest, "{} bytes kept", input.len());
    }
    (events, output, None)
}

/// Result of a PULL socket for bytes after a valid handshake.
fn after_handshake(bytes: &[u8]) -> (Vec<Event>, Option<ProtocolError>) {
    let hello = [&greeting(), READY_PUSH].concat();
    let (mut events, _, error) = feed(Role::Pull, CodecLimits::default(), [&hello, bytes]);
    assert_eq!(events.remove(0), Event::Ready);
    (events, error)
}

fn hex(text: &Value) -> Vec<u8> {
    let text = text.as_str().expect("hex");
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
    (0..text.len()).step_by(2).map(byte).collect()
}

#[test]
fn recorded_connections_are_decoded_and_reproduced() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut streams = 0;
    for file in fs::read_dir(dir).expect("fixtures") {
        let stream: Value =
            serde_json::from_slice(&fs::read(file.expect("an entry").path()).expect("a file"))
                .expect("JSON");
        let items = stream["items"].as_array().expect("items");
        let side = |name: &str| -> Vec<Vec<u8>> {
            let side =
                items.iter().filter(|item| item["from"].as_str().expect("a side").contains(name));
            side.map(|item| hex(&item["hex"])).collect()
        };
        let (push, pull) = (side("PUSH"), side("PULL"));
        let limits = CodecLimits::default();

        let (events, output, error) = feed(Role::Pull, limits, push.iter().map(Vec::as_slice));
        assert_eq!(error, None);
        assert_eq!(output, pull.concat(), "our answers are the recorded ones");
        let frames = stream["client_frames"].as_array().expect("frames");
        assert_eq!(events.len(), frames.len(), "one event for READY and for each message");

        let (ready, mut output, error) = feed(Role::Push, limits, pull.iter().map(Vec::as_slice));
        assert_eq!((ready, error), (vec![Event::Ready], None));
        for event in &events[1..] {
            let Event::Message(message) = event else { panic!("{event:?}") };
            encode_message(message, &mut output);
        }
        assert_eq!(output, push.concat(), "we would have sent the recorded bytes");
        streams += 1;
    }
    assert_eq!(streams, 6);
}

#[test]
fn heartbeats_are_answered_and_unknown_commands_are_not() {
    let ping = b"\x04\x09\x04PING\0\x0aab";
    let bytes = [&greeting(), READY_PUSH, ping, b"\x04\x05\x04WHAT", b"\0\x01x"].concat();
    let (events, output, error) = feed(Role::Pull, CodecLimits::default(), [&*bytes]);
    assert_eq!((events, error), (vec![Event::Ready, Event::Message("x".into())], None));
    assert!(output.ends_with(b"PULL\x04\x07\x04PONGab"), "{output:?}");
}

#[test]
fn messages_of_several_frames_are_skipped() {
    let long = [&[1 | 2, 0, 0, 0, 0, 0, 0, 4, 0][..], &[7; 1024]].concat();
    let bytes =
        [&long, b"\x01\0".as_slice(), b"\x04\x05\x04WHAT", b"\0\x02ab", b"\0\x01c"].concat();
    let expected = vec![Event::MultipartDropped, Event::Message("c".into())];
    assert_eq!(after_handshake(&bytes), (expected, None));
}

#[test]
fn each_breach_is_found_at_its_first_byte() {
    let huge = |flags, length: u64| [&[flags][..], &length.to_be_bytes()].concat();
    let limit = CodecLimits::default().frame_bytes_max;
    let frame = |length| Some(ProtocolError::FrameTooLong(length));
    for (bytes, expected) in [
        (huge(2, limit), None),
        (huge(2, limit + 1), frame(limit + 1)),
        (huge(2, 1 << 62), frame(1 << 62)),
        (huge(2, u64::MAX), frame(u64::MAX)),
        (huge(3, u64::MAX), frame(u64::MAX)),
        (huge(6, 8193), frame(8193)),
        (huge(3, limit), Some(ProtocolError::MessageTooLong)),
        (vec![5], Some(ProtocolError::BadFlags(5))),
        (vec![8], Some(ProtocolError::BadFlags(8))),
        (b"\x04\0".to_vec(), Some(ProtocolError::BadCommand)),
        (b"\x04\x03\x05ab".to_vec(), Some(ProtocolError::BadCommand)),
        (b"\x04\x06\x04PING\0".to_vec(), Some(ProtocolError::BadCommand)),
        ([b"\x04\x18\x04PING\0\0", [7; 17].as_slice()].concat(), Some(ProtocolError::BadCommand)),
        (b"\x04\x07\x05ERROR\0".to_vec(), Some(ProtocolError::Refused)),
    ] {
        assert_eq!(after_handshake(&bytes), (vec![], expected), "{bytes:?}");
    }
}

#[test]
fn an_endless_message_ends_the_connection() {
    let limits = CodecLimits { frame_bytes_max: 1000, message_bytes_max: 1000 };
    for frame in [&b"\x01\0"[..], &[&[1, 100][..], &[7; 100]].concat()] {
        let start = [&greeting(), READY_PUSH].concat();
        let pieces = std::iter::once(&*start).chain(std::iter::repeat_n(frame, 1000));
        let (events, _, error) = feed(Role::Pull, limits, pieces);
        assert_eq!((events, error), (vec![Event::Ready], Some(ProtocolError::MessageTooLong)));
    }
}

#[test]
fn only_the_counterpart_is_let_in() {
    let ready = |metadata: &[u8]| {
        let length = u8::try_from(metadata.len() + 6).expect("short");
        [&greeting()[..], &[4, length], b"\x05READY", metadata].concat()
    };
    let property = |name: &str, value: &str| {
        let length = |text: &str| u8::try_from(text.len()).expect("short");
        [&[length(name)], name.as_bytes(), &[0, 0, 0, length(value)], value.as_bytes()].concat()
    };
    for (bytes, expected) in [
        (ready(&property("socket-type", "PUSH")), None),
        (ready(&[property("Identity", ""), property("Socket-Type", "PUSH")].concat()), None),
        (ready(&property("Socket-Type", "PULL")), Some(ProtocolError::OtherSocketType)),
        (ready(&property("Socket-Type", "REQ")), Some(ProtocolError::OtherSocketType)),
        (ready(b""), Some(ProtocolError::OtherSocketType)),
        (ready(b"\x0bSocket"), Some(ProtocolError::BadCommand)),
        (ready(b"\x01x\xff\xff\xff\xff"), Some(ProtocolError::BadCommand)),
        ([&greeting(), b"\x04\x07\x05ERROR\0".as_slice()].concat(), Some(ProtocolError::Refused)),
        ([&greeting(), b"\x04\x05\x04WHAT".as_slice()].concat(), Some(ProtocolError::NotReady)),
        ([&greeting(), b"\0\x01x".as_slice()].concat(), Some(ProtocolError::NotReady)),
    ] {
        let (_, _, error) = feed(Role::Pull, CodecLimits::default(), [&*bytes]);
        assert_eq!(error, expected, "{bytes:?}");
    }
}

#[test]
fn a_sender_accepts_no_messages() {
    let ready = b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PULL";
    let bytes = [&greeting(), &ready[..], b"\0"].concat();
    let (_, _, error) = feed(Role::Push, CodecLimits::default(), [&*bytes, b"\x01"]);
    assert_eq!(error, Some(ProtocolError::UnexpectedMessage));
}

fn any_traffic() -> impl Strategy<Value = Vec<u8>> {
    let frame = (0..8_u8, prop::collection::vec(any::<u8>(), 0..300)).prop_map(|(flags, body)| {
        let length = body.len() as u64;
        if flags & 2 == 0 {
            [&[flags, u8::try_from(length.min(255)).expect("small")], &body[..body.len().min(255)]]
                .concat()
        } else {
            [&[flags][..], &length.to_be_bytes(), &body].concat()
        }
    });
    let garbage = prop::collection::vec(any::<u8>(), 0..100);
    prop::collection::vec(prop_oneof![4 => frame, 1 => garbage], 0..8)
        .prop_map(|pieces| [&greeting(), READY_PUSH, &pieces.concat()].concat())
}

proptest! {
    #[test]
    fn how_bytes_are_cut_into_pieces_does_not_matter(
        bytes in prop_oneof![any_traffic(), prop::collection::vec(any::<u8>(), 0..200)],
        cuts in prop::collection::vec(1..90_usize, 1..20),
    ) {
        let limits = CodecLimits { frame_bytes_max: 250, message_bytes_max: 400 };
        let whole = feed(Role::Pull, limits, [&*bytes]);
        let single = feed(Role::Pull, limits, bytes.chunks(1));
        let mut rest = &bytes[..];
        let pieces = cuts.iter().cycle().map_while(|cut| {
            let piece;
            (piece, rest) = rest.split_at(rest.len().min(*cut));
            (!piece.is_empty()).then_some(piece)
        });
        let pieces = feed(Role::Pull, limits, pieces);
        prop_assert_eq!(&whole.0, &single.0);
        prop_assert_eq!(&whole, &pieces);
        prop_assert_eq!(whole.2, single.2);
    }

    #[test]
    fn messages_arrive_as_they_were_sent(
        sizes in prop::collection::vec(prop_oneof![0..600_usize, 60_000..70_000_usize], 0..12),
    ) {
        let mut wire = BytesMut::from([&greeting(), READY_PUSH].concat().as_slice());
        let messages: Vec<_> = sizes.iter().enumerate()
            .map(|(index, size)| Bytes::from(vec![index as u8; *size]))
            .collect();
        for message in &messages {
            encode_message(message, &mut wire);
        }
        let (events, _, error) = feed(Role::Pull, CodecLimits::default(), wire.chunks(4096));
        let expected = messages.into_iter().map(Event::Message);
        prop_assert_eq!(events, std::iter::once(Event::Ready).chain(expected).collect::<Vec<_>>());
        prop_assert_eq!(error, None);
    }
}
