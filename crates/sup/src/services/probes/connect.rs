//! Connections of checks.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs},
    sync::Arc,
};

use roost_service::monitor::Address;
use tokio::{net::TcpStream, sync::Semaphore};

use crate::vital;

/// Names that are looked up at once: each occupies a thread as long as the resolver likes.
const LOOKUPS_AT_ONCE: usize = 4;
/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;

/// Looks up names.
#[derive(Debug, Clone)]
pub(super) struct Lookups(Arc<Semaphore>);

impl Lookups {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(LOOKUPS_AT_ONCE)))
    }

    async fn addresses(&self, address: &Address) -> io::Result<Vec<SocketAddr>> {
        let port = address.port;
        if let Ok(ip) = address.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        if address.host == "localhost" {
            let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
            return Ok(both.map(|ip| SocketAddr::new(ip, port)).into());
        }
        let permit = Arc::clone(&self.0).acquire_owned().await.map_err(io::Error::other)?;
        let host = address.host.clone();
        let lookup = vital::spawn_blocking("names of checks", move || {
            let found = (host.as_str(), port).to_socket_addrs();
            drop(permit);
            found.map(|found| found.take(ADDRESSES_MAX).collect())
        });
        lookup.await.map_err(io::Error::other)?
    }
}

/// Connects to the first address that accepts.
pub(super) async fn connect(address: &Address, lookups: &Lookups) -> Result<TcpStream, String> {
    let failed = |error: io::Error| format!("cannot connect to {address}: {error}");
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for candidate in lookups.addresses(address).await.map_err(failed)? {
        match TcpStream::connect(candidate).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}
