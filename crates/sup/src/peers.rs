//! Initial peers of the ring: `--peer`, and `--peer-watch-file` with one address per line
//! (reference: ring §13).
//!
//! Names are resolved in the background, because a name server may not answer: during boot it often
//! starts later. An unresolved name is a condition that affects no other; it is retried until it
//! succeeds.

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

/// Default port of a peer.
const PORT: u16 = 9638;
/// Most lines that are read.
const LINES_MAX: usize = 10_000;
/// Longest file that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Names resolved at a time.
const LOOKUPS_MAX: usize = 8;
/// Pause after a failure: doubles up to the greatest.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Handle of the task that resolves peers.
#[derive(Debug, Clone)]
pub(crate) struct Peers {
    /// One waiting message suffices: the file is read in its current state.
    again: mpsc::Sender<()>,
}

/// Source of the peers.
#[derive(Debug, Clone)]
enum Source {
    Given(Vec<String>),
    File(PathBuf),
}

impl Peers {
    /// Starts to resolve the configured peers.
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
        // Full: it will be read anyway. Closed: the process is ending.
        let _ = self.again.try_send(());
    }
}

/// The peers given as addresses: the ring starts with them.
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

/// Reads and resolves everything once. Returns the peers, or the former ones when the file cannot
/// be read; and whether all were resolved.
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
                    // A missing file counts as empty.
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
    // Addresses do not wait for a name server.
    let known = literals(&names);
    if before.is_none() && !known.is_empty() && known.len() < names.len() {
        ring.command(Command::SetInitialPeers(known));
    }
    let resolved = resolve_all(&names).await;
    for gone in conditions.of(Kind::PeerUnresolved) {
        if !names.contains(&gone) {
            let line = format!("Peer {} is no longer needed", shown(&gone));
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

/// The lines that contain a peer.
pub(crate) fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.take(LINES_MAX).map(str::to_owned).collect()
}

/// Resolves several at a time, in any order, so that one hanging name server delays few.
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
    async fn an_unresolved_name_affects_no_other() {
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
