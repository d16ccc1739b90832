//! Behaviour of a process without free file descriptors. In a separate file, because the limit
//! applies to the whole process.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "sockets are what it tests"
)]

use std::{fs::File, time::Duration};

use bytes::Bytes;
use roost_zmtp::{ListenLimits, Listener, Pool, PoolLimits, Step};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::{io::AsyncWriteExt, net::TcpStream, task::yield_now};

fn take_all() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

#[tokio::test]
async fn without_descriptors_listener_and_pool_wait_and_recover() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = Some(100);
    setrlimit(Resource::Nofile, limit).expect("a lower limit");

    let any = ([127, 0, 0, 1], 0).into();
    let mut listener = Listener::bind(any, ListenLimits::default()).await.expect("a port");
    let other = Listener::bind(any, ListenLimits::default()).await.expect("a port");
    let long = Duration::from_secs(60);
    let limits =
        PoolLimits { connect_timeout: long, handshake_timeout: long, ..PoolLimits::default() };
    let (mut pool, mut reports) = Pool::new(limits);
    pool.send(other.local_addr(), vec![Bytes::from_static(b"kept")]).expect("room");
    assert!(reports.recv().await.expect("a report").error.is_none());

    // The client gets the last descriptor, so that none is left to accept it.
    let mut files = take_all();
    files.pop();
    let mut client = TcpStream::connect(listener.local_addr()).await.expect("a connection");
    while listener.stats().accept_errors == 0 {
        yield_now().await;
    }

    // The pool reports the error, and closes the idle connection.
    pool.send(listener.local_addr(), vec![Bytes::from_static(b"x")]).expect("room");
    let error = reports.recv().await.expect("a report").error.expect("no descriptor");
    assert_eq!((error.step, error.step.as_str()), (Step::Create, "socket_create"));
    while pool.stats().open > 0 {
        yield_now().await;
    }

    drop(files);
    let hello = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL";
    let ready = b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PUSH\0\x05hello";
    client.write_all(&[&hello[..], &[0; 48], ready].concat()).await.expect("written");
    assert_eq!(listener.recv().await.expect("a message").bytes, "hello");
    pool.send(listener.local_addr(), vec![Bytes::from_static(b"x")]).expect("room");
    assert_eq!(listener.recv().await.expect("a message").bytes, "x");
}
