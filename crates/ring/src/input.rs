//! What goes into a ring.

use std::net::SocketAddr;

use bytes::Bytes;

use crate::{id::MemberId, rumor::SysInfo};

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Input<'a> {
    /// A datagram arrived.
    Datagram {
        /// Its source.
        from: SocketAddr,
        /// Its content.
        bytes: &'a [u8],
    },
    /// A gossip message (one frame) arrived.
    Gossip {
        /// The content of the frame.
        bytes: &'a [u8],
    },
    /// An [`crate::Output::Push`] has ended.
    PushResult {
        /// The number it was given.
        push: u64,
        /// Messages that were handed to the connection, from the beginning of the push. When
        /// these are not all, all are offered to this member again at its next turn.
        sent: usize,
    },
    /// The incarnation of [`crate::Output::PersistIncarnation`] is on disk. To be said as well
    /// when writing failed for good (it is logged then): nothing is sent before.
    IncarnationStored(u64),
    /// The local Supervisor wants something.
    Command(Command),
}

/// What the local Supervisor wants of the ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Publish this member's service, or a new version of it. The rumor's incarnation is that
    /// of the stored one plus 1, or 1; the package incarnation never falls.
    PublishService(OwnService),
    /// Take part in the leader election of a group: term 0, right after the group's first
    /// [`Command::PublishService`].
    StartElection {
        /// The group.
        group: String,
        /// How fit the service is; 0 while it is not initialized.
        suitability: u64,
    },
    /// Take part in the election of the update leader of a group: term 0.
    StartUpdateElection {
        /// The group.
        group: String,
        /// 0, or `u64::MAX` for followers of a leader topology (reference: ring §10.8).
        suitability: u64,
    },
    /// Answers [`crate::Output::NeedSuitability`].
    Suitability {
        /// The group it was asked for.
        group: String,
        /// The term it was asked for.
        term: u64,
        /// Result of the hook; 0 without one.
        value: u64,
    },
    /// Start the stored election of a group anew (the trigger file, reference: ring §10.7). The
    /// leader election is taken if there is one, else the update election.
    TriggerElection {
        /// The group.
        group: String,
    },
    /// Spread a configuration that a client applied.
    SetServiceConfig {
        /// The group, checked.
        group: String,
        /// The version that the client gave.
        incarnation: u64,
        /// The content is encrypted for the service.
        encrypted: bool,
        /// The content.
        config: Bytes,
    },
    /// Spread a file that a client uploaded.
    SetServiceFile {
        /// The group, checked.
        group: String,
        /// The version that the client gave.
        incarnation: u64,
        /// The content is encrypted for the service.
        encrypted: bool,
        /// Name of the file.
        filename: String,
        /// The content.
        body: Bytes,
    },
    /// Depart a member by hand, possibly this one.
    DepartMember(MemberId),
    /// Tell the ring that this member leaves (reference: ring §11.2). It goes on answering.
    LeaveGracefully,
    /// Replace the initial peers (the watch file, reference: ring §13).
    SetInitialPeers(Vec<SocketAddr>),
}

/// What this member publishes about a service of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnService {
    /// The group, `service.group[@organization]`.
    pub group: String,
    /// The package, fully qualified.
    pub pkg: String,
    /// Exported configuration as TOML, empty when there is none.
    pub cfg: Bytes,
    /// This machine and the listeners.
    pub sys: SysInfo,
    /// Package incarnation of a rolling update, else 0.
    pub pkg_incarnation: u64,
}
