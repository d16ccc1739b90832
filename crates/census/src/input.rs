//! What the census is made of: a view of the ring's rumor stores, borrowed from whoever owns
//! them. The order of facts does not matter.
//!
//! An update need not tell everything. A group of which something is different is told whole:
//! its services, elections, config and files. Of the member list, the entries that are different
//! are enough. What is not told stands as it was.

use roost_ident::{ElectionStatus, MemberHealth, ServiceGroup};

/// What is known at one moment: everything, or what may be different since the last update.
#[derive(Debug, Clone, Default)]
pub struct Input<'a> {
    /// Stored service rumors, of each group all or none.
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
    /// How often each store changed.
    pub counters: Counters,
    /// A key may have come since the last update.
    pub keys_changed: bool,
}

/// A service rumor.
#[derive(Debug, Clone)]
pub struct ServiceFact<'a> {
    /// Who runs the service.
    pub member_id: &'a str,
    /// Its group.
    pub group: &'a ServiceGroup,
    /// Version of the rumor. Two rumors of one member, group and incarnation are the same one.
    pub incarnation: u64,
    /// Version of the package in a rolling update.
    pub pkg_incarnation: u64,
    /// Package identifier, as the rumor has it.
    pub pkg: &'a str,
    /// Exported configuration, TOML.
    pub cfg: &'a [u8],
    /// Addresses.
    pub sys: SysFact<'a>,
}

/// Addresses in a service rumor.
#[derive(Debug, Clone, Copy, Default)]
pub struct SysFact<'a> {
    /// Advertised address.
    pub ip: &'a str,
    /// Host name.
    pub hostname: &'a str,
    /// Where gossip listens; `0.0.0.0` is normal.
    pub gossip_ip: &'a str,
    /// Port of gossip.
    pub gossip_port: u16,
    /// Where the HTTP API listens.
    pub http_gateway_ip: &'a str,
    /// Port of the HTTP API.
    pub http_gateway_port: u16,
    /// Where the control gateway listens.
    pub ctl_gateway_ip: &'a str,
    /// Port of the control gateway.
    pub ctl_gateway_port: u16,
}

/// An election, of a leader or of an update leader.
#[derive(Debug, Clone, Copy)]
pub struct ElectionFact<'a> {
    /// The group; the ring does not check its form.
    pub group: &'a str,
    /// Who leads it so far, or won it.
    pub candidate: &'a str,
    /// How far it is; never [`ElectionStatus::None`].
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
    /// TOML, or a BOX-1 message that holds it.
    pub config: &'a [u8],
}

/// A file uploaded to a group.
#[derive(Debug, Clone, Copy)]
pub struct FileFact<'a> {
    /// The group.
    pub group: &'a ServiceGroup,
    /// Its name. It comes from the network: whoever writes it to a disk checks it first.
    pub filename: &'a str,
    /// Its version, given by the user; one with 0 is never taken.
    pub incarnation: u64,
    /// Whether `body` is a BOX-1 message.
    pub encrypted: bool,
    /// Its content, or a BOX-1 message that holds it.
    pub body: &'a [u8],
}

/// An entry of the member list.
#[derive(Debug, Clone, Copy)]
pub struct MemberFact<'a> {
    /// Whose.
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
