//! `/metrics`, and the figures that the gateway adds to it (reference: http-api §14).
//!
//! Every request is counted under the path of the resource it reached. What reached none is
//! counted under one of two fixed words, and the series of a service are dropped when it is
//! unloaded: the number of series is bounded by what is loaded, whatever clients send.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry,
    TextEncoder,
};
use roost_ident::ServiceGroup;

use crate::{
    accept::Media,
    admission::Denied,
    live::{Pending, Reply},
    openmetrics,
    resource::ResourceId,
    snapshot::Snapshot,
};

/// Bounds of all duration histograms of `/metrics`, in seconds.
pub const DURATION_BOUNDS: [f64; 11] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Figures that are being measured.
pub type Refreshing = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where the figures of `/metrics` come from.
#[derive(Clone)]
pub struct MetricsSource {
    registry: Registry,
    refresh: Arc<dyn Fn() -> Refreshing + Send + Sync>,
}

impl MetricsSource {
    /// Shows what is in this registry.
    #[must_use]
    pub fn new(registry: Registry) -> Self {
        Self { registry, refresh: Arc::new(|| Box::pin(std::future::ready(()))) }
    }

    /// Calls this before each answer, for figures that are measured on demand, such as open
    /// file descriptors. It must return quickly and must not block; the gateway awaits the future
    /// that it returns.
    #[must_use]
    pub fn with_refresh(self, refresh: impl Fn() -> Refreshing + Send + Sync + 'static) -> Self {
        Self { refresh: Arc::new(refresh), ..self }
    }

    pub(crate) const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The page, in the Prometheus text format 0.0.4 unless the client accepts OpenMetrics.
    pub(crate) fn render(&self, media: Media) -> Pending<Reply> {
        let (refreshing, registry) = ((self.refresh)(), self.registry.clone());
        Box::pin(async move {
            refreshing.await;
            let families = registry.gather();
            if media == Media::OpenMetrics {
                return Ok(Reply::whole(openmetrics::encode(&families)));
            }
            let mut page = Vec::with_capacity(16 * 1024);
            if let Err(error) = TextEncoder::new().encode(&families, &mut page) {
                tracing::error!("/metrics is incomplete: {error}");
            }
            Ok(Reply::whole(page))
        })
    }
}

impl fmt::Debug for MetricsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsSource").finish_non_exhaustive()
    }
}

/// Why a connection was closed before its client wanted it; a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    /// There were too many, and it was the oldest.
    Oldest,
    /// Its answer held memory that others needed, and was the oldest.
    Memory,
    /// The TLS handshake failed or took too long.
    Handshake,
    /// No request came, or not all of it, in time.
    Idle,
    /// It took no byte of the answer in time.
    Stalled,
    /// Its bytes are not a valid request.
    Malformed,
}

impl Closed {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Oldest => "oldest",
            Self::Memory => "memory",
            Self::Handshake => "handshake",
            Self::Idle => "idle",
            Self::Stalled => "stalled",
            Self::Malformed => "malformed",
        }
    }
}

/// The handles of one value of `path`.
#[derive(Clone)]
pub(crate) struct Series {
    requests: IntCounter,
    seconds: Histogram,
}

impl Series {
    /// Counts a request that begins.
    pub(crate) fn begin(&self) {
        self.requests.inc();
    }

    /// Adds the time it took.
    pub(crate) fn end(&self, took: Duration) {
        self.seconds.observe(took.as_secs_f64());
    }
}

/// What a request is counted under.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Label<'a> {
    /// It was denied.
    Unauthorized,
    /// It reached no resource.
    Other,
    /// A resource that there is once.
    Fixed(ResourceId),
    /// A resource of a loaded service, by its group.
    Service(ResourceId, &'a ServiceGroup),
}

/// The handles of each resource, made when it is first asked for.
type PerResource = [OnceLock<Series>; ResourceId::COUNT];

/// The gateway's own figures.
pub(crate) struct GatewayMetrics {
    requests: IntCounterVec,
    seconds: HistogramVec,
    closed: IntCounterVec,
    denied: IntCounterVec,
    unauthorized: OnceLock<Series>,
    other: OnceLock<Series>,
    fixed: PerResource,
    services: RwLock<HashMap<String, Arc<PerResource>>>,
    /// Number of the snapshot that `services` was last compared with.
    compared: AtomicU64,
}

