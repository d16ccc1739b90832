//! Where the ring is looked for: `--peer`, and `--peer-watch-file` with one address a line
//! (reference: ring §13).
//!
//! Names are resolved beside everything else, because a name server may not answer: at the start
//! of a machine it often comes later. A name that cannot be resolved is a condition and costs only
//! itself; it is tried again until it can be.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use roost_ring::Command;
use roost_text::shown;
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::timeout,
};

use crate::{
    conditions::{Conditions, Kind},
    config::RingConfig,
    ring::RingHandle,
    vital,
};

/// Port of a peer that names none.
const PORT: u16 = 9638;
/// Most lines that are looked at.
const LINES_MAX: usize = 10_000;
/// Longest file that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Names that are resolved at once.
const LOOKUPS_MAX: usize = 8;
/// From a failure to the next attempt: doubles up to the greatest.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Handle of the task that resolves peers.
#[derive(Debug, Clone)]
pub(crate) struct Peers {
    /// One message that waits is enough: the file is read as it is then.
    again: mpsc::Sender<()>,
}

/// Where peers are named.
#[derive(Debug, Clone)]
enum Source {
    Given(Vec<String>),
    File(PathBuf),
}

impl Peers {
    /// Starts to resolve what the configuration names.
    pub(crate) fn start(config: &RingConfig, ring: RingHandle, conditions: Conditions) -> Self {
        let source = match &config.peer_watch_file {
            Some(path) => Source::File(path.clone()),
            None => Source::Given(config.peers.clone()),
        };
        let (again, asked) = mpsc::channel(1);
        vital::spawn("peers", follow(source, ring, conditions, asked));
        Self { again }
    }

    /// The file has changed.
    pub(crate) fn reread(&self) {
        // Full: it is about to be read anyway. Closed: the process is ending.
        let _ = self.again.try_send(());
    }
}

/// The peers that need no name server: what the ring is started with.
pub(crate) fn literals(names: &[String]) -> Vec<SocketAddr> {
    names.iter().filter_map(|name| with_port(name).parse().ok()).collect()
}

async fn follow(
    source: Source,
    ring: RingHandle,
    conditions: Conditions,
    mut asked: mpsc::Receiver<()>,
) {
    let mut before = match &source {
        Source::Given(names) => Some(literals(names)),
        Source::File(_) => None,
    };
    let mut pause = PAUSE;
    loop {
        let (peers, complete) = look(&source, &ring, &conditions, before.as_deref()).await;
        if let Some(peers) = peers
            && before.as_ref() != Some(&peers)
        {
            ring.command(Command::SetInitialPeers(peers.clone()));
            before = Some(peers);
        }
        pause = if complete { PAUSE } else { (pause * 2).min(PAUSE_MAX) };
        let wait = if complete { Duration::MAX } else { pause };
        if let Ok(None) = timeout(wait, asked.recv()).await {
            return;
        }
    }
}

/// Reads and resolves everything once. Returns the peers, unless the file cannot be read: then
/// those of before stay; and whether nothing is missing.
async fn look(
    source: &Source,
    ring: &RingHandle,
    conditions: &Conditions,
    before: Option<&[SocketAddr]>,
) -> (Option<Vec<SocketAddr>>, bool) {
    let names = match source {
        Source::Given(names) => names.clone(),
        Source::File(path) => {
            let reading = path.clone();
            let text = vital::spawn_blocking("peers", move || {
                roost_files::read_text(&reading, FILE_BYTES_MAX)
            });
            let about = path.display().to_string();
            match text.await {
                Ok(Ok(text)) => {
                    let line = format!("The file with peers {about} can be read again");
                    conditions.end(Kind::PeerUnresolved, &about, &line);
                    // A missing file is an empty one.
                    lines(&text.unwrap_or_default())
                }
                Ok(Err(error)) => {
                    let line = format!("{error}. The peers stay as they were");
                    conditions.appear(Kind::PeerUnresolved, &about, &line);
                    return (None, false);
                }
                Err(_) => return (None, true),
            }
        }
    };
    // What needs no name server does not wait for one.
    let known = literals(&names);
    if before.is_none() && !known.is_empty() && known.len() < names.len() {
        ring.command(Command::SetInitialPeers(known));
    }
    let resolved = resolve_all(&names).await;
    for gone in conditions.of(Kind::PeerUnresolved) {
        if !names.contains(&gone) {
            let line = format!("Peer {} is no longer looked for", shown(&gone));
            conditions.end(Kind::PeerUnresolved, &gone, &line);
        }
    }
    let mut peers = Vec::new();
    let mut complete = true;
    for (name, outcome) in names.iter().zip(resolved) {
        match outcome {
            Ok(peer) => {
                let line = format!("Resolved peer: {} is {peer}", shown(name));
                conditions.end(Kind::PeerUnresolved, name, &line);
                peers.push(peer);
            }
            Err(reason) => {
                complete = false;
                let line =
                    format!("Failed to resolve peer: {} ({reason}); trying again", shown(name));
                conditions.appear(Kind::PeerUnresolved, name, &line);
            }
        }
    }
    (Some(peers), complete)
}

/// The lines that name a peer.
pub(crate) fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.take(LINES_MAX).map(str::to_owned).collect()
}

/// Resolves several at a time, in any order, so that one name server that hangs holds up few.
async fn resolve_all(names: &[String]) -> Vec<Result<SocketAddr, String>> {
    let turns = Arc::new(Semaphore::new(LOOKUPS_MAX));
    let mut lookups = JoinSet::new();
    for (at, name) in names.iter().cloned().enumerate() {
        let turns = Arc::clone(&turns);
        lookups.spawn(async move {
            // The semaphore is never closed.
            let _turn = turns.acquire_owned().await;
            let found = vital::spawn_blocking("peers", move || resolve(&name)).await;
            (at, found.unwrap_or_else(|_| Err("the process is ending".into())))
        });
    }
    let mut found: Vec<_> = names.iter().map(|_| Err("it was not looked up".into())).collect();
    while let Some(outcome) = lookups.join_next().await {
        if let Ok((at, outcome)) = outcome {
            found[at] = outcome;
        }
    }
    found
}

fn with_port(peer: &str) -> String {
    if peer.contains(':') { peer.into() } else { format!("{peer}:{PORT}") }
}

/// The first IPv4 address of `host[:port]`.
fn resolve(peer: &str) -> Result<SocketAddr, String> {
    let mut found = with_port(peer).to_socket_addrs().map_err(|error| error.to_string())?;
    found.find(SocketAddr::is_ipv4).ok_or_else(|| "it has no IPv4 address".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_name_that_cannot_be_resolved_costs_only_itself() {
        let names = ["127.0.0.1:7", "no such host", "127.0.0.2"].map(str::to_owned);
        let found = resolve_all(&names).await;
        assert_eq!(found[0], Ok(SocketAddr::from(([127, 0, 0, 1], 7))));
        assert!(found[1].is_err());
        assert_eq!(found[2], Ok(SocketAddr::from(([127, 0, 0, 2], PORT))));
    }

    #[test]
    fn a_file_names_one_peer_a_line() {
        assert_eq!(lines("\n a:1 \r\n\nb\n"), ["a:1", "b"]);
        assert_eq!(lines(&"x\n".repeat(LINES_MAX + 1)).len(), LINES_MAX);
    }
}
