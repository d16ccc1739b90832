//! Recorded requests of Habitat 2.1.78, sent again byte for byte. Where Roost answers otherwise
//! on purpose, `fixtures/differences.toml` says so: a difference that is not listed fails, and
//! so does an entry that is not used.

mod common;

use std::collections::BTreeMap;

use common::{Received, Recorded, Server, config, fixtures, receive, scenario, snapshot_of, start};
use roost_api::GatewayConfig;
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

#[derive(Deserialize)]
struct Differences {
    difference: Vec<Difference>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    reason: String,
    /// Our status line and headers in order, one per line, without values of `date` and
    /// `content-security-policy`; `N` is any length. Empty: the connection is closed without an
    /// answer.
    ours: Vec<String>,
    files: Vec<String>,
}

/// What came back: head lines as in the list, the body, and whether the connection then ended.
async fn replay(server: &Server, recorded: &Recorded) -> (Vec<String>, String) {
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    stream.write_all(&recorded.request).await.expect("sent");
    // An interim answer comes first when it was recorded first.
    let mut first = [0];
    if stream.peek(&mut first).await.expect("readable") == 0 {
        return (Vec::new(), String::new());
    }
    let answer = receive(&mut stream, recorded.head_only).await;
    if answer.status() == 100 {
        let last = receive(&mut stream, false).await;
        assert_ends_as_announced(stream, &last, recorded).await;
        let mut rest = lines(&last);
        rest.insert(0, answer.status_line);
        return (rest, last.body);
    }
    let announced = lines(&answer);
    assert_ends_as_announced(stream, &answer, recorded).await;
    (announced, answer.body)
}

/// After `close` the server ends the connection; otherwise it takes another request.
async fn assert_ends_as_announced(mut stream: TcpStream, answer: &Received, recorded: &Recorded) {
    let closes = match answer.header("connection") {
        Some(word) => word == "close",
        None => answer.status_line.starts_with("HTTP/1.0"),
    };
    if recorded.closed {
        assert!(closes, "{}: Habitat closed the connection", recorded.name);
    }
    if closes {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.expect("an end");
        assert!(rest.is_empty(), "{}: {rest:?}", recorded.name);
    } else {
        stream.write_all(b"GET /nope HTTP/1.1\r\n\r\n").await.expect("sent");
        assert!(matches!(receive(&mut stream, false).await.status(), 404 | 401));
    }
}

fn lines(answer: &Received) -> Vec<String> {
    let headers = answer.headers.iter().map(|(name, value)| match name.as_str() {
        "date" => {
            assert_eq!(value.len(), "Thu, 15 Nov 2018 22:39:41 GMT".len());
            "date".to_owned()
        }
        // It holds a checksum of the files of the dashboard.
        "content-security-policy" => name.clone(),
        "content-length" if value != "0" => "content-length: N".to_owned(),
        _ => format!("{name}: {value}"),
    });
    std::iter::once(answer.status_line.clone()).chain(headers).collect()
}

/// The recorded head in the same form, and the body that is compared.
fn expected(recorded: &Recorded) -> (Vec<String>, String) {
    // For an interim answer the recording has the last one, as raw bytes, in place of the body.
    let (mut head, body) = match recorded.body.split_once("\r\n\r\n") {
        Some((head, body)) if recorded.headers.is_empty() => {
            let lines = head.split("\r\n").map(str::to_owned);
            (std::iter::once(recorded.status_line.clone()).chain(lines).collect(), body)
        }
        _ => {
            let headers = recorded.headers.iter().map(|(name, value)| format!("{name}: {value}"));
            let head: Vec<String> =
                std::iter::once(recorded.status_line.clone()).chain(headers).collect();
            (head, recorded.body.as_str())
        }
    };
    for line in &mut head {
        if line.starts_with("date: ") {
            *line = "date".into();
        } else if line.starts_with("content-length: ") && line != "content-length: 0" {
            *line = "content-length: N".into();
        }
    }
    (head, body.to_owned())
}

#[tokio::test]
async fn recorded_requests_get_recorded_answers() {
    let list = std::fs::read_to_string(fixtures().join("differences.toml")).expect("the list");
    let list: Differences = toml::from_str(&list).expect("a list of differences");
    let mut allowed: BTreeMap<String, &Difference> = BTreeMap::new();
    for difference in &list.difference {
        assert!(!difference.reason.is_empty());
        for file in &difference.files {
            assert!(allowed.insert(file.clone(), difference).is_none(), "{file} is listed twice");
        }
    }
    let mut wrong = Vec::new();
    let plain = config();
    let with_token = GatewayConfig { token: common::token("sekret"), ..config() };
    let redacted = GatewayConfig { redact: true, ..config() };
    for (name, config) in [
        ("01-empty", plain.clone()),
        ("09-auth", with_token),
        ("10-redact", redacted),
        ("11-odd-requests", plain),
    ] {
        let recorded = scenario(name);
        let server = start(config, Some(snapshot_of(&recorded)));
        for one in &recorded {
            let (head, body) = replay(&server, one).await;
            let (expected_head, expected_body) = expected(one);
            let same_body = body == expected_body || expected_body.starts_with("# HELP");
            match allowed.remove(&one.name) {
                None if head == expected_head && same_body => {}
                None => wrong.push(format!("{}: {head:?} {:.80}", one.name, body)),
                Some(difference) if head == difference.ours => {
                    if head == expected_head && same_body {
                        wrong.push(format!("{}: there is no difference", one.name));
                    }
                }
                Some(_) => wrong.push(format!("{}: {head:?} is not the difference", one.name)),
            }
        }
    }
    wrong.extend(allowed.into_keys().map(|file| format!("{file}: listed and never used")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
