//! `--peer-watch-file`: addresses of peers, one a line (ring chapter 13).

use std::{
    fs,
    net::{SocketAddr, ToSocketAddrs},
    path::Path,
};

use roost_ring::Command;

use crate::{output::Output, ring::RingHandle, supervisor::World, vital};

/// Port of a peer that names none.
const PORT: u16 = 9638;
/// Most lines that are looked at.
const LINES_MAX: usize = 10_000;

/// Reads the file again and tells the ring.
pub(crate) fn reread(world: &World) {
    if let Some(path) = world.config.ring.peer_watch_file.clone() {
        let (output, ring) = (world.output.clone(), world.ring.clone());
        vital::spawn_blocking("peers", move || read(&path, &output, &ring));
    }
}

/// Reads the file and tells the ring who is in it. A line that cannot be resolved is told and
/// skipped; a missing file is an empty one. Asks name servers, so it may take long.
pub(crate) fn read(path: &Path, output: &Output, ring: &RingHandle) {
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut peers = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()).take(LINES_MAX) {
        match resolve(line) {
            Some(peer) => peers.push(peer),
            None => output.line("hab-sup", "PW", &format!("Failed to resolve peer: {line}")),
        }
    }
    ring.command(Command::SetInitialPeers(peers));
}

/// The first IPv4 address of `host[:port]`.
fn resolve(line: &str) -> Option<SocketAddr> {
    let address = if line.contains(':') { line.into() } else { format!("{line}:{PORT}") };
    address.to_socket_addrs().ok()?.find(SocketAddr::is_ipv4)
}
