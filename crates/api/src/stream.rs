//! A TCP connection with a write time limit: it fails when the client takes no byte for too
//! long, and it closes in a way that lets the client read the last answer.

use std::{
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

use crate::limits;

/// How long we go on reading after the last answer.
const LINGER: Duration = Duration::from_millis(500);

/// Whether an answer is on its way: set when a request starts, cleared when everything has
/// been handed to the system.
pub(crate) type Answering = Arc<AtomicBool>;

/// See the module.
pub(crate) struct Stream {
    tcp: TcpStream,
    answering: Answering,
    write_timeout: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
    ended: bool,
    lingering: Option<Lingering>,
}

struct Lingering {
    until: Pin<Box<Sleep>>,
    bytes_left: usize,
}

impl Stream {
    pub(crate) fn new(tcp: TcpStream, write_timeout: Duration) -> Self {
        Self {
            tcp,
            answering: Answering::default(),
            write_timeout,
            stalled: None,
            ended: false,
            lingering: None,
        }
    }

    pub(crate) fn answering(&self) -> Answering {
        Arc::clone(&self.answering)
    }

    /// Passes on what a write gave; one that waits too long becomes an error.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let timeout = self.write_timeout;
        let timer = self.stalled.get_or_insert_with(|| Box::pin(sleep(timeout)));
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.tcp).poll_read(context, buffer))?;
        self.ended |= buffer.filled().len() == before;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write_vectored(context, parts);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.tcp).poll_flush(context))?;
        self.answering.store(false, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }

    /// Ends our direction, then reads and throws away what still comes, within limits. Closing
    /// with unread bytes would reset the connection, and the reset may overtake the answer.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.lingering.is_none() {
            ready!(Pin::new(&mut this.tcp).poll_shutdown(context))?;
        }
        let lingering = this.lingering.get_or_insert_with(|| Lingering {
            until: Box::pin(sleep(LINGER)),
            bytes_left: limits::LINGER_BYTES,
        });
        let mut scratch = [0; 4096];
        while !this.ended && lingering.bytes_left > 0 {
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut this.tcp).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    let read = buffer.filled().len();
                    lingering.bytes_left = lingering.bytes_left.saturating_sub(read);
                }
                Poll::Ready(_) => this.ended = true,
                Poll::Pending => {
                    ready!(lingering.until.as_mut().poll(context));
                    break;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}
