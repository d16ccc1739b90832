//! Configuration of a ring.

use std::net::SocketAddr;

use roost_crypto::RingKey;

use crate::{
    id::MemberId,
    limits,
    member::Membership,
    rumor::{self, Rumor, RumorKind, for_each_kind},
};

/// Number of times a rumor is sent to each member (reference: ring §9.1, `HAB_RUMOR_SHARE_LIMIT`).
pub const SHARE_LIMIT: u32 = 2;

/// Settings that are constant while the ring runs.
#[derive(Debug, Clone)]
pub struct Config {
    /// The ring key, if the ring has one.
    pub key: Option<RingKey>,
    /// Number of times a rumor is sent to each member: 0, 1 or 2. More counts as 2.
    pub share_limit: u32,
    /// Addresses of initial peers; those that are not IPv4 are left out.
    pub initial_peers: Vec<SocketAddr>,
    /// Most members in the list.
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

/// Identity of this member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Me {
    /// Its id.
    pub id: MemberId,
    /// The incarnation from disk, 0 without one.
    pub incarnation: u64,
    /// The port for datagrams and for gossip.
    pub port: u16,
    /// It is a permanent peer (`--permanent-peer`).
    pub permanent: bool,
}

macro_rules! make_stores {
    ($($(#[$doc:meta])* $kind:ident($payload:ident) = $number:literal, $label:literal, $list:ident;)*) => {
        /// Everything that the data file keeps (reference: ring §12.3), in the order of the file.
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        pub struct Stores {
            /// The member list.
            pub members: Vec<Membership>,
            $($(#[$doc])* pub $list: Vec<rumor::$kind>,)*
        }

        impl Stores {
            /// Adds a rumor. A member rumor adds what it reports about the member.
            pub(crate) fn add(&mut self, rumor: Rumor) {
                match rumor {
                    Rumor::Member(_, membership) => self.members.push(membership),
                    $(Rumor::$kind(rumor) => self.$list.push(rumor),)*
                }
            }

            /// All rumors of a kind, encoded. There are none of members.
            pub(crate) fn encoded(&self, kind: RumorKind) -> Vec<Vec<u8>> {
                match kind {
                    RumorKind::Member => Vec::new(),
                    $(RumorKind::$kind => {
                        self.$list.iter().map(|rumor| Rumor::$kind(rumor.clone()).encode()).collect()
                    })*
                }
            }

            /// All rumors of all kinds, without members.
            pub(crate) fn into_rumors(self) -> impl Iterator<Item = Rumor> {
                std::iter::empty()$(.chain(self.$list.into_iter().map(Rumor::$kind)))*
            }
        }
    };
}
for_each_kind!(make_stores);
