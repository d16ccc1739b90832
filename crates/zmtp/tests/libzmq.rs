//! Listener and pool against libzmq, the library of real Supervisors, in both directions. Needs
//! Python with pyzmq (`pip install pyzmq`); without it these tests report that they are skipped.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "sockets are what it tests"
)]

use std::{io::Write as _, net::SocketAddr, process::Stdio, time::Duration};

use bytes::Bytes;
use roost_zmtp::{ListenLimits, Listener, Pool, PoolLimits, Step};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// After this time a test is stuck.
const STUCK: Duration = Duration::from_secs(60);

struct Peer {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    fn start(script: &str, arguments: &[&str]) -> Self {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/");
        let mut child = Command::new("python3")
            .arg(format!("{directory}{script}"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("python3 was there before");
        let stdin = child.stdin.take().expect("a pipe");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { child, stdin, lines }
    }

    async fn line(&mut self) -> String {
        let line = timeout(STUCK, self.lines.next_line()).await.expect("not stuck");
        line.expect("text").expect("a line before its end")
    }

    async fn go_on(&mut self) {
        self.stdin.write_all(b"\n").await.expect("it waits");
    }

    async fn done(mut self) {
        assert_eq!(self.line().await, "done");
        assert!(self.child.wait().await.expect("a status").success());
    }
}

/// True when libzmq is available; otherwise reports the skipped test.
async fn has_libzmq(test: &str) -> bool {
    let import = Command::new("python3").args(["-c", "import zmq"]).stderr(Stdio::null()).status();
    let found = import.await.is_ok_and(|status| status.success());
    if !found {
        // Not eprintln: the test harness would capture it.
        let _ = writeln!(std::io::stderr(), "SKIPPED {test}: python3 with pyzmq is not installed");
    }
    found
}

async fn listen() -> (Listener, String) {
    let any = ([127, 0, 0, 1], 0).into();
    let listener = Listener::bind(any, ListenLimits::default()).await.expect("a port");
    let address = format!("tcp://{}", listener.local_addr());
    (listener, address)
}

async fn receive(listener: &mut Listener) -> Bytes {
    let received = timeout(STUCK, listener.recv()).await.expect("not stuck");
    received.expect("a message").bytes
}

/// A free port; it is unlikely to be taken before it is bound again.
async fn free_address() -> SocketAddr {
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    socket.local_addr().expect("an address")
}

fn patient() -> PoolLimits {
    PoolLimits {
        connect_timeout: STUCK,
        handshake_timeout: STUCK,
        send_timeout: STUCK,
        linger: STUCK,
        ..PoolLimits::default()
    }
}

#[tokio::test]
async fn messages_of_all_sizes_come_in_from_libzmq_in_order() {
    if !has_libzmq("burst in").await {
        return;
    }
    let (mut listener, address) = listen().await;
    let peer = Peer::start("push.py", &["burst", &address, "2000"]);
    for index in 0..2000 {
        let size = if index % 100 == 99 { 300_000 } else { index % 700 };
        let message = receive(&mut listener).await;
        let number = format!("{index}:");
        assert!(message.starts_with(number.as_bytes()) && message.len() == number.len() + size);
    }
    peer.done().await;
    assert_eq!(listener.stats().accepted, 1);
}

#[tokio::test]
async fn a_thousand_short_connections_of_libzmq_lose_nothing() {
    if !has_libzmq("short in").await {
        return;
    }
    let (mut listener, address) = listen().await;
    let peer = Peer::start("push.py", &["short", &address, "1000"]);
    let mut seen = vec![false; 1000];
    for _ in 0..1000 {
        let message = receive(&mut listener).await;
        let index: usize = std::str::from_utf8(&message).expect("text").parse().expect("a number");
        assert!(!std::mem::replace(&mut seen[index], true), "{index} twice");
    }
    peer.done().await;
}

#[tokio::test]
async fn libzmq_finds_a_restarted_listener() {
    if !has_libzmq("restart in").await {
        return;
    }
    let (mut first, address) = listen().await;
    let mut peer = Peer::start("push.py", &["restart", &address]);
    assert_eq!(peer.line().await, "sent");
    assert_eq!(receive(&mut first).await, "before");
    let local_addr = first.local_addr();
    first.close().await;
    let mut second = Listener::bind(local_addr, ListenLimits::default()).await.expect("the port");
    // As with any listener, libzmq's messages from before it detects the end are lost.
    while second.stats().accepted == 0 {
        tokio::task::yield_now().await;
    }
    peer.go_on().await;
    assert_eq!(receive(&mut second).await, "after");
    peer.done().await;
}

#[tokio::test]
async fn a_late_listener_gets_what_libzmq_held_back() {
    if !has_libzmq("late in").await {
        return;
    }
    let local_addr = free_address().await;
    let peer = Peer::start("push.py", &["burst", &format!("tcp://{local_addr}"), "50"]);
    let mut listener = Listener::bind(local_addr, ListenLimits::default()).await.expect("the port");
    for _ in 0..50 {
        receive(&mut listener).await;
    }
    peer.done().await;
}

#[tokio::test]
async fn oddities_of_libzmq_do_no_harm() {
    if !has_libzmq("odd in").await {
        return;
    }
    let (mut listener, address) = listen().await;
    let mut peer = Peer::start("push.py", &["odd", &address]);
    assert_eq!(receive(&mut listener).await, "");
    assert_eq!(peer.line().await, "sent");
    Peer::start("push.py", &["wrong", &address]).done().await;
    peer.go_on().await;
    assert_eq!(receive(&mut listener).await, "end");
    peer.done().await;
    let stats = listener.stats();
    assert_eq!(stats.multipart, 1);
    assert!(stats.protocol_errors >= 1, "a SUB socket tries again and again");
}

#[tokio::test]
async fn messages_of_all_sizes_go_out_to_libzmq_in_order() {
    if !has_libzmq("burst out").await {
        return;
    }
    let mut peer = Peer::start("pull.py", &["show", "tcp://127.0.0.1:*", "1001"]);
    let to = bound(&mut peer).await;
    let (mut pool, mut reports) = Pool::new(patient());
    let messages: Vec<_> = (0..1000)
        .map(|index| {
            let size = if index % 100 == 99 { 300_000 } else { index % 700 };
            Bytes::from(format!("{index}:{}", "x".repeat(size)))
        })
        .collect();
    for batch in messages.chunks(250) {
        pool.send(to, batch.to_vec()).expect("room");
        assert_eq!(reports.recv().await.expect("a report").sent, 250);
    }
    pool.send(to, vec![Bytes::new()]).expect("room");
    for message in &messages {
        let line = peer.line().await;
        let beginning = &message[..message.len().min(20)];
        assert_eq!(line, format!("{} {}", message.len(), String::from_utf8_lossy(beginning)));
    }
    assert_eq!(peer.line().await, "0 ");
    peer.done().await;
    assert_eq!(pool.stats().connects, 1);
}

#[tokio::test]
async fn a_thousand_short_connections_to_libzmq_lose_nothing() {
    if !has_libzmq("short out").await {
        return;
    }
    let mut peer = Peer::start("pull.py", &["count", "tcp://127.0.0.1:*", "5000"]);
    let to = bound(&mut peer).await;
    for _ in 0..1000 {
        let (mut pool, _reports) = Pool::new(patient());
        pool.send(to, vec![Bytes::from_static(b"rumor"); 5]).expect("room");
        pool.close().await;
    }
    assert_eq!(peer.line().await, "25000");
    peer.done().await;
}

#[tokio::test]
async fn a_restarted_libzmq_gets_the_next_batch() {
    if !has_libzmq("restart out").await {
        return;
    }
    let address = format!("tcp://{}", free_address().await);
    let (mut pool, mut reports) = Pool::new(patient());
    let mut to = None;
    for round in ["first", "second", "third"] {
        let mut peer = Peer::start("pull.py", &["show", &address, "1"]);
        let to = *to.get_or_insert(bound(&mut peer).await);
        pool.send(to, vec![Bytes::from_static(round.as_bytes())]).expect("room");
        let report = reports.recv().await.expect("a report");
        assert!(report.error.is_none(), "{:?}", report.error);
        assert_eq!(peer.line().await, format!("{} {round}", round.len()));
        peer.done().await;
    }
    assert_eq!(pool.stats().connects, 3);
}

#[tokio::test]
async fn a_late_libzmq_is_reached_once_it_is_there() {
    if !has_libzmq("late out").await {
        return;
    }
    let to = free_address().await;
    let mut peer = Peer::start("pull.py", &["late", &format!("tcp://{to}"), "1"]);
    let (mut pool, mut reports) = Pool::new(patient());
    pool.send(to, vec![Bytes::from_static(b"early")]).expect("room");
    let error = reports.recv().await.expect("a report").error.expect("nothing listens");
    assert_eq!(error.step, Step::Connect);
    peer.go_on().await;
    assert_eq!(bound(&mut peer).await, to);
    pool.send(to, vec![Bytes::from_static(b"again")]).expect("room");
    assert_eq!(peer.line().await, "5 again");
    peer.done().await;
}

#[tokio::test]
async fn heartbeats_of_libzmq_keep_a_quiet_connection_alive() {
    if !has_libzmq("heartbeat out").await {
        return;
    }
    let mut peer = Peer::start("pull.py", &["heartbeat", "tcp://127.0.0.1:*", "2"]);
    let to = bound(&mut peer).await;
    let (mut pool, _reports) = Pool::new(patient());
    for text in ["one", "two"] {
        pool.send(to, vec![Bytes::from(text)]).expect("room");
        assert_eq!(peer.line().await, format!("3 {text}"));
    }
    assert_eq!(pool.stats().connects, 1);
    peer.go_on().await;
    peer.done().await;
}

/// The endpoint that a PULL peer reports.
async fn bound(peer: &mut Peer) -> SocketAddr {
    let line = peer.line().await;
    line.strip_prefix("bound tcp://").expect("an endpoint").parse().expect("an address")
}
