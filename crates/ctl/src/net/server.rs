//! The server side: accepts connections, checks the secret, forwards requests and sends the answers
//! (reference: control §2.2).
//!
//! One task per connection, so that a silent client blocks no other. Clients that have not sent the
//! secret are bounded in number, time and bytes; the oldest is closed for the newest. The same
//! applies to clients that have sent it and make no request.

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::BytesMut;
use prost::Message;
use subtle::ConstantTimeEq;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch},
    task::{AbortHandle, JoinSet},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    frame::{Decoder, Frame, MAX_BODY_BYTES, Transaction},
    message::{self, Named},
    net::responder::{Answers, Origin, Responder},
    reply::{ErrorCode, Reply},
    request::{REQUEST_IDS, Refusal, Request},
};

/// Time limit of TLS, and again of the handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Most connections without a valid secret.
const MAX_STRANGERS: usize = 64;
/// Most connections with a valid secret, and unanswered requests: clients that left before their
/// answer count until it is given.
pub const MAX_CONVERSATIONS: usize = 128;
/// Time limit from the answer to the secret to the complete request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// The system detects a disconnected client after about a minute and a half.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(45);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_PROBES: u32 = 3;
/// Body of a handshake, unless the secret itself is longer.
const MAX_HANDSHAKE_BYTES: usize = 4096;
/// Time limit for the client to accept one frame.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// After the last answer: time and bytes for the client to finish, so that unread bytes do not turn
/// the close into a reset that destroys the answer in transit.
const LINGER: Duration = Duration::from_secs(1);
const MAX_LINGER_BYTES: usize = 1 << 20;
/// Time limit for conversations to end at a shutdown.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);
/// Pause after a failed accept, usually for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Wrong secrets that are answered immediately; further answers are delayed more and more.
const FREE_FAILURES: u32 = 5;
/// Greatest delay of the answer to a wrong secret.
const MAX_FAILURE_DELAY: Duration = Duration::from_secs(4);
/// Without a wrong secret for this long, the count is reset.
const FAILURE_MEMORY: Duration = Duration::from_secs(60);

/// The shared secret; its text never shows in logs.
#[derive(Clone)]
pub struct Secret(String);

/// An empty secret would admit every client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret is empty; write one with `hab sup secret generate`, or remove the file")]
pub struct EmptySecret;

impl Secret {
    /// Takes the content of a secret file; trailing white space is not part of the secret.
    ///
    /// # Errors
    /// When nothing remains.
    pub fn new(text: &str) -> Result<Self, EmptySecret> {
        let text = text.trim_end();
        if text.is_empty() { Err(EmptySecret) } else { Ok(Self(text.into())) }
    }

