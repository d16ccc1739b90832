//! What a ring is started with.

use std::net::SocketAddr;

use roost_crypto::RingKey;

use crate::{
    id::MemberId,
    limits,
    member::Membership,
    rumor::{Election, Service, ServiceConfig, ServiceFile},
};

/// Times a rumor is sent to one member (reference: ring §9.1, `HAB_RUMOR_SHARE_LIMIT`).
pub const SHARE_LIMIT: u32 = 2;

/// Settings that do not change while the ring runs.
#[derive(Debug, Clone)]
pub struct Config {
    /// The ring key, if the ring has one.
    pub key: Option<RingKey>,
    /// How often a rumor is sent to one member: 0, 1 or 2. More counts as 2.
    pub share_limit: u32,
    /// Where to look for a ring; addresses that are not IPv4 are left out.
    pub initial_peers: Vec<SocketAddr>,
    /// Members that are kept in the list at most.
    pub members_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            key: None,
            share_limit: SHARE_LIMIT,
            initial_peers: Vec::new(),
            members_max: limits::MEMBERS_MAX,
        }
    }
}

/// Who this member is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Me {
    /// Its id.
    pub id: MemberId,
    /// The incarnation found on disk, 0 when there is none.
    pub incarnation: u64,
    /// The port it listens on, for datagrams and for gossip.
    pub port: u16,
    /// It is a permanent peer (`--permanent-peer`).
    pub permanent: bool,
}

/// Everything that the data file keeps (reference: ring §12.3), in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stores {
    /// The member list.
    pub members: Vec<Membership>,
    /// Services.
    pub services: Vec<Service>,
    /// Applied configurations.
    pub service_configs: Vec<ServiceConfig>,
    /// Uploaded files.
    pub service_files: Vec<ServiceFile>,
    /// Leader elections.
    pub elections: Vec<Election>,
    /// Elections of rolling updates.
    pub update_elections: Vec<Election>,
    /// Members departed by hand.
    pub departures: Vec<MemberId>,
}
