//! The receiving side: accepts connections within limits, and delivers their messages in one queue.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::{Id, JoinSet},
};

use super::{
    serve::{Shared, serve},
    stats::{ListenCounters, ListenStats, add},
};
use crate::codec::CodecLimits;

/// Pause after a failed accept. Without one, a full descriptor table would keep a core busy.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Limits of a [`Listener`].
#[derive(Debug, Clone)]
pub struct ListenLimits {
    /// Open connections. A connection refused before its handshake loses no message: libzmq tries
    /// again.
    pub connections_max: usize,
    /// Open connections from one IP address.
    pub connections_per_address_max: usize,
    /// Connections that have not finished their handshake.
    pub half_open_max: usize,
    /// Received messages waiting to be taken; beyond it, connections wait.
    pub queue_messages_max: usize,
    /// Bytes of long messages (more than 128 KiB), incoming and queued, of all connections.
    pub long_bytes_max: u32,
    /// Time for the whole handshake.
    pub handshake_timeout: Duration,
    /// Time for one message, from its first byte to its last.
    pub message_timeout: Duration,
    /// Time without a message after which a connection is closed.
    pub idle_timeout: Duration,
    /// Limits on frames and messages.
    pub codec: CodecLimits,
}

impl Default for ListenLimits {
    fn default() -> Self {
        Self {
            connections_max: 1024,
            connections_per_address_max: 256,
            half_open_max: 256,
            queue_messages_max: 1000,
            long_bytes_max: 64 * 1024 * 1024,
            handshake_timeout: Duration::from_secs(5),
            message_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(300),
            codec: CodecLimits::default(),
        }
    }
}

/// A received message.
#[derive(Debug)]
pub struct Received {
    /// Address of the sender; the kernel chose the port.
    pub peer: SocketAddr,
    /// The message.
    pub bytes: Bytes,
    /// Room taken by a long message, released when this is dropped.
    pub(crate) _room: Option<OwnedSemaphorePermit>,
}

/// A bound PULL socket. Dropping it closes the port and all its connections, a moment later.
#[derive(Debug)]
pub struct Listener {
    local_addr: SocketAddr,
    counters: Arc<ListenCounters>,
    received: mpsc::Receiver<Received>,
    tasks: JoinSet<()>,
}

impl Listener {
    /// Listens on an address. Port 0 takes any free one, see [`Listener::local_addr`].
    ///
    /// # Errors
    /// When the address is not available.
    pub async fn bind(addr: SocketAddr, limits: ListenLimits) -> io::Result<Self> {
        Self::new(TcpListener::bind(addr).await?, limits)
    }

    /// Listens on a socket that was bound before the runtime started.
    ///
    /// # Errors
    /// When the socket cannot be used.
    pub fn from_std(listener: std::net::TcpListener, limits: ListenLimits) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Self::new(TcpListener::from_std(listener)?, limits)
    }

    fn new(listener: TcpListener, limits: ListenLimits) -> io::Result<Self> {
        let local_addr = listener.local_addr()?;
        let counters = Arc::new(ListenCounters::default());
        let (sender, received) = mpsc::channel(limits.queue_messages_max.max(1));
        let shared = Shared {
            long: Arc::new(Semaphore::new(limits.long_bytes_max as usize)),
            half_open: Arc::new(Semaphore::new(limits.half_open_max)),
            counters: Arc::clone(&counters),
            sender,
            limits,
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::new(shared)));
        Ok(Self { local_addr, counters, received, tasks })
    }

    /// The listen address.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The next message of any connection. Never `None` while the listener lives.
    pub async fn recv(&mut self) -> Option<Received> {
        self.received.recv().await
    }

    /// The next message, if one is available.
    pub fn try_recv(&mut self) -> Option<Received> {
        self.received.try_recv().ok()
    }

    /// Stops listening; the port is free when this returns. Waiting messages are lost.
    pub async fn close(mut self) {
        self.tasks.shutdown().await;
    }

    /// Statistics so far.
    #[must_use]
    pub fn stats(&self) -> ListenStats {
        self.counters.copy()
    }
}

/// Accepts connections until it is aborted. Only this task counts those of each address.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = Connections::default();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => connections.admit(stream, peer, &shared),
                Err(_) => {
                    add(&shared.counters.accept_errors, 1);
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(ended) = connections.tasks.join_next_with_id() => {
                connections.forget(ended.map_or_else(|error| error.id(), |(id, ())| id));
            }
        }
    }
}

#[derive(Default)]
struct Connections {
    tasks: JoinSet<()>,
    address_of: HashMap<Id, IpAddr>,
    per_address: HashMap<IpAddr, usize>,
}

impl Connections {
    fn admit(&mut self, stream: TcpStream, peer: SocketAddr, shared: &Arc<Shared>) {
        let (counters, limits) = (&shared.counters, &shared.limits);
        let from_there = self.per_address.get(&peer.ip()).copied().unwrap_or(0);
        if self.tasks.len() >= limits.connections_max {
            return add(&counters.refused_total, 1);
        }
        if from_there >= limits.connections_per_address_max {
            return add(&counters.refused_address, 1);
        }
        let Ok(half_open) = Arc::clone(&shared.half_open).try_acquire_owned() else {
            return add(&counters.refused_half_open, 1);
        };
        add(&counters.accepted, 1);
        let task = self.tasks.spawn(serve(stream, peer, half_open, Arc::clone(shared)));
        self.address_of.insert(task.id(), peer.ip());
        self.per_address.insert(peer.ip(), from_there + 1);
    }

    fn forget(&mut self, task: Id) {
        let Some(address) = self.address_of.remove(&task) else { return };
        match self.per_address.get_mut(&address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(self.per_address.remove(&address)),
        }
    }
}
