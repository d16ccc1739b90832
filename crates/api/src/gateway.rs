//! From a request to its answer (reference: http-api §3 to §6 and §15).

use std::{fmt, pin::Pin, sync::Arc, task::Poll, time::Instant};

use http::{
    HeaderMap, Method, Request, StatusCode, Version,
    header::{CONNECTION, EXPECT},
    request::Parts,
};
use hyper::body::{Body, Incoming};
use roost_ident::{HealthStatus, ServiceGroup, ServiceGroupError};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

use crate::{
    accept::{self, Media},
    answer::{self, Answer, Persistence},
    document::{Format, Rendered},
    held::Held,
    limits::Limits,
    metrics::{Closed, GatewayMetrics, Label, MetricsSource},
    page,
    path::{Part, Route},
    problem, serve,
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

/// The HTTP API.
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
    source: MetricsSource,
    pub(crate) metrics: GatewayMetrics,
    held: Arc<Held>,
    page: Rendered,
    token_page: Rendered,
    openapi: Rendered,
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
            source,
            metrics,
            held: Arc::default(),
            page: page::start_page(&config.version),
            token_page: page::token_page(),
            openapi: Rendered::new(page::OPENAPI_JSON),
        };
        Ok(Self { shared: Arc::new(shared), limits: config.limits, tls: config.tls })
    }

    /// Answers requests until `shutdown` is cancelled; then takes no new connections, lets open
    /// requests end within the limit, and returns.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) {
        serve::run(self.shared, listener, self.limits, self.tls, shutdown).await;
    }
}

/// A request that may be answered with a document.
enum Resource {
    Fixed(Route, Option<Arc<Snapshot>>),
    Service(Arc<ServiceEntry>, Part),
}

/// A status without a document, and whether it is counted under its own path.
struct Refusal(StatusCode, Option<Route>);

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
        let resource = match self.resolve(parts, snapshot) {
            Ok(resource) => resource,
            Err(Refusal(status, route)) => {
                let label = route.as_ref().map_or(Label::Other, Label::Fixed);
                return self.refuse(parts, status, label, begun, persistence);
            }
        };
        let series = self.metrics.series(match &resource {
            Resource::Fixed(route, _) => Label::Fixed(route),
            Resource::Service(entry, part) => {
                Label::Service(&entry.document().service_group, *part)
            }
        });
        series.begin();
        let mut answer = self.document(&resource, &parts.headers, persistence);
        if parts.method == Method::HEAD {
            answer.body_mut().clear();
        }
        series.end(begun.elapsed());
        answer
    }

    /// The page that asks for the token, where a person would see the start page.
    fn ask_token(&self, parts: &Parts, persistence: Persistence) -> Option<Answer> {
        let is_head = parts.method == Method::HEAD;
        if Route::of(parts.uri.path()) != Some(Route::Start)
            || !(is_head || parts.method == Method::GET)
        {
            return None;
        }
        let mut answer = answer::ask_token(&self.token_page, persistence);
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

    /// Finds what is asked for: route, redaction, method, then whether it exists.
    fn resolve(&self, parts: &Parts, snapshot: Option<Arc<Snapshot>>) -> Result<Resource, Refusal> {
        let refusal = |status| Refusal(status, None);
        let route = Route::of(parts.uri.path()).ok_or(refusal(StatusCode::NOT_FOUND))?;
        if self.redact && matches!(route, Route::Census | Route::Butterfly) {
            return Err(refusal(StatusCode::NOT_FOUND));
        }
        if parts.method != Method::GET && parts.method != Method::HEAD {
            return Err(refusal(StatusCode::METHOD_NOT_ALLOWED));
        }
        match (route, snapshot) {
            (Route::Service { group, part }, Some(snapshot)) => match snapshot.service(&group) {
                Some(entry) => Ok(Resource::Service(Arc::clone(entry), part)),
                None => Err(refusal(status_of_missing(&group))),
            },
            (Route::Service { group, .. }, None) => Err(refusal(match status_of_missing(&group) {
                StatusCode::NOT_FOUND => StatusCode::SERVICE_UNAVAILABLE,
                status => status,
            })),
            (route @ (Route::Services | Route::Census | Route::Butterfly), None) => {
                Err(Refusal(StatusCode::SERVICE_UNAVAILABLE, Some(route)))
            }
            (route, snapshot) => Ok(Resource::Fixed(route, snapshot)),
        }
    }

    fn document(
        &self,
        resource: &Resource,
        headers: &HeaderMap,
        persistence: Persistence,
    ) -> Answer {
        const STRUCTURED: &[Media] = &[Media::Json, Media::Toml];
        const ALL: &[Media] = &[Media::Json, Media::Toml, Media::Text];
        const START: &[Media] = &[Media::Html, Media::Json];

        let structured = |offered: &[Media], render: &dyn Fn(Format) -> Answer| {
            render(match accept::choose(headers, offered) {
                Media::Toml => Format::Toml,
                Media::Text => Format::Text,
                Media::Json | Media::Html => Format::Json,
            })
        };
        let send = |status, format, body: &Rendered| {
            let (content_type, vary) = match format {
                Format::Json => ("application/json", false),
                Format::Toml => ("application/toml", true),
                Format::Text => ("text/plain; charset=utf-8", true),
            };
            answer::document(status, content_type, body, vary, persistence)
        };
        let ok = StatusCode::OK;
        match resource {
            Resource::Service(entry, Part::Object) => {
                structured(STRUCTURED, &|format| send(ok, format, entry.object(format)))
            }
            Resource::Service(entry, Part::Config) => {
                structured(ALL, &|format| send(ok, format, entry.config(format)))
            }
            Resource::Service(entry, Part::V1) => send(ok, Format::Json, entry.v1()),
            Resource::Service(entry, Part::Health) => {
                let status = health_status(entry.health_document().status);
                structured(ALL, &|format| send(status, format, entry.health(format)))
            }
            Resource::Fixed(Route::Services, Some(snapshot)) => {
                structured(STRUCTURED, &|format| send(ok, format, snapshot.list(format)))
            }
            Resource::Fixed(Route::Census, Some(snapshot)) => {
                structured(STRUCTURED, &|format| send(ok, format, snapshot.census().render(format)))
            }
            Resource::Fixed(Route::Butterfly, Some(snapshot)) => {
                structured(STRUCTURED, &|format| {
                    send(ok, format, snapshot.butterfly().render(format))
                })
            }
            Resource::Fixed(Route::Start, _) => match accept::choose(headers, START) {
                Media::Json => {
                    answer::document(ok, "application/json", &self.openapi, true, persistence)
                }
                _ => answer::document(ok, "text/html", &self.page, false, persistence),
            },
            Resource::Fixed(Route::OpenApi, _) => send(ok, Format::Json, &self.openapi),
            Resource::Fixed(Route::Metrics, _) => {
                let page = Rendered::new(self.source.render());
                answer::document(ok, "text/plain; version=0.0.4", &page, false, persistence)
            }
            // `resolve` has answered these.
            Resource::Fixed(..) => answer::empty(StatusCode::SERVICE_UNAVAILABLE, persistence),
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("redact", &self.redact).finish_non_exhaustive()
    }
}

const fn health_status(health: HealthStatus) -> StatusCode {
    match health {
        HealthStatus::Ok | HealthStatus::Warning => StatusCode::OK,
        HealthStatus::Critical => StatusCode::SERVICE_UNAVAILABLE,
        HealthStatus::Unknown => StatusCode::INTERNAL_SERVER_ERROR,
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
