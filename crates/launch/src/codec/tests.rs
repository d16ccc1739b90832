use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use proptest::prelude::*;

use super::*;
use crate::line::Style;
use crate::wire::{
    Ended, Event, Ids, Kind, MAX_MESSAGE_BYTES, Notice, Remembered, Request, Running, Scope,
    Shutdown, Spawn, Status, Stream, Survivor, Welcome,
};

fn os() -> impl Strategy<Value = OsString> {
    prop::collection::vec(any::<u8>(), 0..20).prop_map(OsString::from_vec)
}

fn ids() -> impl Strategy<Value = Ids> {
    let groups = prop::option::of(prop::collection::vec(any::<u32>(), 0..4));
    (any::<u32>(), any::<u32>(), groups).prop_map(|(uid, gid, groups)| Ids { uid, gid, groups })
}

fn spawn() -> impl Strategy<Value = Spawn> {
    (
        any::<u64>(),
        any::<bool>(),
        ".{0,12}",
        os(),
        prop::collection::vec(os(), 0..4),
        prop::collection::vec((os(), os()), 0..4),
        prop::option::of(ids()),
        shutdown(),
    )
        .prop_map(|(id, hook, name, program, args, env, user, shutdown)| Spawn {
            id,
            kind: if hook { Kind::Hook } else { Kind::Service },
            name,
            program,
            args,
            env,
            user,
            shutdown,
        })
}

fn shutdown() -> impl Strategy<Value = Shutdown> {
    any::<(i32, u64)>().prop_map(|(signal, timeout_ms)| Shutdown { signal, timeout_ms })
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        (any::<u32>(), any::<[bool; 4]>()).prop_map(|(version, [color, json, verbose, time])| {
            let style = Style { color, json, verbose, time, journal: false };
            Request::Hello { version, style }
        }),
        spawn().prop_map(Request::Spawn),
        (any::<u64>(), any::<i32>(), any::<bool>()).prop_map(|(id, signal, one)| {
            let scope = if one { Scope::Process } else { Scope::Group };
            Request::Signal { id, signal, scope }
        }),
        (".{0,12}", prop::collection::vec(any::<u8>(), 0..30))
            .prop_map(|(name, bytes)| Request::Remember { name, bytes }),
        ".{0,12}".prop_map(|name| Request::Forget { name }),
        any::<u64>().prop_map(|within_ms| Request::Alive { within_ms }),
        prop_oneof![
            Just(Notice::Ready),
            Just(Notice::Stopping),
            ".{0,20}".prop_map(Notice::Status),
        ]
        .prop_map(Request::Notify),
    ]
}

fn status() -> impl Strategy<Value = Status> {
    prop_oneof![
        any::<i32>().prop_map(Status::Code),
        any::<i32>().prop_map(Status::Signal),
        Just(Status::Unknown),
    ]
}

fn welcome() -> impl Strategy<Value = Welcome> {
    let place = || (any::<u64>(), ".{0,9}", any::<u32>(), any::<u64>());
    let running = (place(), any::<u64>(), shutdown()).prop_map(
        |((id, name, pid, started_unix_ms), start_ticks, shutdown)| Running {
            id,
            name,
            pid,
            start_ticks,
            started_unix_ms,
            shutdown,
        },
    );
    let ended = (place(), status(), ".{0,9}").prop_map(
        |((id, name, pid, at_unix_ms), status, last_words)| Ended {
            id,
            name,
            pid,
            status,
            at_unix_ms,
            last_words,
        },
    );
    let survivor =
        (place(), shutdown()).prop_map(|((id, name, pid, started_unix_ms), shutdown)| Survivor {
            id,
            name,
            pid,
            started_unix_ms,
            shutdown,
        });
    let remembered = (".{0,9}", prop::collection::vec(any::<u8>(), 0..30))
        .prop_map(|(name, bytes)| Remembered { name, bytes });
    (
        any::<(u32, u32, u64)>(),
        prop::collection::vec(running, 0..3),
        prop::collection::vec(ended, 0..3),
        prop::collection::vec(survivor, 0..3),
        prop::collection::vec(remembered, 0..3),
    )
        .prop_map(
            |((version, launcher_pid, next_id), running, ended, survivors, remembered)| Welcome {
                version,
                launcher_pid,
                next_id,
                running,
                ended,
                survivors,
                remembered,
            },
        )
}

fn event() -> impl Strategy<Value = Event> {
    let bytes = prop::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        welcome().prop_map(Event::Welcome),
        any::<(u64, u32, u64)>().prop_map(|(id, pid, started_unix_ms)| Event::Spawned {
            id,
            pid,
            started_unix_ms
        }),
        (any::<u64>(), any::<i32>(), ".{0,20}")
            .prop_map(|(id, errno, message)| Event::SpawnFailed { id, errno, message }),
        (any::<u64>(), ".{0,20}").prop_map(|(id, text)| Event::Notice { id, text }),
        (any::<u64>(), any::<bool>(), bytes).prop_map(|(id, err, bytes)| Event::Output {
            id,
            stream: if err { Stream::Stderr } else { Stream::Stdout },
            bytes
        }),
        (any::<u64>(), status()).prop_map(|(id, status)| Event::HookEnded { id, status }),
        (any::<(u64, u32, u64)>(), status(), ".{0,9}").prop_map(
            |((id, pid, at_unix_ms), status, last_words)| Event::Exited {
                id,
                pid,
                status,
                at_unix_ms,
                last_words,
                group_alive: pid % 2 == 0,
            }
        ),
        (any::<u64>(), ".{0,20}").prop_map(|(id, processes)| Event::OutOfReach { id, processes }),
        any::<u64>().prop_map(|id| Event::GroupGone { id }),
        any::<i32>().prop_map(|signal| Event::Shutdown { signal }),
        Just(Event::Restart),
    ]
}

