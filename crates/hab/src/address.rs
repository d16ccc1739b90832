//! Addresses as users write them: `HOST[:PORT]`. Those of control gateways are resolved to IPv4
//! immediately.

use std::{
    fmt,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

/// Port of the control gateway.
const CTL_PORT: u16 = 9632;
/// Longest name of a host (RFC 1035).
const HOST_BYTES_MAX: usize = 253;
/// Port of gossip.
const GOSSIP_PORT: u16 = 9638;

/// An address with its original text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Resolved {
    host: String,
    port: u16,
    address: SocketAddr,
}

fn resolve(text: &str, default_port: u16) -> Result<Resolved, String> {
    let with_port = text
        .rsplit_once(':')
        .and_then(|(host, port)| Some((host, port.parse().ok()?)))
        .filter(|(host, _)| !host.is_empty());
    let (host, port) = with_port.unwrap_or((text, default_port));
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let found: Vec<SocketAddr> =
        (bare, port).to_socket_addrs().map_err(|error| error.to_string())?.collect();
    let address = found
        .into_iter()
        .find(SocketAddr::is_ipv4)
        .ok_or("did not resolve to an ipv4 socket address")?;
    Ok(Resolved { host: host.into(), port, address })
}

/// Address of a control gateway, for `--remote-sup` and `--listen-ctl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct CtlAddress(Resolved);

impl CtlAddress {
    /// The host as given.
    pub(crate) fn host(&self) -> &str {
        &self.0.host
    }

    /// The resolved address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address
    }
}

impl Default for CtlAddress {
    fn default() -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], CTL_PORT));
        Self(Resolved { host: "127.0.0.1".into(), port: CTL_PORT, address })
    }
}

impl FromStr for CtlAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        resolve(text, CTL_PORT)
            .map(Self)
            .map_err(|error| format!("Failed to resolve ctl address '{text}': {error}"))
    }
}

/// The host as given, with the port.
impl fmt::Display for CtlAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0.host, self.0.port)
    }
}

impl TryFrom<String> for CtlAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<CtlAddress> for String {
    fn from(address: CtlAddress) -> Self {
        address.to_string()
    }
}

/// Address of a ring member. The running Supervisor resolves a name, so that it can start before
/// its name server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct PeerAddress {
    host: String,
    port: u16,
}

impl FromStr for PeerAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = |reason| format!("'{text}' is not the address of a peer: {reason}");
        let (host, port) = match text.rsplit_once(':') {
            None => (text, GOSSIP_PORT),
            Some((host, port)) => {
                let port = port.parse().ok().filter(|port| *port > 0);
                (host, port.ok_or_else(|| refused("it must be HOST[:PORT], with a port to 65535"))?)
            }
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if host.contains([':', '[']) {
            return Err(refused("a ring supports only IPv4"));
        }
        if host.is_empty() || host.len() > HOST_BYTES_MAX || !host.chars().all(is_name) {
            return Err(refused("it must be HOST[:PORT]"));
        }
        Ok(Self { host: host.into(), port })
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl TryFrom<String> for PeerAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<PeerAddress> for String {
    fn from(peer: PeerAddress) -> Self {
        peer.to_string()
    }
}

/// The address to listen on for gossip; a ring supports only IPv4.
pub(crate) fn parse_ipv4_listen(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| "invalid socket address syntax")?;
    match address.ip() {
        IpAddr::V4(_) => Ok(address),
        IpAddr::V6(_) => Err("must be an IPv4 address".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_without_port_has_the_usual_one() {
        let remote: CtlAddress = "127.0.0.1".parse().expect("an address");
        assert_eq!(remote.to_string(), "127.0.0.1:9632");
        assert_eq!(remote, CtlAddress::default());
        let peer: PeerAddress = "127.0.0.9".parse().expect("an address");
        assert_eq!(peer.to_string(), "127.0.0.9:9638");
    }

    #[test]
    fn the_host_stays_as_it_was_given() {
        let remote: CtlAddress = "localhost:77".parse().expect("an address");
        assert_eq!((remote.to_string().as_str(), remote.host()), ("localhost:77", "localhost"));
        assert_eq!(remote.address().to_string(), "127.0.0.1:77");
    }

    #[test]
    fn a_peer_need_not_be_resolvable_and_must_be_an_address() {
        for text in ["db-1.invalid", "10.0.0.1", "db_2:9000"] {
            let peer: PeerAddress = text.parse().expect("an address");
            assert!(peer.to_string().starts_with(text));
        }
        for text in ["", ":1", "a:b", "a:0", "a:65536", "core/redis", "a b", "[::1]:9", "::1"] {
            assert!(text.parse::<PeerAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn ipv6_is_refused() {
        assert_eq!(
            "[::1]:9632".parse::<CtlAddress>(),
            Err("Failed to resolve ctl address '[::1]:9632': did not resolve to an ipv4 socket \
                 address"
                .into())
        );
        assert!(parse_ipv4_listen("[::]:9638").is_err());
    }
}
