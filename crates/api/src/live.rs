//! Answers that are not in a snapshot: made on request, beside the Supervisor's task,
//! by the implementation of [`Live`]. See `docs/internals/how-to-add-an-endpoint.md`.

use std::{future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;

pub use crate::chunks::Chunks;
use crate::{
    accept::Media,
    documents::{
        Stats, StatsList, SupervisorV1,
        availability::{AvailabilityV1, TimelineV1},
        probe::Check,
    },
    json::to_json,
    problem::{Code, Problem},
    query::Query,
    snapshot::{ServiceEntry, Snapshot},
};

/// An answer that is being made, or why there is none.
pub type Pending<T> = Pin<Box<dyn Future<Output = Result<T, Problem>> + Send>>;

/// What the Supervisor answers on request: one method per resource, which returns at once; the
/// work is in the future. It must not block a thread of the runtime: files are read on a blocking
/// thread. The gateway ends it when the client leaves, when it takes longer than 10 s, and at
/// shutdown.
pub trait Live: Send + Sync + 'static {
    /// Writes a line to the Supervisor's log. What clients sent is in it as `roost_text::shown`
    /// gives it.
    fn log(&self, line: &str) {
        tracing::warn!("{line}");
    }

    /// What the service printed.
    fn lines(&self, _: Ask) -> Pending<Chunks> {
        unavailable()
    }

    /// A page of events ([`EventsV1`](crate::documents::EventsV1)), of all or of one service.
    fn events(&self, _: Ask) -> Pending<Reply> {
        unavailable()
    }

    /// How available the service was.
    fn availability(&self, _: Ask) -> Pending<AvailabilityV1> {
        unavailable()
    }

    /// The states of the service over a window.
    fn timeline(&self, _: Ask) -> Pending<TimelineV1> {
        unavailable()
    }

    /// Events as they happen.
    fn event_stream(&self, _: Ask) -> Pending<Chunks> {
        unavailable()
    }

    /// What the processes of all services use.
    fn all_stats(&self, _: Ask) -> Pending<StatsList> {
        unavailable()
    }

    /// What the processes of a service use.
    fn stats(&self, _: Ask) -> Pending<Stats> {
        unavailable()
    }

    /// What probes check, all of it.
    fn checks(&self, _: Ask) -> Pending<Vec<Check>> {
        unavailable()
    }

    /// The health of the ring.
    fn ring_health(&self, _: Ask) -> Pending<Reply> {
        unavailable()
    }

    /// How the members of the ring see each other.
    fn ring_matrix(&self, _: Ask) -> Pending<Reply> {
        unavailable()
    }

    /// The Supervisor itself.
    fn supervisor(&self, _: Ask) -> Pending<SupervisorV1> {
        unavailable()
    }
}

/// The answer of a gateway behind which nothing makes it: the default of methods of [`Live`].
fn unavailable<T>() -> Pending<T> {
    Box::pin(async { Err(Code::Unavailable.into()) })
}

/// A Supervisor without anything beyond its snapshots, for tests.
#[derive(Debug, Clone, Copy)]
pub struct NotLive;

impl Live for NotLive {}

/// One request for such an answer.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The service that the path names; present for paths with `{sg}`, and loaded.
    pub service: Option<Arc<ServiceEntry>>,
    /// The present snapshot, once there is one.
    pub snapshot: Option<Arc<Snapshot>>,
    /// The checked parameters.
    pub query: Query,
    /// The negotiated form: one of those that the table of resources names.
    pub media: Media,
    /// Header `last-event-id`, of clients that resume a stream.
    pub last_event_id: Option<u64>,
    /// The client has the scope `secrets`.
    pub shows_secrets: bool,
}

/// What is answered.
#[derive(Debug)]
pub struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: ReplyBody,
}

#[derive(Debug)]
pub(crate) enum ReplyBody {
    Whole(Bytes),
    Stream(Chunks),
}

impl Reply {
    /// A JSON document.
    pub fn json(value: &impl Serialize) -> Self {
        Self::whole(to_json(value))
    }

    /// A body in the negotiated form.
    pub fn whole(body: impl Into<Bytes>) -> Self {
        Self { status: StatusCode::OK, body: ReplyBody::Whole(body.into()) }
    }

    /// A body without a known end, in the negotiated form.
    #[must_use]
    pub fn stream(chunks: Chunks) -> Self {
        Self { status: StatusCode::OK, body: ReplyBody::Stream(chunks) }
    }

    /// The same with another status, which the row of the resource lists.
    #[must_use]
    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }
}

/// Answers with a document, once it is made: for rows of the table.
pub(crate) fn document<T: Serialize + 'static>(pending: Pending<T>) -> Pending<Reply> {
    Box::pin(async { Ok(Reply::json(&pending.await?)) })
}

/// Answers with a stream, once it has begun: for rows of the table.
pub(crate) fn stream(pending: Pending<Chunks>) -> Pending<Reply> {
    Box::pin(async { Ok(Reply::stream(pending.await?)) })
}
