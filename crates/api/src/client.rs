//! The client of a connection: its address, certificate and user.

use std::{fmt, net::SocketAddr};

use roost_text::shown;
use roost_tls::Owner;

/// What a connection shows of its client.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) peer: Peer,
    /// The certificate that the TLS handshake has verified.
    pub(crate) certificate: Option<Owner>,
}

/// The other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// Of a connection to the port.
    Address(SocketAddr),
    /// The user whose process connected to the socket in the file system.
    User(u32),
}

impl Peer {
    /// True for users of the socket who can read the Supervisor's own files anyway: root, and the
    /// user that the Supervisor runs as.
    pub(crate) fn owns_the_supervisor(self) -> bool {
        match self {
            Self::Address(_) => false,
            Self::User(user) => user == 0 || user == rustix::process::geteuid().as_raw(),
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.peer {
            Peer::Address(address) => write!(f, "{address}")?,
            Peer::User(user) => write!(f, "user {user} of this machine")?,
        }
        match &self.certificate {
            None => Ok(()),
            Some(owner) => write!(f, " (certificate '{}')", shown(owner.subject.as_str())),
        }
    }
}
