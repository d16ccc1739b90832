//! A ring of three members, and words for it.

use std::sync::Arc;

use roost_census::{Census, Group, Update};
use roost_ident::{ElectionStatus, MemberHealth, ServiceGroup, SysInfo};

use crate::ring::{Content, Member, Ring, Service};

pub(crate) fn group(name: &str) -> ServiceGroup {
    name.parse().expect("a group")
}

pub(crate) fn service(member_id: &str, name: &str, incarnation: u64, cfg: &str) -> Service {
    Service {
        member_id: member_id.into(),
        group: group(name),
        incarnation,
        pkg_incarnation: 0,
        pkg: "acme/web/1.0.0/20250101000000".into(),
        cfg: cfg.into(),
        sys: SysInfo { gossip_ip: "0.0.0.0".into(), gossip_port: 9638, ..SysInfo::default() },
    }
}

pub(crate) fn content(name: &str, filename: &str, incarnation: u64, bytes: &str) -> Content {
    Content {
        group: group(name),
        filename: filename.into(),
        incarnation,
        encrypted: false,
        bytes: bytes.into(),
    }
}

pub(crate) fn encrypted(content: Content) -> Content {
    Content { encrypted: true, ..content }
}

pub(crate) fn member(id: &str, health: MemberHealth) -> Member {
    (id.into(), format!("10.0.0.{}", id.len()), 9638, health)
}

/// Members `a`, `b`, `c` alive in `web.default`, seen by `a`.
pub(crate) fn trio() -> (Ring, Census) {
    let ids = ["a", "b", "c"];
    let ring = Ring {
        services: ids.map(|id| service(id, "web.default", 1, "port = 80")).to_vec(),
        members: ids.map(|id| member(id, MemberHealth::Alive)).to_vec(),
        ..Ring::default()
    };
    (ring, Census::new("a"))
}

pub(crate) fn elect(ring: &mut Ring, candidate: &str, status: ElectionStatus) {
    ring.elections = vec![("web.default".into(), candidate.into(), status)];
}

pub(crate) fn web(census: &Census) -> Arc<Group> {
    census.group(&group("web.default")).expect("the group").clone()
}

pub(crate) const QUIET: Update = Update { changed: false, warnings: Vec::new() };
pub(crate) const NEWS: Update = Update { changed: true, warnings: Vec::new() };
