//! From a request to its answer (reference: http-api §3 to §6 and §15).

use std::{
    fmt,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use http::{
    HeaderMap, Method, Request, StatusCode, Version,
    header::{CONNECTION, EXPECT},
    request::Parts,
};
use hyper::body::{Body, Incoming};
use roost_ident::{ServiceGroup, ServiceGroupError};
use tokio::{
    net::{TcpListener, UnixListener},
    sync::{Mutex, Semaphore, watch},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    accept::{self, Media},
    answer::{self, Answer, Persistence},
    document::{Format, Rendered},
    held::Held,
    limits::{self, Limits},
    line::{Line, Waiting},
    live::{Ask, Live, Pending, Reply, ReplyBody},
    metrics::{Closed, GatewayMetrics, Label, MetricsSource, Series},
    page::Pages,
    path::Route,
    problem::{Code, Problem},
    query::Query,
    resource::{Renderer, ResourceId, Scope, is_probe, is_v1},
    serve,
    snapshot::{ServiceEntry, Snapshot},
    socket::Listener,
    streaming::Streaming,
    tls::TlsConfig,
    token::Token,
    version,
    watchers::{Watched, Watchers},
};

/// How the gateway is set up. Read once, at start.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// The token that every request must carry; `None` leaves the API open.
    pub token: Option<Token>,
    /// Hides `/census` and `/butterfly`. The other half of redaction is that the Supervisor
    /// hands in services without `cfg`.
    pub redact: bool,
    /// Probes are answered without the token.
    pub probes_public: bool,
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

/// What every connection needs.
pub(crate) struct Shared {
    token: Option<Token>,
    redact: bool,
    probes_public: bool,
    snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    pages: Pages,
    pub(crate) metrics: GatewayMetrics,
    held: Arc<Held>,
    live: Arc<dyn Live>,
    /// One permit for each answer that is being made on request.
    live_permits: Semaphore,
    /// One permit for each request that waits or takes a stream.
    waiting: Arc<Semaphore>,
    watchers: Arc<Watchers>,
    /// Held by what wakes them.
    following: Mutex<()>,
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
        let shared = Shared {
            token: config.token,
            redact: config.redact,
            probes_public: config.probes_public,
            snapshots,
            pages: Pages::new(&config.version, source),
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

    /// Answers the same requests on a socket in the file system, without a token and without TLS:
    /// its mode decides who may connect. Its connections have a limit of their own, so that a
    /// flood at the port does not lock out the tools of this machine.
    pub fn serve_local(
        &self,
        listener: UnixListener,
        shutdown: CancellationToken,
    ) -> impl Future<Output = ()> + Send + use<> {
        let limits = Limits { connections: limits::LOCAL_CONNECTIONS, ..self.limits.clone() };
        serve::run(Arc::clone(&self.shared), Listener::Local(listener), limits, None, shutdown)
    }
}

/// What a request is answered with.
struct Reached<'a> {
    id: ResourceId,
    /// What the path says of a service.
    group: String,
    source: Source<'a>,
}

/// A renderer with what it renders.
enum Source<'a> {
    Page(fn(&Pages, Media) -> Rendered),
    Figures(fn(&Pages, Media) -> Pending<Reply>),
    Snapshot(&'a Snapshot, fn(&Snapshot, Format) -> &Rendered),
    Selection(&'a Snapshot, fn(&Snapshot, &Query, bool) -> Result<Rendered, Problem>),
    Service(&'a ServiceEntry, fn(&ServiceEntry, ResourceId, Format) -> (StatusCode, &Rendered)),
    Live(Option<&'a Arc<ServiceEntry>>, fn(&dyn Live, Ask) -> Pending<Reply>),
}

/// Why there is no document, and what the request is counted under.
struct Refusal(Problem, Label<'static>);

/// An answer, or what it takes to make one.
enum First {
    Ready(Answer),
    Asked(Asked),
    /// The client has this version, and waits for another one.
    Known(Known),
}

/// A request that waits for a change.
struct Known {
    watched: Watched,
    tag: String,
    wait: Duration,
    not_modified: Answer,
    begun: Instant,
    series: Series,
    persistence: Persistence,
}

/// What an answer has to know of its request.
struct Terms<'a> {
    headers: &'a HeaderMap,
    media: Media,
    offered: &'static [Media],
    is_v1: bool,
    persistence: Persistence,
}

impl Terms<'_> {
    /// The answer with a document; a tag when the client has it already.
    fn document(&self, status: StatusCode, body: Rendered) -> Result<Answer, String> {
        let (media, persistence) = (self.media, self.persistence);
        if !self.is_v1 {
            let vary = media != self.offered[0];
            return Ok(answer::document(status, media.content_type(), body, vary, persistence));
        }
        let body = match body.version {
            Some(_) => body,
            None => Rendered::versioned(body.bytes),
        };
        if status == StatusCode::OK
            && let Some(version) = &body.version
            && version::is_known(self.headers, version.tag(&body.bytes))
        {
            return Err(version.tag(&body.bytes).to_owned());
        }
        let takes_gzip = version::takes_gzip(self.headers);
        let (kind, vary) = (media.content_type(), self.vary());
        Ok(answer::versioned(status, kind, body, vary, takes_gzip, persistence))
    }

    fn not_modified(&self, tag: &str) -> Answer {
        answer::not_modified(tag, self.vary(), self.persistence)
    }

    const fn vary(&self) -> &'static str {
        if self.offered.len() > 1 { "accept, accept-encoding" } else { "accept-encoding" }
    }
}

/// A request that the Supervisor answers.
struct Asked {
    pending: Pending<Reply>,
    /// Only so many are made at the same time.
    limited: bool,
    id: ResourceId,
    media: Media,
    begun: Instant,
    series: Series,
    persistence: Persistence,
}

impl Shared {
    /// Answers one request. Its body is not read.
    pub(crate) async fn respond(&self, request: Request<Incoming>, line: &Line) -> Answer {
        let (parts, mut body) = request.into_parts();
        let has_body = !body.is_end_stream();
        let leaving = line.leave.is_cancelled();
        let persistence = persistence(&parts, has_body || leaving);
        let mut answer = match self.answer(&parts, line, persistence, true) {
            First::Ready(answer) => answer,
            First::Asked(asked) => self.await_reply(asked, &parts, line).await,
            First::Known(known) => self.await_change(known, &parts, line).await,
        };
        if parts.method == Method::HEAD {
            answer.body_mut().clear();
        }
        answer.body_mut().exchange(|bytes| {
            let (bytes, closed) = self.held.hold(bytes, &line.close);
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

    /// Waits for an answer that the Supervisor makes.
    async fn await_reply(&self, asked: Asked, parts: &Parts, line: &Line) -> Answer {
        let Asked { pending, limited, id, media, begun, series, persistence } = asked;
        let resource = id.resource();
        let terms = Terms {
            headers: &parts.headers,
            media,
            offered: resource.media,
            is_v1: resource.is_v1(),
            persistence,
        };
        let made = async {
            let permit = limited.then(|| self.live_permits.try_acquire());
            let Ok(_permit) = permit.transpose() else {
                return Err(Code::TooManyRequests.into());
            };
            tokio::select! {
                made = timeout(limits::LIVE_TIMEOUT, pending) => {
                    made.unwrap_or_else(|_| Err(Code::NoAnswer.into()))
                }
                () = line.leave.cancelled() => Err(Problem::new(
                    Code::Unavailable,
                    "The Supervisor ends, or the connection has to make room for others.",
                )),
            }
        };
        let reply = match made.await {
            Ok(reply) => self.reply(reply, &terms, line),
            Err(problem) => Err(problem),
        };
        let answer = reply.unwrap_or_else(|problem| problem.answer(persistence));
        series.end(begun.elapsed());
        answer
    }

    /// Waits until the document of a request is another one than its client has.
    async fn await_change(&self, known: Known, parts: &Parts, line: &Line) -> Answer {
        let Known { watched, tag, wait, not_modified, begun, series, persistence } = known;
        let _waiting = match self.wait(line) {
            Ok(waiting) => waiting,
            Err(problem) => return problem.answer(persistence),
        };
        let watcher = self.watchers.enter(watched, &tag);
        let mut deadline = pin!(sleep(wait));
        let mut is_last = false;
        let answer = loop {
            let mut changed = pin!(watcher.place.changed.notified());
            // What changes from here on is not missed.
            changed.as_mut().enable();
            match self.answer(parts, line, persistence, false) {
                First::Ready(answer) => break answer,
                First::Asked(asked) => break self.await_reply(asked, parts, line).await,
                First::Known(_) if is_last => break not_modified,
                First::Known(_) => {}
            }
            loop {
                tokio::select! {
                    () = changed.as_mut() => break,
                    () = &mut deadline => break,
                    () = line.leave.cancelled() => break,
                    // Lets the connection notice that its client has left.
                    () = sleep(limits::LEFT_CHECK) => {}
                }
            }
            is_last = deadline.is_elapsed() || line.leave.is_cancelled();
        };
        series.end(begun.elapsed());
        answer
    }

    /// Wakes those who wait for documents that a new snapshot changes. Ends never; of several
    /// calls one does the work.
    pub(crate) async fn follow_snapshots(&self) {
        let _only = self.following.lock().await;
        let mut snapshots = self.snapshots.clone();
        loop {
            let snapshot = snapshots.borrow_and_update().clone();
            if let Some(snapshot) = snapshot {
                self.watchers.wake(|watched| self.tag(&snapshot, watched));
            }
            if snapshots.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// The present version of a document.
    fn tag(&self, snapshot: &Snapshot, watched: &Watched) -> Option<String> {
        let Watched { id, group, query } = watched;
        let body = match id.resource().renderer {
            Renderer::Snapshot(render) => render(snapshot, Format::Json).clone(),
            Renderer::Selection(select) => select(snapshot, query, self.redact).ok()?,
            Renderer::Service(render) => {
                render(snapshot.service(group)?, *id, Format::Json).1.clone()
            }
            Renderer::Page(_) | Renderer::Figures(_) | Renderer::Live(_) => return None,
        };
        Some(body.version.unwrap_or_default().tag(&body.bytes).to_owned())
    }

    fn reply(&self, reply: Reply, terms: &Terms<'_>, line: &Line) -> Result<Answer, Problem> {
        let Reply { status, body } = reply;
        let (media, persistence) = (terms.media, terms.persistence);
        Ok(match body {
            ReplyBody::Whole(bytes) => {
                let answer = terms.document(status, Rendered::versioned(bytes));
                answer.unwrap_or_else(|tag| terms.not_modified(&tag))
            }
            ReplyBody::Stream(chunks) => {
                let (waiting, held) = (self.wait(line)?, Arc::clone(&self.held));
                let streaming = Streaming::new(chunks, media.heartbeat(), line, held, waiting);
                answer::stream(
                    status,
                    media.content_type(),
                    media != terms.offered[0],
                    streaming,
                    persistence,
                )
            }
        })
    }

    /// Begins to wait, if not too many do.
    fn wait(&self, line: &Line) -> Result<Waiting, Problem> {
        let permit = Arc::clone(&self.waiting).try_acquire_owned();
        Ok(Waiting::begin(line, permit.map_err(|_| Code::TooManyRequests)?))
    }

    /// The answer of this moment. One that is made again for the same request is not counted.
    fn answer(
        &self,
        parts: &Parts,
        line: &Line,
        persistence: Persistence,
        is_first: bool,
    ) -> First {
        let begun = Instant::now();
        // Habitat's parser refuses raw bytes above 127 in the request line.
        if !parts.uri.path().is_ascii() {
            let refusal = Refusal(Code::BadName.into(), Label::Other);
            return First::Ready(self.refuse(parts, &refusal, begun, Persistence::Close));
        }
        let is_open = line.is_local || (self.probes_public && is_probe(parts.uri.path()));
        let token = self.token.as_ref().filter(|_| !is_open);
        if token.is_some_and(|token| !token.admits(&parts.headers)) {
            let refusal = Refusal(Code::Unauthorized.into(), Label::Unauthorized);
            let answer = self.refuse(parts, &refusal, begun, persistence);
            return First::Ready(self.ask_token(parts, persistence).unwrap_or(answer));
        }
        let snapshot = self.snapshots.borrow().clone();
        if let Some(snapshot) = &snapshot {
            self.metrics.follow(snapshot);
        }
        let reached = match self.resolve(parts, snapshot.as_ref()) {
            Ok(reached) => reached,
            Err(refusal) => {
                return First::Ready(self.refuse(parts, &refusal, begun, persistence));
            }
        };
        let query = match self.query(parts, reached.id) {
            Ok(query) => query,
            Err(problem) => {
                let refusal = Refusal(problem, Label::Other);
                return First::Ready(self.refuse(parts, &refusal, begun, persistence));
            }
        };
        let service = match &reached.source {
            Source::Service(entry, _) => Some(*entry),
            Source::Live(entry, _) => entry.map(Arc::as_ref),
            _ => None,
        };
        let series = self.metrics.series(match service {
            Some(entry) => Label::Service(reached.id, &entry.document().service_group),
            None => Label::Fixed(reached.id),
        });
        if is_first {
            series.begin();
        }
        let resource = reached.id.resource();
        let (offered, is_v1) = (resource.media, resource.is_v1());
        let media = accept::choose(&parts.headers, offered);
        let terms = Terms { headers: &parts.headers, media, offered, is_v1, persistence };
        let (status, body) = match reached.source {
            Source::Figures(render) => {
                let pending = render(&self.pages, media);
                return First::Asked(Asked {
                    pending,
                    limited: false,
                    id: reached.id,
                    media,
                    begun,
                    series,
                    persistence,
                });
            }
            Source::Page(render) => (StatusCode::OK, render(&self.pages, media)),
            Source::Snapshot(snapshot, render) => {
                (StatusCode::OK, render(snapshot, media.format()).clone())
            }
            Source::Selection(snapshot, select) => match select(snapshot, &query, self.redact) {
                Ok(body) => (StatusCode::OK, body),
                Err(problem) => return First::Ready(problem.answer(persistence)),
            },
            Source::Service(entry, render) => {
                let (status, body) = render(entry, reached.id, media.format());
                (status, body.clone())
            }
            Source::Live(service, ask) => {
                let ask = ask(
                    &*self.live,
                    Ask {
                        service: service.cloned(),
                        snapshot: snapshot.clone(),
                        query,
                        media,
                        last_event_id: last_event_id(&parts.headers),
                    },
                );
                let id = reached.id;
                return First::Asked(Asked {
                    pending: ask,
                    // A flood of other questions must not make the Supervisor look dead.
                    limited: resource.scope != Scope::Probe,
                    id,
                    media,
                    begun,
                    series,
                    persistence,
                });
            }
        };
        let answer = match terms.document(status, body) {
            Ok(answer) => answer,
            Err(tag) => {
                let not_modified = terms.not_modified(&tag);
                if let Some(wait) = query.span("wait") {
                    let (id, group) = (reached.id, reached.group);
                    let watched = Watched { id, group, query: query.without("wait") };
                    return First::Known(Known {
                        watched,
                        tag,
                        wait,
                        not_modified,
                        begun,
                        series,
                        persistence,
                    });
                }
                not_modified
            }
        };
        if is_first {
            series.end(begun.elapsed());
        }
        First::Ready(answer)
    }

    /// The checked query of a resource of ours; Habitat ignores that of its own.
    fn query(&self, parts: &Parts, id: ResourceId) -> Result<Query, Problem> {
        let resource = id.resource();
        if !resource.is_v1() {
            return Ok(Query::default());
        }
        Query::parse(parts.uri.query(), resource.all_parameters(), unix_ms())
    }

    /// The page that asks for the token, where a person would see the start page.
    fn ask_token(&self, parts: &Parts, persistence: Persistence) -> Option<Answer> {
        let reads = parts.method == Method::HEAD || parts.method == Method::GET;
        let wanted = reads && parts.uri.path() == "/";
        wanted.then(|| answer::ask_token(self.pages.token(), persistence))
    }

    fn refuse(
        &self,
        parts: &Parts,
        Refusal(problem, label): &Refusal,
        begun: Instant,
        persistence: Persistence,
    ) -> Answer {
        let series = self.metrics.series(*label);
        series.begin();
        series.end(begun.elapsed());
        if !is_v1(parts.uri.path()) {
            return answer::empty(problem.status(), persistence);
        }
        problem.answer(persistence)
    }

    /// Finds the requested resource: route, redaction, method, then whether it exists.
    fn resolve<'a>(
        &self,
        parts: &Parts,
        snapshot: Option<&'a Arc<Snapshot>>,
    ) -> Result<Reached<'a>, Refusal> {
        let refusal = |code: Code| Refusal(code.into(), Label::Other);
        let Some(Route { id, group }) = Route::of(parts.uri.path()) else {
            return Err(refusal(Code::NotFound));
        };
        let resource = id.resource();
        if self.redact && resource.scope == Scope::Secrets {
            return Err(refusal(Code::NotFound));
        }
        if parts.method != Method::GET && parts.method != Method::HEAD {
            return Err(refusal(Code::MethodNotAllowed));
        }
        let service = || match snapshot.map(|snapshot| snapshot.service(&group)) {
            Some(Some(entry)) => Ok(entry),
            known => Err(refusal(match code_of_missing(&group) {
                Code::NotFound if known.is_none() => Code::Starting,
                code => code,
            })),
        };
        let source = match (resource.renderer, snapshot) {
            (Renderer::Page(render), _) => Source::Page(render),
            (Renderer::Figures(render), _) => Source::Figures(render),
            (Renderer::Snapshot(render), Some(snapshot)) => Source::Snapshot(snapshot, render),
            (Renderer::Selection(select), Some(snapshot)) => Source::Selection(snapshot, select),
            (Renderer::Snapshot(_) | Renderer::Selection(_), None) => {
                return Err(Refusal(Code::Starting.into(), Label::Fixed(id)));
            }
            (Renderer::Service(render), _) => Source::Service(service()?, render),
            (Renderer::Live(ask), _) if resource.is_of_service() => {
                Source::Live(Some(service()?), ask)
            }
            (Renderer::Live(ask), _) => Source::Live(None, ask),
        };
        Ok(Reached { id, group, source })
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
fn code_of_missing(group: &str) -> Code {
    match group.parse::<ServiceGroup>() {
        Err(ServiceGroupError::Form(_)) => Code::BadName,
        Ok(_) | Err(ServiceGroupError::Name(_)) => Code::NotFound,
    }
}

/// The last event that a client has seen; text that is not a number is none of ours.
fn last_event_id(headers: &HeaderMap) -> Option<u64> {
    headers.get("last-event-id")?.to_str().ok()?.parse().ok()
}

fn unix_ms() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}
