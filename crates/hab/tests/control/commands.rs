//! Cases without a recording: intentional differences, and features that only Roost has.

use crate::played::{Frame, Place, Played, ended};

const HANDSHAKE: &str = concat!(
    "8090001e0000000048616e647368616b650a1c",
    "6332566a636d56304c57396d4c58526f5a5331325a574e3062334a7a"
);
const HANDSHAKE_OK: &str = "80500000c00000004e65744f6b";
const OK: &str = "80500000c00000014e65744f6b";

/// A conversation after the handshake.
fn conversation(frames: Vec<Frame>) -> Vec<Frame> {
    let start = [Frame::client(HANDSHAKE), Frame::supervisor(HANDSHAKE_OK)];
    start.into_iter().chain(frames).collect()
}

/// A frame with transaction word in hex; `word` as hex too.
fn frame(word: &str, id: &str, body: &str) -> String {
    let header = 1u32 << 31 | (id.len() as u32) << 20 | (body.len() / 2) as u32;
    let id: String = id.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{header:08x}{word}{id}{body}")
}

/// Ident `acme/demo` as field 1.
const IDENT: &str = "0a0c0a0461636d65120464656d6f";

/// The only answer to a status request: a process that is up, and its desired state.
fn process(desired: u8, pid: u8) -> Frame {
    process_up_for(8, desired, pid)
}

fn process_up_for(elapsed_s: u8, desired: u8, pid: u8) -> Frame {
    let ident = "0a120a0461636d65120464656d6f1a0131220131";
    // Elapsed time, the pid, up.
    let process = format!("120608{elapsed_s:02x}10{pid:02x}1801");
    let group = "1a0f0a0464656d6f120764656661756c74";
    let body = format!("{ident}{process}{group}28{desired:02x}");
    Frame::supervisor(&frame("c0000001", "ServiceStatus", &body))
}

/// The only answer to a status request.
fn status(state: u8, health: Option<&str>) -> Frame {
    let ident = "0a120a0461636d65120464656d6f1a0131220131";
    // 8 s, then the state.
    let process = format!("1204080818{state:02x}");
    let group = "1a0f0a0464656d6f120764656661756c74";
    let health = health.map_or(String::new(), |health| {
        let hex: String = health.bytes().map(|byte| format!("{byte:02x}")).collect();
        // Field 100, a text.
        format!("a206{:02x}{hex}", health.len())
    });
    let body = format!("{ident}{process}{group}2801{health}");
    Frame::supervisor(&frame("c0000001", "ServiceStatus", &body))
}

#[test]
fn an_update_sends_only_what_was_given() {
    let place = Place::new();
    for (option, sent) in [
        // Field 5, the channel.
        (vec!["--channel", "dev"], "2a03646576"),
        // Field 2, an empty list of binds.
        (vec!["--bind"], "1200"),
    ] {
        let request = frame("00000001", "SvcUpdate", &format!("{IDENT}{sent}"));
        let played =
            Played::start(vec![conversation(vec![Frame::client(&request), Frame::supervisor(OK)])]);
        let address = played.address.to_string();
        let start = ["svc", "update", "acme/demo", "-r", &address];
        let arguments: Vec<&str> = start.into_iter().chain(option).collect();
        let output = place.hab(&arguments).output().expect("runs");
        assert_eq!(ended(&output), (0, String::new(), String::new()));
        played.finish().expect("nothing else");
    }
}

#[test]
fn an_update_of_nothing_is_an_error() {
    let output = Place::new().hab(&["svc", "update", "acme/demo"]).output().expect("runs");
    let text = "✗✗✗\n✗✗✗ No fields specified for update\n✗✗✗\n";
    assert_eq!(ended(&output), (1, String::new(), text.into()));
}

#[test]
fn the_default_configuration_is_shown() {
    let request = frame("00000001", "SvcGetDefaultCfg", IDENT);
    // port = 1
    let answer = frame("c0000001", "ServiceCfg", "08001208706f7274203d2031");
    let played = Played::start(vec![conversation(vec![
        Frame::client(&request),
        Frame::supervisor(&answer),
    ])]);
    let place = Place::new();
    let address = played.address.to_string();
    let output =
        place.hab(&["config", "show", "acme/demo", "-r", &address]).output().expect("runs");
    assert_eq!(ended(&output), (0, "port = 1\n".into(), String::new()));
}

