//! The server side: accepts connections, checks the secret, forwards requests and sends the answers
//! (reference: control §2.2).
//!
//! One task per connection, so that a silent client blocks no other. Clients that have not sent the
//! secret are bounded in number, time and bytes; the oldest is closed for the newest. The same
//! applies to clients that have sent it and make no request.

mod admission;
mod config;
mod conversation;
mod frames;
mod secret;

use std::{
    future::Future,
    sync::{Arc, Mutex, atomic::AtomicBool},
    time::Duration,
};

use tokio::{
    net::TcpListener,
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use self::{
    admission::{Failures, Idle, Strangers},
    conversation::{Shared, handle},
};
pub use self::{
    config::{Incoming, NoObserver, Observer, ServerConfig},
    secret::{EmptySecret, Secret},
};

/// Most connections with a valid secret, and unanswered requests: clients that left before their
/// answer count until it is given.
pub const MAX_CONVERSATIONS: usize = 128;
/// Time limit for conversations to end at a shutdown.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);
/// Pause after a failed accept, usually for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

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
