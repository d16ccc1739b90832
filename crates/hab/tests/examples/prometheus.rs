//! A real Prometheus beside Supervisors.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::common::free_port;

/// A Prometheus that scrapes Supervisors each second; ends with this value.
pub(crate) struct Prometheus {
    child: Child,
    address: SocketAddr,
}

impl Prometheus {
    /// Starts the program with its data in `directory`; it evaluates the alerts of a file of rules.
    pub(crate) fn start(
        program: &Path,
        directory: &Path,
        targets: &[SocketAddr],
        rules: Option<&Path>,
    ) -> Self {
        let config = directory.join("prometheus.yml");
        let targets: Vec<String> = targets.iter().map(|target| format!("'{target}'")).collect();
        let rules = rules.map(|path| format!("'{}'", path.display())).unwrap_or_default();
        let text = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{rules}]\n\
             scrape_configs:\n- job_name: sup\n  static_configs: [{{targets: [{}]}}]\n",
            targets.join(", ")
        );
        fs::write(&config, text).expect("a file");
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let child = Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", directory.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus starts");
        Self { child, address }
    }

    /// An answer of its API; `None` while it does not listen.
    pub(crate) fn ask(&self, path: &str) -> Option<Value> {
        // A long answer to HTTP/1.1 comes in chunks.
        let request = format!("GET /api/v1/{path} HTTP/1.0\r\nhost: x\r\n\r\n");
        let answer = testkit::request(self.address, request.as_bytes())?;
        serde_json::from_str(&answer.text()).ok()
    }

    /// The value of an expression, once it has one.
    pub(crate) fn query(&self, expression: &str) -> Option<Value> {
        let answer = self.ask(&format!("query?query={}", percent_encoded(expression)))?;
        let value = answer["data"]["result"][0]["value"][1].clone();
        value.is_string().then_some(value)
    }
}

/// Every byte of a query that is not a letter or digit, as `%XX`.
fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