/// Pushes the bytes in pieces of `size` and takes everything that comes out.
fn decode<M: Message>(bytes: &[u8], size: usize) -> Result<Vec<M>, DecodeError> {
    let mut decoder = Decoder::new();
    let mut messages = Vec::new();
    for piece in bytes.chunks(size) {
        decoder.push(piece);
        while let Some(message) = decoder.next()? {
            messages.push(message);
        }
    }
    Ok(messages)
}

proptest! {
    #[test]
    fn requests_come_back_as_they_were(
        requests in prop::collection::vec(request(), 0..5),
        size in 1..200_usize,
    ) {
        let mut bytes = Vec::new();
        for request in &requests {
            append_request(&mut bytes, request).expect("small");
        }
        prop_assert_eq!(decode(&bytes, size), Ok(requests));
    }

    #[test]
    fn events_come_back_as_they_were(
        events in prop::collection::vec(event(), 0..5),
        size in 1..200_usize,
    ) {
        let mut bytes = Vec::new();
        for event in &events {
            append_event(&mut bytes, event).expect("small");
        }
        prop_assert_eq!(decode(&bytes, size), Ok(events));
    }

    #[test]
    fn unknown_messages_and_fields_are_skipped(
        request in request(),
        kind in 1000..u16::MAX,
        tag in 100..u8::MAX,
        extra in prop::collection::vec(any::<u8>(), 0..30),
    ) {
        let mut bytes = Vec::new();
        append_request(&mut bytes, &request).expect("small");
        // a field that is not known yet, at the end of a known message
        bytes.push(tag);
        bytes.extend(u32::try_from(extra.len()).expect("small").to_le_bytes());
        bytes.extend(&extra);
        let length = u32::try_from(bytes.len() - LENGTH_BYTES).expect("small");
        bytes[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
        // a message that is not known yet
        bytes.extend(2_u32.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        append_request(&mut bytes, &request).expect("small");
        prop_assert_eq!(decode(&bytes, 64), Ok(vec![request.clone(), request]));
    }

    #[test]
    fn any_bytes_are_read_without_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        kind in prop_oneof![0..8_u16, 100..120_u16],
    ) {
        let _ = decode::<Request>(&bytes, 7);
        let _ = decode::<Event>(&bytes, 7);
        let mut framed = u32::try_from(bytes.len() + 2).expect("small").to_le_bytes().to_vec();
        framed.extend(kind.to_le_bytes());
        framed.extend(&bytes);
        let _ = decode::<Request>(&framed, 50);
        let _ = decode::<Event>(&framed, 50);
    }

    #[test]
    fn a_damaged_message_is_an_error_or_another_message(
        event in event(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = Vec::new();
        append_event(&mut bytes, &event).expect("small");
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decode::<Event>(&bytes, 64);
    }
}

#[test]
fn messages_beyond_the_limit_are_refused_on_both_sides() {
    let mut out = Vec::new();
    let request = Request::Remember { name: "a.b".into(), bytes: vec![0; MAX_MESSAGE_BYTES] };
    assert!(append_request(&mut out, &request).is_err());
    assert!(out.is_empty());

    for length in [0, 1, u32::try_from(MAX_MESSAGE_BYTES + 1).expect("small")] {
        let result = decode::<Request>(&length.to_le_bytes(), 4);
        assert_eq!(result, Err(DecodeError::Length(length)));
    }
}

/// A launcher of an older release does not say whether others of the group live.
#[test]
fn an_end_without_news_of_its_group_is_followed_by_them() {
    let (status, at_unix_ms) = (Status::Code(0), 0);
    let last_words = String::new();
    let event = Event::Exited { id: 1, pid: 2, status, at_unix_ms, last_words, group_alive: true };
    let mut bytes = Vec::new();
    append_event(&mut bytes, &event).expect("small");
    // without its last field: a tag, a length, eight bytes
    bytes.truncate(bytes.len() - 13);
    let length = u32::try_from(bytes.len() - LENGTH_BYTES).expect("small");
    bytes[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
    assert_eq!(decode(&bytes, 64), Ok(vec![event]));
}

#[test]
fn a_decoder_that_failed_stays_failed() {
    let mut decoder: Decoder<Request> = Decoder::new();
    decoder.push(&[0; 4]);
    let first = decoder.next();
    assert!(first.is_err());
    let mut good = Vec::new();
    append_request(&mut good, &Request::Forget { name: "a".into() }).expect("small");
    decoder.push(&good);
    assert_eq!(decoder.next(), first);
}

#[test]
fn a_welcome_may_be_larger_than_a_message() {
    let bytes = vec![7; crate::wire::MAX_STATE_BYTES];
    let remembered = (0..1000)
        .map(|n| Remembered { name: format!("s{n}.default"), bytes: bytes.clone() })
        .collect();
    let welcome = Welcome { remembered, ..Welcome::default() };
    let event = Event::Welcome(welcome);
    let mut out = Vec::new();
    append_event(&mut out, &event).expect("in parts");
    assert!(out.len() > MAX_MESSAGE_BYTES);
    assert_eq!(decode(&out, 4096), Ok(vec![event]));
}
