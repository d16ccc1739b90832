//! One request on a separate connection, as bytes.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// The response.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Status line and headers in order, interim answers too; no values of `date` and
    /// `content-security-policy`, and no lengths other than 0. Empty when the connection was closed
    /// without an answer.
    pub(crate) head: Vec<String>,
    pub(crate) body: String,
}

/// Lines of a head in the compared form.
pub(crate) fn normal(lines: impl IntoIterator<Item = impl Into<String>>) -> Vec<String> {
    let normal = |line: String| match line.split_once(": ") {
        // The policy holds a checksum of the files of the dashboard.
        Some((name @ ("date" | "content-security-policy"), _)) => name.into(),
        Some(("content-length", length)) if length != "0" => "content-length: N".into(),
        _ => line,
    };
    lines.into_iter().map(Into::into).map(normal).collect()
}

/// Sends the bytes and reads one answer; `None` when nothing listens.
pub(crate) fn exchange(address: SocketAddr, bytes: &[u8], head_only: bool) -> Option<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(bytes).ok()?;
    let mut answer = Answer::default();
    let mut received = Vec::new();
    loop {
        let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") else {
            if read(&mut stream, &mut received) == 0 {
                return received.is_empty().then_some(answer);
            }
            continue;
        };
        let head = String::from_utf8_lossy(&received[..end]).into_owned();
        received.drain(..end + 4);
        answer.head.extend(normal(head.split("\r\n")));
        if head.starts_with("HTTP/1.1 100 ") {
            continue;
        }
        let length = head.split("\r\n").find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
        while !head_only && received.len() < length {
            if read(&mut stream, &mut received) == 0 {
                return None;
            }
        }
        answer.body = String::from_utf8_lossy(&received).into_owned();
        return Some(answer);
    }
}

fn read(stream: &mut TcpStream, received: &mut Vec<u8>) -> usize {
    let mut buffer = [0; 16 * 1024];
    // A reset is an end too.
    let length = stream.read(&mut buffer).unwrap_or(0);
    received.extend_from_slice(&buffer[..length]);
    length
}
