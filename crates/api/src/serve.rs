//! Connections: the accept loop, time-outs, TLS, the end.

use std::{
    convert::Infallible,
    future::Future,
    io,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use hyper::{
    rt::{Read, Write},
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    client::{Client, Peer},
    gateway::shared::Shared,
    limits::{self, Limits},
    line::Line,
    metrics::Closed,
    socket::{Listener, Socket},
    stream::Stream,
    table::{Seat, Table},
    tls::TlsConfig,
};

/// Wait before the next try when the system has no file or memory for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Time that a connection has to finish its answer when it is asked to leave.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);

/// An HTTP/2 peer that is idle this long is asked whether it is still there.
const HTTP2_PING: Duration = Duration::from_secs(20);

/// What one connection needs to know.
struct Terms {
    shared: Arc<Shared>,
    limits: Limits,
    tls: Option<TlsAcceptor>,
    shutdown: CancellationToken,
}

pub(crate) async fn run(
    shared: Arc<Shared>,
    listener: Listener,
    limits: Limits,
    tls: Option<TlsConfig>,
    shutdown: CancellationToken,
) {
    let table = Table::new(limits.connections);
    let tls = tls.map(|tls| TlsAcceptor::from(tls.0));
    let terms = Arc::new(Terms { shared, limits, tls, shutdown });
    let metrics = &terms.shared.metrics;
    let mut connections = JoinSet::new();
    let following = Arc::clone(&terms.shared);
    let mut following =
        AbortOnDropHandle::new(tokio::spawn(async move { following.follow_snapshots().await }));
    loop {
        let accepted = tokio::select! {
            // It ends only by a panic, which must not go unnoticed.
            Err(error) = &mut following => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => break,
            },
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            () = terms.shutdown.cancelled() => break,
        };
        match accepted {
            Ok((socket, peer)) => {
                let leave = terms.shutdown.child_token();
                // Who was asked to leave does so within a second; until then the others wait
                // in the system's queue.
                while table.is_crowded() && connections.join_next().await.is_some() {}
                let seat = Arc::new(table.enter(leave.clone()));
                if table.make_room() {
                    metrics.count_closed(Closed::Oldest);
                }
                let terms = Arc::clone(&terms);
                connections.spawn(async move {
                    serve_connection(&terms, socket, peer, &seat, leave).await;
                });
            }
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!("the HTTP gateway cannot accept a connection: {error}");
                if table.dismiss_oldest() {
                    metrics.count_closed(Closed::Oldest);
                }
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    // What is still open afterwards is cut off when the set is dropped.
    let _ = timeout(terms.limits.shutdown_timeout, all_ended).await;
}

/// The client was gone before it was accepted.
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

async fn serve_connection(
    terms: &Terms,
    socket: Socket,
    peer: Peer,
    seat: &Arc<Seat>,
    leave: CancellationToken,
) {
    socket.set_nodelay();
    let stream = Stream::new(socket, terms.limits.write_timeout);
    let mut line = Line {
        leave: leave.clone(),
        close: CancellationToken::new(),
        client: Arc::new(Client { peer, certificate: None }),
        activity: stream.activity(),
        seat: Arc::clone(seat),
    };
    let Some(acceptor) = &terms.tls else {
        return serve_http1(terms, TokioIo::new(stream), &line).await;
    };
    let handshake = timeout(terms.limits.handshake_timeout, acceptor.accept(stream));
    let finished = tokio::select! {
        finished = handshake => finished,
        () = leave.cancelled() => return,
    };
    let Ok(Ok(stream)) = finished else {
        terms.shared.metrics.count_closed(Closed::Handshake);
        return;
    };
    let certificates = stream.get_ref().1.peer_certificates();
    if let Some(first) = certificates.and_then(|certificates| certificates.first()) {
        line.client = Arc::new(Client { peer, certificate: roost_tls::owner(first) });
    }
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        serve_http2(terms, TokioIo::new(stream), &line).await;
    } else {
        serve_http1(terms, TokioIo::new(stream), &line).await;
    }
}

/// Makes the function that answers the requests of one connection.
macro_rules! service {
    ($terms:expr, $line:expr) => {{
        let (shared, line) = (Arc::clone(&$terms.shared), $line.clone());
        service_fn(move |request| {
            line.activity.begin();
            let (shared, line) = (Arc::clone(&shared), line.clone());
            async move {
                let answer = shared.respond(request, &line).await;
                // A flush may have come while the answer was being made.
                line.activity.begin();
                Ok::<_, Infallible>(answer)
            }
        })
    }};
}

async fn serve_http1<I>(terms: &Terms, io: I, line: &Line)
where
    I: Read + Write + Unpin,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(terms.limits.head_timeout)
        .half_close(true)
        .max_headers(limits::HEADERS)
        .max_header_size(limits::HEAD_BYTES)
        .max_buf_size(limits::HEAD_BYTES)
        .serve_connection(io, service!(terms, line));
    let attended = attend(terms, connection, http1::Connection::graceful_shutdown, line);
    let _ = line.close.run_until_cancelled(attended).await;
}

async fn serve_http2<I>(terms: &Terms, io: I, line: &Line)
where
    I: Read + Write + Unpin,
{
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(HTTP2_PING)
        .keep_alive_timeout(terms.limits.head_timeout)
        .max_concurrent_streams(limits::HTTP2_STREAMS)
        .max_header_list_size(limits::HEAD_BYTES as u32)
        .serve_connection(io, service!(terms, line));
    let attended = attend(terms, connection, http2::Connection::graceful_shutdown, line);
    let _ = line.close.run_until_cancelled(attended).await;
}

/// Drives a connection to its end: its own, or after it was asked to leave. One that is idle or
/// still sending its request leaves at once; one that is being answered gets the answer first.
async fn attend<C: Future<Output = hyper::Result<()>>>(
    terms: &Terms,
    connection: C,
    finish: impl Fn(Pin<&mut C>),
    line: &Line,
) {
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = line.leave.cancelled() => {
            if terms.shutdown.is_cancelled() {
                finish(connection.as_mut());
                // The accept loop bounds the wait.
                let _ = connection.await;
            } else if line.activity.is_answering() {
                finish(connection.as_mut());
                let _ = timeout(LEAVE_TIMEOUT, connection).await;
            }
            return;
        }
    };
    if let Err(error) = ended {
        if let Some(why) = reason(&error) {
            terms.shared.metrics.count_closed(why);
        }
        tracing::debug!("an HTTP connection ended: {error}");
    }
}

/// Which limit an error stands for; none when the client just went away.
fn reason(error: &hyper::Error) -> Option<Closed> {
    let source = std::error::Error::source(error).and_then(|it| it.downcast_ref::<io::Error>());
    if source.is_some_and(|source| source.kind() == io::ErrorKind::TimedOut) {
        return Some(Closed::Stalled);
    }
    if error.is_parse() {
        return Some(Closed::Malformed);
    }
    error.is_timeout().then_some(Closed::Idle)
}
