//! Protocol errors of a peer.

/// A violation of the protocol or of a limit. The connection is unusable afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The first bytes are not those of ZMTP 2 or later.
    #[error("the peer does not speak ZMTP")]
    NotZmtp,
    /// The peer speaks ZMTP 2.
    #[error("the peer speaks ZMTP {0}; version 3 is needed")]
    OldVersion(u8),
    /// The peer requires PLAIN, CURVE or another mechanism.
    #[error("the peer requires a security mechanism other than NULL")]
    OtherMechanism,
    /// A frame with reserved bits set, or a command in several frames.
    #[error("a frame has impossible flags {0:#04x}")]
    BadFlags(u8),
    /// A command without a name, or with a truncated body.
    #[error("a command is malformed")]
    BadCommand,
    /// Another command in place of READY.
    #[error("the peer did not send READY after its greeting")]
    NotReady,
    /// The peer's socket is not the counterpart of ours.
    #[error("the peer's socket type does not fit")]
    OtherSocketType,
    /// The peer sent ERROR.
    #[error("the peer refused the connection")]
    Refused,
    /// A PULL socket sent a message.
    #[error("the peer sent a message, but may only receive")]
    UnexpectedMessage,
    /// A frame is announced that exceeds the limit.
    #[error("a frame of {0} bytes is too long")]
    FrameTooLong(u64),
    /// The frames of one message together exceed the limit.
    #[error("a message of several frames is too long")]
    MessageTooLong,
}

impl ProtocolError {
    /// True for a violation of a limit, false for one of the protocol.
    #[must_use]
    pub fn is_too_long(self) -> bool {
        matches!(self, Self::FrameTooLong(_) | Self::MessageTooLong)
    }
}
