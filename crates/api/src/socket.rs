//! Where connections come from: the port, or the socket in the file system.

use std::{
    io::{self, IoSlice},
    os::fd::{AsFd, BorrowedFd},
    pin::Pin,
    task::{Context, Poll},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    net::sockopt,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
};

use crate::client::Peer;

/// What accepts connections.
#[derive(Debug)]
pub(crate) enum Listener {
    Port(TcpListener),
    Local(UnixListener),
}

impl Listener {
    pub(crate) async fn accept(&self) -> io::Result<(Socket, Peer)> {
        Ok(match self {
            Self::Port(listener) => {
                let (tcp, address) = listener.accept().await?;
                (Socket::Port(tcp), Peer::Address(address))
            }
            Self::Local(listener) => {
                let (unix, _) = listener.accept().await?;
                let user = unix.peer_cred()?.uid();
                (Socket::Local(unix), Peer::User(user))
            }
        })
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) enum Socket {
    Port(TcpStream),
    Local(UnixStream),
}

impl Socket {
    /// Answers are written whole; waiting for more would only delay their last packet. A failure
    /// means that the connection is gone, which the next read finds out.
    pub(crate) fn set_nodelay(&self) {
        if let Self::Port(tcp) = self {
            let _ = sockopt::set_tcp_nodelay(tcp, true);
        }
    }

    /// True when the client has ended its direction or is gone.
    pub(crate) fn has_left(&self) -> bool {
        let mut polled = [PollFd::new(self, PollFlags::RDHUP)];
        // A failed poll proves nothing.
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let gone = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
        poll(&mut polled, Some(&at_once)).is_ok() && polled[0].revents().intersects(gone)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Port(tcp) => tcp.as_fd(),
            Self::Local(unix) => unix.as_fd(),
        }
    }
}

/// Passes a call on to the connection.
macro_rules! either {
    ($socket:expr, $inner:ident => $call:expr) => {
        match $socket.get_mut() {
            Self::Port($inner) => $call,
            Self::Local($inner) => $call,
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, inner => Pin::new(inner).poll_read(context, buffer))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self, inner => Pin::new(inner).poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, inner => Pin::new(inner).poll_write_vectored(context, parts))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, inner => Pin::new(inner).poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, inner => Pin::new(inner).poll_shutdown(context))
    }
}
