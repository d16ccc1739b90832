//! Host name and advertised address of this machine (reference: services §15.1).

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Default of `HAB_OUTBOUND_IP_ADDR_LOOKUP_SOCKET_ADDR`. No packet is sent: connecting a UDP socket
/// only makes the kernel choose a route.
const LOOKUP_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(8, 8, 8, 8)), 53);

/// The address of this machine as seen by others: the local address of the route to the
/// lookup address, or the loopback address on a machine without a route.
pub(crate) fn outbound_ip(lookup: Option<&str>) -> IpAddr {
    let target = lookup.and_then(|text| text.parse().ok()).unwrap_or(LOOKUP_ADDRESS);
    let local = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect(target)?;
        socket.local_addr()
    };
    local().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.ip())
}

/// Most file descriptors of this process; more would only cost the kernel.
const DESCRIPTORS_MAX: u64 = 65_536;

/// Raises this process's limit of open files as far as allowed, and returns it. Services keep the
/// launcher's original limit.
pub(crate) fn raise_descriptor_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let hard = limit.maximum.unwrap_or(DESCRIPTORS_MAX);
    let wanted = hard.min(DESCRIPTORS_MAX).max(limit.current.unwrap_or(0));
    match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum }) {
        Ok(()) => wanted,
        Err(_) => limit.current.unwrap_or(DESCRIPTORS_MAX),
    }
}

/// The host name, or `localhost` when it is not valid text.
pub(crate) fn hostname() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "localhost".into())
}

/// The canonical name of a host; `None` when the resolver does not know it. May take long.
pub(crate) fn canonical_name(host: &str) -> Option<String> {
    let flags = nix::libc::AI_CANONNAME;
    let hints = dns_lookup::AddrInfoHints { flags, ..Default::default() };
    let mut found = dns_lookup::getaddrinfo(Some(host), None, Some(hints)).ok()?;
    found.find_map(|address| address.ok()?.canonname).filter(|name| !name.is_empty())
}

/// Randomness for times and orders, not for secrets. If the system's source fails, the time of day
/// suffices.
pub(crate) fn seed() -> u64 {
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u64::from_ne_bytes(bytes),
        Err(_) => std::time::UNIX_EPOCH.elapsed().map_or(0, |t| u64::from(t.subsec_nanos())),
    }
}
