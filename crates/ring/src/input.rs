//! Input of a ring.

use std::net::SocketAddr;

use bytes::Bytes;

use roost_ident::SysInfo;

use crate::id::MemberId;

/// An event or a command.
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
        /// The number of the push.
        push: u64,
        /// Number of messages handed to the connection, from the start of the push. If it is not
        /// all, all are offered to this member again at its next turn.
        sent: usize,
    },
    /// The incarnation of [`crate::Output::PersistIncarnation`] is on disk. Also sent when writing
    /// failed permanently (which is logged): nothing is sent to the network before.
    IncarnationStored(u64),
    /// A command of the local Supervisor.
    Command(Command),
}

/// Commands of the local Supervisor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Publish this member's service, or a new version of it. The rumor's incarnation is that of
    /// the stored one plus 1, or 1; the package incarnation never decreases.
    PublishService(OwnService),
    /// Take part in the leader election of a group: term 0, right after the group's first
    /// [`Command::PublishService`].
    StartElection {
        /// The group.
        group: String,
        /// Suitability of the service; 0 while it is not initialized.
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
        /// The group of the request.
        group: String,
        /// The term of the request.
        term: u64,
        /// Result of the hook; 0 without a hook.
        value: u64,
    },
    /// Restart the stored election of a group (the trigger file, reference: ring §10.7): the leader
    /// election if there is one, else the update election.
    TriggerElection {
        /// The group.
        group: String,
    },
    /// Spread a configuration that a client applied.
    SetServiceConfig {
        /// The group, validated.
        group: String,
        /// The version, from the client.
        incarnation: u64,
        /// The content is encrypted for the service.
        encrypted: bool,
        /// The content.
        config: Bytes,
    },
    /// Spread a file that a client uploaded.
    SetServiceFile {
        /// The group, validated.
        group: String,
        /// The version, from the client.
        incarnation: u64,
        /// The content is encrypted for the service.
        encrypted: bool,
        /// Name of the file.
        filename: String,
        /// The content.
        body: Bytes,
    },
    /// Depart a member manually, possibly this one.
    DepartMember(MemberId),
    /// Announce that this member leaves (reference: ring §11.2). It continues to answer.
    LeaveGracefully,
    /// Replace the initial peers (the watch file, reference: ring §13).
    SetInitialPeers(Vec<SocketAddr>),
}

/// The published data about a service of this member.
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
