//! Limits, TLS and ends of the server, with the project's own client where one is needed.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "sockets are what it tests"
)]

use std::{
    future::pending,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use roost_ctl::{
    Answer, Client, ClientError, Incoming, Reply, Request, Responder, Secret, ServerConfig,
    client::dial,
    server::{MAX_CONVERSATIONS, Observer, serve},
    tls::{ClientTls, ClientTlsFiles, client_config, server_config},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

/// Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(30);

struct Server {
    address: SocketAddr,
    requests: mpsc::Receiver<Incoming>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    log: Arc<Log>,
}

/// Recorded calls of the observer.
#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Log {
    fn add(&self, what: String) {
        self.0.lock().expect("no panic").push(what);
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().expect("no panic").clone()
    }
}

impl Observer for Log {
    fn called(&self, name: &'static str) {
        self.add(format!("called {name}"));
    }
    fn answered(&self, name: &'static str, _: Duration) {
        self.add(format!("answered {name}"));
    }
    fn refused(&self, why: &'static str) {
        self.add(format!("refused {why}"));
    }
}

async fn server(tls: Option<Arc<rustls::ServerConfig>>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let log = Arc::new(Log::default());
    let secret = Secret::new("s3cret").expect("a secret");
    let config = ServerConfig { secret, tls, observer: log.clone() };
    let (sender, requests) = mpsc::channel(8);
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async move {
        if stopped.await.is_err() {
            pending::<()>().await;
        }
    };
    let task = tokio::spawn(serve(listener, config, sender, shutdown));
    Server { address, requests, stop, task, log }
}

/// Answers every request in the same way.
fn answering(
    mut requests: mpsc::Receiver<Incoming>,
    answer: impl Fn(Responder) + Send + 'static,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        while let Some((_, responder)) = requests.recv().await {
            answer(responder);
        }
    })
}

/// A whole conversation: all answers, and whether there was a last one.
async fn ask(
    address: SocketAddr,
    tls: Option<ClientTls>,
    secret: &'static str,
) -> Result<(Vec<Answer>, bool), ClientError> {
    let conversation = spawn_blocking(move || {
        let mut client = Client::start(dial(address)?, tls, secret)?;
        client.request(&Request::Status { ident: None }, None)?;
        let mut answers = Vec::new();
        while let Some(answer) = client.next_answer()? {
            answers.push(answer);
        }
        Ok((answers, client.is_finished()))
    });
    timeout(PATIENCE, conversation).await.expect("an end").expect("no panic")
}

