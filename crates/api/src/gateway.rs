//! From a request to its answer (reference: http-api §3 to §6 and §15).

use std::{fmt, pin::Pin, sync::Arc, task::Poll, time::Instant};

use http::{
    HeaderMap, Method, Request, StatusCode, Version,
    header::{CONNECTION, EXPECT},
    request::Parts,
};
use hyper::body::{Body, Incoming};
use roost_ident::{ServiceGroup, ServiceGroupError};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

use crate::{
    accept::{self, Media},
    answer::{self, Answer, Persistence},
    document::{Format, Rendered},
    held::Held,
    limits::Limits,
    metrics::{Closed, GatewayMetrics, Label, MetricsSource},
    page::Pages,
    path::Route,
    problem,
    resource::{Renderer, ResourceId, Scope},
    serve,
    snapshot::{ServiceEntry, Snapshot},
    tls::TlsConfig,
    token::Token,
};

/// How the gateway is set up. Read once, at start.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// The token that every request must carry; `None` leaves the API open.
    pub token: Option<Token>,
    /// Hides `/census` and `/butterfly`. The other half of redaction is that the Supervisor
    /// hands in services without `cfg`.
    pub redact: bool,
    /// Version of the Supervisor, shown on the start page.
    pub version: String,
    /// Bounds on clients.
    pub limits: Limits,
    /// Certificates; `None` is plain HTTP.
    pub tls: Option<TlsConfig>,
}

/// The HTTP API of one Supervisor.
///
/// A gateway answers GET and HEAD requests from the newest [`Snapshot`] in a `watch` channel and
/// from a registry of metrics. It decides nothing and changes nothing: what a document says is
/// decided by who publishes the snapshot.
///
/// # Order of calls
///
/// 1. [`bind`](crate::bind) takes the port. From then on clients can connect, and wait.
/// 2. [`Gateway::new`] registers the gateway's own metrics. A registry holds those of one gateway:
///    a second one with the same registry is an error.
/// 3. [`Gateway::serve`] takes the gateway and the listener. While the channel holds `None`,
///    requests for documents get 503 with `retry-after`; `/`, `/metrics` and the OpenAPI description
///    are available.
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
/// refused with a status, in this order: 400 for a path that is not ASCII, 401, 404 for an unknown
/// or redacted path, 405, then 503, 400 or 404 by what the snapshot holds. Refusals have no body,
/// except below `/v1/`, where they are problem documents with a stable `code`.
///
/// # Example
///
/// ```
/// use roost_api::{Gateway, GatewayConfig, Limits, MetricsSource, Snapshot, bind};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = bind("127.0.0.1:0".parse()?)?;
/// let address = listener.local_addr()?;
/// let (publish, snapshots) = tokio::sync::watch::channel(None);
/// let config = GatewayConfig {
///     token: None,
///     redact: false,
///     version: "2.1.78".into(),
///     limits: Limits::default(),
///     tls: None,
/// };
/// let source = MetricsSource::new(prometheus::Registry::new());
/// let gateway = Gateway::new(config, snapshots, source)?;
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

/// What every connection needs.
pub(crate) struct Shared {
    token: Option<Token>,
    redact: bool,
    snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    pages: Pages,
    pub(crate) metrics: GatewayMetrics,
    held: Arc<Held>,
}

impl Gateway {
    /// Sets the API up. While `snapshots` holds `None` the Supervisor counts as not fully
    /// started, and its documents are answered with 503.
    ///
    /// # Errors
    /// When the registry already has metrics of these names (reference: http-api §14).
    pub fn new(
        config: GatewayConfig,
        snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
        source: MetricsSource,
    ) -> Result<Self, prometheus::Error> {
        let metrics = GatewayMetrics::register(source.registry())?;
        let shared = Shared {
            token: config.token,
            redact: config.redact,
            snapshots,
            pages: Pages::new(&config.version, source),
            metrics,
            held: Arc::default(),
        };
        Ok(Self { shared: Arc::new(shared), limits: config.limits, tls: config.tls })
    }

