//! The Supervisor's end of a conversation.

use std::{net::SocketAddr, sync::Arc};

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::reply::{Color, Console, Failure, Partial, Reply};

/// Pieces that may wait for a slow client; further ones are dropped, but never the reply.
const MAX_WAITING_PARTIALS: usize = 1024;

/// Where a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The client's address.
    pub address: SocketAddr,
    /// The subject of its certificate, if it has one.
    pub certificate: Option<String>,
}

/// Answers one request without waiting. If it is dropped without [`Responder::finish`], the
/// connection closes without an answer, which a client reports as a failure.
#[derive(Debug)]
pub struct Responder {
    partials: mpsc::Sender<Partial>,
    reply: oneshot::Sender<Reply>,
    origin: Option<Origin>,
    /// Held until the request is answered, even when its client has left: so the number of waiting
    /// requests is bounded.
    _place: Option<Arc<OwnedSemaphorePermit>>,
}

/// The other end of a [`Responder`].
#[derive(Debug)]
pub struct Answers {
    pub(crate) partials: mpsc::Receiver<Partial>,
    pub(crate) reply: oneshot::Receiver<Reply>,
}

impl Responder {
    /// A responder and the receiver of its answers.
    #[must_use]
    pub fn channel() -> (Self, Answers) {
        Self::holding(None, None)
    }

    /// As [`Responder::channel`], for a request that occupies one of a limited number of places.
    pub(crate) fn holding(
        place: Option<Arc<OwnedSemaphorePermit>>,
        origin: Option<Origin>,
    ) -> (Self, Answers) {
        let (partial_sender, partials) = mpsc::channel(MAX_WAITING_PARTIALS);
        let (reply_sender, reply) = oneshot::channel();
        let responder =
            Self { partials: partial_sender, reply: reply_sender, origin, _place: place };
        (responder, Answers { partials, reply })
    }

    /// Where the request comes from; `None` when not over the network.
    #[must_use]
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// Shows a line; appends its newline.
    pub fn line(&self, text: impl Into<String>) {
        let mut text = text.into();
        text.push('\n');
        self.partial(Partial::Console(Console { text, color: None, bold: false }));
    }

    /// Shows a piece of text unchanged. A newline after it is a separate piece, without colour.
    pub fn colored(&self, text: impl Into<String>, color: Option<Color>, bold: bool) {
        self.partial(Partial::Console(Console { text: text.into(), color, bold }));
    }

    /// Shows the progress of a download.
    pub fn progress(&self, total_bytes: u64, position_bytes: u64) {
        self.partial(Partial::Progress { total_bytes, position_bytes });
    }

    /// Ends the conversation.
    pub fn finish(self, reply: impl Into<Reply>) {
        // The client may have left; its request is carried out anyway.
        let _ = self.reply.send(reply.into());
    }

    /// Ends the conversation with `Ok` or the failure.
    pub fn finish_with(self, result: Result<(), Failure>) {
        self.finish(result.map_or_else(Reply::Failed, |()| Reply::Ok));
    }

    fn partial(&self, partial: Partial) {
        // Full when the client does not read, closed when it has left: both can be ignored.
        let _ = self.partials.try_send(partial);
    }
}

impl Answers {
    /// The next piece, or `None` when the reply is available or will never come.
    pub async fn next_partial(&mut self) -> Option<Partial> {
        self.partials.recv().await
    }

    /// The reply; `None` when the responder was dropped.
    pub async fn reply(self) -> Option<Reply> {
        self.reply.await.ok()
    }
}