impl GatewayMetrics {
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let requests = IntCounterVec::new(
            Opts::new(
                "hab_sup_http_gateway_requests_total",
                "Total number of HTTP gateway requests",
            ),
            &["path"],
        )?;
        let seconds = HistogramVec::new(
            HistogramOpts::new(
                "hab_sup_http_gateway_request_duration_seconds",
                "The latency for HTTP gateway requests",
            )
            .buckets(DURATION_BOUNDS.to_vec()),
            &["path"],
        )?;
        let closed = IntCounterVec::new(
            Opts::new(
                "hab_sup_http_gateway_closed_connections_total",
                "Connections that the HTTP gateway closed because a limit was hit",
            ),
            &["reason"],
        )?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        let denied = IntCounterVec::new(
            Opts::new(
                "hab_sup_http_gateway_denied_requests_total",
                "Requests that the HTTP gateway denied, by reason",
            ),
            &["reason"],
        )?;
        registry.register(Box::new(closed.clone()))?;
        registry.register(Box::new(denied.clone()))?;
        Ok(Self {
            requests,
            seconds,
            closed,
            denied,
            unauthorized: OnceLock::new(),
            other: OnceLock::new(),
            fixed: std::array::from_fn(|_| OnceLock::new()),
            services: RwLock::default(),
            compared: AtomicU64::new(0),
        })
    }

    pub(crate) fn count_closed(&self, why: Closed) {
        self.closed.with_label_values(&[why.as_str()]).inc();
    }

    /// Shows all reasons from the start: for a gateway that can deny something.
    pub(crate) fn show_denials(&self) {
        for reason in Denied::LABELS {
            self.denied.with_label_values(&[reason]);
        }
    }

    pub(crate) fn count_denied(&self, denied: &Denied) {
        self.denied.with_label_values(&[denied.label()]).inc();
    }

    /// The handles of a label. Looked up without making a string once they exist.
    pub(crate) fn series(&self, label: Label<'_>) -> Series {
        match label {
            Label::Unauthorized => self.unauthorized.get_or_init(|| self.make("<unauthorized>")),
            Label::Other => self.other.get_or_init(|| self.make("<other>")),
            Label::Fixed(id) => {
                self.fixed[id.index()].get_or_init(|| self.make(id.resource().path))
            }
            Label::Service(id, group) => {
                let series = &self.of_service(group)[id.index()];
                return series.get_or_init(|| self.make(&id.resource().path_of(group))).clone();
            }
        }
        .clone()
    }

    fn of_service(&self, group: &ServiceGroup) -> Arc<PerResource> {
        let known = self.services.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = known.get(group.as_str()) {
            return Arc::clone(series);
        }
        drop(known);
        let mut services = self.services.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(
            services
                .entry(group.to_string())
                .or_insert_with(|| Arc::new(std::array::from_fn(|_| OnceLock::new()))),
        )
    }

    fn make(&self, path: &str) -> Series {
        Series {
            requests: self.requests.with_label_values(&[path]),
            seconds: self.seconds.with_label_values(&[path]),
        }
    }

    /// Drops the series of services that are no longer loaded. Does nothing when this snapshot
    /// or a later one was seen before.
    pub(crate) fn follow(&self, snapshot: &Snapshot) {
        if self.compared.fetch_max(snapshot.number(), Ordering::Relaxed) >= snapshot.number() {
            return;
        }
        let mut services = self.services.write().unwrap_or_else(PoisonError::into_inner);
        services.retain(|text, series| {
            let loaded = snapshot.service(text).is_some();
            if let (false, Ok(group)) = (loaded, text.parse()) {
                for id in ResourceId::all().filter(|id| series[id.index()].get().is_some()) {
                    let path = id.resource().path_of(&group);
                    // Both exist: they were made together.
                    let _ = self.requests.remove_label_values(&[&path]);
                    let _ = self.seconds.remove_label_values(&[&path]);
                }
            }
            loaded
        });
    }
}
