//! A Supervisor that replays a recording: it compares the client's frames with the recorded ones
//! and answers as recorded.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::Value;

/// The secret of the recordings.
pub(crate) const SECRET: &str = "c2VjcmV0LW9mLXRoZS12ZWN0b3Jz";
/// Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(60);
/// Header and transaction word.
const HEADER_BYTES: usize = 8;

/// One recorded frame.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// Sent by the client.
    pub(crate) by_client: bool,
    /// Its first bytes, or all of them.
    pub(crate) bytes: Vec<u8>,
    /// Its length.
    pub(crate) length: usize,
}

/// Bytes from hex.
pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
    (0..hex.len()).step_by(2).map(digit).collect()
}

impl Frame {
    /// A frame of the client, in hex.
    pub(crate) fn client(hex: &str) -> Self {
        let bytes = bytes(hex);
        Self { by_client: true, length: bytes.len(), bytes }
    }

    /// A frame of the Supervisor, in hex.
    pub(crate) fn supervisor(hex: &str) -> Self {
        Self { by_client: false, ..Self::client(hex) }
    }

    fn recorded(frame: &Value) -> Self {
        let bytes = bytes(frame["hex"].as_str().expect("hex"));
        let length = frame["length"].as_u64().map_or(bytes.len(), |length| length as usize);
        Self { by_client: frame["from"] == "client", bytes, length }
    }
}

/// A recording, as JSON.
pub(crate) fn recording(file: &str) -> Value {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ctl/tests/fixtures");
    let text = fs::read_to_string(directory.join(format!("{file}.json"))).expect("a recording");
    serde_json::from_str(&text).expect("JSON")
}

/// Connections of a recording.
pub(crate) fn connections(recording: &Value) -> Vec<Vec<Frame>> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let frames = |value: &Value| list(&value["frames"]).iter().map(Frame::recorded).collect();
    list(&recording["connections"]).iter().map(frames).collect()
}

/// Names of all recordings of the program.
pub(crate) fn all() -> Vec<String> {
    files().into_iter().filter(|name| !name.contains("-raw-")).collect()
}

/// Names of all recordings, in order of recording.
pub(crate) fn files() -> Vec<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ctl/tests/fixtures");
    let mut names: Vec<String> = fs::read_dir(directory)
        .expect("fixtures")
        .filter_map(|entry| entry.expect("an entry").file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".json").map(String::from))
        .collect();
    names.sort();
    names
}

/// A replayed Supervisor.
pub(crate) struct Played {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    thread: JoinHandle<Result<(), String>>,
}

impl Played {
    /// Starts to replay these connections, one after the other.
    pub(crate) fn start(connections: Vec<Vec<Frame>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let thread = thread::spawn(move || {
            for frames in connections {
                let socket = accept(&listener)?;
                play(&socket, &frames)?;
            }
            Ok(())
        });
        Self { address, thread }
    }

    /// The differences, once all connections are replayed.
    pub(crate) fn finish(self) -> Result<(), String> {
        self.thread.join().expect("no panic")
    }
}

/// The next client, with a time limit.
fn accept(listener: &TcpListener) -> Result<TcpStream, String> {
    listener.set_nonblocking(true).expect("a socket");
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Ok((socket, _)) = listener.accept() {
            socket.set_nonblocking(false).expect("a socket");
            return Ok(socket);
        }
        thread::sleep(Duration::from_millis(1));
    }
    Err("a client that was expected did not come".into())
}

fn play(mut socket: &TcpStream, frames: &[Frame]) -> Result<(), String> {
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    for frame in frames {
        if !frame.by_client {
            socket.write_all(&frame.bytes).map_err(|error| error.to_string())?;
            continue;
        }
        // The header first: if it announces another length, the test fails instead of waiting.
        for part in [0..HEADER_BYTES, HEADER_BYTES..frame.length] {
            let mut said = vec![0; part.len()];
            socket.read_exact(&mut said).map_err(|error| format!("read: {error}"))?;
            let recorded = &frame.bytes[part.start..part.end.min(frame.bytes.len())];
            if said[..recorded.len()] != *recorded {
                return Err(format!("said     {}\nrecorded {}", show(&said), show(recorded)));
            }
        }
    }
    Ok(())
}

fn show(bytes: &[u8]) -> String {
    bytes.iter().take(400).map(|byte| format!("{byte:02x}")).collect()
}

/// A root with the secret in it, and the input files of the recordings.
pub(crate) struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let place = Self { directory };
        let sup = place.root().join("hab/sup/default");
        fs::create_dir_all(&sup).expect("a directory");
        fs::write(sup.join("CTL_SECRET"), SECRET).expect("a secret");
        let setup: Value = serde_json::from_str(include_str!("setup.json")).expect("JSON");
        for (name, content) in setup["input_files"].as_object().expect("files") {
            fs::write(place.path().join(name), input(content)).expect("a file");
        }
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.path().join("root")
    }

    /// The program with arguments, in a separate environment.
    pub(crate) fn hab(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hab"));
        command.args(arguments).env_clear().env("FS_ROOT", self.root()).current_dir(self.path());
        command.stdin(Stdio::null());
        command
    }
}

/// The content of an input file; long ones are recorded as prefix and length.
fn input(content: &Value) -> String {
    if let Some(text) = content.as_str() {
        return text.into();
    }
    let start = content["starts_with"].as_str().expect("a text");
    let length = content["length"].as_u64().expect("a length") as usize;
    let filler = start.chars().last().expect("a letter").to_string();
    let (filling, end) = match start.contains('"') {
        true => (length - start.len() - 2, "\"\n"),
        false => (length - start.len(), ""),
    };
    format!("{start}{}{end}", filler.repeat(filling))
}

/// Exit code, standard output and error as text.
pub(crate) fn ended(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("an exit code"), text(&output.stdout), text(&output.stderr))
}