#[test]
fn a_connection_closed_instead_of_an_answer_is_an_error() {
    let request = frame("00000001", "SvcStart", IDENT);
    let played = Played::start(vec![conversation(vec![Frame::client(&request)])]);
    let place = Place::new();
    let address = played.address.to_string();
    let output = place.hab(&["svc", "start", "acme/demo", "-r", &address]).output().expect("runs");
    let (code, stdout, stderr) = ended(&output);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(stderr.contains("The connection was unexpectedly closed."), "{stderr}");
}

#[test]
fn a_supervisor_with_tls_is_recognised_by_its_alert() {
    let alert = Frame::supervisor("15030300020232");
    let played = Played::start(vec![vec![Frame::client(HANDSHAKE), alert]]);
    let place = Place::new();
    let address = played.address.to_string();
    let output = place.hab(&["svc", "status", "-r", &address]).output().expect("runs");
    let (code, _, stderr) = ended(&output);
    assert_eq!(code, 1);
    assert!(stderr.contains("The Supervisor requires TLS."), "{stderr}");
}

#[test]
fn an_answer_that_makes_no_sense_is_an_error_and_commands_no_terminal() {
    let ident = "0a120a0461636d65120464656d6f1a0131220131";
    let group = "1a0f0a0464656d6f120764656661756c74";
    let no_process = frame("c0000001", "ServiceStatus", &format!("{ident}{group}2801"));
    let pink = frame("80000001", "ConsoleLine", "0a026869120470696e6b1800");
    // A line that would clear the screen, then a failure that would colour it.
    let clear = frame("80000001", "ConsoleLine", "0a061b5b324a68691800");
    let red = frame("c0000001", "NetErr", "080012081b5b33316d726564");
    for (answers, stdout, stderr) in [
        (no_process, "", "[Err: 7] Invalid process state none, must be `up` or `down`."),
        (
            frame("c0000001", "Whatever", ""),
            "",
            "The Supervisor answered with Whatever, which this version of hab does not know.",
        ),
        (pink, "", "unknown colour 'pink' in an answer of the Supervisor"),
        (format!("{clear}{red}"), "\\u{1b}[2Jhi", "[Err: 0] \\u{1b}[31mred"),
    ] {
        let request = frame("00000001", "SvcStart", IDENT);
        let frames = vec![Frame::client(&request), Frame::supervisor(&answers)];
        let said = waits(&["svc", "start", "acme/demo"], vec![conversation(frames)]);
        assert_eq!(said, (1, stdout.into(), format!("✗✗✗\n✗✗✗ {stderr}\n✗✗✗\n")));
    }
}

#[test]
fn a_client_certificate_alone_is_said_to_have_no_effect() {
    let played = Played::start(vec![taken("SvcStart", IDENT)]);
    let place = Place::new();
    let settings = place.root().join("hab/etc/cli.toml");
    std::fs::create_dir_all(settings.parent().expect("a parent")).expect("directories");
    std::fs::write(&settings, "ctl_client_key = \"/nowhere\"\n").expect("written");
    let address = played.address.to_string();
    let output = place.hab(&["svc", "start", "acme/demo", "-r", &address]).output().expect("runs");
    let (code, stdout, stderr) = ended(&output);
    assert_eq!((code, stdout.as_str()), (0, ""), "{stderr}");
    assert!(stderr.contains("this connection is not encrypted"), "{stderr}");
}

#[test]
fn who_answers_the_handshake_with_something_else_is_no_gateway() {
    let answer = "HTTP/1.1 400 Bad Request\r\n\r\n";
    let hex: String = answer.bytes().map(|byte| format!("{byte:02x}")).collect();
    let frames = vec![Frame::client(HANDSHAKE), Frame::supervisor(&hex)];
    let said = waits(&["svc", "status"], vec![frames]);
    assert_eq!((said.0, said.1.as_str()), (1, ""));
    assert!(said.2.contains("does not speak the control protocol"), "{said:?}");
}

#[test]
fn an_answer_that_is_cut_is_an_error_and_shows_nothing() {
    let request = frame("00000001", "SvcStatus", "");
    let cut = "80d0004180000001536572766963";
    let played =
        Played::start(vec![conversation(vec![Frame::client(&request), Frame::supervisor(cut)])]);
    let place = Place::new();
    let address = played.address.to_string();
    let output = place.hab(&["svc", "status", "-r", &address]).output().expect("runs");
    let text = "✗✗✗\n✗✗✗ bytes remaining on stream\n✗✗✗\n";
    assert_eq!(ended(&output), (1, String::new(), text.into()));
}

