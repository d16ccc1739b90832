//! One connection of a listener, from its handshake to its end.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, atomic::AtomicU64},
};

use bytes::BytesMut;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{Instant, timeout, timeout_at},
};

use super::{
    listener::{ListenLimits, Received},
    stats::{Gauge, ListenCounters, add},
};
use crate::{
    codec::{Codec, Event, Role},
    error::ProtocolError,
};

/// Messages longer than this need room among [`ListenLimits::long_bytes_max`]. Shorter ones are
/// bounded by the number of connections and of queued messages.
const LONG_BYTES: u64 = 128 * 1024;

/// Initial read size: small, since most connections carry little.
const READ_BYTES_FIRST: usize = 4 * 1024;
const READ_BYTES_NEXT: usize = 64 * 1024;

/// State shared by the connections of a listener.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limits: ListenLimits,
    pub(crate) counters: Arc<ListenCounters>,
    pub(crate) sender: mpsc::Sender<Received>,
    pub(crate) long: Arc<Semaphore>,
    pub(crate) half_open: Arc<Semaphore>,
}

/// Why a connection ended.
enum End {
    /// The peer closed it, after sending everything.
    Closed,
    HandshakeTimeout,
    Stalled,
    NoMemory,
    Idle,
    Protocol(ProtocolError),
    Io,
}

impl End {
    fn counter(self, counters: &ListenCounters) -> Option<&AtomicU64> {
        Some(match self {
            Self::Closed => return None,
            Self::HandshakeTimeout => &counters.handshake_timeouts,
            Self::Stalled => &counters.stalled,
            Self::NoMemory => &counters.no_memory,
            Self::Idle => &counters.idle,
            Self::Protocol(error) if error.is_too_long() => &counters.too_long,
            Self::Protocol(_) => &counters.protocol_errors,
            Self::Io => &counters.io_errors,
        })
    }
}

impl From<ProtocolError> for End {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Io
    }
}

pub(crate) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    half_open: OwnedSemaphorePermit,
    shared: Arc<Shared>,
) {
    let _open = Gauge::new(&shared.counters.open);
    let codec = Codec::new(Role::Pull, shared.limits.codec);
    let (input, output) = (BytesMut::new(), BytesMut::new());
    let connection = Connection { stream, peer, codec, input, output, shared: &shared };
    if let Err(end) = connection.run(half_open).await
        && let Some(counter) = end.counter(&shared.counters)
    {
        add(counter, 1);
    }
}

struct Connection<'a> {
    stream: TcpStream,
    peer: SocketAddr,
    codec: Codec,
    input: BytesMut,
    output: BytesMut,
    shared: &'a Shared,
}

impl Connection<'_> {
    async fn run(mut self, half_open: OwnedSemaphorePermit) -> Result<(), End> {
        self.codec.start(&mut self.output);
        let handshake = timeout(self.shared.limits.handshake_timeout, self.handshake());
        handshake.await.map_err(|_| End::HandshakeTimeout)??;
        drop(half_open);
        loop {
            self.receive_message().await?;
        }
    }

    async fn handshake(&mut self) -> Result<(), End> {
        loop {
            let event = self.codec.decode(&mut self.input, &mut self.output)?;
            self.stream.write_all_buf(&mut self.output).await?;
            if event.is_some() {
                return Ok(());
            }
            self.read().await?;
        }
    }

    /// Waits for one message and puts it into the queue.
    async fn receive_message(&mut self) -> Result<(), End> {
        let limits = &self.shared.limits;
        let idle_deadline = Instant::now() + limits.idle_timeout;
        let mut message_deadline = None;
        let mut room = None;
        loop {
            let event = self.codec.decode(&mut self.input, &mut self.output)?;
            if !self.output.is_empty() {
                let written =
                    timeout(limits.handshake_timeout, self.stream.write_all_buf(&mut self.output));
                written.await.map_err(|_| End::Stalled)??;
            }
            match event {
                Some(Event::Message(bytes)) => {
                    add(&self.shared.counters.messages, 1);
                    add(&self.shared.counters.message_bytes, bytes.len() as u64);
                    let received = Received { peer: self.peer, bytes, _room: room };
                    // Fails only when the listener is gone, which ends this task too.
                    return self.shared.sender.send(received).await.map_err(|_| End::Closed);
                }
                Some(Event::MultipartDropped) => {
                    add(&self.shared.counters.multipart, 1);
                    return Ok(());
                }
                Some(Event::Ready) | None => {}
            }
            let deadline = if self.codec.is_amid(&self.input) {
                *message_deadline.get_or_insert_with(|| Instant::now() + limits.message_timeout)
            } else {
                message_deadline = None; // it was a command
                idle_deadline
            };
            let awaited = self.codec.awaited_bytes(&self.input);
            if awaited > LONG_BYTES && room.is_none() {
                room = Some(self.room(awaited, deadline).await?);
            }
            let read = timeout_at(deadline, self.read()).await;
            let late = if message_deadline.is_some() { End::Stalled } else { End::Idle };
            read.map_err(|_| late)??;
        }
    }

    /// Waits until the deadline for room for a long message.
    async fn room(&self, bytes: u64, deadline: Instant) -> Result<OwnedSemaphorePermit, End> {
        let bytes = u32::try_from(bytes).map_err(|_| End::NoMemory)?;
        if bytes > self.shared.limits.long_bytes_max {
            return Err(End::NoMemory);
        }
        let room = Arc::clone(&self.shared.long).acquire_many_owned(bytes);
        timeout_at(deadline, room).await.ok().and_then(Result::ok).ok_or(End::NoMemory)
    }

    /// Reads the available bytes, at least one. Holds no buffer while waiting.
    async fn read(&mut self) -> Result<(), End> {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
        loop {
            self.stream.readable().await?;
            // A peer that sends without pause must not block the other tasks.
            tokio::task::coop::consume_budget().await;
            let is_first = self.input.len() < READ_BYTES_FIRST;
            self.input.reserve(if is_first { READ_BYTES_FIRST } else { READ_BYTES_NEXT });
            match self.stream.try_read_buf(&mut self.input) {
                Ok(0) => return Err(End::Closed),
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
