//! Reads the recordings.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde::Deserialize;
use serde_json::Value;

/// `scenario.json`.
#[derive(Debug, Deserialize)]
pub(crate) struct Scenario {
    pub(crate) supervisors: Vec<Supervisor>,
    pub(crate) steps: Vec<Step>,
}

/// A Supervisor to be started.
#[derive(Debug, Deserialize)]
pub(crate) struct Supervisor {
    pub(crate) number: usize,
    pub(crate) command: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) member_id_file: Option<String>,
    pub(crate) packages: Vec<Package>,
}

impl Supervisor {
    /// The value of an option of its command line.
    pub(crate) fn option(&self, name: &str) -> &str {
        let at = self.command.iter().position(|argument| argument == name).expect("an option");
        &self.command[at + 1]
    }
}

/// An installed package.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) ident: String,
    pub(crate) files: BTreeMap<String, String>,
}

/// The next action.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Step {
    Hab {
        supervisor: usize,
        args: Vec<String>,
        exit_code: i32,
        stdout: String,
        stderr: String,
        /// Consecutive commands with the same note ran simultaneously.
        note: Option<String>,
    },
    Request {
        supervisor: usize,
        file: String,
    },
    WriteFile {
        supervisor: usize,
        path: String,
        content: String,
    },
    Kill {
        supervisor: usize,
    },
    Observe {
        what: String,
        #[serde(flatten)]
        found: BTreeMap<String, Value>,
    },
    /// The awaited value comes with the next request.
    Wait {},
    Note {},
}

/// One recorded request and its answer.
#[derive(Debug)]
pub(crate) struct Request {
    /// Scenario and file, without extension.
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) path: String,
    pub(crate) head_only: bool,
    /// Status line and headers, including interim answers.
    pub(crate) head: Vec<String>,
    pub(crate) body: String,
    pub(crate) json: Option<Value>,
}

fn folder(scenario: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../api/tests/fixtures/http").join(scenario)
}

fn read(scenario: &str, file: &str) -> String {
    fs::read_to_string(folder(scenario).join(file)).expect("a fixture")
}

pub(crate) fn scenario(name: &str) -> Scenario {
    serde_json::from_str(&read(name, "scenario.json")).expect("a scenario")
}

/// Output of a Supervisor.
pub(crate) fn console(scenario: &str, number: usize) -> String {
    read(scenario, &format!("console-{number}.txt"))
}

pub(crate) fn request(scenario: &str, file: &str) -> Request {
    let json: Value = serde_json::from_str(&read(scenario, file)).expect("JSON");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let pairs = |value: &Value| -> Vec<String> {
        let pairs = value.as_array().expect("headers").iter();
        pairs.map(|pair| format!("{}: {}", text(&pair[0]), text(&pair[1]))).collect()
    };
    let (request, response) = (&json["request"], &json["response"]);
    let bytes = match request["raw"].as_str() {
        Some(raw) => raw.to_owned(),
        None => {
            let line = format!("{} {} HTTP/1.1", text(&request["method"]), text(&request["path"]));
            let lines: Vec<String> =
                std::iter::once(line).chain(pairs(&request["headers"])).collect();
            format!("{}\r\n\r\n", lines.join("\r\n"))
        }
    };
    let mut head = vec![text(&response["status_line"])];
    head.extend(pairs(&response["headers"]));
    let mut body = text(&response["body"]);
    let mut answer = response.get("json").cloned();
    // After an interim answer the body is the last one, as raw bytes.
    if response["status"] == 100 {
        let (lines, rest) = body.split_once("\r\n\r\n").expect("a second head");
        head.extend(lines.split("\r\n").map(str::to_owned));
        body = rest.to_owned();
    }
    if answer.is_none() && body.starts_with(['{', '[']) {
        answer = Some(serde_json::from_str(&quoted(&body)).expect("JSON with placeholders"));
    }
    let path = bytes.split(' ').nth(1).unwrap_or_default();
    Request {
        name: format!("{scenario}/{}", file.trim_end_matches(".json")),
        path: path.split('?').next().unwrap_or_default().into(),
        head_only: bytes.starts_with("HEAD "),
        bytes: bytes.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin-1")).collect(),
        head,
        body,
        json: answer,
    }
}

/// Puts quotes around placeholders for numbers.
fn quoted(body: &str) -> String {
    let mut parts = body.split(":${");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').expect("a closed placeholder");
        text.push_str(&format!(":\"${{{name}}}\"{rest}"));
    }
    text
}
