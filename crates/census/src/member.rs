//! A member of a service group: one Supervisor that ran the service at some time.

use std::{str::FromStr, sync::Arc};

use roost_ident::{ElectionStatus, MemberHealth, PackageIdent, ServiceGroup, SysInfo};

use crate::{input::ServiceFact, known::Seen, reading::Content};

/// A member of a service group (reference: http-api §12.3). Health is that of its Supervisor; a
/// service that was stopped or unloaded stays in the group.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its id.
    pub member_id: String,
    /// The package it runs; all parts empty when the rumor has no valid identifier.
    pub pkg: PackageIdent,
    /// The same as text.
    pub package: String,
    /// Version of the package in a rolling update.
    pub pkg_incarnation: u64,
    /// The group.
    pub service_group: ServiceGroup,
    /// Addresses. Those of gossip come from the member list once it contains the member.
    pub sys: SysInfo,
    /// Its exports, in the order of the rumor; empty when they are not TOML or too large.
    pub cfg: Arc<Content>,
    /// State of the member in the ring.
    pub standing: Standing,
    /// Incarnation of the service rumor that the fields above come from.
    pub(crate) incarnation: u64,
}

/// State of a member in the ring.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Health in the member list. Before it is listed: alive for the local Supervisor, `None` for
    /// others.
    pub health: Option<MemberHealth>,
    /// It is in the member list. (The document calls this "persistent", whatever the real flag.)
    pub persistent: bool,
    /// Won the last finished election.
    pub leader: bool,
    /// Did not win the last finished election.
    pub follower: bool,
    /// Won the last finished update election.
    pub update_leader: bool,
    /// Did not win the last finished update election.
    pub update_follower: bool,
    /// Status of the group's election.
    pub election_status: ElectionStatus,
    /// Status of the group's update election.
    pub update_election_status: ElectionStatus,
}

impl std::ops::Deref for Member {
    type Target = Standing;

    fn deref(&self) -> &Standing {
        &self.standing
    }
}

impl Member {
    pub(crate) fn new(fact: &ServiceFact<'_>, standing: Standing, cfg: Arc<Content>) -> Self {
        let pkg = PackageIdent::from_str(fact.pkg)
            .unwrap_or_else(|_| PackageIdent::new("", "", None, None));
        Self {
            member_id: fact.member_id.into(),
            package: pkg.to_string(),
            pkg,
            pkg_incarnation: fact.pkg_incarnation,
            service_group: fact.group.clone(),
            sys: fact.sys.clone(),
            cfg,
            standing,
            incarnation: fact.incarnation,
        }
    }

    /// True when its Supervisor is alive or suspect.
    #[must_use]
    pub fn is_active(&self) -> bool {
        matches!(self.standing.health, Some(MemberHealth::Alive | MemberHealth::Suspect))
    }
}

/// Sets the address from the member list; copies the member only if it differs.
pub(crate) fn set_gossip_address(member: &mut Arc<Member>, seen: &Seen) {
    let port = u32::from(seen.gossip_port);
    let is_news = member.sys.gossip_ip != seen.address || member.sys.gossip_port != port;
    if is_news && !seen.address.is_empty() {
        let sys = &mut Arc::make_mut(member).sys;
        sys.gossip_ip.clone_from(&seen.address);
        sys.gossip_port = port;
    }
}

/// Sets the standing; copies the member only if it differs.
pub(crate) fn set_standing(member: &mut Arc<Member>, standing: Standing) {
    if member.standing != standing {
        Arc::make_mut(member).standing = standing;
    }
}
