//! Input of the census: a borrowed view of the ring's rumor stores. The order of facts is
//! irrelevant.
//!
//! An update may be partial. A changed group is complete: its services, elections, config and
//! files. Of the member list, the changed entries suffice. Everything else stays as it was.

use roost_ident::{ElectionStatus, MemberHealth, ServiceGroup, SysInfo};

/// The state at one moment: everything, or what may have changed since the last update.
#[derive(Debug, Clone, Default)]
pub struct Input<'a> {
    /// Stored service rumors; of each group all or none.
    pub services: Vec<ServiceFact<'a>>,
    /// Stored elections, at most one for each group.
    pub elections: Vec<ElectionFact<'a>>,
    /// Stored update elections, at most one for each group.
    pub update_elections: Vec<ElectionFact<'a>>,
    /// Stored service configs, at most one for each group.
    pub configs: Vec<ConfigFact<'a>>,
    /// Stored service files, at most one for each group and name.
    pub files: Vec<FileFact<'a>>,
    /// The member list.
    pub members: Vec<MemberFact<'a>>,
    /// Number of changes of each store.
    pub counters: Counters,
    /// A key may have been added since the last update.
    pub keys_changed: bool,
}

/// A service rumor.
#[derive(Debug, Clone)]
pub struct ServiceFact<'a> {
    /// Id of the member that runs the service.
    pub member_id: &'a str,
    /// Its group.
    pub group: &'a ServiceGroup,
    /// Version of the rumor. Two rumors of one member, group and incarnation are the same one.
    pub incarnation: u64,
    /// Version of the package in a rolling update.
    pub pkg_incarnation: u64,
    /// Package identifier in the rumor.
    pub pkg: &'a str,
    /// Exported configuration, TOML.
    pub cfg: &'a [u8],
    /// Addresses.
    pub sys: &'a SysInfo,
}

/// An election of a leader or of an update leader.
#[derive(Debug, Clone, Copy)]
pub struct ElectionFact<'a> {
    /// The group; the ring does not check its form.
    pub group: &'a str,
    /// The current leader of the votes, or the winner.
    pub candidate: &'a str,
    /// Its status; never [`ElectionStatus::None`].
    pub status: ElectionStatus,
}

/// A configuration applied to a group.
#[derive(Debug, Clone, Copy)]
pub struct ConfigFact<'a> {
    /// The group.
    pub group: &'a ServiceGroup,
    /// Its version, given by the user.
    pub incarnation: u64,
    /// Whether `config` is a BOX-1 message.
    pub encrypted: bool,
    /// TOML, or a BOX-1 message that contains it.
    pub config: &'a [u8],
}

/// A file uploaded to a group.
#[derive(Debug, Clone, Copy)]
pub struct FileFact<'a> {
    /// The group.
    pub group: &'a ServiceGroup,
    /// Its name, from the network: check it before writing it to disk.
    pub filename: &'a str,
    /// Its version, given by the user; 0 is never accepted.
    pub incarnation: u64,
    /// Whether `body` is a BOX-1 message.
    pub encrypted: bool,
    /// Its content, or a BOX-1 message that contains it.
    pub body: &'a [u8],
}

/// An entry of the member list.
#[derive(Debug, Clone, Copy)]
pub struct MemberFact<'a> {
    /// Id of the member.
    pub member_id: &'a str,
    /// Its address; empty while unknown.
    pub address: &'a str,
    /// Its port for gossip.
    pub gossip_port: u16,
    /// Its health.
    pub health: MemberHealth,
}

/// Accepted changes of each store since the process started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Service rumors.
    pub service: u64,
    /// Elections.
    pub election: u64,
    /// Update elections.
    pub election_update: u64,
    /// The member list.
    pub membership: u64,
    /// Service configs.
    pub service_config: u64,
    /// Service files.
    pub service_file: u64,
}
