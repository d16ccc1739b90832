//! The connection to the launcher as a pair of tasks.
//!
//! Events go into a bounded queue: while the Supervisor is busy the launcher stops reading the
//! output of hooks, so that endless output of a hook needs no memory.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use roost_launch::{
    client::{self, Client, ClientError, Decoder},
    line::Style,
    wire::{Alive, Hello, LauncherEvent, Request, Welcome},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
};

use crate::vital;

/// Events that wait for the Supervisor's task.
const EVENT_QUEUE: usize = 64;
/// A start that takes longer hangs, on a disk that does not answer: the launcher tries another.
const START_PATIENCE_MS: u64 = 600_000;
/// Bytes read at once.
const READ_BYTES: usize = 32 * 1024;

/// Why the launcher cannot be talked to.
#[derive(Debug, thiserror::Error)]
pub enum LauncherError {
    /// This process was not started by a launcher.
    #[error("{0}")]
    NotLaunched(#[from] ClientError),
    /// The connection broke.
    #[error("The connection to the launcher failed: {0}")]
    Io(#[from] io::Error),
}

/// What is sent to the launcher. Never waits; the connection's end shows in the event queue.
///
/// What waits needs no limit of its own while a launcher does not read: every request follows an
/// event of the launcher, a command of a client or a change of a file; without its events each
/// service gets no further than one start, one hook and one signal each. Only signs of life follow
/// the clock, and one of them is enough ([`Launcher::alive`]).
#[derive(Debug, Clone)]
pub(crate) struct Launcher {
    requests: mpsc::UnboundedSender<Vec<u8>>,
    /// Requests that the connection has not taken yet.
    waiting: Arc<AtomicUsize>,
}

impl Launcher {
    /// Sends hello, and returns what the launcher holds together with all later events. The
    /// queue ends when the launcher does.
    pub(crate) async fn connect(
        style: Style,
        service_log_bytes: u64,
    ) -> Result<(Self, Welcome, mpsc::Receiver<LauncherEvent>), LauncherError> {
        let stream = UnixStream::from_std(Client::from_env()?.into_stream())?;
        let (reader, writer) = stream.into_split();
        let (requests, outbox) = mpsc::unbounded_channel();
        let (events, mut inbox) = mpsc::channel(EVENT_QUEUE);
        let waiting = Arc::new(AtomicUsize::new(0));
        vital::spawn("requests to the launcher", write(writer, outbox, Arc::clone(&waiting)));
        vital::spawn("events of the launcher", read(reader, events));
        let launcher = Self { requests, waiting };
        let service_log_bytes = Some(service_log_bytes);
        launcher.send(&Request::Hello(Hello { service_log_bytes, ..Hello::new(style) }));
        launcher.send(&Request::Alive(Alive { within_ms: START_PATIENCE_MS }));
        let mut welcome = Welcome::default();
        loop {
            match inbox.recv().await {
                Some(LauncherEvent::Welcome(part)) => {
                    if welcome.add_part(part) {
                        return Ok((launcher, welcome, inbox));
                    }
                }
                // Nothing else belongs before the welcome.
                Some(_) => {}
                None => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            }
        }
    }

    /// Requests that the launcher has not taken yet.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Sends a request. One that is too large to send is logged and dropped: its sender made
    /// it from bounded parts.
    pub(crate) fn send(&self, request: &Request) {
        match client::encode(request) {
            // A launcher that is gone shows as the end of events.
            Ok(bytes) => {
                self.waiting.fetch_add(1, Ordering::Relaxed);
                drop(self.requests.send(bytes));
            }
            Err(error) => tracing::error!("A request to the launcher was dropped: {error}"),
        }
    }
}

impl Launcher {
    /// Sends a sign of life, unless the former one was not taken yet.
    pub(crate) fn alive(&self, request: &Request) {
        if self.waiting.load(Ordering::Relaxed) == 0 {
            self.send(request);
        }
    }
}

async fn write(
    mut stream: OwnedWriteHalf,
    mut outbox: mpsc::UnboundedReceiver<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
) {
    while let Some(bytes) = outbox.recv().await {
        if stream.write_all(&bytes).await.is_err() {
            return;
        }
        waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn read(mut stream: OwnedReadHalf, events: mpsc::Sender<LauncherEvent>) {
    let mut decoder = Decoder::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(n) => decoder.push(&buffer[..n]),
        }
        loop {
            match decoder.next() {
                Ok(Some(event)) => {
                    if events.send(event).await.is_err() {
                        return;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::error!(
                        "The launcher sent something that cannot be understood: {error}"
                    );
                    return;
                }
            }
        }
    }
}
