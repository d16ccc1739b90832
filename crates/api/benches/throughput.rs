//! Requests per second over loopback, keep-alive, of the gateway and of the same HTTP library
//! that answers constant bytes of the same size with the same headers. Prints both and their
//! ratio.
//!
//! `cargo bench -p roost-api`, or with the seconds each measurement takes:
//! `cargo bench -p roost-api -- 5`. Rounds alternate, and the better half of each side counts,
//! so that other work on the machine disturbs less.

#![allow(clippy::unwrap_used, reason = "a benchmark ends when something is wrong")]

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderValue, Response};
use http_body_util::Full;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use roost_api::{
    Gateway, GatewayConfig, Limits, MetricsSource, NotLive, ServiceEntry, Snapshot, bind,
    documents::{Census, HealthDocument, ServiceDocument},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

const CONNECTIONS: usize = 8;
const ROUNDS: usize = 8;

#[tokio::main]
async fn main() {
    let seconds = std::env::args().filter_map(|word| word.parse::<f64>().ok()).next_back();
    let round = Duration::from_secs_f64(seconds.unwrap_or(4.0) / ROUNDS as f64);
    let gateway = start_gateway().await;
    println!("{:<26}{:>10}{:>14}{:>14}{:>8}", "", "bytes", "gateway/s", "constant/s", "ratio");
    for path in ["/services", "/services/web0/default", "/services/web0/default/health", "/census"]
    {
        let size = fetch_size(gateway, path).await;
        let constant = start_constant(size).await;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(measure(gateway, path, round).await);
            theirs.push(measure(constant, path, round).await);
        }
        let (ours, theirs) = (better_half(ours), better_half(theirs));
        println!("{path:<26}{size:>10}{ours:>14.0}{theirs:>14.0}{:>8.2}", ours / theirs);
    }
}

fn better_half(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    let best = &rates[rates.len() / 2..];
    best.iter().sum::<f64>() / best.len() as f64
}

/// A gateway with 50 services.
async fn start_gateway() -> SocketAddr {
    let fixture: serde_json::Value = serde_json::from_slice(include_bytes!(
        "../tests/fixtures/http/10-redact/006-services-web-default.json"
    ))
    .unwrap();
    let text = fixture["response"]["body"].as_str().unwrap();
    let text = text.replace("${PID_1}", "4001");
    let (before, rest) = text.split_once("${TIME+").unwrap();
    let text = format!("{before}1740830400{}", rest.split_once('}').unwrap().1);
    let entries = (0..50).map(|number| {
        let text = text.replace("web.default", &format!("web{number}.default"));
        let service: ServiceDocument = serde_json::from_str(&text).unwrap();
        let health = HealthDocument { stdout: "fine\n".into(), ..HealthDocument::default() };
        Arc::new(ServiceEntry::new(service, health))
    });
    let census: serde_json::Value = serde_json::from_slice(include_bytes!(
        "../tests/fixtures/http/07-leader-ring/005-census-elected-sup1.json"
    ))
    .unwrap();
    let census: Census =
        serde_json::from_str(census["response"]["body"].as_str().unwrap()).unwrap();
    let rumors = Arc::clone(Snapshot::empty(1, "m").butterfly());
    let snapshot = Snapshot::new(1, entries.collect(), Arc::new(census.into()), rumors);
    let (publish, snapshots) = watch::channel(Some(Arc::new(snapshot)));
    let config = GatewayConfig {
        token: None,
        rules: None,
        redact: false,
        probes_public: false,
        version: "2.1.78".into(),
        limits: Limits::default(),
        tls: None,
    };
    let source = MetricsSource::new(prometheus::Registry::new());
    let gateway = Gateway::new(config, snapshots, source, Arc::new(NotLive)).unwrap();
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        gateway.serve(listener, tokio_util::sync::CancellationToken::new()).await;
        drop(publish);
    });
    address
}

/// The same library, answering the same bytes to everything.
async fn start_constant(size: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let body = Bytes::from(vec![b'x'; size]);
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            tcp.set_nodelay(true).unwrap();
            let body = body.clone();
            let length = HeaderValue::from(size);
            let service = service_fn(move |_| {
                let mut response = Response::new(Full::new(body.clone()));
                let headers = response.headers_mut();
                headers.insert("content-length", length.clone());
                headers.insert("content-type", HeaderValue::from_static("application/json"));
                async move { Ok::<_, Infallible>(response) }
            });
            tokio::spawn(
                http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(Duration::from_secs(5))
                    .serve_connection(TokioIo::new(tcp), service),
            );
        }
    });
    address
}

async fn fetch_size(address: SocketAddr, path: &str) -> usize {
    let mut client = Client::connect(address, path).await;
    client.ask().await
}

/// Requests per second that all clients together get answered.
async fn measure(address: SocketAddr, path: &str, round: Duration) -> f64 {
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut client = Client::connect(address, path).await;
        tasks.push(tokio::spawn(async move {
            let mut count = 0_u64;
            while begun.elapsed() < round {
                client.ask().await;
                count += 1;
            }
            count
        }));
    }
    let mut total = 0;
    for task in tasks {
        total += task.await.unwrap();
    }
    total as f64 / begun.elapsed().as_secs_f64()
}

/// A client that does as little as it can: most of the time measured is the server's.
struct Client {
    stream: TcpStream,
    request: String,
    buffer: Vec<u8>,
}

impl Client {
    async fn connect(address: SocketAddr, path: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\n\r\n");
        Self { stream, request, buffer: vec![0; 256 * 1024] }
    }

    /// Sends a request and reads its answer; gives the length of the body.
    async fn ask(&mut self) -> usize {
        self.stream.write_all(self.request.as_bytes()).await.unwrap();
        let mut filled = 0;
        let (head, length) = loop {
            let read = self.stream.read(&mut self.buffer[filled..]).await.unwrap();
            assert!(read > 0, "the server closed the connection");
            filled += read;
            let Some(end) = self.buffer[..filled].windows(4).position(|it| it == b"\r\n\r\n")
            else {
                continue;
            };
            let head = std::str::from_utf8(&self.buffer[..end]).unwrap();
            assert!(head.starts_with("HTTP/1.1 200 ") || head.starts_with("HTTP/1.1 500 "));
            let (_, length) = head.split_once("content-length: ").unwrap();
            break (end + 4, length.split("\r\n").next().unwrap().parse::<usize>().unwrap());
        };
        while filled < head + length {
            let read = self.stream.read(&mut self.buffer[filled..]).await.unwrap();
            assert!(read > 0, "the server closed the connection");
            filled += read;
        }
        length
    }
}
