//! Where the HTTP gateway of another member is, by its rumors. An address in a rumor is a
//! stranger's word: no request goes to this machine, or to a place that is on no network, because
//! a rumor names it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use roost_ring::{Member, SysInfo};

/// Why no gateway of a member can be requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoGateway {
    /// Its rumor names no usable port or address.
    #[error("its service rumors name no HTTP gateway")]
    None,
    /// The gateway is for its own machine.
    #[error("its HTTP gateway listens on {0}, which other machines cannot reach")]
    Local(IpAddr),
    /// An address that no machine has.
    #[error(
        "its service rumors name the address {0} for its HTTP gateway, which is none of a machine"
    )]
    Forged(IpAddr),
}

/// Address and port of the gateway. One that listens everywhere is at the member's address in the
/// ring.
pub(crate) fn of(member: &Member, sys: &SysInfo) -> Result<SocketAddr, NoGateway> {
    let port = u16::try_from(sys.http_gateway_port).unwrap_or_default();
    let named: IpAddr = sys.http_gateway_ip.parse().map_err(|_| NoGateway::None)?;
    if port == 0 {
        return Err(NoGateway::None);
    }
    let ring = member.address.filter(|address| !address.is_unspecified());
    let ip = match (named.to_canonical(), ring) {
        (named, None) if named.is_unspecified() => return Err(NoGateway::None),
        (named, Some(ring)) if named.is_unspecified() => IpAddr::V4(ring),
        (named, _) => named,
    };
    // Tests and small trials have rings within one machine.
    let is_same_machine = ring.is_some_and(|ring| ring.is_loopback());
    match ip {
        ip if ip.is_loopback() && !is_same_machine => Err(NoGateway::Local(ip)),
        ip if is_no_machine(ip) => Err(NoGateway::Forged(ip)),
        ip => Ok(SocketAddr::new(ip, port)),
    }
}

fn is_no_machine(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            ip.is_multicast()
                || ip.is_link_local()
                || ip == Ipv4Addr::BROADCAST
                || ip.octets()[0] == 0
        }
        IpAddr::V6(ip) => ip.is_multicast() || ip.is_unicast_link_local() || ip.is_unspecified(),
    }
}

#[cfg(test)]
mod tests {
    use roost_ring::MemberId;

    use super::*;

    fn found(ring: &str, named: &str, port: u32) -> Result<String, NoGateway> {
        let member = Member {
            id: MemberId::from_bits(1),
            incarnation: 0,
            address: ring.parse().ok(),
            swim_port: 1,
            gossip_port: 1,
            persistent: false,
            departed: false,
            probe_ping: false,
        };
        let sys = SysInfo {
            http_gateway_ip: named.into(),
            http_gateway_port: port,
            ..SysInfo::default()
        };
        of(&member, &sys).map(|address| address.to_string())
    }

    #[test]
    fn a_gateway_is_where_its_member_announces_it() {
        assert_eq!(found("10.0.0.7", "0.0.0.0", 9631), Ok("10.0.0.7:9631".into()));
        assert_eq!(found("10.0.0.7", "::", 9631), Ok("10.0.0.7:9631".into()));
        assert_eq!(found("10.0.0.7", "192.168.0.7", 80), Ok("192.168.0.7:80".into()));
        assert_eq!(found("10.0.0.7", "2001:db8::7", 80), Ok("[2001:db8::7]:80".into()));
        assert_eq!(found("127.0.0.2", "127.0.0.3", 80), Ok("127.0.0.3:80".into()), "a test");
    }

    #[test]
    fn a_rumor_cannot_send_requests_to_this_machine_or_nowhere() {
        for forged in [
            "127.0.0.1",
            "::1",
            "::ffff:127.0.0.1",
            "169.254.169.254",
            "224.0.0.1",
            "fe80::1",
            "255.255.255.255",
            "0.1.2.3",
            "ff02::1",
        ] {
            assert!(found("10.0.0.7", forged, 9631).is_err(), "{forged}");
        }
        for (ring, named, port) in [
            ("10.0.0.7", "", 9631),
            ("10.0.0.7", "db", 9631),
            ("10.0.0.7", "10.0.0.7", 0),
            ("10.0.0.7", "10.0.0.7", 70_000),
            ("", "0.0.0.0", 9631),
        ] {
            assert_eq!(found(ring, named, port), Err(NoGateway::None), "{named} {port}");
        }
    }
}
