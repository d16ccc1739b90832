//! The shell around the ring's state machine: sockets, timers, files (reference: ring).

mod complaints;
mod disk;
mod durable;
mod former_leader;
mod saving;
mod sockets;
mod task;
mod trigger;

use std::{collections::BTreeSet, env, io, path::PathBuf, str::FromStr, sync::Arc};

use roost_ring::{Command, Config, Me, MemberId, Now, Ring, SHARE_LIMIT, View};
use tokio::sync::{mpsc, oneshot, watch};

pub(crate) use self::{
    durable::Refused,
    sockets::{Sockets, bind},
};
use self::{task::Task, trigger::Triggers};
use crate::{
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
    /// The port cannot be had.
    #[error(
        "Unable to bind the gossip listener to {address}. {}",
        ports::remedy(.source, ports::GOSSIP)
    )]
    Bind {
        /// Where it should listen.
        address: std::net::SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The ring key cannot be used.
    #[error("{0}")]
    Key(#[from] roost_crypto::Error),
}

/// What is sent to the ring. Cheap to clone; never waits.
///
/// What waits needs no limit of its own: each order follows a change of a service, a client that
/// waits for its answer, or a new list of peers. The ring's task takes them in between packets of
/// the network, and without it the process ends. `/metrics` shows how many wait.
#[derive(Debug, Clone)]
pub(crate) struct RingHandle {
    /// Without a bound, because none is needed: orders come from the Supervisor's task, a few for
    /// each change of a service that runs here, and from control requests, one for each of at most
    /// [`roost_ctl::server::MAX_CONVERSATIONS`]. Nothing from the network makes one. The ring's task
    /// waits for nothing but its own datagrams.
    commands: mpsc::UnboundedSender<Order>,
}

#[derive(Debug)]
enum Order {
    /// Obey.
    Command(Box<Command>),
    /// Store the change, obey, and answer.
    Change(Box<Command>, durable::Answer),
    /// Write everything, close the connections, and tell when done.
    End(oneshot::Sender<()>),
}

impl RingHandle {
    /// Tells the ring something.
    pub(crate) fn command(&self, command: Command) {
        // Without the task the process is ending.
        let _ = self.commands.send(Order::Command(Box::new(command)));
    }

    /// Changes something for good: it is on disk, and the ring has it, when this returns, or it
    /// is refused and nothing has changed. `None` when the ring has ended before.
    pub(crate) async fn change(&self, command: Command) -> Option<Result<(), Refused>> {
        let (sender, answer) = oneshot::channel();
        // Without the task there is no answer either.
        let _ = self.commands.send(Order::Change(Box::new(command), sender));
        answer.await.ok()
    }

    /// Writes the data file and closes the connections.
    pub(crate) async fn end(&self) {
        let (done, answer) = oneshot::channel();
        if self.commands.send(Order::End(done)).is_ok() {
            // It ended already then.
            let _ = answer.await;
        }
    }
}

/// What the ring is started with.
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
}

/// Reads what the ring was, and starts it. Returns what it looks like, from now on.
///
/// Damaged files are set aside: the ring knows what was in them.
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
    let task = Task::new(ring, sockets, disk, parts.metrics, parts.events, views, triggers);
    vital::spawn("ring", task.run(orders));
    (RingHandle { commands }, shown)
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

/// Finds the ring key.
///
/// # Errors
/// When the cache has no key of that name, or the text is no key.
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
