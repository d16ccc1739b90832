//! The shell around the ring's state machine: sockets, timers, files (reference: ring).

mod asked;
mod complaints;
mod disk;
mod durable;
mod former_leader;
pub(crate) mod gateway;
mod origin;
mod record;
mod saving;
mod sockets;
mod task;
mod trigger;

use std::{collections::BTreeSet, env, io, path::PathBuf, str::FromStr, sync::Arc};

use roost_api::Contacts;
use roost_journal::Recorder;
use roost_ring::{Command, Config, Me, MemberId, Now, Ring, SHARE_LIMIT, View};
use tokio::sync::{mpsc, oneshot, watch};

pub(crate) use self::{
    asked::command,
    origin::Origin,
    record::Made,
    sockets::{Sockets, bind},
};
use self::{
    record::Record,
    task::{Published, Task},
    trigger::Triggers,
};
use crate::{
    audit::Audit,
    config::{RingConfig, RingKeySource},
    files::store::Store,
    metrics::Metrics,
    peers, ports,
    supervisor::event::Event,
    system, vital,
};

/// Why the ring cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// The port is not available.
    #[error(
        "Unable to bind the gossip listener to {address}. {}",
        ports::remedy(.source, ports::GOSSIP)
    )]
    Bind {
        /// The listen address.
        address: std::net::SocketAddr,
        /// The system error.
        source: io::Error,
    },
    /// The ring key cannot be used.
    #[error("{0}")]
    Key(#[from] roost_crypto::Error),
}

/// Handle for commands to the ring. Cheap to clone; never waits.
///
/// Its queue needs no limit: each order follows a change of a service, a client that waits for its
/// answer, or a new list of peers. The ring's task handles orders between packets of the network,
/// and if it fails the process ends. `/metrics` shows the length of the queue.
#[derive(Debug, Clone)]
pub(crate) struct RingHandle {
    /// Unbounded, because no bound is needed: orders come from the Supervisor's task, a few for
    /// each change of a local service, and from control requests, one for each of at most
    /// [`roost_ctl::server::MAX_CONVERSATIONS`]. None comes from the network. The ring's task waits
    /// only for its own datagrams.
    commands: mpsc::UnboundedSender<Order>,
    /// How the members answer.
    pub(crate) contacts: Contacts,
    /// For the times in views.
    pub(crate) origin: Origin,
}

#[derive(Debug)]
enum Order {
    /// Execute the command.
    Command(Box<Command>),
    /// Store the change, execute it, and answer.
    Change(durable::Change),
    /// Write everything, close the connections, and reply when done.
    End(oneshot::Sender<()>),
}

impl RingHandle {
    /// Sends a command to the ring.
    pub(crate) fn command(&self, command: Command) {
        // The task is gone only when the process is ending.
        let _ = self.commands.send(Order::Command(Box::new(command)));
    }

    /// Makes a durable change: when this returns, it is on disk and in the ring, or it is refused
    /// and nothing has changed. `None` when the ring has already ended.
    pub(crate) async fn change(&self, command: Command, audit: Option<Audit>) -> Option<Made> {
        let (answer, made) = oneshot::channel();
        let change = durable::Change { command: Box::new(command), audit, answer };
        // Without the task there is no answer either.
        let _ = self.commands.send(Order::Change(change));
        made.await.ok()
    }

    /// Writes the data file and closes the connections.
    pub(crate) async fn end(&self) {
        let (done, answer) = oneshot::channel();
        if self.commands.send(Order::End(done)).is_ok() {
            // An error means that it has already ended.
            let _ = answer.await;
        }
    }
}

/// Initial state of the ring.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) member_id: String,
    pub(crate) config: RingConfig,
    pub(crate) key: Option<roost_crypto::RingKey>,
    pub(crate) data: PathBuf,
    /// Groups whose processes outlived the former Supervisor.
    pub(crate) still_running: BTreeSet<String>,
    pub(crate) store: Store,
    pub(crate) metrics: Metrics,
    pub(crate) events: mpsc::UnboundedSender<Event>,
    pub(crate) recorder: Recorder,
}

/// Restores the ring's state, and starts it. Returns its handle and view.
///
/// Damaged files are set aside: the other members have their content.
pub(crate) fn start(parts: Parts, sockets: Sockets) -> (RingHandle, watch::Receiver<Arc<View>>) {
    let id = MemberId::new(&parts.member_id);
    let disk =
        disk::Disk::new(&parts.data, &parts.member_id, parts.store.clone(), parts.metrics.clone());
    let mut restored = disk.read_stores();
    let me = Me {
        incarnation: disk.read_incarnation(&id, restored.as_ref()),
        id,
        port: sockets.port,
        permanent: parts.config.permanent,
    };
    if let Some(stores) = &mut restored {
        former_leader::doubt(stores, &me.id, &parts.still_running);
    }
    let triggers = variable("HAB_FEAT_TRIGGER_ELECTION").map(|_| Triggers::new(parts.data));
    let config = Config {
        key: parts.key,
        initial_peers: peers::literals(&parts.config.peers),
        share_limit: number("HAB_RUMOR_SHARE_LIMIT").unwrap_or(SHARE_LIMIT),
        ..Config::default()
    };
    let mut ring = Ring::new(config, me, restored, system::seed(), Now(0));
    let (views, shown) = watch::channel(Arc::new(ring.view()));
    let (commands, orders) = mpsc::unbounded_channel();
    let record = Record::new(&parts.recorder);
    let (contacts, origin) = (Contacts::default(), Origin::new());
    let published = Published { views, contacts: contacts.clone(), origin: origin.clone() };
    let task =
        Task::new(ring, sockets, disk, parts.metrics, parts.events, published, triggers, record);
    vital::spawn("ring", task.run(orders));
    (RingHandle { commands, contacts, origin }, shown)
}

/// A variable of the environment; an empty one counts as unset.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// A number in the environment (reference: ring §16). Other text is logged and ignored.
fn number<N: FromStr>(name: &str) -> Option<N> {
    let value = variable(name)?;
    let number = value.parse().ok();
    match &number {
        Some(_) => tracing::warn!("Found '{name}' in environment; using value '{value}'"),
        None => tracing::warn!("Found '{name}' in environment, but '{value}' is not a number"),
    }
    number
}

/// Reads the ring key.
///
/// # Errors
/// When the cache has no key of that name, or the text is not a key.
pub(crate) fn key(
    source: &RingKeySource,
    cache: PathBuf,
) -> Result<Option<roost_crypto::RingKey>, RingError> {
    let cache = roost_crypto::KeyCache::new(cache);
    match source {
        RingKeySource::None => Ok(None),
        RingKeySource::Name(name) => Ok(Some(cache.latest(name)?)),
        RingKeySource::Text(text) => Ok(Some(cache.import(text)?)),
    }
}
