//! Taking the port.

use std::{io, net::SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

use crate::limits;

/// The port could not be taken. Displays Habitat's last line, `Unable to bind to address
/// 127.0.0.1:9631.`; [`BindError::log_line`] is the line before it.
#[derive(Debug, thiserror::Error)]
#[error("Unable to bind to address {address}.")]
pub struct BindError {
    /// The address wanted.
    pub address: SocketAddr,
    /// Why it could not be had.
    #[source]
    pub source: io::Error,
}

impl BindError {
    /// `HTTP gateway failed to bind: Address already in use (os error 98)`
    #[must_use]
    pub fn log_line(&self) -> String {
        format!("HTTP gateway failed to bind: {}", self.source)
    }

    /// True when another process listens there, so that trying again may help.
    #[must_use]
    pub fn is_address_in_use(&self) -> bool {
        self.source.kind() == io::ErrorKind::AddrInUse
    }
}

/// Takes the port, so that it is open at once; requests wait until the gateway serves it. With
/// port 0 the system chooses one: `local_addr` of the listener returns it. Two Supervisors
/// never share a port (`SO_REUSEPORT` is not set).
///
/// Call it inside a tokio runtime.
///
/// # Errors
/// When the address is taken, or is none of this machine.
pub fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(limits::BACKLOG)
    };
    listen().map_err(|source| BindError { address, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_reported_in_habitats_words() {
        let first = bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        let address = first.local_addr().expect("an address");
        assert_ne!(address.port(), 0);
        let error = bind(address).expect_err("the port is taken");
        assert!(error.is_address_in_use());
        assert_eq!(
            error.log_line(),
            "HTTP gateway failed to bind: Address already in use (os error 98)"
        );
        assert_eq!(error.to_string(), format!("Unable to bind to address {address}."));
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_refused() {
        let error = bind("203.0.113.1:0".parse().expect("an address")).expect_err("not ours");
        assert!(!error.is_address_in_use());
        assert!(error.log_line().contains("os error 99"), "{}", error.log_line());
    }
}
