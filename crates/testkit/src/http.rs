//! A minimal HTTP client: one request per connection, arbitrary bytes, the complete response.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

/// The response to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status line without its line end.
    pub status_line: String,
    /// Header names and values, in the order and spelling received.
    pub headers: Vec<(String, String)>,
    /// The bytes after the head.
    pub body: Vec<u8>,
}

impl Answer {
    /// The status code, 0 when the response is not HTTP.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status_line.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    /// The first header with this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON, `null` when it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Sends bytes on a new connection and reads the complete response; `None` when nothing listens or
/// nothing arrives.
#[must_use]
pub fn request(address: SocketAddr, bytes: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    stream.write_all(bytes).ok()?;
    let mut received = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        if let Some(answer) = parse(&received, bytes.starts_with(b"HEAD "), false) {
            return Some(answer);
        }
        match stream.read(&mut buffer) {
            Ok(0) => return parse(&received, bytes.starts_with(b"HEAD "), true),
            Err(_) => return None,
            Ok(n) => received.extend_from_slice(&buffer[..n]),
        }
    }
}

/// A complete response. `ended`: the connection is closed, which ends a body of HTTP/1.0.
fn parse(bytes: &[u8], head_only: bool, ended: bool) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status_line = lines.next()?.to_owned();
    if status_line.contains(" 100 ") {
        return parse(&bytes[end + 4..], head_only, ended);
    }
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let rest = &bytes[end + 4..];
    let length = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.parse::<usize>().ok());
    let length = match length {
        _ if head_only => 0,
        Some(length) => length,
        None if status_line.starts_with("HTTP/1.0 ") => ended.then_some(rest.len())?,
        None => 0,
    };
    let body = rest.get(..length)?.to_vec();
    Some(Answer { status_line, headers, body })
}