#[tokio::test(flavor = "multi_thread")]
async fn pieces_come_before_the_reply_and_in_order() {
    let server = server(None).await;
    answering(server.requests, |responder| {
        responder.line("one");
        responder.progress(10, 5);
        responder.line("two");
        responder.finish(Reply::Ok);
    });
    let (answers, finished) = ask(server.address, None, "s3cret").await.expect("answers");
    let shown: Vec<_> = answers
        .iter()
        .map(|answer| match answer {
            Answer::Console(piece) => piece.text.clone(),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(shown, ["one\n", "Progress { total_bytes: 10, position_bytes: 5 }", "two\n", "Ok"]);
    assert!(finished);
    assert_eq!(server.log.all(), ["called SvcStatus", "answered SvcStatus"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_is_refused() {
    let server = server(None).await;
    let error = ask(server.address, None, "wrong").await.expect_err("refused");
    assert_eq!(error.to_string(), "[Err: 4] secret key mismatch");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_responder_closes_without_an_answer() {
    let server = server(None).await;
    answering(server.requests, drop);
    let (answers, finished) = ask(server.address, None, "s3cret").await.expect("closed");
    assert_eq!((answers.len(), finished), (0, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_requests_a_restart_sees_the_end_of_the_server() {
    let server = server(None).await;
    let (sender, asked) = oneshot::channel();
    let mut requests = server.requests;
    tokio::spawn(async move {
        let (_, responder) = requests.recv().await.expect("a request");
        responder.finish(Reply::CloseAtEnd);
        sender.send(()).expect("the test runs");
    });
    let client = tokio::spawn(ask(server.address, None, "s3cret"));
    asked.await.expect("asked");
    assert!(!client.is_finished());
    server.stop.send(()).expect("it listens");
    let (answers, finished) = client.await.expect("no panic").expect("closed");
    assert_eq!((answers.len(), finished), (0, false));
    assert!(TcpStream::connect(server.address).await.is_err(), "the listener went first");
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_clients_do_not_block_others_and_the_oldest_is_closed() {
    let server = server(None).await;
    answering(server.requests, |responder| responder.finish(Reply::Ok));
    let mut silent = Vec::new();
    for _ in 0..64 {
        silent.push(TcpStream::connect(server.address).await.expect("connected"));
    }
    ask(server.address, None, "s3cret").await.expect("answered anyway");
    let mut byte = [0];
    let end = timeout(PATIENCE, silent[0].read(&mut byte)).await.expect("closed");
    assert!(matches!(end, Ok(0) | Err(_)));
    server.stop.send(()).expect("it listens");
    server.task.await.expect("no panic");
    // It did not end through its own silence.
    let count = |what: &str| server.log.all().iter().filter(|line| *line == what).count();
    assert_eq!((count("refused capacity"), count("refused handshake")), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_handshake_is_refused_from_its_header() {
    let server = server(None).await;
    let mut client = TcpStream::connect(server.address).await.expect("connected");
    // A handshake of 4097 bytes, of which none is sent.
    client.write_all(&[0x80, 0x90, 0x10, 0x01]).await.expect("written");
    let mut said = Vec::new();
    let _ = timeout(PATIENCE, client.read_to_end(&mut said)).await.expect("closed");
    assert!(said.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_ends_the_server_despite_a_connected_client() {
    let server = server(None).await;
    let _silent = TcpStream::connect(server.address).await.expect("connected");
    server.stop.send(()).expect("it listens");
    timeout(PATIENCE, server.task).await.expect("it ends").expect("no panic");
}

/// A certificate for both sides that is its own authority, like that of `hab sup secret
/// generate-tls`.
fn make_pair(directory: &Path) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let names = vec!["localhost".to_owned()];
    let params = rcgen::CertificateParams::new(names).expect("names");
    let certificate = params.self_signed(&key).expect("a certificate");
    let file = |name: &str| directory.join(format!("ctl-gateway-20260101000000.{name}.pem"));
    std::fs::write(file("crt"), certificate.pem()).expect("written");
    std::fs::write(file("key"), key.serialize_pem()).expect("written");
}

fn client_tls(directory: &Path, with_certificate: bool, host: &str) -> Option<ClientTls> {
    let own = with_certificate.then(|| directory.to_owned());
    let files = ClientTlsFiles {
        server_ca: Some(directory.to_owned()),
        key: own.clone(),
        certificate: own,
    };
    client_config(&files, host).expect("settings")
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_can_present_certificates() {
    let place = tempfile::tempdir().expect("a directory");
    let path = place.path();
    make_pair(path);
    let config = server_config(Some(path), Some(path), Some(path)).expect("settings");
    let server = server(config).await;
    answering(server.requests, |responder| responder.finish(Reply::Ok));
    let tls = client_tls(path, true, "localhost");
    let (answers, finished) = ask(server.address, tls, "s3cret").await.expect("answered");
    assert_eq!((answers, finished), (vec![Answer::Ok], true));
    let without = client_tls(path, false, "localhost");
    let error = ask(server.address, without, "s3cret").await.expect_err("no certificate");
    assert!(error.to_string().contains("demands a client certificate"), "{error}");
    let other = client_tls(path, true, "127.0.0.1");
    let error = ask(server.address, other, "s3cret").await.expect_err("another name");
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_client_gets_a_plain_error_that_tls_is_required() {
    let place = tempfile::tempdir().expect("a directory");
    make_pair(place.path());
    let config = server_config(Some(place.path()), Some(place.path()), None).expect("settings");
    let server = server(config).await;
    let mut client = TcpStream::connect(server.address).await.expect("connected");
    let handshake = b"\x80\x90\x00\x08\x00\x00\x00\x00Handshake\x0a\x06s3cret";
    client.write_all(handshake).await.expect("written");
    let mut said = Vec::new();
    let _ = timeout(PATIENCE, client.read_to_end(&mut said)).await.expect("closed");
    // Byte for byte (reference: control §4.1).
    let mut expected = vec![0x15, 3, 3, 0, 2, 2, 0x32, 0, 0x60, 0, 0x52];
    expected.extend(b"NetErr\x08\x0a\x12\x4e");
    expected.extend(b"TLS handshake failed, err: received corrupt message of type ");
    expected.extend(b"InvalidContentType");
    assert_eq!(said, expected);
    let error = ask(server.address, None, "s3cret").await.expect_err("TLS is required");
    assert!(matches!(error, ClientError::WantsTls), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tls_client_of_a_plain_server_gets_a_clear_error() {
    let place = tempfile::tempdir().expect("a directory");
    make_pair(place.path());
    let server = server(None).await;
    let tls = client_tls(place.path(), false, "localhost");
    let error = ask(server.address, tls, "s3cret").await.expect_err("no TLS");
    assert!(matches!(error, ClientError::Tls(_) | ClientError::Closed), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_clients_that_left_count_until_they_are_answered() {
    let mut server = server(None).await;
    let mut unanswered = Vec::new();
    for _ in 0..MAX_CONVERSATIONS {
        let mut client = TcpStream::connect(server.address).await.expect("connected");
        let handshake = b"\x80\x90\x00\x08\x00\x00\x00\x00Handshake\x0a\x06s3cret";
        client.write_all(handshake).await.expect("written");
        let status = b"\x80\x90\x00\x00\x00\x00\x00\x01SvcStatus";
        client.write_all(status).await.expect("written");
        let received = timeout(PATIENCE, server.requests.recv()).await;
        let (_, responder) = received.expect("in time").expect("a request");
        unanswered.push(responder);
    }
    for _ in 0..20 {
        // Not sent to any client, so that their connections end.
        unanswered.iter().for_each(|responder| responder.line("working"));
        let error = ask(server.address, None, "s3cret").await.expect_err("no place");
        assert!(error.to_string().contains("too many requests at once"), "{error}");
    }
    unanswered.into_iter().for_each(|responder| responder.finish(Reply::Ok));
    answering(server.requests, |responder| responder.finish(Reply::Ok));
    let deadline = std::time::Instant::now() + PATIENCE;
    while ask(server.address, None, "s3cret").await.is_err() {
        assert!(std::time::Instant::now() < deadline, "no place was freed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_clients_with_the_secret_are_closed_for_new_ones() {
    let server = server(None).await;
    let mut silent = Vec::new();
    for _ in 0..MAX_CONVERSATIONS + 12 {
        let mut client = TcpStream::connect(server.address).await.expect("connected");
        let handshake = b"\x80\x90\x00\x08\x00\x00\x00\x00Handshake\x0a\x06s3cret";
        client.write_all(handshake).await.expect("written");
        // its place is taken when the answer is there
        let mut answer = [0; 13];
        timeout(PATIENCE, client.read_exact(&mut answer))
            .await
            .expect("in time")
            .expect("an answer");
        assert!(answer.ends_with(b"NetOk"), "{answer:?}");
        silent.push(client);
    }
    answering(server.requests, |responder| responder.finish(Reply::Ok));
    ask(server.address, None, "s3cret").await.expect("there is room");
    let mut rest = Vec::new();
    let oldest = timeout(PATIENCE, silent[0].read_to_end(&mut rest)).await.expect("in time");
    assert!(oldest.is_err() || rest.is_empty(), "the oldest is closed");
    let idle = server.log.all().iter().filter(|line| line.contains("idle")).count();
    assert_eq!(idle, 13);
}

/// A server that answers the handshake, then sends `then` repeatedly, or nothing.
async fn liar(then: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let ok = b"\x80\x50\x00\x00\xc0\x00\x00\x00NetOk";
        stream.write_all(ok).await.expect("written");
        // Until the client gives up.
        while !then.is_empty() && stream.write_all(&then).await.is_ok() {}
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    address
}

/// The client's error with such a server.
async fn believe(address: SocketAddr) -> ClientError {
    let conversation = spawn_blocking(move || {
        let mut client = Client::start(dial(address)?, None, "s3cret")?;
        client.request(&Request::Status { ident: None }, Some(Duration::from_millis(50)))?;
        while client.next_answer()?.is_some() {}
        Ok(())
    });
    timeout(PATIENCE, conversation).await.expect("an end").expect("no panic").expect_err("no end")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_supervisor_times_out() {
    let error = believe(liar(Vec::new()).await).await;
    assert!(matches!(error, ClientError::Silent(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_answer_is_refused() {
    let head = b"\x80\x5f\xff\xff\x80\x00\x00\x01Hello";
    let error = believe(liar([&head[..], &[b'x'; 0xf_ffff]].concat()).await).await;
    assert!(matches!(error, ClientError::TooLong), "{error}");
}

#[tokio::test]
async fn an_unreachable_supervisor_is_a_distinct_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let error = ask(address, None, "s3cret").await.expect_err("nobody");
    assert!(matches!(error, ClientError::NotRunning), "{error}");
}

#[test]
fn a_broken_connection_counts_as_closed() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut stream = dial(listener.local_addr().unwrap()).unwrap();
    // A Supervisor that ends with unread bytes resets the connection.
    std::io::Write::write_all(&mut stream, b"unread").unwrap();
    let (ending, _) = listener.accept().unwrap();
    ending.peek(&mut [0]).unwrap();
    drop(ending);
    while stream.peek(&mut [0]).is_ok_and(|size| size > 0) {}
    let error = Client::start(stream, None, "s3cret").err().expect("an error");
    assert!(matches!(error, ClientError::Closed), "{error}");
}
