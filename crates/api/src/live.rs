//! Answers that are not in a snapshot: made on request, beside the Supervisor's task,
//! by the implementation of [`Live`]. See `docs/internals/how-to-add-an-endpoint.md`.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;

use crate::{
    accept::Media,
    document::to_json,
    documents::{
        Stats, SupervisorV1,
        availability::{AvailabilityV1, TimelineV1},
        probe::Check,
    },
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

    /// What the processes of a service use.
    fn stats(&self, _: Ask) -> Pending<Stats> {
        unavailable()
    }

    /// What probes check, all of it.
    fn checks(&self, _: Ask) -> Pending<Vec<Check>> {
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

/// The pieces of a body that is made while it is sent. The gateway requests the next piece when the client
/// has taken the former ones: a slow client holds up nothing but its own stream, whose source
/// decides what it misses.
pub struct Chunks(Box<dyn Source + Send>);

/// One poll of a source; `None` is its end.
trait Source {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>>;
}

/// A source that one step after the other is made from.
struct Unfold<S, F, N> {
    /// Taken while a step is in progress, and at the end.
    state: Option<S>,
    step: F,
    next: Option<Pin<Box<N>>>,
}

impl<S, F, N> Source for Unfold<S, F, N>
where
    F: FnMut(S) -> N,
    N: Future<Output = Option<(Bytes, S)>>,
{
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(state) = self.state.take() {
            let future = (self.step)(state);
            match &mut self.next {
                // The place of the former step serves the next one.
                Some(place) => place.set(future),
                empty => *empty = Some(Box::pin(future)),
            }
        } else if self.next.is_none() {
            return Poll::Ready(None);
        }
        let Some(next) = &mut self.next else { return Poll::Ready(None) };
        match std::task::ready!(next.as_mut().poll(context)) {
            Some((bytes, state)) => {
                self.state = Some(state);
                Poll::Ready(Some(bytes))
            }
            None => {
                self.next = None;
                Poll::Ready(None)
            }
        }
    }
}

impl Chunks {
    /// Pieces from a state: each step waits for the next piece and gives it with the state after
    /// it, or `None` at the end. Pieces should be at most some kilobytes; empty ones are skipped.
    ///
    /// ```
    /// # use roost_api::live::Chunks;
    /// # let (_, lines) = tokio::sync::mpsc::channel::<bytes::Bytes>(4);
    /// let chunks = Chunks::unfold(lines, |mut lines| async { Some((lines.recv().await?, lines)) });
    /// ```
    pub fn unfold<S, F, N>(state: S, step: F) -> Self
    where
        S: Send + 'static,
        F: FnMut(S) -> N + Send + 'static,
        N: Future<Output = Option<(Bytes, S)>> + Send + 'static,
    {
        Self(Box::new(Unfold { state: Some(state), step, next: None }))
    }

    /// The next piece that is not empty.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            match std::task::ready!(self.0.poll(context)) {
                Some(bytes) if bytes.is_empty() => {}
                other => return Poll::Ready(other),
            }
        }
    }
}

impl std::fmt::Debug for Chunks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chunks").finish_non_exhaustive()
    }
}
