//! Frames on a connection, within limits of time and bytes.

use std::{io, time::Duration};

use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use crate::{
    frame::{Decoder, Frame, Transaction},
    reply::Reply,
};

/// Time limit for the client to accept one frame.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// After the last answer: time and bytes for the client to finish, so that unread bytes do not turn
/// the close into a reset that destroys the answer in transit.
const LINGER: Duration = Duration::from_secs(1);
const MAX_LINGER_BYTES: usize = 1 << 20;

/// Why a connection ended early.
pub(super) enum End {
    Refused(&'static str),
    Io(io::Error),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Sends an answer.
pub(super) async fn send<S: AsyncWrite + Unpin>(
    stream: &mut S,
    reply: &Reply,
    transaction: Transaction,
) -> Result<(), End> {
    for frame in reply.frames(transaction) {
        write(stream, &frame).await?;
    }
    Ok(())
}

/// Sends one frame.
pub(super) async fn write<S: AsyncWrite + Unpin>(stream: &mut S, frame: &Frame) -> Result<(), End> {
    let mut bytes = BytesMut::new();
    if let Err(error) = frame.encode(&mut bytes) {
        tracing::error!("answer {} cannot be sent: {error}", frame.id);
        return Err(End::Refused("frame"));
    }
    let written = timeout(WRITE_TIMEOUT, async {
        stream.write_all(&bytes).await?;
        stream.flush().await
    });
    Ok(written.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??)
}

/// Closes the sending side, then waits a moment for the client to close its own.
pub(super) async fn close<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> Result<(), End> {
    let lingering = async {
        stream.shutdown().await?;
        let mut buffer = [0; 1024];
        let mut left = MAX_LINGER_BYTES;
        while left > 0 {
            let count = stream.read(&mut buffer).await?;
            if count == 0 {
                break;
            }
            left = left.saturating_sub(count);
        }
        Ok::<_, io::Error>(())
    };
    // The answer is complete, however the connection ends.
    let _ = timeout(LINGER, lingering).await;
    Ok(())
}

/// The next frame; `None` when the client has left.
pub(super) async fn read_frame<S: AsyncRead + Unpin>(
    stream: &mut S,
    decoder: &mut Decoder,
) -> Result<Option<Frame>, End> {
    let mut buffer = [0; 4096];
    loop {
        match decoder.next_frame() {
            Ok(Some(frame)) => return Ok(Some(frame)),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!("control gateway received no frame: {error}");
                return Err(End::Refused("frame"));
            }
        }
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(None);
        }
        decoder.push(&buffer[..count]);
    }
}
