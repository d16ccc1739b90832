//! Checks against servers that do what they should not.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use roost_service::monitor::Layer;

use super::*;

/// A server that does this with each connection, after it has read something of the request.
fn server(serve: impl Fn(&mut TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4_096]);
            serve(&mut stream);
        }
    });
    port
}

/// A server that sends this and closes.
fn sends(bytes: impl Into<Vec<u8>>) -> u16 {
    let bytes = bytes.into();
    server(move |stream| drop(stream.write_all(&bytes)))
}

/// A server that sends the beginning and then one piece after the other.
fn sends_for_ever(beginning: &str, piece: impl Into<Vec<u8>>) -> u16 {
    let (beginning, piece) = (beginning.to_owned(), piece.into());
    server(move |stream| {
        let _ = stream.write_all(beginning.as_bytes());
        while stream.write_all(&piece).is_ok() {}
    })
}

fn probe(keys: &str) -> Arc<Probe> {
    let text = format!("[[check]]\nname = \"it\"\ntimeout_s = 1\n{keys}\n");
    let monitor = Layer::parse(&text).expect("fine").monitor();
    Arc::clone(&monitor.probes[0])
}

async fn run(keys: &str) -> ProbeFound {
    check(&probe(keys), &Lookups::new()).await
}

async fn http(port: u16, keys: &str) -> ProbeFound {
    run(&format!("http = \"http://127.0.0.1:{port}/x?y=z\"\n{keys}")).await
}

#[track_caller]
fn assert_ok(found: &ProbeFound, part: &str) {
    assert_eq!(found.status, HealthStatus::Ok, "{found:?}");
    assert!(found.text.contains(part), "{found:?}");
}

#[track_caller]
fn assert_critical(found: &ProbeFound, part: &str) {
    assert_eq!(found.status, HealthStatus::Critical, "{found:?}");
    assert!(found.text.contains(part), "{found:?}");
    assert!(found.text.len() < 1_024, "{found:?}");
    assert!(!found.text.contains(char::is_control), "{found:?}");
}

#[tokio::test]
async fn a_status_code_decides() {
    let ok = sends("HTTP/1.1 204 No Content\r\n\r\n");
    assert_ok(&http(ok, "").await, "it: 204 from http://127.0.0.1:");
    assert_critical(&http(ok, "expect_status = 200").await, "it: 204 from");
    let down = sends("HTTP/1.1 503 X\r\nContent-Length: 9\r\n\r\nno \x1b[2Jdb\n");
    assert_critical(&http(down, "").await, "/x?y=z: no \\u{1b}[2Jdb");
    assert_ok(&http(down, "expect_status = [200, \"500-599\"]").await, "503");
    assert_ok(&http(ok, "method = \"HEAD\"").await, "204");
}

#[tokio::test]
async fn a_body_must_contain_the_text_in_its_beginning() {
    let answer = |body: &str| {
        sends(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
    };
    assert_ok(&http(answer("all is fine"), "expect_body = \"is fine\"").await, "200");
    let found = http(answer("bad"), "expect_body = \"fine\"").await;
    assert_critical(&found, "without the expected text: bad");
    let far = format!("{}fine", "x".repeat(ANSWER_BYTES_MAX));
    assert_critical(&http(answer(&far), "expect_body = \"fine\"").await, "without the expected");
}

#[tokio::test]
async fn the_request_is_what_was_asked_for() {
    let port = server(|stream| drop(stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")));
    assert_ok(&http(port, "headers = { X-Probe = \"a b\" }").await, "200");
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    let request = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut bytes = [0; 4_096];
        let count = stream.read(&mut bytes).expect("a request");
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    });
    http(port, "headers = { X-Probe = \"a b\" }").await;
    let request = request.join().expect("a request");
    assert!(request.starts_with("GET /x?y=z HTTP/1.1\r\n"), "{request}");
    for line in ["x-probe: a b", "connection: close", "user-agent: roost-check"] {
        assert!(request.to_ascii_lowercase().contains(line), "{request}");
    }
    assert!(request.contains(&format!("127.0.0.1:{port}\r\n")), "{request}");
}

#[tokio::test]
async fn redirects_are_followed_only_when_asked_and_only_on_the_same_server() {
    let to = |location: &str| {
        sends(format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"))
    };
    assert_ok(&http(to("http://169.254.169.254/"), "").await, "302 from");
    let follow = "follow_redirects = true";
    let found = http(to("http://169.254.169.254/"), follow).await;
    assert_critical(&found, "redirects to another server, http://169.254.169.254/");
    assert_critical(&http(to("/again"), follow).await, "more than 5 redirects");
}

#[tokio::test]
async fn hostile_servers_cost_neither_time_nor_memory() {
    let head = "HTTP/1.1 200 OK\r\n";
    let endless = "HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n";
    let silent = server(|stream| drop(stream.read(&mut [0; 1])));
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let unaccepted = listener.local_addr().expect("its address").port();
    // An alert of TLS, as a server for TLS sends it on a plain request.
    let tls = sends(b"\x15\x03\x01\x00\x02\x02\x46".to_vec());
    let many: String = (0..10_000).map(|n| format!("x-{n}: y\r\n")).collect();
    let body = "expect_body = \"fine\"";
    for (port, keys, part) in [
        (silent, "", "no answer within 1 s from http://127.0.0.1:"),
        (unaccepted, "", "no answer within 1 s"),
        (tls, "", "no answer from http://127.0.0.1:"),
        (sends(""), "", "no answer from"),
        (sends("SSH-2.0-OpenSSH_9.2\r\n"), "", "no answer from"),
        (sends_for_ever(head, "x: y\r\n"), "", "no answer from"),
        (sends_for_ever(head, vec![b'x'; 65_536]), "", "no answer from"),
        (sends(format!("{head}{many}\r\n")), "", "no answer from"),
        (sends_for_ever(endless, vec![b'x'; 65_536]), body, "without the expected text"),
        (sends_for_ever("HTTP/1.1 503 X\r\n\r\n", vec![b'x'; 65_536]), "", "503 from"),
        (sends("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfi"), body, "no answer from"),
    ] {
        assert_critical(&http(port, keys).await, part);
    }
    // What it sends after a code that is expected does not matter.
    assert_ok(&http(sends_for_ever(endless, vec![b'x'; 65_536]), "").await, "200");
    let drips = server(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nf");
        let _ = stream.read(&mut [0; 1]);
    });
    assert_critical(&http(drips, body).await, "no answer within 1 s");
}

#[tokio::test]
async fn a_port_is_checked_by_what_it_answers() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let address = listener.local_addr().expect("its address");
    assert_ok(&run(&format!("tcp = \"{address}\"")).await, "it: connected to 127.0.0.1:");
    let ping = |port| format!("tcp = \"localhost:{port}\"\nsend = \"PING\"\nexpect = \"+PONG\"");
    assert_critical(&run(&ping(address.port())).await, "no answer within 1 s from localhost:");
    assert_ok(&run(&ping(sends("+PONG\r\n"))).await, "the expected answer");
    let found = run(&ping(sends("-ERR \u{1b}[0m\r\n"))).await;
    assert_critical(&found, "not the expected answer from localhost:");
    assert_critical(&run(&ping(sends(""))).await, "no answer from");
    assert_critical(&run(&ping(sends_for_ever("", vec![b'x'; 65_536]))).await, "not the expected");
    drop(listener);
    assert_critical(&run(&format!("tcp = \"{address}\"")).await, "cannot connect to 127.0.0.1:");
    assert_critical(&run("tcp = \"name.invalid:1\"").await, "name.invalid:1");
}
