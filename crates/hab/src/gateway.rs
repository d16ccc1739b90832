//! The client of the HTTP gateway: what every command uses that asks the `/v1` API.
//!
//! A command flattens [`Target`] into its arguments, makes a [`Client`] and asks:
//!
//! ```text
//! let client = self.target.client(context)?;
//! let document = client.json("/v1/supervisor", &[])?;
//! client.lines_after("/v1/events/stream", &[], None, |line| ControlFlow::Continue(()))?;
//! ```
//!
//! Without `--url` it asks the Supervisor of this root over its socket, which needs neither token
//! nor TLS.

use std::{
    fmt,
    io::{BufRead, BufReader, Read},
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::bail;
use roost_text::shown;
use serde_json::Value;
use ureq::{Agent, Body, unversioned::resolver::DefaultResolver};

use self::local::{AnyAddress, LocalConnector};
use crate::{
    context::Context,
    https::{self, explain_http},
};

mod local;
mod services;

/// Address of the port of a Supervisor on this machine.
const USUAL_URL: &str = "http://127.0.0.1:9631";
/// The host in URLs of requests that go through a socket.
const LOCAL_URL: &str = "http://localhost";
/// Longest wait for an answer: one day, so that deadlines cannot overflow.
const MAX_TIMEOUT: Duration = Duration::from_secs(86_400);
/// Longest document that is read.
const DOCUMENT_BYTES_MAX: u64 = 64 << 20;
/// Longest line of a stream that is read.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// The Supervisor that a command asks.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Supervisor")]
pub(crate) struct Target {
    /// Address of the HTTP gateway; default: the socket of the Supervisor of this root, and
    /// http://127.0.0.1:9631 where FS_ROOT is not set and the socket cannot be used
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Bearer token of the HTTP gateway
    #[arg(long, env = "HAB_SUP_GATEWAY_AUTH_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// CA certificates for the gateway, a PEM file
    #[arg(long)]
    ca_certs: Option<PathBuf>,
    /// Private key of the client's certificate, a PEM file
    #[arg(long, requires = "certs")]
    key: Option<PathBuf>,
    /// The client's certificate, a PEM file
    #[arg(long, requires = "key")]
    certs: Option<PathBuf>,
    /// Seconds to wait for an answer
    #[arg(long, default_value_t = 10)]
    timeout: u64,
}

/// Asks one Supervisor.
pub(crate) struct Client {
    agent: Agent,
    /// Without a slash at its end.
    base: String,
    /// What messages call it.
    shown: String,
    token: Option<String>,
    timeout: Duration,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) etag: Option<String>,
    pub(crate) body: String,
}

/// A refusal of the v1 API.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    /// Empty when the answer is not a problem document.
    detail: String,
    hint: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.detail.is_empty() {
            return write!(f, "unexpected answer, HTTP {}", self.status);
        }
        write!(f, "{}", shown(&self.detail))?;
        match self.hint.is_empty() {
            true => Ok(()),
            false => write!(f, " {}", shown(&self.hint)),
        }
    }
}

impl std::error::Error for Refused {}

impl Target {
    /// The client for the selected Supervisor.
    ///
    /// # Errors
    /// When a TLS file cannot be used, or no Supervisor of this root can be asked.
    pub(crate) fn client(&self, context: &Context) -> anyhow::Result<Client> {
        let Some(url) = &self.url else {
            let path = context.root.sup().http_socket();
            return match local::connect(&path, self.timeout()) {
                Ok(_) => Ok(Client::local(&path, self.timeout())),
                // The usual port of this machine belongs to the usual root alone.
                Err(_) if context.root.path() == Path::new("/") => self.url_client(USUAL_URL),
                Err(error) => bail!(
                    "no Supervisor answers at {} ({error}); start it, or give --url",
                    path.display()
                ),
            };
        };
        self.url_client(url)
    }

    /// True when it may be the Supervisor of another root.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.url.is_some()
    }

    /// True when an address is given.
    pub(crate) const fn has_url(&self) -> bool {
        self.url.is_some()
    }

    fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout).min(MAX_TIMEOUT)
    }

    fn url_client(&self, url: &str) -> anyhow::Result<Client> {
        let files = https::Files {
            ca_certs: self.ca_certs.as_deref(),
            identity: self.certs.as_deref().zip(self.key.as_deref()),
        };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .tls_config(https::settings(url, files)?)
            .build();
        let base = url.trim_end_matches('/').to_owned();
        Ok(Client {
            agent: Agent::with_parts(
                config,
                ureq::unversioned::transport::DefaultConnector::default(),
                DefaultResolver::default(),
            ),
            shown: base.clone(),
            base,
            token: self.token.clone().filter(|token| !token.is_empty()),
            timeout: self.timeout(),
        })
    }
}

