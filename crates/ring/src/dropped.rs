//! Reasons of dropped inputs, all counted ([`crate::Counters::dropped`]).

/// An input that was dropped. The ring's state did not change unless a variant documents it; only
/// logging is needed. Texts are those of Habitat 2.1.78 (reference: ring §17) where it has one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Dropped {
    /// The bytes are not an envelope.
    #[error("Failed to decode protocol message: {0}")]
    BadEnvelope(String),
    /// An envelope without payload.
    #[error("Received an unsupported or bad protocol message. Missing field: missing payload")]
    MissingPayload,
    /// There is a local ring key and the message is not encrypted.
    #[error("Received an unsupported or bad protocol message. Missing field: missing nonce")]
    MissingNonce,
    /// The nonce does not have 24 bytes.
    #[error("Crypto error: nonce must be exactly 24 bytes")]
    BadNonce,
    /// An exact copy of a datagram received before, under a ring key.
    #[error("the datagram is a copy of one received before")]
    Replayed,
    /// Under a ring key, a datagram of a member that is not alive comes from a foreign address.
    #[error("the datagram does not come from the address of its author")]
    ForeignAddress,
    /// Encrypted with another key, or corrupted.
    #[error("Crypto error: Secret key and nonce could not decrypt ciphertext")]
    Undecryptable,
    /// The message is encrypted and there is no local ring key.
    #[error("the message is encrypted, and this Supervisor has no ring key")]
    EncryptedWithoutKey,
    /// The payload is not a message of the ring.
    #[error("Failed to decode protocol message: {0}")]
    Undecodable(String),
    /// A mandatory field is absent or out of range.
    #[error("Received an unsupported or bad protocol message. Missing field: {0}")]
    MissingField(&'static str),
    /// Type and content disagree; it would kill a real Supervisor.
    #[error("type and content of the message disagree")]
    TypeMismatch,
    /// A rumor type that only Habitat's own tests use; it would kill a real Supervisor.
    #[error("rumor types 6 and 7 are for tests")]
    TestRumor,
    /// An invalid group name.
    #[error("'{}' is not a valid service group", .0.escape_debug())]
    InvalidServiceGroup(String),
    /// An address that is not IPv4; it would kill the prober of a real Supervisor. The rest of
    /// a SWIM message is still used.
    #[error("the address of a member is not an IPv4 address")]
    AddressNotIpv4,
    /// The message exceeds the size limit.
    #[error("the message is too long")]
    TooLong,
    /// An id, a group or a file name that is too long.
    #[error("a name in the message is too long")]
    NameTooLong,
    /// A member id or the group of an election with control characters.
    #[error("a name in the message holds control characters")]
    InvalidName,
    /// An election with too many votes.
    #[error("the election has too many votes")]
    TooManyVotes,
    /// The member list is full.
    #[error("the member list is full")]
    TooManyMembers,
    /// The rumor stores are full.
    #[error("the rumor stores are full")]
    TooManyRumors,
    /// Too many elections wait for a suitability.
    #[error("too many elections wait for a suitability")]
    TooManyDeferred,
    /// An indirect probe for a member that is not in the list.
    #[error("PingReq request for invalid target")]
    UnknownTarget,
    /// A new term that neither comes from nor is about the current leader.
    #[error("Received a New Term Election, but not from the current leader, ignoring!")]
    ForeignTerm,
    /// A candidacy in a group without a service of this member.
    #[error("this member has no service in the group of the election")]
    NoOwnService,
    /// Outputs are not fetched fast enough, an answer was dropped. The state has changed.
    #[error("too many outputs wait to be fetched")]
    OutputsFull,
}

impl Dropped {
    /// Short name for metrics, from a small set.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::BadEnvelope(_) => "bad-envelope",
            Self::MissingPayload => "missing-payload",
            Self::MissingNonce => "missing-nonce",
            Self::BadNonce => "bad-nonce",
            Self::Replayed => "replayed",
            Self::ForeignAddress => "foreign-address",
            Self::Undecryptable => "undecryptable",
            Self::EncryptedWithoutKey => "encrypted-without-key",
            Self::Undecodable(_) => "undecodable",
            Self::MissingField(_) => "missing-field",
            Self::TypeMismatch => "type-mismatch",
            Self::TestRumor => "test-rumor",
            Self::InvalidServiceGroup(_) => "invalid-group",
            Self::AddressNotIpv4 => "address-not-ipv4",
            Self::TooLong => "too-long",
            Self::NameTooLong => "name-too-long",
            Self::InvalidName => "invalid-name",
            Self::TooManyVotes => "too-many-votes",
            Self::TooManyMembers => "too-many-members",
            Self::TooManyRumors => "too-many-rumors",
            Self::TooManyDeferred => "too-many-deferred",
            Self::UnknownTarget => "unknown-target",
            Self::ForeignTerm => "foreign-term",
            Self::NoOwnService => "no-own-service",
            Self::OutputsFull => "outputs-full",
        }
    }
}
