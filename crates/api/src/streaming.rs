//! The body of an answer that is made while it is sent: in parts of bounded size, with signs of
//! life while nothing happens, until its source, the connection or the Supervisor ends.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::{
    chunks::Chunks,
    held::Held,
    lease::Lease,
    limits::{CHUNK_BYTES_MAX, HEARTBEAT, LEFT_CHECK},
    line::{Line, Waiting},
};

/// See the module.
pub(crate) struct Streaming {
    chunks: Chunks,
    /// What is left of the last piece.
    rest: Bytes,
    heartbeat: Option<&'static [u8]>,
    /// When the next sign of life is due.
    due: Instant,
    tick: Pin<Box<Sleep>>,
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Ends when its client may no longer read it.
    lease: Option<Lease>,
    held: Arc<Held>,
    close: CancellationToken,
    _waiting: Waiting,
}

impl Streaming {
    pub(crate) fn new(
        chunks: Chunks,
        heartbeat: Option<&'static [u8]>,
        line: &Line,
        held: Arc<Held>,
        waiting: Waiting,
        lease: Option<Lease>,
    ) -> Self {
        Self {
            chunks,
            rest: Bytes::new(),
            heartbeat,
            due: Instant::now() + HEARTBEAT,
            tick: Box::pin(sleep(LEFT_CHECK)),
            ended: Box::pin(line.leave.clone().cancelled_owned()),
            lease,
            held,
            close: line.close.clone(),
            _waiting: waiting,
        }
    }

    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.ended.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        if let Some(lease) = &mut self.lease
            && lease.as_mut().poll(context).is_ready()
        {
            // What follows is what follows the end of the connection.
            self.lease = Some(Box::pin(std::future::ready(())));
            return Poll::Ready(None);
        }
        if self.rest.is_empty() {
            match self.chunks.poll_next(context) {
                Poll::Ready(Some(piece)) => self.rest = piece,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return self.poll_idle(context),
            }
        }
        if self.heartbeat.is_some() {
            self.due = Instant::now() + HEARTBEAT;
        }
        let part = self.rest.split_to(self.rest.len().min(CHUNK_BYTES_MAX));
        let (part, _) = self.held.hold(part, &self.close);
        Poll::Ready(Some(part))
    }

    /// Wakes the connection now and then, so that it notices that its client has left, and sends a
    /// sign of life when one is due.
    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        while self.tick.as_mut().poll(context).is_ready() {
            self.tick.as_mut().reset(Instant::now() + LEFT_CHECK);
            if let Some(bytes) = self.heartbeat
                && Instant::now() >= self.due
            {
                self.due = Instant::now() + HEARTBEAT;
                return Poll::Ready(Some(Bytes::from_static(bytes)));
            }
        }
        Poll::Pending
    }
}

impl fmt::Debug for Streaming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streaming").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::sync::{Semaphore, mpsc};

    use super::*;
    use crate::{
        client::{Client, Peer},
        table::Table,
    };

    fn streaming(
        leave: &CancellationToken,
        permits: &Arc<Semaphore>,
    ) -> (mpsc::Sender<Bytes>, Streaming) {
        let (send, pieces) = mpsc::channel(1);
        let chunks = Chunks::unfold(pieces, |mut pieces: mpsc::Receiver<Bytes>| async {
            Some((pieces.recv().await?, pieces))
        });
        let line = Line {
            leave: leave.clone(),
            close: CancellationToken::new(),
            client: Arc::new(Client {
                peer: Peer::Address(([127, 0, 0, 1], 1).into()),
                certificate: None,
            }),
            activity: Arc::default(),
            seat: Arc::new(Table::new(1).enter(leave.clone())),
        };
        let permit = Arc::clone(permits).try_acquire_owned().expect("a permit");
        (
            send,
            Streaming::new(
                chunks,
                Some(b":\n\n"),
                &line,
                Arc::default(),
                Waiting::begin(&line, permit),
                None,
            ),
        )
    }

    #[tokio::test]
    async fn pieces_come_in_order_in_parts_until_the_source_ends() {
        let permits = Arc::new(Semaphore::new(1));
        let (send, mut stream) = streaming(&CancellationToken::new(), &permits);
        let sent: Vec<u8> = (0..50_000_u32).map(|it| it.to_le_bytes()[0]).collect();
        let pieces = [
            Bytes::new(),
            Bytes::from(sent[..40_000].to_vec()),
            Bytes::from(sent[40_000..].to_vec()),
        ];
        let sender = tokio::spawn(async move {
            for piece in pieces {
                send.send(piece).await.expect("taken");
            }
        });
        let mut received = Vec::new();
        while let Some(part) = poll_fn(|context| stream.poll_next(context)).await {
            assert!((1..=CHUNK_BYTES_MAX).contains(&part.len()));
            received.extend_from_slice(&part);
        }
        sender.await.expect("sent");
        assert_eq!(received, sent);
        assert!(poll_fn(|context| stream.poll_next(context)).await.is_none(), "it stays ended");
        assert_eq!(permits.available_permits(), 0);
        drop(stream);
        assert_eq!(permits.available_permits(), 1);
    }

    #[tokio::test]
    async fn it_ends_with_its_connection_and_its_source_notices() {
        let (leave, permits) = (CancellationToken::new(), Arc::new(Semaphore::new(1)));
        let (send, mut stream) = streaming(&leave, &permits);
        let reader =
            tokio::spawn(async move { poll_fn(|context| stream.poll_next(context)).await });
        leave.cancel();
        assert!(reader.await.expect("no panic").is_none());
        send.closed().await;
    }
}
