//! Results of batches given to a pool.

use std::{io, net::SocketAddr};

use tokio::sync::mpsc;

/// A batch that a pool accepted. Numbers rise by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchId(pub u64);

/// Why a pool refused a batch. Nothing of it will be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Too much is queued for this peer; it is slow or gone.
    #[error("too much is queued for this peer")]
    PeerBusy,
    /// Too much is queued for all peers together.
    #[error("too much is queued for all peers together")]
    PoolBusy,
    /// Too many peers are being sent to.
    #[error("too many peers are being sent to")]
    TooManyPeers,
    /// A message is longer than peers accept.
    #[error("a message is too long")]
    MessageTooLong,
}

/// Where sending failed; the word for metrics is [`Step::as_str`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// There was no descriptor for a socket.
    Create,
    /// The peer could not be reached.
    Connect,
    /// The peer was reached, but does not speak ZMTP or does not answer.
    Handshake,
    /// The peer does not read, or closed the connection.
    Send,
}

impl Step {
    /// The label in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "socket_create",
            Self::Connect => "socket_connect",
            Self::Handshake => "socket_handshake",
            Self::Send => "socket_send",
        }
    }
}

/// A batch could not be sent completely.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", .step.as_str())]
pub struct SendError {
    /// Where it failed.
    pub step: Step,
    /// The cause.
    pub source: io::Error,
}

impl SendError {
    pub(crate) fn new(step: Step, source: io::Error) -> Self {
        Self { step, source }
    }

    pub(crate) fn timeout(step: Step) -> Self {
        Self::new(step, io::ErrorKind::TimedOut.into())
    }
}

/// Result of a batch. "Sent" means handed to the kernel; ZeroMQ has no acknowledgement.
#[derive(Debug)]
pub struct Report {
    /// The batch.
    pub batch: BatchId,
    /// The peer.
    pub to: SocketAddr,
    /// Number of messages sent, from the start of the batch; all of them without an error.
    pub sent: usize,
    /// Why not all were sent.
    pub error: Option<SendError>,
}

/// The reports of a pool, one for each accepted batch. They must be taken: when too many wait,
/// sending waits too.
#[derive(Debug)]
pub struct Reports(pub(crate) mpsc::Receiver<Report>);

impl Reports {
    /// The next report; `None` once the pool is closed and everything is reported.
    pub async fn recv(&mut self) -> Option<Report> {
        self.0.recv().await
    }

    /// The next report, if one is available.
    pub fn try_recv(&mut self) -> Option<Report> {
        self.0.try_recv().ok()
    }
}
