//! Requests whose answer is not there yet: the Supervisor makes it, or the document has to change.

use std::{pin::pin, sync::Arc};

use http::request::Parts;
use tokio::time::{sleep, timeout};

use super::{
    first::{Asked, First, Known, Terms},
    shared::Shared,
};
use crate::{
    answer::{self, Answer},
    document::Format,
    lease::{Lease, ended},
    limits,
    line::{Line, Waiting},
    live::{Reply, ReplyBody},
    problem::{Code, Problem},
    rendered::Rendered,
    resource::Renderer,
    snapshot::Snapshot,
    streaming::Streaming,
    watchers::Watched,
};

impl Shared {
    /// Waits for an answer that the Supervisor makes.
    pub(super) async fn await_reply(&self, asked: Asked, parts: &Parts, line: &Line) -> Answer {
        let Asked { pending, limited, lease, id, media, begun, series, persistence } = asked;
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
            Ok(reply) => self.reply(reply, &terms, line, lease),
            Err(problem) => Err(problem),
        };
        let answer = reply.unwrap_or_else(|problem| problem.answer(persistence));
        series.end(begun.elapsed());
        answer
    }

    /// Waits until the document of a request is another one than its client has.
    pub(super) async fn await_change(&self, known: Known, parts: &Parts, line: &Line) -> Answer {
        let Known { watched, tag, wait, mut lease, not_modified, begun, series, persistence } =
            known;
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
                    // The next look denies it.
                    () = ended(&mut lease) => break,
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

    /// Wakes those who wait for documents that a new snapshot changes. Never returns; of several
    /// calls one does the work.
    pub(crate) async fn follow_snapshots(&self) {
        let _only = self.following.lock().await;
        let mut snapshots = self.snapshots.clone();
        loop {
            let snapshot = snapshots.borrow_and_update().clone();
            if let Some(snapshot) = snapshot {
                self.watchers.wake(|watched| self.tag(&snapshot, watched)).await;
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
            Renderer::Group(select) => select(snapshot, group).ok()?,
            Renderer::Service(render) => render(snapshot.service(group)?, Format::Json).1.clone(),
            Renderer::Page(_) | Renderer::Figures | Renderer::Live(_) => return None,
        };
        Some(body.version.unwrap_or_default().tag(&body.bytes).to_owned())
    }

    fn reply(
        &self,
        reply: Reply,
        terms: &Terms<'_>,
        line: &Line,
        lease: Option<Lease>,
    ) -> Result<Answer, Problem> {
        let Reply { status, body } = reply;
        let (media, persistence) = (terms.media, terms.persistence);
        Ok(match body {
            ReplyBody::Whole(bytes) => {
                let answer = terms.document(status, Rendered::versioned(bytes));
                answer.unwrap_or_else(|tag| terms.not_modified(&tag))
            }
            ReplyBody::Stream(chunks) => {
                let (waiting, held) = (self.wait(line)?, Arc::clone(&self.held));
                let streaming =
                    Streaming::new(chunks, media.heartbeat(), line, held, waiting, lease);
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
}