    /// Answers requests until `shutdown` is cancelled; then takes no new connections, lets open
    /// requests end within the limit, and returns.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) {
        serve::run(self.shared, listener, self.limits, self.tls, shutdown).await;
    }
}

/// What a request is answered with.
struct Reached<'a> {
    id: ResourceId,
    source: Source<'a>,
}

/// A renderer with what it renders.
enum Source<'a> {
    Page(fn(&Pages, Media) -> Rendered),
    Snapshot(&'a Snapshot, fn(&Snapshot, Format) -> &Rendered),
    Service(&'a ServiceEntry, fn(&ServiceEntry, ResourceId, Format) -> (StatusCode, &Rendered)),
}

/// A status without a document, and what it is counted under.
struct Refusal(StatusCode, Label<'static>);

impl Shared {
    /// Answers one request. Its body is not read. `close` closes the connection when its answer
    /// waits too long while others need the memory.
    pub(crate) async fn respond(
        &self,
        request: Request<Incoming>,
        leaving: bool,
        close: &CancellationToken,
    ) -> Answer {
        let (parts, mut body) = request.into_parts();
        let has_body = !body.is_end_stream();
        let mut answer = self.answer(&parts, persistence(&parts, has_body || leaving));
        answer.body_mut().exchange(|bytes| {
            let (bytes, closed) = self.held.hold(bytes, close);
            for _ in 0..closed {
                self.metrics.count_closed(Closed::Memory);
            }
            bytes
        });
        let expects = parts.version == Version::HTTP_11
            && has_body
            && answer.status() != StatusCode::UNAUTHORIZED
            && parts.headers.get(EXPECT).is_some_and(is_continue);
        if expects {
            // Asking for the body once makes hyper send the interim answer that the client
            // waits for; it does so after this task has yielded.
            std::future::poll_fn(|context| {
                let _ = Pin::new(&mut body).poll_frame(context);
                Poll::Ready(())
            })
            .await;
            tokio::task::yield_now().await;
        }
        answer
    }

    fn answer(&self, parts: &Parts, persistence: Persistence) -> Answer {
        let begun = Instant::now();
        // Habitat's parser refuses raw bytes above 127 in the request line.
        if !parts.uri.path().is_ascii() {
            let bad = StatusCode::BAD_REQUEST;
            return self.refuse(parts, bad, Label::Other, begun, Persistence::Close);
        }
        if self.token.as_ref().is_some_and(|token| !token.admits(&parts.headers)) {
            let refused = StatusCode::UNAUTHORIZED;
            let answer = self.refuse(parts, refused, Label::Unauthorized, begun, persistence);
            return self.ask_token(parts, persistence).unwrap_or(answer);
        }
        let snapshot = self.snapshots.borrow().clone();
        if let Some(snapshot) = &snapshot {
            self.metrics.follow(snapshot);
        }
        let reached = match self.resolve(parts, snapshot.as_deref()) {
            Ok(reached) => reached,
            Err(Refusal(status, label)) => {
                return self.refuse(parts, status, label, begun, persistence);
            }
        };
        let series = self.metrics.series(match &reached.source {
            Source::Service(entry, _) => {
                Label::Service(reached.id, &entry.document().service_group)
            }
            _ => Label::Fixed(reached.id),
        });
        series.begin();
        let mut answer = self.document(&reached, &parts.headers, persistence);
        if parts.method == Method::HEAD {
            answer.body_mut().clear();
        }
        series.end(begun.elapsed());
        answer
    }

    /// The page that asks for the token, where a person would see the start page.
    fn ask_token(&self, parts: &Parts, persistence: Persistence) -> Option<Answer> {
        let is_head = parts.method == Method::HEAD;
        if !(is_head || parts.method == Method::GET) || parts.uri.path() != "/" {
            return None;
        }
        let mut answer = answer::ask_token(self.pages.token(), persistence);
        if is_head {
            answer.body_mut().clear();
        }
        Some(answer)
    }

    fn refuse(
        &self,
        parts: &Parts,
        status: StatusCode,
        label: Label<'_>,
        begun: Instant,
        persistence: Persistence,
    ) -> Answer {
        let series = self.metrics.series(label);
        series.begin();
        series.end(begun.elapsed());
        if !parts.uri.path().starts_with("/v1/") {
            return answer::empty(status, persistence);
        }
        let mut answer = problem::answer(status, persistence);
        if parts.method == Method::HEAD {
            answer.body_mut().clear();
        }
        answer
    }

    /// Finds the requested resource: route, redaction, method, then whether it exists.
    fn resolve<'a>(
        &self,
        parts: &Parts,
        snapshot: Option<&'a Snapshot>,
    ) -> Result<Reached<'a>, Refusal> {
        let refusal = |status| Err(Refusal(status, Label::Other));
        let Some(Route { id, group }) = Route::of(parts.uri.path()) else {
            return refusal(StatusCode::NOT_FOUND);
        };
        let resource = id.resource();
        if self.redact && resource.scope == Scope::Secrets {
            return refusal(StatusCode::NOT_FOUND);
        }
        if parts.method != Method::GET && parts.method != Method::HEAD {
            return refusal(StatusCode::METHOD_NOT_ALLOWED);
        }
        let source = match (resource.renderer, snapshot) {
            (Renderer::Page(render), _) => Source::Page(render),
            (Renderer::Snapshot(render), Some(snapshot)) => Source::Snapshot(snapshot, render),
            (Renderer::Snapshot(_), None) => {
                return Err(Refusal(StatusCode::SERVICE_UNAVAILABLE, Label::Fixed(id)));
            }
            (Renderer::Service(render), snapshot) => {
                match snapshot.map(|snapshot| snapshot.service(&group)) {
                    Some(Some(entry)) => Source::Service(entry, render),
                    known => {
                        return refusal(match status_of_missing(&group) {
                            StatusCode::NOT_FOUND if known.is_none() => {
                                StatusCode::SERVICE_UNAVAILABLE
                            }
                            status => status,
                        });
                    }
                }
            }
        };
        Ok(Reached { id, source })
    }

    fn document(
        &self,
        reached: &Reached<'_>,
        headers: &HeaderMap,
        persistence: Persistence,
    ) -> Answer {
        let offered = reached.id.resource().media;
        let media = accept::choose(headers, offered);
        let (status, body) = match reached.source {
            Source::Page(render) => (StatusCode::OK, render(&self.pages, media)),
            Source::Snapshot(snapshot, render) => {
                (StatusCode::OK, render(snapshot, media.format()).clone())
            }
            Source::Service(entry, render) => {
                let (status, body) = render(entry, reached.id, media.format());
                (status, body.clone())
            }
        };
        let vary = media != offered[0];
        answer::document(status, media.content_type(), body, vary, persistence)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("redact", &self.redact).finish_non_exhaustive()
    }
}

fn is_continue(value: &http::HeaderValue) -> bool {
    value.as_bytes().eq_ignore_ascii_case(b"100-continue")
}

/// What to say about the connection; `last` means that it ends after this answer.
fn persistence(parts: &Parts, last: bool) -> Persistence {
    let asks_for = |word: &str| {
        let values = parts.headers.get_all(CONNECTION).into_iter();
        let mut words = values.filter_map(|value| value.to_str().ok()).flat_map(|it| it.split(','));
        words.any(|it| it.trim().eq_ignore_ascii_case(word))
    };
    match parts.version {
        Version::HTTP_11 if last || asks_for("close") => Persistence::Close,
        Version::HTTP_10 if !last && asks_for("keep-alive") => Persistence::KeepAlive,
        _ => Persistence::Silent,
    }
}

/// The answer about a service group that is not loaded: 400 for text that does not have the form
/// of one. A name that no service can have is not loaded either (reference: http-api §5.2).
fn status_of_missing(group: &str) -> StatusCode {
    match group.parse::<ServiceGroup>() {
        Err(ServiceGroupError::Form(_)) => StatusCode::BAD_REQUEST,
        Ok(_) | Err(ServiceGroupError::Name(_)) => StatusCode::NOT_FOUND,
    }
}
