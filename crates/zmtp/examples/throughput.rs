//! Measures listener and pool on loopback: messages per second over one connection, short
//! connections per second, memory after them.
//!
//! ```sh
//! cargo run --release -p roost-zmtp --features tokio --example throughput
//! # the same with libzmq as the other side (needs pyzmq):
//! python3 crates/zmtp/tests/peers/pull.py count tcp://127.0.0.1:7001 500000 &
//! cargo run --release -p roost-zmtp --features tokio --example throughput -- \
//!     send 127.0.0.1:7001
//! cargo run --release -p roost-zmtp --features tokio --example throughput -- \
//!     receive 127.0.0.1:7002 &
//! python3 crates/zmtp/tests/peers/push.py flood tcp://127.0.0.1:7002 500000 200
//! ```

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "it measures sockets and prints"
)]

use std::{env, net::SocketAddr, time::Instant};

use bytes::Bytes;
use roost_zmtp::{ListenLimits, Listener, Pool, PoolLimits};

const MESSAGES: usize = 500_000;
const MESSAGE_BYTES: usize = 200;
const BATCH: usize = 5_000;
const SHORT_CONNECTIONS: usize = 3_000;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => both().await,
        ["send", to] => send(to.parse()?).await,
        ["receive", at] => {
            receive(Listener::bind(at.parse()?, ListenLimits::default()).await?).await
        }
        _ => Err("usage: throughput [send ADDRESS | receive ADDRESS]".into()),
    }
}

async fn both() -> Result<()> {
    let listener = Listener::bind("127.0.0.1:0".parse()?, ListenLimits::default()).await?;
    let to = listener.local_addr();
    let receiver = tokio::spawn(async move { receive(listener).await.map_err(|e| e.to_string()) });
    send(to).await?;
    receiver.await??;

    let mut listener = Listener::bind("127.0.0.1:0".parse()?, ListenLimits::default()).await?;
    let start = Instant::now();
    for _ in 0..SHORT_CONNECTIONS {
        let (mut pool, _reports) = Pool::new(PoolLimits::default());
        pool.send(listener.local_addr(), vec![Bytes::from_static(b"rumor"); 5])?;
        tokio::join!(pool.close(), async {
            for _ in 0..5 {
                listener.recv().await;
            }
        });
    }
    println!("{} short connections/s", per_second(SHORT_CONNECTIONS, start));
    println!("{} kB resident at the end", resident_kb().unwrap_or_default());
    Ok(())
}

async fn send(to: SocketAddr) -> Result<()> {
    let (mut pool, mut reports) = Pool::new(PoolLimits::default());
    let message = Bytes::from(vec![7; MESSAGE_BYTES]);
    let start = Instant::now();
    for _ in 0..MESSAGES / BATCH {
        pool.send(to, vec![message.clone(); BATCH])?;
        if let Some(error) = reports.recv().await.and_then(|report| report.error) {
            return Err(error.into());
        }
    }
    pool.close().await;
    println!("{} messages/s sent", per_second(MESSAGES, start));
    Ok(())
}

async fn receive(mut listener: Listener) -> Result<()> {
    listener.recv().await.ok_or("closed")?;
    let start = Instant::now();
    for _ in 1..MESSAGES {
        listener.recv().await.ok_or("closed")?;
    }
    println!("{} messages/s received", per_second(MESSAGES, start));
    Ok(())
}

fn per_second(count: usize, start: Instant) -> u64 {
    (count as f64 / start.elapsed().as_secs_f64()) as u64
}

fn resident_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