impl Client {
    /// The client for the Supervisor whose socket this is.
    pub(crate) fn local(path: &Path, timeout: Duration) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .build();
        let connector = LocalConnector::new(path.to_owned());
        Self {
            agent: Agent::with_parts(config, connector, AnyAddress),
            base: LOCAL_URL.into(),
            shown: path.display().to_string(),
            token: None,
            timeout,
        }
    }

    /// Requests a path; any status is an answer.
    ///
    /// # Errors
    /// When the gateway does not answer.
    pub(crate) fn get(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Answer> {
        self.request(path, query, &[], self.timeout)
    }

    /// Requests a path and waits until its document is another one than this version; 304 when
    /// the time is over.
    ///
    /// # Errors
    /// When the gateway does not answer.
    pub(crate) fn changed(
        &self,
        path: &str,
        query: &[(&str, &str)],
        etag: &str,
        wait: Duration,
    ) -> anyhow::Result<Answer> {
        let text = format!("{}ms", wait.as_millis());
        let query = [query, &[("wait", text.as_str())]].concat();
        self.request(path, &query, &[("if-none-match", etag)], self.timeout.saturating_add(wait))
    }

    /// The document of a path.
    ///
    /// # Errors
    /// [`Refused`] when there is none, and errors of the connection.
    pub(crate) fn json(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Value> {
        let answer = self.get(path, query)?;
        if answer.status != 200 {
            return Err(refused(&answer).into());
        }
        serde_json::from_str(&answer.body)
            .map_err(|_| anyhow::anyhow!("{}{path} did not answer with JSON", self.shown))
    }

    /// Passes each line of a stream of JSON objects on, until its end or a `Break`; continues after
    /// the event with this number. Empty lines are signs of life and left out.
    ///
    /// # Errors
    /// [`Refused`], a line longer than 1 MiB, and errors of the connection.
    pub(crate) fn lines_after(
        &self,
        path: &str,
        query: &[(&str, &str)],
        last_event_id: Option<u64>,
        mut each: impl FnMut(&str) -> ControlFlow<()>,
    ) -> anyhow::Result<()> {
        let last = last_event_id.map(|id| id.to_string());
        let last = last.as_deref().map(|id| ("last-event-id", id));
        let accept = ("accept", "application/x-ndjson, text/plain;q=0.9");
        let headers: Vec<_> = last.into_iter().chain([accept]).collect();
        let mut answer = self.call(path, query, &headers, None)?;
        if answer.status().as_u16() != 200 {
            let answer = self.read(path, &mut answer)?;
            return Err(refused(&answer).into());
        }
        let mut reader = BufReader::new(answer.into_body().into_reader());
        let mut line = Vec::new();
        loop {
            line.clear();
            let failed = |error| anyhow::anyhow!("{}{path} broke off: {error}", self.shown);
            let limited = &mut reader.by_ref().take(LINE_BYTES_MAX);
            match limited.read_until(b'\n', &mut line).map_err(failed)? {
                0 => return Ok(()),
                _ if line.last() != Some(&b'\n') && limited.limit() == 0 => {
                    bail!("{}{path} sent a line longer than {LINE_BYTES_MAX} bytes", self.shown)
                }
                _ => {}
            }
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end_matches(['\n', '\r']);
            if !text.is_empty() && each(text).is_break() {
                return Ok(());
            }
        }
    }

    /// Requests a path with more headers; the answer may take as long as given.
    fn request(
        &self,
        path: &str,
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
        timeout: Duration,
    ) -> anyhow::Result<Answer> {
        let mut answer = self.call(path, query, headers, Some(timeout))?;
        self.read(path, &mut answer)
    }

    fn call(
        &self,
        path: &str,
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
        timeout: Option<Duration>,
    ) -> anyhow::Result<ureq::http::Response<Body>> {
        let mut url = format!("{}{path}", self.base);
        for (index, (name, value)) in query.iter().enumerate() {
            url.push(if index == 0 { '?' } else { '&' });
            url.push_str(&format!("{}={}", escape(name), escape(value)));
        }
        let mut request = self.agent.get(&url);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let config = request.config().timeout_connect(Some(self.timeout));
        let config = config.timeout_recv_response(Some(timeout.unwrap_or(self.timeout)));
        config.timeout_global(timeout).build().call().map_err(|error| self.failed(path, &error))
    }

    fn read(&self, path: &str, answer: &mut ureq::http::Response<Body>) -> anyhow::Result<Answer> {
        let status = answer.status().as_u16();
        let etag = answer.headers().get("etag").and_then(|it| it.to_str().ok()).map(String::from);
        let body = answer.body_mut().with_config().limit(DOCUMENT_BYTES_MAX).read_to_string();
        let body = body.map_err(|error| self.failed(path, &error))?;
        Ok(Answer { status, etag, body })
    }

    fn failed(&self, path: &str, error: &ureq::Error) -> anyhow::Error {
        anyhow::anyhow!("cannot get {}{path}: {}", self.shown, explain_http(error))
    }
}

/// The refusal in an answer.
pub(crate) fn refused(answer: &Answer) -> Refused {
    let problem: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let word = |key: &str| problem[key].as_str().unwrap_or_default().to_owned();
    let mut refused = Refused { status: answer.status, detail: word("detail"), hint: word("hint") };
    if answer.status == 401 {
        refused.detail = "the gateway rejected the token; give --token".into();
        refused.hint.clear();
    }
    refused
}

/// Percent-encodes a part of a path, or a value of a query (RFC 3986 section 2.3).
pub(crate) fn escape(part: &str) -> String {
    let mut out = String::new();
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte.into());
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_the_path_are_escaped() {
        assert_eq!(escape("a b/ü"), "a%20b%2F%C3%BC");
    }

    #[test]
    fn a_refusal_is_a_sentence_with_its_remedy() {
        let answer = |status, body: &str| Answer { status, etag: None, body: body.into() };
        let body = r#"{"code":"bad_cursor","detail":"No \u001b cursor.","hint":"Ask again."}"#;
        let problem = refused(&answer(400, body));
        assert_eq!(problem.to_string(), "No \\u{1b} cursor. Ask again.");
        assert_eq!(refused(&answer(500, "<html>")).to_string(), "unexpected answer, HTTP 500");
        assert!(refused(&answer(401, "")).to_string().contains("--token"));
    }
}
