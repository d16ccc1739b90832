//! One connection: TLS, the secret, a request, its answers.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use prost::Message;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use super::{
    admission::{Failures, Idle},
    config::{Incoming, ServerConfig},
    frames::{End, close, read_frame, send, write},
};
use crate::{
    frame::{Decoder, Frame, MAX_BODY_BYTES, Transaction},
    message::{self, Named},
    net::responder::{Answers, Origin, Responder},
    reply::{ErrorCode, Reply},
    request::{REQUEST_IDS, Refusal, Request},
};

/// Time limit of TLS, and again of the handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Time limit from the answer to the secret to the complete request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// The system detects a disconnected client after about a minute and a half.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(45);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_PROBES: u32 = 3;
/// Body of a handshake, unless the secret itself is longer.
const MAX_HANDSHAKE_BYTES: usize = 4096;

/// State shared by all connections.
pub(super) struct Shared {
    pub(super) config: ServerConfig,
    pub(super) acceptor: Option<TlsAcceptor>,
    pub(super) requests: mpsc::Sender<Incoming>,
    pub(super) places: Arc<Semaphore>,
    pub(super) idle: Idle,
    pub(super) failures: Mutex<Failures>,
    pub(super) ended: watch::Receiver<bool>,
}

/// Handles a connection to its end.
pub(super) async fn handle(
    stream: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared>,
    known: Arc<AtomicBool>,
) {
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

/// One conversation: handshake, request, answers, close.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    origin: Origin,
    shared: &Shared,
    known: &AtomicBool,
) -> Result<(), End> {
    let secret_bytes = shared.config.secret.bytes();
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
