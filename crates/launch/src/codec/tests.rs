use proptest::prelude::*;
use roost_logs::Stream;

use super::*;
use crate::{
    line::Style,
    wire::{
        Alive, Ended, Exited, Hello, HookEnded, Ids, KeptLines, Kind, MAX_STATE_BYTES, Output,
        Process, Remembered, Scope, SendSignal, Shutdown, Spawn, Spawned, Variable, Welcome,
        WireStatus,
    },
};

fn requests() -> Vec<Request> {
    vec![
        Request::Hello(Hello::new(Style { color: true, time: true, ..Style::default() })),
        Request::Spawn(Spawn {
            id: u64::MAX,
            kind: Kind::Hook.into(),
            name: "a.default hook[init]".into(),
            program: b"/bin/\xff".to_vec(),
            args: vec![b"".to_vec(), b"-c".to_vec()],
            env: vec![Variable { name: b"A".to_vec(), value: b"\xfe=\n".to_vec() }],
            user: Some(Ids { uid: 1, gid: u32::MAX, groups: vec![0, 7] }),
            shutdown: Shutdown { signal: 2, timeout_ms: 0 },
            kept: Some(KeptLines { group: "a.default".into(), hook: "init".into() }),
        }),
        Request::Signal(SendSignal { id: 1, signal: 9, scope: Scope::Process.into() }),
        Request::Remember(Remembered { name: "a.default".into(), bytes: vec![0, 255] }),
        Request::Forget("a.default".into()),
        Request::Alive(Alive { within_ms: 60_000 }),
        Request::Ready(()),
        Request::Stopping(()),
        Request::Status(String::new()),
    ]
}

fn events() -> Vec<LauncherEvent> {
    let end = Ended {
        id: 1,
        name: "a.default".into(),
        pid: 2,
        at_unix_ms: 3,
        last_words: "bye\n".into(),
        status: Some(WireStatus::Code(-1)),
    };
    let welcome = Welcome {
        running: vec![Process { id: 1, ..Process::default() }],
        ended: vec![Ended { status: None, ..end.clone() }],
        ..Welcome::default()
    };
    let bytes = b"out".to_vec();
    vec![
        LauncherEvent::Welcome(welcome),
        LauncherEvent::Spawned(Spawned { id: 1, pid: 2, started_unix_ms: 3 }),
        LauncherEvent::Output(Output { id: 1, stream: Stream::Stderr.into(), bytes }),
        LauncherEvent::HookEnded(HookEnded { id: 1, status: Some(WireStatus::Signal(15)) }),
        LauncherEvent::HookEnded(HookEnded { id: 1, status: None }),
        LauncherEvent::Exited(Exited { end, group_alive: true }),
        LauncherEvent::GroupGone(0),
        LauncherEvent::Shutdown(15),
        LauncherEvent::Restart(()),
    ]
}

fn encode(messages: &[impl Message]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        append(&mut bytes, message).expect("small");
    }
    bytes
}

/// Pushes the bytes in pieces of `size` and takes all messages.
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

fn frame(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("small");
    [&length.to_le_bytes(), body].concat()
}

#[test]
fn messages_round_trip_in_pieces_of_any_size() {
    for size in 1..200 {
        assert_eq!(decode(&encode(&requests()), size), Ok(requests()));
        assert_eq!(decode(&encode(&events()), size), Ok(events()));
    }
}

#[test]
fn unknown_messages_and_fields_are_skipped() {
    // field 1000 with a number and field 1001 with a text
    let unknown = [0xc0, 0x3e, 7, 0xca, 0x3e, 2, b'h', b'i'];
    let hello = encode(&requests()[..1]);
    let known = [&hello[LENGTH_BYTES..], &unknown].concat();
    // a field of the message inside: its length grows by the field
    let mut inner = hello[LENGTH_BYTES..].to_vec();
    inner[1] += u8::try_from(unknown.len()).expect("small");
    inner.extend(unknown);
    let bytes = [frame(&unknown), frame(&known), frame(&inner), encode(&requests()[5..6])].concat();
    let expected = [&requests()[..1], &requests()[..1], &requests()[5..6]].concat();
    assert_eq!(decode(&bytes, 3), Ok(expected));
}

#[test]
fn messages_beyond_the_limit_are_refused_on_both_sides() {
    let mut out = Vec::new();
    let bytes = vec![0; MAX_MESSAGE_BYTES];
    let request = Request::Remember(Remembered { name: "a.b".into(), bytes });
    let error = append(&mut out, &request).expect_err("too large");
    assert!(out.is_empty() && error.bytes > MAX_MESSAGE_BYTES);

    // refused by the length alone
    for length in [0, u32::try_from(MAX_MESSAGE_BYTES + 1).expect("small"), u32::MAX] {
        let result = decode::<Request>(&length.to_le_bytes(), 4);
        assert_eq!(result, Err(DecodeError::Length(length)));
    }
}

