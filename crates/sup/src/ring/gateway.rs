//! Where the HTTP gateway of another member is, by its rumors. An address in a rumor is not
//! verified: because of a rumor no request goes to this machine, or to a place that is on no
//! network, and in a ring without key none goes to an address that is not the member's own.

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
    /// An address of this machine.
    #[error("its service rumors name the address {0} of this machine for its HTTP gateway")]
    Here(IpAddr),
    /// Another address than the member has in a ring without key.
    #[error(
        "its service rumors name the address {0} for its HTTP gateway, which is not its address in \
         the ring, and the ring has no key"
    )]
    Elsewhere(IpAddr),
}

/// What this Supervisor knows of itself, without a rumor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Here {
    /// Where its gossip listens.
    pub(crate) gossip: IpAddr,
    /// The address that it announces.
    pub(crate) announced: IpAddr,
    /// Only members with the ring key can send rumors.
    pub(crate) ring_has_key: bool,
}

/// Address and port of the gateway. One that listens everywhere is at the member's address in the
/// ring.
pub(crate) fn of(here: Here, member: &Member, sys: &SysInfo) -> Result<SocketAddr, NoGateway> {
    let port = u16::try_from(sys.http_gateway_port).unwrap_or_default();
    let named: IpAddr = sys.http_gateway_ip.parse().map_err(|_| NoGateway::None)?;
    if port == 0 {
        return Err(NoGateway::None);
    }
    let ring = member.address.filter(|address| !address.is_unspecified()).map(IpAddr::V4);
    let ip = match (named.to_canonical(), ring) {
        (named, None) if named.is_unspecified() => return Err(NoGateway::None),
        (named, Some(ring)) if named.is_unspecified() => ring,
        (named, _) => named,
    };
    // Tests and small trials have rings within one machine: then every member is on it.
    let is_within_machine = here.gossip.is_loopback();
    match ip {
        ip if ip.is_loopback() && !is_within_machine => Err(NoGateway::Local(ip)),
        ip if is_no_machine(ip) => Err(NoGateway::Forged(ip)),
        ip if [here.gossip, here.announced].contains(&ip) && !is_within_machine => {
            Err(NoGateway::Here(ip))
        }
        ip if Some(ip) != ring && !here.ring_has_key && !is_within_machine => {
            Err(NoGateway::Elsewhere(ip))
        }
        ip => Ok(SocketAddr::new(ip, port)),
    }
}

/// Address and port of this Supervisor's own gateway, as it announces it. That it is here, and
/// where, is no reason to doubt it.
pub(crate) fn own(here: Here, member: &Member, sys: &SysInfo) -> Result<SocketAddr, NoGateway> {
    let nowhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let gossip = if here.gossip.is_loopback() { here.gossip } else { nowhere };
    of(Here { gossip, announced: nowhere, ring_has_key: true }, member, sys)
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

    const KEYED: Here = Here {
        gossip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        announced: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
        ring_has_key: true,
    };
    const OPEN: Here = Here { ring_has_key: false, ..KEYED };
    const WITHIN: Here = Here { gossip: IpAddr::V4(Ipv4Addr::LOCALHOST), ..OPEN };

    fn found(here: Here, ring: &str, named: &str, port: u32) -> Result<String, NoGateway> {
        of(here, &member(ring), &sys(named, port)).map(|address| address.to_string())
    }

    fn member(address: &str) -> Member {
        Member {
            id: MemberId::from_bits(1),
            incarnation: 0,
            address: address.parse().ok(),
            swim_port: 1,
            gossip_port: 1,
            persistent: false,
            departed: false,
            probe_ping: false,
        }
    }

    fn sys(named: &str, port: u32) -> SysInfo {
        SysInfo { http_gateway_ip: named.into(), http_gateway_port: port, ..SysInfo::default() }
    }

    #[test]
    fn a_gateway_is_where_its_member_announces_it() {
        for here in [KEYED, OPEN] {
            assert_eq!(found(here, "10.0.0.7", "0.0.0.0", 9631), Ok("10.0.0.7:9631".into()));
            assert_eq!(found(here, "10.0.0.7", "::", 9631), Ok("10.0.0.7:9631".into()));
            assert_eq!(found(here, "10.0.0.7", "10.0.0.7", 80), Ok("10.0.0.7:80".into()));
        }
        assert_eq!(found(KEYED, "10.0.0.7", "192.168.0.7", 80), Ok("192.168.0.7:80".into()));
        assert_eq!(found(KEYED, "10.0.0.7", "2001:db8::7", 80), Ok("[2001:db8::7]:80".into()));
        assert_eq!(found(WITHIN, "127.0.0.2", "127.0.0.3", 80), Ok("127.0.0.3:80".into()));
    }

    #[test]
    fn the_own_gateway_is_where_this_supervisor_announces_it() {
        let own = |here, ring: &str, named: &str| {
            let (member, sys) = (member(ring), sys(named, 9631));
            super::own(here, &member, &sys).map(|address| address.to_string())
        };
        assert_eq!(own(OPEN, "10.0.0.1", "0.0.0.0"), Ok("10.0.0.1:9631".into()));
        assert_eq!(own(OPEN, "10.0.0.1", "192.168.0.1"), Ok("192.168.0.1:9631".into()));
        assert_eq!(own(WITHIN, "127.0.0.1", "127.0.0.9"), Ok("127.0.0.9:9631".into()));
        let local = Err(NoGateway::Local(Ipv4Addr::LOCALHOST.into()));
        assert_eq!(own(OPEN, "10.0.0.1", "127.0.0.1"), local, "others cannot reach it");
    }

    #[test]
    fn without_a_key_a_rumor_names_no_other_address_than_the_members() {
        for named in ["192.168.0.7", "2001:db8::7", "10.0.0.8"] {
            let ip = named.parse().unwrap();
            assert_eq!(found(OPEN, "10.0.0.7", named, 80), Err(NoGateway::Elsewhere(ip)));
        }
    }

    #[test]
    fn a_rumor_cannot_send_requests_to_this_machine_or_nowhere() {
        for here in [KEYED, OPEN] {
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
                "10.0.0.1",
            ] {
                // The member's address in the ring is in a rumor as well.
                for ring in ["10.0.0.7", "127.0.0.5", forged] {
                    assert!(found(here, ring, forged, 9631).is_err(), "{forged} at {ring}");
                    assert!(found(here, forged, "0.0.0.0", 9631).is_err(), "{forged}");
                }
            }
        }
        for (ring, named, port) in [
            ("10.0.0.7", "", 9631),
            ("10.0.0.7", "db", 9631),
            ("10.0.0.7", "10.0.0.7", 0),
            ("10.0.0.7", "10.0.0.7", 70_000),
            ("", "0.0.0.0", 9631),
        ] {
            assert_eq!(found(KEYED, ring, named, port), Err(NoGateway::None), "{named} {port}");
        }
    }
}
