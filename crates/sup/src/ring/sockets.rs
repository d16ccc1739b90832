//! The ring's sockets: one UDP port and the same TCP port.

use std::{io, net::SocketAddr};

use roost_zmtp::{ListenLimits, Listener, Pool, PoolLimits, Reports};
use tokio::net::UdpSocket;

use super::RingError;

/// Number of attempts to find a free pair of ports when none was given.
const PAIR_ATTEMPTS: usize = 64;

/// Sockets for the communication with other members.
#[derive(Debug)]
pub(crate) struct Sockets {
    pub(super) udp: UdpSocket,
    pub(super) listener: Listener,
    pub(super) pool: Pool,
    pub(super) reports: Reports,
    /// The port of both listeners.
    pub(crate) port: u16,
}

/// Listens on the address, for datagrams and gossip. Port 0 selects a free pair.
///
/// # Errors
/// When the port is not available.
pub(crate) async fn bind(address: SocketAddr) -> Result<Sockets, RingError> {
    let mut attempts = if address.port() == 0 { PAIR_ATTEMPTS } else { 1 };
    loop {
        attempts -= 1;
        match try_bind(address).await {
            Ok(sockets) => return Ok(sockets),
            Err(source) if attempts == 0 => return Err(RingError::Bind { address, source }),
            Err(_) => {}
        }
    }
}

async fn try_bind(address: SocketAddr) -> io::Result<Sockets> {
    let udp = UdpSocket::bind(address).await?;
    let port = udp.local_addr()?.port();
    let listener =
        Listener::bind(SocketAddr::new(address.ip(), port), ListenLimits::default()).await?;
    let (pool, reports) = Pool::new(PoolLimits::default());
    Ok(Sockets { udp, listener, pool, reports, port })
}