    fn equals(&self, other: &str) -> bool {
        // Different lengths are unequal immediately; equal lengths take constant time.
        self.0.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Counts events for metrics. All names come from fixed lists.
pub trait Observer: Send + Sync {
    /// A request frame arrived; `name` is its message id, or `<unknown>`.
    fn called(&self, name: &'static str);
    /// A request was answered.
    fn answered(&self, name: &'static str, took: Duration);
    /// A connection was closed early: `secret`, `handshake`, `capacity`, `idle`, `tls`, `frame`.
    fn refused(&self, why: &'static str);
}

/// Counts nothing.
#[derive(Debug, Clone, Copy)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn called(&self, _: &'static str) {}
    fn answered(&self, _: &'static str, _: Duration) {}
    fn refused(&self, _: &'static str) {}
}

/// Settings of a server.
#[derive(Clone)]
pub struct ServerConfig {
    /// The shared secret.
    pub secret: Secret,
    /// TLS, see [`crate::net::tls::server_config`].
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Counts calls.
    pub observer: Arc<dyn Observer>,
}

impl fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerConfig").field("tls", &self.tls.is_some()).finish_non_exhaustive()
    }
}

/// A request and its responder.
pub type Incoming = (Request, Responder);

/// State shared by all connections.
struct Shared {
    config: ServerConfig,
    acceptor: Option<TlsAcceptor>,
    requests: mpsc::Sender<Incoming>,
    places: Arc<Semaphore>,
    idle: Idle,
    failures: Mutex<Failures>,
    ended: watch::Receiver<bool>,
}

/// Serves until `shutdown` resolves. Each request goes to `requests`; when that is closed,
/// connections close without an answer. No more than [`MAX_CONVERSATIONS`] requests are unanswered
/// at a time, wherever the receiver keeps them; further clients are asked to try again.
pub async fn serve(
    listener: TcpListener,
    config: ServerConfig,
    requests: mpsc::Sender<Incoming>,
    shutdown: impl Future<Output = ()>,
) {
    let (end, ended) = watch::channel(false);
    let acceptor = config.tls.clone().map(TlsAcceptor::from);
    let shared = Arc::new(Shared {
        config,
        acceptor,
        requests,
        places: Arc::new(Semaphore::new(MAX_CONVERSATIONS)),
        idle: Idle::default(),
        failures: Mutex::new(Failures::default()),
        ended,
    });
    let mut tasks = JoinSet::new();
    let mut strangers = Strangers::default();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = tasks.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let known = Arc::new(AtomicBool::new(false));
                    let task = handle(stream, peer, Arc::clone(&shared), Arc::clone(&known));
                    let abort = tasks.spawn(task);
                    if strangers.add(known, abort) {
                        shared.config.observer.refused("capacity");
                    }
                }
                Err(error) => {
                    tracing::warn!("control gateway cannot accept: {error}");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    end.send_replace(true);
    strangers.abort_all();
    let finished = async { while tasks.join_next().await.is_some() {} };
    // The remaining tasks are aborted with the set.
    let _ = timeout(SHUTDOWN_GRACE, finished).await;
}

/// Connections without a valid secret, oldest first.
#[derive(Default)]
struct Strangers(VecDeque<(Arc<AtomicBool>, AbortHandle)>);

impl Strangers {
    /// Adds one; true when the oldest was closed for it.
    fn add(&mut self, known: Arc<AtomicBool>, task: AbortHandle) -> bool {
        self.0.retain(|(known, task)| !known.load(Ordering::Relaxed) && !task.is_finished());
        let full = self.0.len() >= MAX_STRANGERS;
        if full && let Some((_, oldest)) = self.0.pop_front() {
            oldest.abort();
        }
        self.0.push_back((known, task));
        full
    }

    fn abort_all(&self) {
        let strangers = self.0.iter().filter(|(known, _)| !known.load(Ordering::Relaxed));
        strangers.for_each(|(_, task)| task.abort());
    }
}

/// Connections with a valid secret and no request yet, oldest first. Bounded by the number of
/// places.
#[derive(Default)]
struct Idle(Mutex<VecDeque<Arc<Notify>>>);

impl Idle {
    fn list(&self) -> MutexGuard<'_, VecDeque<Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the oldest to free its place; false when there is none.
    fn dismiss_oldest(&self) -> bool {
        let oldest = self.list().pop_front();
        if let Some(oldest) = &oldest {
            oldest.notify_one();
        }
        oldest.is_some()
    }

    fn enter(&self) -> IdleSeat<'_> {
        let leave = Arc::new(Notify::new());
        self.list().push_back(Arc::clone(&leave));
        IdleSeat { idle: self, leave }
    }
}

/// Marks a connection as idle while it lives.
struct IdleSeat<'a> {
    idle: &'a Idle,
    leave: Arc<Notify>,
}

impl Drop for IdleSeat<'_> {
    fn drop(&mut self) {
        self.idle.list().retain(|other| !Arc::ptr_eq(other, &self.leave));
    }
}

/// A place for a conversation. When all are taken, the longest idle connection is closed.
async fn take_place(shared: &Shared) -> Option<OwnedSemaphorePermit> {
    if let Ok(place) = Arc::clone(&shared.places).try_acquire_owned() {
        return Some(place);
    }
    if !shared.idle.dismiss_oldest() {
        return None;
    }
    // An idle connection has nothing to finish.
    let freed = Arc::clone(&shared.places).acquire_owned();
    timeout(Duration::from_secs(1), freed).await.ok()?.ok()
}

/// Enables detection of disconnected clients. If the system refuses, the time limits remain.
fn keep_alive(stream: &TcpStream) {
    use rustix::net::sockopt;
    let _ = sockopt::set_socket_keepalive(stream, true);
    let _ = sockopt::set_tcp_keepidle(stream, KEEPALIVE_IDLE);
    let _ = sockopt::set_tcp_keepintvl(stream, KEEPALIVE_INTERVAL);
    let _ = sockopt::set_tcp_keepcnt(stream, KEEPALIVE_PROBES);
}

/// Wrong secrets over all connections: guessing slows down whatever the number of clients. The
/// right secret never waits.
#[derive(Default)]
struct Failures {
    count: u32,
    last: Option<Instant>,
}

impl Failures {
    /// Counts one and returns the delay of its answer.
    fn add(&mut self, now: Instant) -> Duration {
        if self.last.is_some_and(|last| now.duration_since(last) > FAILURE_MEMORY) {
            self.count = 0;
        }
        self.last = Some(now);
        self.count = self.count.saturating_add(1);
        let excess = self.count.saturating_sub(FREE_FAILURES).min(16);
        if excess == 0 {
            return Duration::ZERO;
        }
        Duration::from_millis(100 << (excess - 1)).min(MAX_FAILURE_DELAY)
    }
}

async fn handle(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>, known: Arc<AtomicBool>) {
    // Answers are small and should be sent immediately.
    let _ = stream.set_nodelay(true);
    keep_alive(&stream);
    let observer = &shared.config.observer;
    let result = match &shared.acceptor {
        None => {
            let origin = Origin { address: peer, certificate: None };
            converse(stream, origin, &shared, &known).await
        }
        Some(acceptor) => {
            let accept = acceptor.accept(stream).into_fallible();
            match timeout(HANDSHAKE_TIMEOUT, accept).await {
                Ok(Ok(stream)) => {
                    let certificates = stream.get_ref().1.peer_certificates();
                    let first = certificates.and_then(|certificates| certificates.first());
                    let owner = first.and_then(roost_tls::owner);
                    let certificate = owner.map(|owner| owner.subject.to_string());
                    let origin = Origin { address: peer, certificate };
                    converse(stream, origin, &shared, &known).await
                }
                Ok(Err((error, stream))) => {
                    observer.refused("tls");
                    let why = roost_tls::explain_io(&error);
                    tracing::error!("Failed to accept TLS client connection, err {why}");
                    refuse_without_tls(stream, &error).await
                }
                Err(_) => Err(End::Refused("tls")),
            }
        }
    };
    match result {
        Ok(()) => {}
        Err(End::Refused(why)) => {
            observer.refused(why);
            tracing::warn!("control gateway closed the connection of {peer}: {why}");
        }
        Err(End::Io(error)) => tracing::debug!("connection of {peer}: {error}"),
    }
}

/// Why a connection ended early.
enum End {
    Refused(&'static str),
    Io(io::Error),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Sends a plain-text error to a client that does not use TLS.
async fn refuse_without_tls(mut stream: TcpStream, error: &io::Error) -> Result<(), End> {
    let failure = message::NetErr {
        code: ErrorCode::TlsHandshakeFailed as i32,
        msg: format!("TLS handshake failed, err: {error}"),
    };
    let frame = Frame {
        transaction: None,
        id: message::NetErr::ID.into(),
        body: failure.encode_to_vec().into(),
    };
    write(&mut stream, &frame).await?;
    close(stream).await
}

/// One conversation: handshake, request, answers, close.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    origin: Origin,
    shared: &Shared,
    known: &AtomicBool,
) -> Result<(), End> {
    let secret_bytes = shared.config.secret.0.len();
    let mut decoder = Decoder::new(MAX_HANDSHAKE_BYTES.max(secret_bytes + 16));
    let greeting = timeout(HANDSHAKE_TIMEOUT, read_frame(&mut stream, &mut decoder)).await;
    let Some(frame) = greeting.map_err(|_| End::Refused("handshake"))?? else { return Ok(()) };
    let transaction = match frame.transaction {
        Some(transaction) if frame.id == message::Handshake::ID => transaction,
        _ => return Err(End::Refused("handshake")),
    };
    let handshake =
        message::Handshake::decode(frame.body).map_err(|_| End::Refused("handshake"))?;
    if !shared.config.secret.equals(&handshake.secret_key.unwrap_or_default()) {
        let delay =
            shared.failures.lock().unwrap_or_else(PoisonError::into_inner).add(Instant::now());
        sleep(delay).await;
        let reply = Reply::failed(ErrorCode::Unauthorized, "secret key mismatch");
        send(&mut stream, &reply, transaction).await?;
        close(stream).await?;
        return Err(End::Refused("secret"));
    }
    known.store(true, Ordering::Relaxed);
    let Some(place) = take_place(shared).await else {
        let text = "too many requests at once; try again";
        send(&mut stream, &Reply::failed(ErrorCode::Internal, text), transaction).await?;
        close(stream).await?;
        return Err(End::Refused("capacity"));
    };
    let seat = shared.idle.enter();
    send(&mut stream, &Reply::Ok, transaction).await?;

    decoder.set_limit(MAX_BODY_BYTES);
    let request = tokio::select! {
        request = timeout(REQUEST_TIMEOUT, read_frame(&mut stream, &mut decoder)) => request,
        () = seat.leave.notified() => return Err(End::Refused("idle")),
    };
    drop(seat);
    let Some(frame) = request.map_err(|_| End::Refused("idle"))?? else { return Ok(()) };
    let name = REQUEST_IDS.into_iter().find(|id| *id == frame.id).unwrap_or("<unknown>");
    let observer = &shared.config.observer;
    observer.called(name);
    let asked = Instant::now();
    let request = match Request::decode(&frame.id, &frame.body) {
        Ok(request) => request,
        Err(Refusal::Failed(failure)) => {
            return finish(stream, &failure.into(), frame.transaction).await;
        }
        Err(Refusal::Unknown | Refusal::Undecodable(_)) => return Err(End::Refused("frame")),
    };
    let place = Arc::new(place);
    let (responder, mut answers) = Responder::holding(Some(Arc::clone(&place)), Some(origin));
    if shared.requests.send((request, responder)).await.is_err() {
        return close(stream).await;
    }
    relay(&mut stream, &mut answers, frame.transaction).await?;
    match answers.reply().await {
        None => close(stream).await,
        Some(Reply::CloseAtEnd) => {
            // Fails only when the sender is gone, which means the end too.
            let _ = shared.ended.clone().wait_for(|ended| *ended).await;
            close(stream).await
        }
        Some(reply) => {
            if frame.transaction.is_some() {
                observer.answered(name, asked.elapsed());
            }
            finish(stream, &reply, frame.transaction).await
        }
    }
}

/// Sends the pieces as they come. If the client leaves, the sending ends, but not the request.
async fn relay<S: AsyncWrite + Unpin>(
    stream: &mut S,
    answers: &mut Answers,
    transaction: Option<Transaction>,
) -> Result<(), End> {
    while let Some(partial) = answers.next_partial().await {
        if let Some(transaction) = transaction {
            write(stream, &partial.frame(transaction)).await?;
        }
    }
    Ok(())
}

/// Sends the reply, if there is one, and closes.
async fn finish<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    reply: &Reply,
    transaction: Option<Transaction>,
) -> Result<(), End> {
    if let Some(transaction) = transaction {
        send(&mut stream, reply, transaction).await?;
    }
    close(stream).await
}

async fn send<S: AsyncWrite + Unpin>(
    stream: &mut S,
    reply: &Reply,
    transaction: Transaction,
) -> Result<(), End> {
    for frame in reply.frames(transaction) {
        write(stream, &frame).await?;
    }
    Ok(())
}

async fn write<S: AsyncWrite + Unpin>(stream: &mut S, frame: &Frame) -> Result<(), End> {
    let mut bytes = BytesMut::new();
    if let Err(error) = frame.encode(&mut bytes) {
        tracing::error!("answer {} cannot be sent: {error}", frame.id);
        return Err(End::Refused("frame"));
    }
    let written = timeout(WRITE_TIMEOUT, async {
        stream.write_all(&bytes).await?;
        stream.flush().await
    });
    Ok(written.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??)
}

/// Closes the sending side, then waits a moment for the client to close its own.
async fn close<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> Result<(), End> {
    let lingering = async {
        stream.shutdown().await?;
        let mut buffer = [0; 1024];
        let mut left = MAX_LINGER_BYTES;
        while left > 0 {
            let count = stream.read(&mut buffer).await?;
            if count == 0 {
                break;
            }
            left = left.saturating_sub(count);
        }
        Ok::<_, io::Error>(())
    };
    // The answer is complete, however the connection ends.
    let _ = timeout(LINGER, lingering).await;
    Ok(())
}

async fn read_frame<S: AsyncRead + Unpin>(
    stream: &mut S,
    decoder: &mut Decoder,
) -> Result<Option<Frame>, End> {
    let mut buffer = [0; 4096];
    loop {
        match decoder.next_frame() {
            Ok(Some(frame)) => return Ok(Some(frame)),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!("control gateway received no frame: {error}");
                return Err(End::Refused("frame"));
            }
        }
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(None);
        }
        decoder.push(&buffer[..count]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_secret_is_refused_and_trailing_space_is_not_part_of_it() {
        assert!(Secret::new(" \r\n").is_err());
        let secret = Secret::new("abc\r\n").expect("a secret");
        assert!(secret.equals("abc"));
        assert!(!secret.equals("abd") && !secret.equals("ab") && !secret.equals(""));
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }

    #[test]
    fn answers_to_wrong_secrets_are_delayed_until_attempts_stop() {
        let start = Instant::now();
        let mut failures = Failures::default();
        let delays: Vec<_> = (0..13).map(|_| failures.add(start).as_millis()).collect();
        assert_eq!(delays, [0, 0, 0, 0, 0, 100, 200, 400, 800, 1600, 3200, 4000, 4000]);
        assert_eq!(failures.add(start + Duration::from_secs(61)), Duration::ZERO);
    }
}
