//! The sending side: batches of messages to many peers, over connections that are kept for some
//! seconds, because the next round of gossip often goes to the same peers.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::{Notify, mpsc},
    task::JoinSet,
    time::timeout,
};

use super::{
    peer::{Batch, Peer, Shared, bytes_of},
    report::{BatchId, Refused, Reports},
    stats::{PoolCounters, PoolStats, add},
};

/// Limits of a [`Pool`].
#[derive(Debug, Clone)]
pub struct PoolLimits {
    /// Peers with pending batches or kept connections.
    pub peers_max: usize,
    /// Batches that wait for one peer.
    pub peer_batches_max: usize,
    /// Bytes that wait for one peer.
    pub peer_bytes_max: usize,
    /// Bytes that wait for all peers together: many slow ones must not add up.
    pub bytes_max: usize,
    /// Longest message; peers refuse longer ones.
    pub message_bytes_max: usize,
    /// Reports waiting to be taken.
    pub reports_max: usize,
    /// Time to connect.
    pub connect_timeout: Duration,
    /// Time for the handshake.
    pub handshake_timeout: Duration,
    /// Time without progress after which sending fails.
    pub send_timeout: Duration,
    /// Time that an idle connection is kept.
    pub idle_timeout: Duration,
    /// Time for messages to arrive when a connection is closed.
    pub linger: Duration,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self {
            peers_max: 1024,
            peer_batches_max: 16,
            peer_bytes_max: 32 * 1024 * 1024,
            bytes_max: 128 * 1024 * 1024,
            message_bytes_max: 16 * 1024 * 1024,
            reports_max: 4096,
            connect_timeout: Duration::from_millis(500),
            handshake_timeout: Duration::from_millis(500),
            send_timeout: Duration::from_millis(500),
            idle_timeout: Duration::from_secs(15),
            linger: Duration::from_millis(1000),
        }
    }
}

/// PUSH connections to many peers. Dropping it breaks them; [`Pool::close`] does not.
#[derive(Debug)]
pub struct Pool {
    shared: Arc<Shared>,
    counters: Arc<PoolCounters>,
    peers: HashMap<SocketAddr, Handle>,
    tasks: JoinSet<()>,
    next_batch: u64,
}

#[derive(Debug)]
struct Handle {
    batches: mpsc::Sender<Batch>,
    queued_bytes: Arc<AtomicUsize>,
}

impl Pool {
    /// A pool without connections, and its reports. Its tasks run on the tokio runtime in which
    /// [`Pool::send`] is called.
    #[must_use]
    pub fn new(limits: PoolLimits) -> (Self, Reports) {
        let (sender, reports) = mpsc::channel(limits.reports_max.max(1));
        let counters = Arc::new(PoolCounters::default());
        let shared = Shared {
            limits,
            counters: Arc::clone(&counters),
            reports: sender,
            queued_bytes: AtomicUsize::new(0),
            scarce: Notify::new(),
        };
        let pool = Self {
            shared: Arc::new(shared),
            counters,
            peers: HashMap::new(),
            tasks: JoinSet::new(),
            next_batch: 0,
        };
        (pool, Reports(reports))
    }

    /// Queues messages for a peer and returns immediately. They are sent in this order over one
    /// connection; each accepted batch is reported once. When a connection breaks, a batch may
    /// arrive twice, completely or partially; rumors tolerate that.
    ///
    /// # Errors
    /// When a limit is reached; then nothing is queued.
    pub fn send(&mut self, to: SocketAddr, messages: Vec<Bytes>) -> Result<BatchId, Refused> {
        let result = self.queue(to, messages);
        add(&self.counters.refused, u64::from(result.is_err()));
        result
    }

    fn queue(&mut self, to: SocketAddr, messages: Vec<Bytes>) -> Result<BatchId, Refused> {
        let limits = &self.shared.limits;
        if messages.iter().any(|message| message.len() > limits.message_bytes_max) {
            return Err(Refused::MessageTooLong);
        }
        let bytes = bytes_of(&messages);
        let all_bytes = self.shared.queued_bytes.load(Ordering::Relaxed);
        if all_bytes + bytes > limits.bytes_max {
            return Err(Refused::PoolBusy);
        }
        let id = BatchId(self.next_batch);
        let mut batch = Batch { id, messages };
        if let Some(peer) = self.peers.get(&to) {
            if peer.queued_bytes.load(Ordering::Relaxed) + bytes > limits.peer_bytes_max {
                return Err(Refused::PeerBusy);
            }
            peer.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
            match peer.batches.try_send(batch) {
                Ok(()) => {
                    self.shared.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
                    self.next_batch += 1;
                    return Ok(id);
                }
                Err(mpsc::error::TrySendError::Full(_)) => {
                    peer.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
                    return Err(Refused::PeerBusy);
                }
                // The task is ending or has ended: start a new one.
                Err(mpsc::error::TrySendError::Closed(returned)) => batch = returned,
            }
        }
        self.start(to, batch, bytes)?;
        self.next_batch += 1;
        Ok(id)
    }

    fn start(&mut self, to: SocketAddr, batch: Batch, bytes: usize) -> Result<(), Refused> {
        while self.tasks.try_join_next().is_some() {}
        self.peers.retain(|_, peer| !peer.batches.is_closed());
        let limits = &self.shared.limits;
        if self.tasks.len() >= limits.peers_max {
            return Err(Refused::TooManyPeers);
        }
        if bytes > limits.peer_bytes_max {
            return Err(Refused::PeerBusy);
        }
        let (sender, batches) = mpsc::channel(limits.peer_batches_max.max(1));
        sender.try_send(batch).expect("a new queue has room for one");
        let queued_bytes = Arc::new(AtomicUsize::new(bytes));
        self.shared.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        let shared = Arc::clone(&self.shared);
        let peer = Peer { to, batches, queued_bytes: Arc::clone(&queued_bytes), shared };
        self.tasks.spawn(peer.run());
        self.peers.insert(to, Handle { batches: sender, queued_bytes });
        Ok(())
    }

    /// Statistics so far.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        self.counters.copy()
    }

    /// Sends queued messages and closes all connections properly, within the linger time.
    pub async fn close(mut self) {
        let linger = self.shared.limits.linger;
        self.peers.clear();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        // Dropping the remaining tasks breaks their connections.
        let _ = timeout(linger, all).await;
    }
}