#[test]
fn a_decoder_that_failed_stays_failed() {
    let mut decoder: Decoder<Request> = Decoder::new();
    decoder.push(&[0; 4]);
    let first = decoder.next();
    assert!(first.is_err());
    decoder.push(&encode(&requests()));
    assert_eq!(decoder.next(), first);
}

/// The first version had the length, the kind of the message (`u16`) and fields of its own.
#[test]
fn a_hello_of_the_first_version_is_refused() {
    let hello = [1, 0, 8, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
    assert!(matches!(decode::<Request>(&frame(&hello), 64), Err(DecodeError::Message(_))));
}

#[test]
fn a_shutdown_without_fields_is_the_usual_one() {
    let usual = Shutdown { signal: libc::SIGTERM, timeout_ms: 8_000 };
    assert_eq!(Shutdown::default(), usual);
    assert_eq!(prost::Message::decode(&b""[..]), Ok(usual));
}

#[test]
fn a_welcome_may_be_larger_than_a_message() {
    let bytes = vec![7; MAX_STATE_BYTES];
    let entry = |n| Remembered { name: format!("s{n}.default"), bytes: bytes.clone() };
    let running = |id| Process { id, ..Process::default() };
    for (remembered, processes) in [(1000, 3), (100, 101), (0, 0)] {
        let welcome = Welcome {
            version: 2,
            next_id: 9,
            remembered: (0..remembered).map(entry).collect(),
            running: (0..processes).map(running).collect(),
            ..Welcome::default()
        };
        let parts: Vec<_> = welcome.clone().into_parts().map(LauncherEvent::Welcome).collect();
        let mut joined = Welcome::default();
        let mut over = false;
        for part in decode(&encode(&parts), 4096).expect("small parts") {
            let LauncherEvent::Welcome(part) = part else { panic!("{part:?}") };
            assert!(!over);
            over = joined.add_part(part);
        }
        assert!(over);
        assert_eq!(joined, welcome);
    }
}

#[test]
fn a_part_of_a_welcome_always_fits() {
    let name = "x".repeat(crate::wire::MAX_NAME_BYTES);
    let shutdown = Shutdown { signal: i32::MIN, timeout_ms: u64::MAX };
    let (id, pid, start_ticks, started_unix_ms) = (u64::MAX, u32::MAX, u64::MAX, u64::MAX);
    let process = Process { id, name: name.clone(), pid, start_ticks, started_unix_ms, shutdown };
    let last_words = "w".repeat(crate::wire::MAX_LAST_WORDS_BYTES);
    let status = Some(WireStatus::Signal(-1));
    let ended = Ended { id, name: name.clone(), pid, at_unix_ms: id, last_words, status };
    let remembered = Remembered { name, bytes: vec![0; MAX_STATE_BYTES] };
    let welcome = Welcome {
        running: vec![process.clone(); 150],
        survivors: vec![process; 150],
        ended: vec![ended; 150],
        remembered: vec![remembered; 150],
        ..Welcome::default()
    };
    let parts: Vec<_> = welcome.into_parts().map(LauncherEvent::Welcome).collect();
    assert_eq!(parts.len(), 2);
    encode(&parts);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 1..200)) {
        for bytes in [&frame(&bytes), &bytes] {
            let _ = decode::<Request>(bytes, 7);
            let _ = decode::<LauncherEvent>(bytes, 7);
        }
    }

    #[test]
    fn a_damaged_message_is_an_error_or_another_message(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let (mut sent, mut reported) = (encode(&requests()), encode(&events()));
        let places = (at.index(sent.len()), at.index(reported.len()));
        (sent[places.0], reported[places.1]) = (byte, byte);
        let _ = decode::<Request>(&sent, 64);
        let _ = decode::<LauncherEvent>(&reported, 64);
    }
}

/// Rewrites the seeds of the fuzz target after a change of the messages:
/// `cargo test -p roost-launch seeds -- --ignored`.
#[test]
#[ignore = "writes into the repository"]
fn seeds_of_the_fuzz_target_are_written() {
    let folder =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/launch_wire");
    std::fs::write(folder.join("requests"), encode(&requests())).expect("written");
    std::fs::write(folder.join("events"), encode(&events()[1..])).expect("written");
    std::fs::write(folder.join("welcome"), encode(&events()[..1])).expect("written");
}
