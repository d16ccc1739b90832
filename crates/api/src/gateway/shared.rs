//! What every connection needs, and the way from a request to its answer.

use std::{fmt, pin::Pin, sync::Arc, task::Poll};

use http::{
    HeaderValue, Method, Request, StatusCode, Version,
    header::{CONNECTION, EXPECT},
    request::Parts,
};
use hyper::body::{Body, Incoming};
use tokio::sync::{Mutex, Semaphore, watch};

use super::first::First;
use crate::{
    admission::{Admission, Denials},
    answer::{Answer, Persistence},
    held::Held,
    line::Line,
    live::Live,
    metrics::{Closed, GatewayMetrics},
    page::Pages,
    snapshot::Snapshot,
    watchers::Watchers,
};

/// What every connection needs.
pub(crate) struct Shared {
    pub(super) admission: Admission,
    pub(super) denials: Denials,
    pub(super) redact: bool,
    pub(super) snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    pub(super) pages: Pages,
    pub(crate) metrics: GatewayMetrics,
    pub(super) held: Arc<Held>,
    pub(super) live: Arc<dyn Live>,
    /// One permit for each answer that is being made on request.
    pub(super) live_permits: Semaphore,
    /// One permit for each request that waits or takes a stream.
    pub(super) waiting: Arc<Semaphore>,
    pub(super) watchers: Arc<Watchers>,
    /// Held by what wakes them.
    pub(super) following: Mutex<()>,
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
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("redact", &self.redact).finish_non_exhaustive()
    }
}

fn is_continue(value: &HeaderValue) -> bool {
    value.as_bytes().eq_ignore_ascii_case(b"100-continue")
}

/// The `connection` header, if one is needed; `last` means that the connection ends after this
/// answer.
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
