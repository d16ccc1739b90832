//! One connection of a pool.

use std::{io, net::SocketAddr, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{
    pool::PoolLimits,
    report::{SendError, Step},
};
use crate::{
    codec::{Codec, CodecLimits, Event, Role},
    frame::encode_message,
};

/// Bytes gathered before they are written.
const WRITE_BYTES: usize = 64 * 1024;

/// Bytes read at once; a PULL socket only sends its handshake and heartbeats.
const READ_BYTES: usize = 512;

/// No file descriptor left for this process, or for the whole system.
const EMFILE: i32 = 24;
const ENFILE: i32 = 23;

#[derive(Debug)]
pub(crate) struct Link {
    stream: TcpStream,
    codec: Codec,
    input: BytesMut,
    /// Unsent bytes, which always end at the end of a frame.
    output: BytesMut,
}

impl Link {
    /// Connects and performs the handshake.
    pub(crate) async fn connect(to: SocketAddr, limits: &PoolLimits) -> Result<Self, SendError> {
        let stream = timeout(limits.connect_timeout, TcpStream::connect(to))
            .await
            .map_err(|_| SendError::timeout(Step::Connect))?
            .map_err(|error| {
                let no_descriptor = matches!(error.raw_os_error(), Some(EMFILE | ENFILE));
                SendError::new(if no_descriptor { Step::Create } else { Step::Connect }, error)
            })?;
        // Batches are written as a whole; waiting for more data gains nothing.
        stream.set_nodelay(true).map_err(|error| SendError::new(Step::Connect, error))?;
        let codec = Codec::new(Role::Push, CodecLimits::default());
        let mut link = Self { stream, codec, input: BytesMut::new(), output: BytesMut::new() };
        link.codec.start(&mut link.output);
        timeout(limits.handshake_timeout, link.handshake())
            .await
            .map_err(|_| SendError::timeout(Step::Handshake))?
            .map_err(|error| SendError::new(Step::Handshake, error))?;
        Ok(link)
    }

    async fn handshake(&mut self) -> io::Result<()> {
        loop {
            self.stream.write_all_buf(&mut self.output).await?;
            if self.read().await?.is_some() {
                self.decode()?; // a heartbeat may have arrived too
                return self.stream.write_all_buf(&mut self.output).await;
            }
        }
    }

    /// Sends messages; on failure returns the number of those sent completely. Each time limit must
    /// see progress.
    pub(crate) async fn send(
        &mut self,
        messages: &[Bytes],
        stall: Duration,
    ) -> Result<(), (usize, io::Error)> {
        let mut sent = 0;
        for (index, message) in messages.iter().enumerate() {
            encode_message(message, &mut self.output);
            if self.output.len() >= WRITE_BYTES || index + 1 == messages.len() {
                self.flush(stall).await.map_err(|error| (sent, error))?;
                sent = index + 1;
            }
        }
        Ok(())
    }

    async fn flush(&mut self, stall: Duration) -> io::Result<()> {
        while !self.output.is_empty() {
            match timeout(stall, self.stream.write_buf(&mut self.output)).await {
                Ok(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(error),
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
        Ok(())
    }

    /// Answers heartbeats until the connection ends. May be cancelled at any point: unwritten bytes
    /// stay in the output.
    pub(crate) async fn watch(&mut self) {
        while self.read().await.is_ok() {
            while !self.output.is_empty() {
                if self.stream.write_buf(&mut self.output).await.is_err() {
                    return;
                }
            }
        }
    }

    /// True when the peer has ended the connection by now.
    pub(crate) fn has_ended(&mut self) -> bool {
        loop {
            self.input.reserve(READ_BYTES);
            match self.stream.try_read_buf(&mut self.input) {
                Ok(0) => return true,
                Ok(_) if self.decode().is_err() => return true,
                Ok(_) => {}
                Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
            }
        }
    }

    /// Ends the connection after everything sent has arrived, or at the time limit. Closing
    /// immediately could make the kernel discard data in transit.
    pub(crate) async fn linger(mut self, limit: Duration) {
        let end = async {
            self.stream.write_all_buf(&mut self.output).await?;
            self.stream.shutdown().await?;
            while self.stream.read_buf(&mut self.input).await? > 0 {
                self.input.clear();
            }
            io::Result::Ok(())
        };
        // Late or broken: in both cases nothing more can be done for the messages.
        let _ = timeout(limit, end).await;
    }

    async fn read(&mut self) -> io::Result<Option<Event>> {
        self.input.reserve(READ_BYTES);
        if self.stream.read_buf(&mut self.input).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.decode()
    }

    fn decode(&mut self) -> io::Result<Option<Event>> {
        self.codec
            .decode(&mut self.input, &mut self.output)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}
