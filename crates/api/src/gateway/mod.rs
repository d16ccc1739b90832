//! From a request to its answer (reference: http-api §3 to §6 and §15).

mod answering;
mod first;
pub(crate) mod shared;
mod waiting;

use std::sync::Arc;

use roost_access::Rules;
use tokio::{
    net::{TcpListener, UnixListener},
    sync::{Mutex, Semaphore, watch},
};
use tokio_util::sync::CancellationToken;

use self::shared::Shared;
use crate::{
    admission::{Admission, Denials},
    limits::{self, Limits},
    live::Live,
    metrics::{GatewayMetrics, MetricsSource},
    page::Pages,
    serve,
    snapshot::Snapshot,
    socket::Listener,
    tls::TlsConfig,
    token::Token,
};

/// How the gateway is set up. Read once, at start.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// The token of Habitat. Without it and without `rules` the API is open.
    pub token: Option<Token>,
    /// What other tokens and certificates of clients may read.
    pub rules: Option<watch::Receiver<Arc<Rules>>>,
    /// Hides `/census` and `/butterfly`. The other half of redaction is that the Supervisor
    /// hands in services without `cfg`.
    pub redact: bool,
    /// Probes are answered without the token.
    pub probes_public: bool,
    /// Version of the Supervisor, shown on the pages for browsers.
    pub version: String,
    /// Bounds on clients.
    pub limits: Limits,
    /// Certificates; `None` is plain HTTP.
    pub tls: Option<TlsConfig>,
}

/// The HTTP API of one Supervisor.
///
/// A gateway answers GET and HEAD requests from the newest [`Snapshot`] in a `watch` channel and
/// from a registry of metrics. It decides nothing and changes nothing: the
/// publisher of the snapshot decides the content of each document.
///
/// # Order of calls
///
/// 1. [`bind`](crate::bind) takes the port. From then on clients can connect, and wait.
/// 2. [`Gateway::new`] registers the gateway's own metrics. A registry holds those of one gateway:
///    a second one with the same registry is an error.
/// 3. [`Gateway::serve`] takes the gateway and the listener. While the channel holds `None`,
///    requests for documents get 503 with `retry-after`; `/`, `/metrics` and the OpenAPI
///    description are available.
/// 4. Each `send_replace(Some(snapshot))` replaces all documents at once. A request that has begun
///    finishes with the snapshot that it began with, so that one answer never mixes two moments.
///    Numbers of snapshots rise; metrics of services that a later one lacks are dropped.
/// 5. Cancelling the token ends `serve`.
///
/// Several listeners need several gateways with a registry each. The sender of the channel may be
/// dropped: the last snapshot stays.
///
/// # Time and memory
///
/// A document is rendered at most once per snapshot and format, by the first request for it, on
/// the thread of that request; every other answer shares the bytes. What did not change between two
/// snapshots keeps its bytes. A request takes no lock that the publisher waits for, and publishing
/// waits for no client.
///
/// Clients cost bounded memory and time, whatever they send ([`Limits`]): the number of
/// connections, the size of a request head, the time for a head, for a handshake and for taking an
/// answer are limited, and answers together hold at most 64 MiB until their clients have read them.
/// When a limit is hit, the connection is closed and counted; the oldest one leaves first.
///
/// # Errors
///
/// After the start nothing is returned as an error: `serve` ends only by its token. A request is
/// refused with a status, in this order: 400 for a path that is not ASCII, 401 (or 429 for a client
/// that guesses tokens), 404 for an unknown or redacted path, 403, 405, then 503, 400 or 404 by
/// what the snapshot holds. Refusals have no body, except 403 and those below `/v1/`, which are
/// problem documents with a stable `code`.
///
/// # Example
///
/// ```
/// use roost_api::{
///     Gateway, GatewayConfig, Limits, MetricsSource, NotLive, Snapshot, bind,
/// };
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = bind("127.0.0.1:0".parse()?)?;
/// let address = listener.local_addr()?;
/// let (publish, snapshots) = tokio::sync::watch::channel(None);
/// let config = GatewayConfig {
///     token: None,
///     rules: None,
///     redact: false,
///     probes_public: false,
///     version: "2.1.78".into(),
///     limits: Limits::default(),
///     tls: None,
/// };
/// let source = MetricsSource::new(prometheus::Registry::new());
/// let gateway = Gateway::new(config, snapshots, source, std::sync::Arc::new(NotLive))?;
/// let shutdown = tokio_util::sync::CancellationToken::new();
/// let served = tokio::spawn(gateway.serve(listener, shutdown.clone()));
///
/// let services = async || -> std::io::Result<String> {
///     let mut connection = tokio::net::TcpStream::connect(address).await?;
///     connection.write_all(b"GET /services HTTP/1.1\r\nconnection: close\r\n\r\n").await?;
///     let mut answer = String::new();
///     connection.read_to_string(&mut answer).await?;
///     Ok(answer)
/// };
/// assert!(services().await?.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
///
/// publish.send_replace(Some(Snapshot::empty(1, "a member id").into()));
/// let answer = services().await?;
/// assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
/// assert!(answer.ends_with("\r\n\r\n[]"));
///
/// shutdown.cancel();
/// served.await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Gateway {
    shared: Arc<Shared>,
    limits: Limits,
    tls: Option<TlsConfig>,
}

impl Gateway {
    /// Sets the API up. While `snapshots` holds `None` the Supervisor counts as not fully
    /// started, and its documents are answered with 503. `live` makes what is not in a snapshot.
    ///
    /// # Errors
    /// When the registry already has metrics of these names (reference: http-api §14).
    pub fn new(
        config: GatewayConfig,
        snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
        source: MetricsSource,
        live: Arc<dyn Live>,
    ) -> Result<Self, prometheus::Error> {
        let metrics = GatewayMetrics::register(source.registry())?;
        let admission =
            Admission::new(config.token, config.rules, config.probes_public, config.redact);
        if admission.can_deny() {
            metrics.show_denials();
        }
        let shared = Shared {
            admission,
            denials: Denials::default(),
            redact: config.redact,
            snapshots,
            pages: Pages::new(&config.version, config.redact, source),
            metrics,
            held: Arc::default(),
            live,
            live_permits: Semaphore::new(limits::LIVE_AT_ONCE),
            waiting: Arc::new(Semaphore::new(config.limits.waiting)),
            watchers: Arc::default(),
            following: Mutex::default(),
        };
        Ok(Self { shared: Arc::new(shared), limits: config.limits, tls: config.tls })
    }

    /// Answers requests until `shutdown` is cancelled; then takes no new connections, lets open
    /// requests end within the limit, and returns.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) {
        let listener = Listener::Port(listener);
        serve::run(self.shared, listener, self.limits, self.tls, shutdown).await;
    }

    /// Answers the same requests on a socket in the file system, without TLS. Root and the user of
    /// this process may read everything without a token; the mode of the socket decides whether
    /// others can connect, and they need a token as at the port. Its connections have a limit of
    /// their own, so that a flood at the port does not lock out the tools of this machine.
    pub fn serve_local(
        &self,
        listener: UnixListener,
        shutdown: CancellationToken,
    ) -> impl Future<Output = ()> + Send + use<> {
        let limits = Limits { connections: limits::LOCAL_CONNECTIONS, ..self.limits.clone() };
        serve::run(Arc::clone(&self.shared), Listener::Local(listener), limits, None, shutdown)
    }
}
