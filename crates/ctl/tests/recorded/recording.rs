//! The recorded conversations.

use serde_json::Value;

/// One recorded frame.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    /// Sent by the client.
    pub(crate) by_client: bool,
    /// Its bytes; `None` when the recording is cut.
    pub(crate) bytes: Option<Vec<u8>>,
    /// The body is not protobuf of that message.
    pub(crate) bad_body: bool,
}

/// One recorded connection.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    /// Frames in order of arrival.
    pub(crate) frames: Vec<Recorded>,
    /// Bytes of the client after its last frame.
    pub(crate) rest: Vec<u8>,
}

/// One file.
#[derive(Debug, Clone)]
pub(crate) struct Recording {
    /// Name of the file.
    pub(crate) file: String,
    /// Its connections.
    pub(crate) connections: Vec<Connection>,
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
    (0..hex.len()).step_by(2).map(digit).collect()
}

/// Every recording, in order.
pub(crate) fn recordings() -> Vec<Recording> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .expect("fixtures")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    assert_eq!(files.len(), 73, "all recordings are there");
    files.iter().map(|path| read(path)).collect()
}

fn read(path: &std::path::Path) -> Recording {
    let text = std::fs::read_to_string(path).expect("a recording");
    let value: Value = serde_json::from_str(&text).expect("JSON");
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let frame = |frame: &Value| Recorded {
        by_client: frame["from"] == "client",
        bytes: frame["hex_truncated_to"]
            .is_null()
            .then(|| bytes(frame["hex"].as_str().expect("hex"))),
        bad_body: !frame["decoded"]["bad_body"].is_null(),
    };
    let connections = list(&value["connections"])
        .iter()
        .map(|connection| Connection {
            frames: list(&connection["frames"]).iter().map(frame).collect(),
            rest: bytes(connection["undecoded_rest_client"].as_str().unwrap_or_default()),
        })
        .collect();
    let file = path.file_stem().expect("a name").to_string_lossy().into_owned();
    Recording { file, connections }
}
