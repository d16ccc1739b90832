//! A running Supervisor answers every recorded client like the real one: the recordings are
//! replayed in their original order, so that state carries over.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

use prost::Message;
use roost_ctl::{Decoder, Frame as Said, frame::MAX_BODY_BYTES, message::ServiceStatus};
use serde_json::Value;
use testkit::{Root, Supervisor, wait_for};

use crate::played::{Frame, SECRET, connections, files, recording};

/// Intentional differences of Roost's answers.
const DIFFERENCES: &[(&str, &str)] = &[
    ("12-load-force", "the message names the binds that the package has, or how to give them"),
    ("14-load-undeclared-bind", "as above"),
    ("16-load-not-installed", "nothing is asked of Builder, which the error says"),
    ("68-raw-set-cfg-bad-group", "answered with code 7 instead of an end of the handler"),
];

/// Only a failing test waits this long for a connection to end.
const PATIENCE: Duration = Duration::from_secs(60);

fn setup() -> Value {
    serde_json::from_str(include_str!("setup.json")).expect("JSON")
}

/// A root in the state of the recordings.
fn root() -> Root {
    let root = Root::new(env!("CARGO_BIN_EXE_hab"));
    let setup = setup();
    for package in setup["packages"].as_array().expect("packages") {
        let files = package["files"].as_object().expect("files");
        let files: Vec<(&str, &str)> = files
            .iter()
            // The test's own user and machine.
            .filter(|(name, _)| !name.starts_with("SVC_") && *name != "TARGET")
            .map(|(name, content)| (name.as_str(), content.as_str().expect("text")))
            .collect();
        root.package(package["ident"].as_str().expect("an identifier"), &files);
    }
    root.write("hab/sup/default/CTL_SECRET", SECRET);
    root.write("hab/sup/default/MEMBER_ID", setup["member_id"].as_str().expect("an id"));
    root
}

/// The Supervisor's frames to a client, without values that differ between runs.
fn answers(address: SocketAddr, frames: &[Frame], rest: &[u8]) -> Vec<Said> {
    // After a restart nothing listens for a moment.
    let mut stream = wait_for("the gateway", || TcpStream::connect(address).ok());
    stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    for frame in frames.iter().filter(|frame| frame.by_client) {
        // It may have closed already.
        let _ = stream.write_all(&frame.bytes);
    }
    let _ = stream.write_all(rest);
    if frames.is_empty() {
        // These clients ended their side.
        let _ = stream.shutdown(Shutdown::Write);
    }
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    comparable(&bytes)
}

fn comparable(bytes: &[u8]) -> Vec<Said> {
    let mut decoder = Decoder::new(MAX_BODY_BYTES);
    decoder.push(bytes);
    let frames = std::iter::from_fn(|| decoder.next_frame().expect("frames"));
    let mut frames: Vec<Said> = frames.map(without_moment).collect();
    // Statuses have no order; the mark of the last one keeps its position.
    let is_status = |frame: &&mut Said| frame.id == "ServiceStatus";
    let mut bodies: Vec<_> =
        frames.iter_mut().filter(is_status).map(|frame| frame.body.clone()).collect();
    bodies.sort();
    for (frame, body) in frames.iter_mut().filter(is_status).zip(bodies) {
        frame.body = body;
    }
    frames
}

/// Leaves out process ids, times, and fields that only Roost sends.
fn without_moment(mut frame: Said) -> Said {
    if frame.id == "NetOk" {
        // Habitat's message has no fields; those of Roost begin at 100.
        frame.body = Default::default();
    }
    if frame.id == "ServiceStatus" {
        let status = ServiceStatus::decode(frame.body).expect("a status");
        let process = status.process.map(|mut process| {
            process.elapsed = process.elapsed.map(|_| 0);
            process.pid = process.pid.map(|_| 1);
            process
        });
        let kept = ServiceStatus {
            process,
            ident: status.ident,
            service_group: status.service_group,
            desired_state: status.desired_state,
            ..ServiceStatus::default()
        };
        frame.body = kept.encode_to_vec().into();
    }
    frame
}

/// Replays one connection; false when the answers stay different.
fn plays(sup: &Supervisor, frames: &[Frame], rest: &[u8]) -> bool {
    let recorded: Vec<u8> =
        frames.iter().filter(|f| !f.by_client).flat_map(|f| f.bytes.clone()).collect();
    let recorded = comparable(&recorded);
    let asks_status = frames.iter().filter(|frame| frame.by_client).any(|frame| {
        let id = b"SvcStatus";
        frame.bytes.windows(id.len()).any(|window| window == id)
    });
    let mut said = answers(sup.ctl, frames, rest);
    // The recordings were made in a settled state, and not during a restart.
    let deadline = std::time::Instant::now() + PATIENCE;
    let is_early = |said: &[Said]| said != recorded && (asks_status || said.is_empty());
    while is_early(&said) && std::time::Instant::now() < deadline {
        said = answers(sup.ctl, frames, rest);
    }
    if said != recorded {
        println!("said     {said:?}\nrecorded {recorded:?}");
    }
    said == recorded
}

#[test]
fn recorded_clients_get_from_a_running_supervisor_what_they_got_from_the_real_one() {
    let root = root();
    // As in the recordings: nothing listens there.
    let mut sup = root.supervisor().env("HAB_BLDR_URL", "http://127.0.0.1:24999").start();
    let (mut different, mut count) = (Vec::new(), 0);
    for file in files() {
        let recording = recording(&file);
        for (frames, rest) in connections(&recording).iter().zip(rests(&recording)) {
            // Long ones were recorded partially.
            if frames.iter().any(|frame| frame.length != frame.bytes.len()) {
                continue;
            }
            count += 1;
            if !plays(&sup, frames, &rest) {
                println!("{file} differs");
                different.push(file.clone());
            }
        }
    }
    let listed: Vec<&str> = DIFFERENCES.iter().map(|(file, _)| *file).collect();
    assert_eq!(different, listed, "a difference that is not in the list, or one that is none");
    assert!(count > 70, "only {count} conversations were played");
    // The last one was the departure of this Supervisor itself.
    assert_eq!(sup.wait_exit(), 86, "{}", sup.log());
}

/// Bytes of clients that never became a frame, for each connection.
fn rests(recording: &Value) -> Vec<Vec<u8>> {
    let connections = recording["connections"].as_array().cloned().unwrap_or_default();
    let rest = |connection: &Value| {
        let hex = connection["undecoded_rest_client"].as_str().unwrap_or_default();
        crate::played::bytes(hex)
    };
    connections.iter().map(rest).collect()
}