/// A query of all services.
fn look(answer: Frame) -> Vec<Frame> {
    conversation(vec![Frame::client(&frame("00000001", "SvcStatus", "")), answer])
}

/// The conversation of a request that is accepted.
fn taken(id: &str, body: &str) -> Vec<Frame> {
    let request = frame("00000001", id, body);
    conversation(vec![Frame::client(&request), Frame::supervisor(OK)])
}

/// The output of the program in such conversations, which must be its whole output.
fn waits(arguments: &[&str], conversations: Vec<Vec<Frame>>) -> (i32, String, String) {
    let played = Played::start(conversations);
    let address = played.address.to_string();
    let arguments: Vec<&str> = arguments.iter().copied().chain(["-r", &address]).collect();
    let output = Place::new().hab(&arguments).output().expect("runs");
    played.finish().expect("all conversations");
    ended(&output)
}

#[test]
fn waiting_asks_until_the_service_is_healthy() {
    let conversations = vec![
        look(status(0, None)),
        taken("SvcStart", IDENT),
        look(status(0, None)),
        look(status(1, Some("UNKNOWN"))),
        look(status(1, Some("OK"))),
    ];
    let said = waits(&["svc", "start", "acme/demo", "--wait=healthy"], conversations);
    assert_eq!(said, (0, String::new(), String::new()));
}

#[test]
fn waiting_for_health_needs_a_supervisor_that_tells_it() {
    let conversations =
        vec![look(status(0, None)), taken("SvcStart", IDENT), look(status(1, None))];
    let said = waits(&["svc", "start", "acme/demo", "--wait=healthy"], conversations);
    assert_eq!((said.0, said.1.as_str()), (1, ""));
    assert!(said.2.contains("does not report the health"), "{said:?}");
}

#[test]
fn a_process_that_ends_as_soon_as_it_is_started_is_not_up() {
    let conversations = vec![
        look(process_up_for(0, 0, 7)),
        taken("SvcStart", IDENT),
        look(process_up_for(0, 1, 8)),
        look(process_up_for(0, 1, 9)),
        look(process_up_for(4, 1, 9)),
    ];
    let said = waits(&["svc", "start", "acme/demo", "--wait"], conversations);
    assert_eq!(said, (0, String::new(), String::new()));
}

#[test]
fn a_supervisor_of_habitat_has_changed_a_service_when_its_process_is_another() {
    // Field 5, the channel.
    let update = || taken("SvcUpdate", &format!("{IDENT}2a03646576"));
    let arguments = ["svc", "update", "acme/demo", "--channel", "dev", "--wait", "--timeout", "0"];
    let said = waits(&arguments, vec![look(process(1, 7)), update(), look(process(1, 7))]);
    assert_eq!((said.0, said.1.as_str()), (1, ""));
    assert!(said.2.contains("it has the same process as before"), "{said:?}");
    let said = waits(&arguments, vec![look(process(1, 7)), update(), look(process(1, 9))]);
    assert_eq!(said, (0, String::new(), String::new()));
    // A start does not affect a running service, unless it is being stopped.
    let arguments = ["svc", "start", "acme/demo", "--wait", "--timeout", "0"];
    let start = || taken("SvcStart", IDENT);
    let said = waits(&arguments, vec![look(process(1, 7)), start(), look(process(1, 7))]);
    assert_eq!(said, (0, String::new(), String::new()));
    let said = waits(&arguments, vec![look(process(0, 7)), start(), look(process(1, 7))]);
    assert_eq!((said.0, said.1.as_str()), (1, ""));
}

#[test]
fn a_supervisor_that_is_not_there_ends_with_1_and_says_how_to_run_one() {
    let played = Played::start(Vec::new());
    let address = played.address.to_string();
    played.finish().expect("nothing to play, so nothing listens");
    let output = Place::new().hab(&["svc", "status", "-r", &address]).output().expect("runs");
    let (code, stdout, stderr) = ended(&output);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(stderr.starts_with("✗✗✗\n✗✗✗ Unable to contact the Supervisor.\n"), "{stderr}");
    assert_eq!(stderr.lines().count(), 9);
}
