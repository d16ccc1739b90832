//! Requests to the monitoring API. Paths, `Accept` and the rest can only be tested over a
//! connection, so each input is sent over one, on the loopback device.

use std::{
    cell::RefCell,
    net::{Ipv4Addr, SocketAddr},
    panic,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use roost_api::{Gateway, GatewayConfig, Limits, MetricsSource, NotLive, Snapshot, bind};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    runtime::{Builder, Runtime},
    sync::watch,
};
use tokio_util::sync::CancellationToken;

/// Limit of the response to an input: the documents of an empty Supervisor and the dashboard, for
/// each of the requests that fit into an input.
const ANSWERS_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Time limit of the server.
const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway and the runtime that it shares with its client.
struct Server {
    runtime: Runtime,
    address: SocketAddr,
    /// Counts connections, to give each its own source address: one address has too few ports for a
    /// long run.
    connections: u32,
    _publish: watch::Sender<Option<Arc<Snapshot>>>,
}

/// The runtime catches panics of its tasks; this records that there was one.
static PANICKED: AtomicBool = AtomicBool::new(false);

thread_local! {
    static SERVER: RefCell<Server> = RefCell::new(Server::start());
}

impl Server {
    fn start() -> Self {
        let earlier = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICKED.store(true, SeqCst);
            earlier(info);
        }));
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (publish, snapshots) = watch::channel(Some(Snapshot::empty(1, "me").into()));
        let config = GatewayConfig {
            token: None,
            rules: None,
            redact: false,
            probes_public: false,
            version: "0".into(),
            limits: Limits::default(),
            tls: None,
        };
        let source = MetricsSource::new(prometheus::Registry::new());
        let gateway =
            Gateway::new(config, snapshots, source, Arc::new(NotLive)).expect("a fresh registry");
        let address = runtime.block_on(async {
            let listener = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
            let address = listener.local_addr().expect("it is bound");
            tokio::spawn(gateway.serve(listener, CancellationToken::new()));
            address
        });
        Self { runtime, address, connections: 0, _publish: publish }
    }

    fn send(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.connections = (self.connections + 1) % 0xff_ff00;
        let source = Ipv4Addr::from(u32::from(Ipv4Addr::LOCALHOST) + self.connections);
        let address = self.address;
        let exchange = async {
            let mut stream = connect(source, address).await;
            // The server may stop reading early and report an error; only its response counts.
            let _ = stream.write_all(bytes).await;
            let _ = stream.shutdown().await;
            let mut answer = Vec::new();
            let _ = stream.take(ANSWERS_BYTES_MAX).read_to_end(&mut answer).await;
            answer
        };
        let in_time = async { tokio::time::timeout(PATIENCE, exchange).await };
        self.runtime.block_on(in_time).expect("the server answers or closes")
    }
}

async fn connect(source: Ipv4Addr, address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((source, 0).into()).expect("any loopback address is ours");
    socket.connect(address).await.expect("the server listens")
}

/// Sends the first line of the input as the path of a request, and the further lines as its
/// headers; then all of it unchanged.
pub fn request(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (path, headers) = data.split_at(end);
    let mut formed = b"GET ".to_vec();
    formed.extend(path.iter().filter(|byte| byte.is_ascii_graphic()));
    formed.extend(b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
    let headers = headers.get(1..).unwrap_or_default();
    for line in headers.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        formed.extend(line);
        formed.extend(b"\r\n");
    }
    formed.extend(b"\r\n");
    SERVER.with_borrow_mut(|server| {
        for bytes in [&formed, data] {
            let answer = server.send(bytes);
            assert!(!PANICKED.load(SeqCst), "the server panicked");
            assert!((answer.len() as u64) < ANSWERS_BYTES_MAX);
            // The status line has the version of the request.
            let begins = |status: &str| {
                ["HTTP/1.1 ", "HTTP/1.0 "].iter().any(|it| answer.starts_with(it.as_bytes()))
                    && answer.get(9..).is_some_and(|rest| rest.starts_with(status.as_bytes()))
            };
            assert!(answer.is_empty() || begins(""), "{}", answer.escape_ascii());
            assert!(!begins("5"), "{}", answer.escape_ascii());
        }
    });
}
