//! What the first look at a request leads to.

use std::time::{Duration, Instant};

use http::{HeaderMap, StatusCode};

use crate::{
    accept::Media,
    answer::{self, Answer, Persistence},
    lease::Lease,
    live::{Pending, Reply},
    metrics::Series,
    rendered::Rendered,
    resource::ResourceId,
    version,
    watchers::Watched,
};

/// An answer, or what it takes to make one.
pub(super) enum First {
    Ready(Answer),
    Asked(Asked),
    /// The client has this version, and waits for another one.
    Known(Known),
}

/// A request that waits for a change.
pub(super) struct Known {
    pub(super) watched: Watched,
    pub(super) tag: String,
    pub(super) wait: Duration,
    /// Ends it before that time.
    pub(super) lease: Option<Lease>,
    pub(super) not_modified: Answer,
    pub(super) begun: Instant,
    pub(super) series: Series,
    pub(super) persistence: Persistence,
}

/// A request that the Supervisor answers.
pub(super) struct Asked {
    pub(super) pending: Pending<Reply>,
    /// Only so many are made at the same time.
    pub(super) limited: bool,
    /// Ends a stream.
    pub(super) lease: Option<Lease>,
    pub(super) id: ResourceId,
    pub(super) media: Media,
    pub(super) begun: Instant,
    pub(super) series: Series,
    pub(super) persistence: Persistence,
}

/// What an answer has to know of its request.
pub(super) struct Terms<'a> {
    pub(super) headers: &'a HeaderMap,
    pub(super) media: Media,
    pub(super) offered: &'static [Media],
    pub(super) is_v1: bool,
    pub(super) persistence: Persistence,
}

impl Terms<'_> {
    /// The answer with a document; a tag when the client has it already.
    pub(super) fn document(&self, status: StatusCode, body: Rendered) -> Result<Answer, String> {
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

    pub(super) fn not_modified(&self, tag: &str) -> Answer {
        answer::not_modified(tag, self.vary(), self.persistence)
    }

    const fn vary(&self) -> &'static str {
        if self.offered.len() > 1 { "accept, accept-encoding" } else { "accept-encoding" }
    }
}
