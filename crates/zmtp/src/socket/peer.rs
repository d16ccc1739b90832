//! The task that sends to one peer. It ends after an idle period.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use tokio::{
    sync::{Notify, mpsc},
    task::yield_now,
    time::sleep,
};

use super::{
    link::Link,
    pool::PoolLimits,
    report::{BatchId, Report, SendError, Step},
    stats::{Gauge, PoolCounters, add},
};

/// Messages for one peer.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) id: BatchId,
    pub(crate) messages: Vec<Bytes>,
}

pub(crate) fn bytes_of(messages: &[Bytes]) -> usize {
    messages.iter().map(Bytes::len).sum()
}

/// State shared by the tasks of a pool.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limits: PoolLimits,
    pub(crate) counters: Arc<PoolCounters>,
    pub(crate) reports: mpsc::Sender<Report>,
    /// Bytes that wait for all peers.
    pub(crate) queued_bytes: AtomicUsize,
    /// Notified when descriptors run out: idle connections should be closed.
    pub(crate) scarce: Notify,
}

pub(crate) struct Peer {
    pub(crate) to: SocketAddr,
    pub(crate) batches: mpsc::Receiver<Batch>,
    pub(crate) queued_bytes: Arc<AtomicUsize>,
    pub(crate) shared: Arc<Shared>,
}

impl Peer {
    pub(crate) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut link: Option<(Link, Gauge<'_>)> = None;
        while let Some(batch) = self.next(&mut link).await {
            // Lets the runtime poll its sockets, so that a pending end is seen.
            yield_now().await;
            if link.as_mut().is_some_and(|(link, _)| link.has_ended()) {
                link = None;
            }
            let report = self.deliver(&mut link, &batch, &shared).await;
            let bytes = bytes_of(&batch.messages);
            self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
            shared.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
            // If the receiver is gone, reports are not needed.
            let _ = shared.reports.send(report).await;
        }
        if let Some((link, _open)) = link {
            link.linger(shared.limits.linger).await;
        }
    }

    /// The next batch. `None` after the last one: after an idle period, or without a connection
    /// worth keeping. From then on the pool starts a new task for this peer.
    async fn next(&mut self, link: &mut Option<(Link, Gauge<'_>)>) -> Option<Batch> {
        if let Some((connection, _)) = link {
            tokio::select! {
                biased;
                batch = self.batches.recv() => return batch,
                () = connection.watch() => *link = None,
                () = sleep(self.shared.limits.idle_timeout) => {}
                () = self.shared.scarce.notified() => {}
            }
        }
        if let Ok(batch) = self.batches.try_recv() {
            return Some(batch);
        }
        // Batches sent before this call are still received.
        self.batches.close();
        self.batches.recv().await
    }

    async fn deliver<'a>(
        &self,
        link: &mut Option<(Link, Gauge<'a>)>,
        batch: &Batch,
        shared: &'a Shared,
    ) -> Report {
        let (mut sent, mut outcome) = (0, Ok(()));
        let is_reused = link.is_some();
        // A kept connection may already be dead; a new one shows.
        for attempt in 0..=usize::from(is_reused) {
            (sent, outcome) = self.attempt(link, batch, shared).await;
            if outcome.is_ok() {
                if is_reused && attempt == 0 {
                    add(&shared.counters.reused, 1);
                }
                break;
            }
            *link = None;
        }
        let messages = batch.messages.get(..sent).unwrap_or_default();
        add(&shared.counters.messages, sent as u64);
        add(&shared.counters.message_bytes, bytes_of(messages) as u64);
        add(&shared.counters.failed, u64::from(outcome.is_err()));
        Report { batch: batch.id, to: self.to, sent, error: outcome.err() }
    }

    async fn attempt<'a>(
        &self,
        link: &mut Option<(Link, Gauge<'a>)>,
        batch: &Batch,
        shared: &'a Shared,
    ) -> (usize, Result<(), SendError>) {
        let (link, _) = match link {
            Some(link) => link,
            None => match Link::connect(self.to, &shared.limits).await {
                Ok(connection) => {
                    add(&shared.counters.connects, 1);
                    link.insert((connection, Gauge::new(&shared.counters.open)))
                }
                Err(error) => {
                    if error.step == Step::Create {
                        shared.scarce.notify_waiters();
                    }
                    return (0, Err(error));
                }
            },
        };
        match link.send(&batch.messages, shared.limits.send_timeout).await {
            Ok(()) => (batch.messages.len(), Ok(())),
            Err((sent, error)) => (sent, Err(SendError::new(Step::Send, error))),
        }
    }
}
