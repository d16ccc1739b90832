//! The control gateway with real processes: the `hab` commands end to end, a foreign client,
//! hostile ones, and TLS.

mod access;
mod bundle;
mod commands;
mod emitted;
mod event_stream;
mod events;
mod explain;
mod following;
mod foreign;
mod hostile;
mod local;
mod many;
mod probes;
mod rejected;
mod stats;
mod tls;
mod waiting;
mod why;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::Output,
    time::Duration,
};

use testkit::{Root, Supervisor};

/// A root for the program under test.
fn root() -> Root {
    Root::new(env!("CARGO_BIN_EXE_hab"))
}

const WEB: &str = "acme/web/1.0.0/20250101000000";

/// A service that runs until it is stopped.
const RUN: &str = "#!/bin/sh\nexec sleep 100000\n";

/// A root with `acme/web`, whose health check reports the content of `health` in its directory.
fn root_with_web() -> Root {
    let root = root();
    root.package(
        WEB,
        &[
            ("hooks/run", RUN),
            ("hooks/health-check", "#!/bin/sh\necho checked\nexit {{cfg.health}}\n"),
            ("default.toml", "health = 0\ncolour = \"red\"\n"),
        ],
    );
    root
}

/// The result of a command: exit code, standard output, standard error.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    code: i32,
    stdout: String,
    stderr: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs `hab` against the control gateway of a Supervisor.
fn hab(sup: &Supervisor, args: &[&str]) -> Said {
    let ctl = sup.ctl.to_string();
    sup.hab(args.iter().copied().chain(["-r", &ctl])).into()
}

/// Expects success and returns the output.
fn ok(sup: &Supervisor, args: &[&str]) -> String {
    let said = hab(sup, args);
    assert_eq!(said.code, 0, "{args:?}: {said:?}\n{}", sup.log());
    assert_eq!(said.stderr, "", "{args:?}");
    said.stdout
}

/// Expects exit code 1, nothing on standard output, and this fatal text.
fn fails(sup: &Supervisor, args: &[&str], text: &str) {
    let stderr = format!("✗✗✗\n✗✗✗ {text}\n✗✗✗\n");
    assert_eq!(hab(sup, args), Said { code: 1, stdout: String::new(), stderr }, "{args:?}");
}

/// Waits until a service is no longer listed.
fn wait_gone(sup: &Supervisor, name: &str) {
    sup.wait_json("/services", |services| {
        services.as_array().is_some_and(|all| all.iter().all(|s| s["service_group"] != name))
    });
}

/// The secret of a Supervisor.
fn secret(sup: &Supervisor) -> String {
    std::fs::read_to_string(sup.root().join("hab/sup/default/CTL_SECRET")).expect("a secret")
}

/// One frame of the control protocol (reference: control §2.1) with the transaction's number.
fn frame(number: u32, id: &str, body: &[u8]) -> Vec<u8> {
    let lengths = u32::try_from(id.len() << 20 | body.len()).expect("short");
    let mut bytes = (1 << 31 | lengths).to_be_bytes().to_vec();
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.extend_from_slice(id.as_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// A handshake with that secret.
fn handshake(secret: &str) -> Vec<u8> {
    let length = u8::try_from(secret.len()).expect("short");
    let mut body = vec![0x0a, length];
    body.extend_from_slice(secret.as_bytes());
    frame(0, "Handshake", &body)
}

/// Connects, sends, and reads until the Supervisor closes.
fn talk(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a time limit");
    // It may have closed already.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// True when the bytes hold that text.
fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
