//! Every recorded command sends and prints the same as the real `hab`, and ends with the same exit
//! code.

use std::{
    io::Write,
    process::{Output, Stdio},
};

use serde_json::Value;

use crate::played::{Place, Played, all, connections, ended, recording};

/// Address of the Supervisor in the recordings.
const RECORDED_ADDRESS: &str = "127.0.0.1:24650";

/// Intentional differences of Roost; `commands` tests what it does instead.
const DIFFERENCES: &[(&str, &str)] = &[
    ("02-handshake-bad-secret", "the message says where the secret came from, and what helps"),
    ("27-update", "only what was given is sent, so nothing is reset by the way"),
    ("28-update-binds", "as above"),
    ("29-update-missing", "as above"),
    ("30-config-show", "the configuration is printed"),
];

fn run(place: &Place, recording: &Value, address: &str) -> Output {
    let arguments: Vec<String> = recording["command"]
        .as_array()
        .expect("a command")
        .iter()
        .skip(1)
        .map(|argument| argument.as_str().expect("text").replace(RECORDED_ADDRESS, address))
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut command = place.hab(&arguments);
    // As in the environment of the recordings.
    command.env("HAB_BLDR_URL", "http://127.0.0.1:24999");
    for (name, value) in recording["env"].as_object().into_iter().flatten() {
        command.env(name, value.as_str().expect("text"));
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(recording["stdin"].as_str().unwrap_or_default().as_bytes()).expect("written");
    drop(stdin);
    child.wait_with_output().expect("an end")
}

/// The differences from the recording.
fn difference(place: &Place, file: &str) -> Option<String> {
    let recording = recording(file);
    let played = Played::start(connections(&recording));
    let address = played.address.to_string();
    let output = run(place, &recording, &address);
    let (code, stdout, stderr) = ended(&output);
    let text = |key: &str| recording[key].as_str().expect("text").to_owned();
    let said = (code, stdout.replace(&address, RECORDED_ADDRESS), stderr);
    let expected =
        (recording["exit_code"].as_i64().expect("a code") as i32, text("stdout"), text("stderr"));
    if said != expected {
        return Some(format!("{file}: {said:?}\nrecorded {expected:?}"));
    }
    played.finish().err().map(|error| format!("{file}: {error}"))
}

#[test]
fn recorded_commands_do_what_the_real_program_did() {
    let place = Place::new();
    let files = all();
    assert!(files.len() > 45, "only {} recordings", files.len());
    let mut different = Vec::new();
    for file in &files {
        let Some(difference) = difference(&place, file) else { continue };
        assert!(DIFFERENCES.iter().any(|(listed, _)| listed == file), "{difference}");
        different.push(file.as_str());
    }
    let listed: Vec<_> = DIFFERENCES.iter().map(|(file, _)| *file).collect();
    assert_eq!(different, listed, "a difference in the list that is none");
}
