//! Listener and pool: what arrives, and what happens at each limit.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "sockets are what it tests"
)]

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use roost_zmtp::{
    CodecLimits, ListenLimits, ListenStats, Listener, Pool, PoolLimits, Refused, Report, Reports,
    Step, greeting::greeting,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const READY_PUSH: &[u8] = b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PUSH";
const READY_PULL: &[u8] = b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PULL";

async fn listener(limits: ListenLimits) -> Listener {
    Listener::bind(([127, 0, 0, 1], 0).into(), limits).await.expect("a port")
}

fn patient() -> PoolLimits {
    let long = Duration::from_secs(60);
    PoolLimits {
        connect_timeout: long,
        handshake_timeout: long,
        send_timeout: long,
        ..PoolLimits::default()
    }
}

fn messages(texts: &[&'static str]) -> Vec<Bytes> {
    texts.iter().map(|text| Bytes::from_static(text.as_bytes())).collect()
}

async fn report(reports: &mut Reports) -> Report {
    reports.recv().await.expect("a report")
}

/// A hand-written sender after its handshake.
async fn sender(to: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(to).await.expect("a connection");
    stream.write_all(&[&greeting(), READY_PUSH].concat()).await.expect("written");
    let mut answer = vec![0; 64 + READY_PULL.len()];
    stream.read_exact(&mut answer).await.expect("an answer");
    assert!(answer.ends_with(READY_PULL));
    stream
}

/// Waits until the other side has ended the connection.
async fn ended(mut stream: TcpStream) {
    let mut rest = Vec::new();
    // Reset or end of file: both are an end.
    let _ = stream.read_to_end(&mut rest).await;
}

/// Lets other tasks run until the statistics match.
async fn until(listener: &Listener, wanted: impl Fn(ListenStats) -> bool) {
    while !wanted(listener.stats()) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn batches_arrive_in_order_over_one_connection() {
    let mut listener = listener(ListenLimits::default()).await;
    let (mut pool, mut reports) = Pool::new(patient());
    let to = listener.local_addr();
    let long = Bytes::from(vec![7; 3_000_000]);
    let mut sent = Vec::new();
    for batch in [messages(&["a", "", "b"]), vec![long.clone()], messages(&["c"])] {
        sent.extend(batch.clone());
        let count = batch.len();
        let id = pool.send(to, batch).expect("room");
        let report = report(&mut reports).await;
        assert_eq!((report.batch, report.to, report.sent), (id, to, count));
        assert!(report.error.is_none(), "{:?}", report.error);
    }
    for expected in sent {
        assert_eq!(listener.recv().await.expect("a message").bytes, expected);
    }
    let stats = pool.stats();
    assert_eq!((stats.connects, stats.reused, stats.messages, stats.failed), (1, 2, 5, 0));
    assert_eq!(stats.message_bytes, 3 + 3_000_000);
    let stats = listener.stats();
    assert_eq!((stats.accepted, stats.messages, stats.open), (1, 5, 1));
    pool.close().await;
    until(&listener, |stats| stats.open == 0).await;
    assert!(reports.recv().await.is_none());
}

#[tokio::test]
async fn close_sends_what_is_queued() {
    let mut listener = listener(ListenLimits::default()).await;
    let limits = PoolLimits { linger: Duration::from_secs(60), ..patient() };
    let (mut pool, _reports) = Pool::new(limits);
    for _ in 0..10 {
        pool.send(listener.local_addr(), messages(&["x"; 100])).expect("room");
    }
    tokio::join!(pool.close(), async {
        for _ in 0..1000 {
            listener.recv().await.expect("a message");
        }
    });
    assert!(listener.try_recv().is_none());
}

#[tokio::test]
async fn a_restarted_listener_gets_the_next_batch() {
    let mut first = listener(ListenLimits::default()).await;
    let to = first.local_addr();
    let (mut pool, mut reports) = Pool::new(patient());
    pool.send(to, messages(&["one"])).expect("room");
    assert_eq!(report(&mut reports).await.sent, 1);
    assert_eq!(first.recv().await.expect("a message").bytes, "one");
    first.close().await;

    // Down: refused, by the connection that is gone or by the port.
    let down = loop {
        pool.send(to, messages(&["lost"])).expect("room");
        match report(&mut reports).await.error {
            Some(error) => break error,
            None => tokio::task::yield_now().await, // the end has not arrived yet
        }
    };
    assert_eq!(down.step, Step::Connect);
    assert_eq!(down.step.as_str(), "socket_connect");

    let mut second = Listener::bind(to, ListenLimits::default()).await.expect("the port again");
    pool.send(to, messages(&["two"])).expect("room");
    assert_eq!(report(&mut reports).await.sent, 1);
    assert_eq!(second.recv().await.expect("a message").bytes, "two");
}

#[tokio::test]
async fn a_peer_that_hangs_up_while_idle_is_reconnected() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let to = listener.local_addr().expect("an address");
    let (mut pool, mut reports) = Pool::new(patient());
    for _ in 0..3 {
        pool.send(to, messages(&["x"])).expect("room");
        let (mut stream, _) = listener.accept().await.expect("a connection");
        stream.write_all(&[&greeting(), READY_PULL].concat()).await.expect("written");
        let mut bytes = vec![0; 64 + READY_PUSH.len() + 3];
        stream.read_exact(&mut bytes).await.expect("a message");
        assert!(bytes.ends_with(b"\0\x01x"));
        let report = report(&mut reports).await;
        assert!(report.error.is_none(), "{:?}", report.error);
        drop(stream);
        // Its end is in the pool's socket buffer by the time the next batch is looked at.
    }
    assert_eq!(pool.stats().connects, 3);
}

#[tokio::test]
async fn heartbeats_are_answered_while_nothing_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (mut pool, _reports) = Pool::new(patient());
    pool.send(listener.local_addr().expect("an address"), Vec::new()).expect("room");
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let ping = b"\x04\x09\x04PING\0\x0aab";
    stream.write_all(&[&greeting(), READY_PULL, ping].concat()).await.expect("written");
    let mut bytes = vec![0; 64 + READY_PUSH.len() + 9];
    stream.read_exact(&mut bytes).await.expect("an answer");
    assert!(bytes.ends_with(b"\x04\x07\x04PONGab"));
    stream.write_all(ping).await.expect("written");
    let mut bytes = [0; 9];
    stream.read_exact(&mut bytes).await.expect("an answer");
    assert_eq!(&bytes, b"\x04\x07\x04PONGab");
}

#[tokio::test]
async fn each_step_that_fails_has_its_name() {
    let (mut pool, mut reports) = Pool::new(patient());
    // Speaks something else.
    let other = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    pool.send(other.local_addr().expect("an address"), messages(&["x"])).expect("room");
    let (mut stream, _) = other.accept().await.expect("a connection");
    stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("written");
    let failed = report(&mut reports).await;
    let error = failed.error.expect("an error");
    assert_eq!((failed.sent, error.step), (0, Step::Handshake));
    assert_eq!(error.to_string(), "socket_handshake: the peer does not speak ZMTP");
    assert_eq!(pool.stats().failed, 1);
}

#[tokio::test(start_paused = true)]
async fn silent_peers_fail_after_the_time_limit() {
    let limits = PoolLimits { connect_timeout: Duration::from_secs(3600), ..PoolLimits::default() };
    let (mut pool, mut reports) = Pool::new(limits);
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    pool.send(silent.local_addr().expect("an address"), messages(&["x"])).expect("room");
    let error = report(&mut reports).await.error.expect("an error");
    assert_eq!((error.step, error.source.kind()), (Step::Handshake, std::io::ErrorKind::TimedOut));
}

#[tokio::test]
async fn a_peer_that_does_not_read_fails_with_the_number_of_sent_messages() {
    let limits = PoolLimits { send_timeout: Duration::from_millis(50), ..patient() };
    let (mut pool, mut reports) = Pool::new(limits);
    let deaf = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let piece = Bytes::from(vec![0; 100_000]);
    pool.send(deaf.local_addr().expect("an address"), vec![piece; 300]).expect("room");
    let (mut stream, _) = deaf.accept().await.expect("a connection");
    stream.write_all(&[&greeting(), READY_PULL].concat()).await.expect("written");
    let report = report(&mut reports).await;
    let error = report.error.expect("an error");
    assert_eq!((error.step, error.source.kind()), (Step::Send, std::io::ErrorKind::TimedOut));
    assert!(report.sent > 0 && report.sent < 300, "{} sent", report.sent);
}

#[tokio::test]
async fn a_pool_refuses_batches_beyond_its_limits() {
    let limits = PoolLimits {
        peers_max: 1,
        peer_batches_max: 2,
        peer_bytes_max: 10,
        message_bytes_max: 8,
        ..patient()
    };
    let (mut pool, _reports) = Pool::new(limits);
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let to = silent.local_addr().expect("an address");
    let mut send = |to, text| pool.send(to, messages(&[text]));
    assert_eq!(send(to, "123456789"), Err(Refused::MessageTooLong));
    assert!(send(to, "12345").is_ok());
    assert_eq!(send(to, "123456"), Err(Refused::PeerBusy));
    assert!(send(to, "1").is_ok());
    assert_eq!(send(to, "1"), Err(Refused::PeerBusy), "two batches wait");
    assert_eq!(send(([127, 0, 0, 1], 1).into(), "1"), Err(Refused::TooManyPeers));
    assert_eq!(pool.stats().refused, 4);
}

/// Each slow peer stays within its own limit.
#[tokio::test]
async fn slow_peers_do_not_add_up() {
    let (mut pool, _reports) = Pool::new(PoolLimits { bytes_max: 10, ..patient() });
    let mut silent = Vec::new();
    let mut results = Vec::new();
    for _ in 0..3 {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let to = listener.local_addr().expect("an address");
        silent.push(listener);
        results.push(pool.send(to, messages(&["12345"])).map(drop));
    }
    assert_eq!(results, [Ok(()), Ok(()), Err(Refused::PoolBusy)]);
}

#[tokio::test]
async fn sent_batches_no_longer_count_as_queued() {
    let listener = listener(ListenLimits::default()).await;
    let limits = PoolLimits { peer_bytes_max: 10, bytes_max: 10, ..patient() };
    let (mut pool, mut reports) = Pool::new(limits);
    for _ in 0..5 {
        pool.send(listener.local_addr(), messages(&["1234567"])).expect("room");
        assert_eq!(report(&mut reports).await.sent, 1);
    }
}

#[tokio::test]
async fn a_batch_is_sent_again_when_a_kept_connection_breaks() {
    async fn accept(listener: &TcpListener) -> TcpStream {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        stream.write_all(&[&greeting(), READY_PULL].concat()).await.expect("written");
        let mut hello = vec![0; 64 + READY_PUSH.len()];
        stream.read_exact(&mut hello).await.expect("a handshake");
        stream
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let to = listener.local_addr().expect("an address");
    let (mut pool, mut reports) = Pool::new(patient());
    pool.send(to, messages(&["x"])).expect("room");
    let mut first = accept(&listener).await;
    assert_eq!(report(&mut reports).await.sent, 1);
    pool.send(to, vec![Bytes::from(vec![0; 100_000]); 300]).expect("room");
    first.read_exact(&mut vec![0; 100_000]).await.expect("some of the batch");
    drop(first); // far too much is unread: a reset
    let mut second = accept(&listener).await;
    second.read_exact(&mut vec![0; 300 * (100_000 + 9)]).await.expect("all of the batch");
    let report = report(&mut reports).await;
    assert!(report.error.is_none() && report.sent == 300, "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_work_is_closed() {
    let mut listener = listener(ListenLimits::default()).await;
    let long = Duration::from_secs(3600); // the clock runs while sockets are waited for
    let limits = PoolLimits { idle_timeout: Duration::from_secs(36_000), ..patient() };
    let limits =
        PoolLimits { connect_timeout: long, handshake_timeout: long, send_timeout: long, ..limits };
    let (mut pool, mut reports) = Pool::new(limits);
    pool.send(listener.local_addr(), messages(&["x"])).expect("room");
    assert!(report(&mut reports).await.error.is_none());
    assert!(listener.recv().await.is_some());
    until_closed(&pool).await;
}

async fn until_closed(pool: &Pool) {
    while pool.stats().open > 0 {
        tokio::time::sleep(Duration::from_secs(60)).await; // of paused time
    }
}

#[tokio::test(start_paused = true)]
async fn an_unfinished_handshake_is_closed() {
    let listener = listener(ListenLimits::default()).await;
    let silent = TcpStream::connect(listener.local_addr()).await.expect("a connection");
    let mut half = TcpStream::connect(listener.local_addr()).await.expect("a connection");
    half.write_all(&greeting()[..20]).await.expect("written");
    ended(silent).await;
    ended(half).await;
    assert_eq!(listener.stats().handshake_timeouts, 2);
}

#[tokio::test(start_paused = true)]
async fn silent_and_stalled_connections_are_closed() {
    let hour = Duration::from_secs(3600);
    let limits = ListenLimits { handshake_timeout: hour, ..ListenLimits::default() };
    let listener = listener(limits).await;
    ended(sender(listener.local_addr()).await).await;
    assert_eq!((listener.stats().idle, listener.stats().stalled), (1, 0));
    for beginning in [&b"\0\x05ab"[..], b"\0", b"\x01\0", b"\x01\x09x"] {
        let mut stream = sender(listener.local_addr()).await;
        stream.write_all(beginning).await.expect("written");
        ended(stream).await;
    }
    assert_eq!((listener.stats().idle, listener.stats().stalled), (1, 4));
}

#[tokio::test]
async fn too_many_connections_are_refused_and_room_is_released() {
    for (limits, counter) in [
        (
            ListenLimits { connections_max: 2, ..ListenLimits::default() },
            (|stats| stats.refused_total) as fn(ListenStats) -> u64,
        ),
        (ListenLimits { connections_per_address_max: 2, ..ListenLimits::default() }, |stats| {
            stats.refused_address
        }),
    ] {
        let mut listener = listener(limits).await;
        let first = sender(listener.local_addr()).await;
        let _second = sender(listener.local_addr()).await;
        ended(TcpStream::connect(listener.local_addr()).await.expect("a connection")).await;
        assert_eq!(counter(listener.stats()), 1);
        drop(first);
        until(&listener, |stats| stats.open == 1).await;
        let mut third = loop {
            // The place is free a moment after the connection has ended.
            let mut stream = TcpStream::connect(listener.local_addr()).await.expect("connected");
            let hello = [&greeting(), READY_PUSH, b"\0\x01x"].concat();
            let mut answer = vec![0; 64 + READY_PULL.len()];
            if stream.write_all(&hello).await.is_ok()
                && stream.read_exact(&mut answer).await.is_ok()
            {
                break stream;
            }
        };
        assert_eq!(listener.recv().await.expect("a message").bytes, "x");
        third.shutdown().await.expect("shut down");
    }
}

#[tokio::test]
async fn half_open_connections_do_not_take_all_places() {
    let limits = ListenLimits { half_open_max: 1, ..ListenLimits::default() };
    let listener = listener(limits).await;
    let _done = sender(listener.local_addr()).await;
    let silent = TcpStream::connect(listener.local_addr()).await.expect("a connection");
    until(&listener, |stats| stats.open == 2).await;
    ended(TcpStream::connect(listener.local_addr()).await.expect("a connection")).await;
    assert_eq!(listener.stats().refused_half_open, 1);
    drop(silent);
    until(&listener, |stats| stats.open == 1).await;
    let _next = sender(listener.local_addr()).await;
}

#[tokio::test]
async fn garbage_and_too_long_frames_end_only_their_own_connection() {
    let mut listener = listener(ListenLimits::default()).await;
    let mut honest = sender(listener.local_addr()).await;
    let mut garbage = TcpStream::connect(listener.local_addr()).await.expect("a connection");
    garbage.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("written");
    ended(garbage).await;
    let mut huge = sender(listener.local_addr()).await;
    huge.write_all(b"\x02\x00\x00\x01\x00\x00\x00\x00\x00").await.expect("written");
    ended(huge).await;
    honest.write_all(b"\x01\x01x\0\x01y\0\x02ok").await.expect("written");
    assert_eq!(listener.recv().await.expect("a message").bytes, "ok");
    let stats = listener.stats();
    assert_eq!((stats.protocol_errors, stats.too_long, stats.multipart), (1, 1, 1));
}

#[tokio::test]
async fn long_messages_wait_for_room_and_short_ones_do_not() {
    let limits = ListenLimits { long_bytes_max: 1_000_000, ..ListenLimits::default() };
    let mut listener = listener(limits).await;
    let long = |byte| {
        let mut frame = vec![2];
        frame.extend(600_000_u64.to_be_bytes());
        frame.extend(vec![byte; 600_000]);
        frame
    };
    let mut first = sender(listener.local_addr()).await;
    first.write_all(&long(1)).await.expect("written");
    let held = listener.recv().await.expect("a message");
    assert_eq!(held.bytes.len(), 600_000);

    let mut second = sender(listener.local_addr()).await;
    let write = tokio::spawn(async move {
        let written = second.write_all(&long(2)).await;
        (second, written)
    });
    let mut third = sender(listener.local_addr()).await;
    third.write_all(b"\0\x05short").await.expect("written");
    assert_eq!(listener.recv().await.expect("a message").bytes, "short");
    drop(held);
    assert_eq!(listener.recv().await.expect("a message").bytes, vec![2; 600_000]);
    write.await.expect("no panic").1.expect("written");

    let mut fourth = sender(listener.local_addr()).await;
    fourth.write_all(b"\x02\0\0\0\0\0\x10\0\0").await.expect("written");
    ended(fourth).await;
    assert_eq!(listener.stats().no_memory, 1, "more than there ever is");
}

#[tokio::test]
async fn a_full_queue_makes_senders_wait_and_loses_nothing() {
    let limits = ListenLimits { queue_messages_max: 1, ..ListenLimits::default() };
    let mut listener = listener(limits).await;
    let (mut pool, mut reports) = Pool::new(patient());
    pool.send(listener.local_addr(), messages(&["x"; 500])).expect("room");
    assert_eq!(report(&mut reports).await.sent, 500);
    for _ in 0..500 {
        assert!(listener.recv().await.is_some());
    }
}

#[tokio::test]
async fn frame_limits_are_configurable() {
    let codec = CodecLimits { frame_bytes_max: 4, message_bytes_max: 4 };
    let mut listener = listener(ListenLimits { codec, ..ListenLimits::default() }).await;
    let mut stream = sender(listener.local_addr()).await;
    stream.write_all(b"\0\x04four\0\x05").await.expect("written");
    ended(stream).await;
    assert_eq!(listener.recv().await.expect("a message").bytes, "four");
    assert_eq!(listener.stats().too_long, 1);
}

#[tokio::test]
async fn a_port_that_was_bound_early_is_used() {
    let early = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let to = early.local_addr().expect("an address");
    let mut listener = Listener::from_std(early, ListenLimits::default()).expect("a listener");
    assert_eq!(listener.local_addr(), to);
    sender(to).await.write_all(b"\0\x01x").await.expect("written");
    let received = listener.recv().await.expect("a message");
    assert_eq!((received.bytes, received.peer.ip()), ("x".into(), to.ip()));
}
