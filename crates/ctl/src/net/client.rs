//! The client side of one conversation, on blocking sockets: a command line needs no runtime, and
//! starts faster without one.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use prost::Message;
use rustls::{ClientConnection, StreamOwned};

use crate::{
    answer::{Answer, AnswerError},
    frame::{Decoder, Frame, FrameError, MAX_BODY_BYTES, Transaction},
    message::{self, Named},
    net::tls::ClientTls,
    request::Request,
};

/// Time limit of each of the connection, TLS and the handshake.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Limit of the bytes in one conversation; a Supervisor sends some hundred per service.
const MAX_CONVERSATION_BYTES: usize = 64 << 20;

/// Why a conversation failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No process listens at the address.
    #[error("Unable to contact the Supervisor.")]
    NotRunning,
    /// Another error of the connection.
    #[error("{0}")]
    Io(io::Error),
    /// No answer to the handshake in time.
    #[error("client timed out")]
    TimedOut,
    /// No answer to the request in time.
    #[error("the Supervisor accepted the request and did not answer it within {} seconds", .0.as_secs())]
    Silent(Duration),
    /// The answer does not end.
    #[error("the Supervisor sent more than {} MiB", MAX_CONVERSATION_BYTES >> 20)]
    TooLong,
    /// The Supervisor closed the connection before it answered.
    #[error("The connection was unexpectedly closed.")]
    Closed,
    /// The Supervisor closed the connection inside an answer.
    #[error("bytes remaining on stream")]
    Rest,
    /// The Supervisor answered a plain handshake with TLS.
    #[error(
        "The Supervisor requires TLS. Set ctl_server_ca_certificate in cli.toml to the file or \
         directory of its certificate."
    )]
    WantsTls,
    /// TLS failed.
    #[error("TLS with the Supervisor failed: {0}")]
    Tls(String),
    /// The answer is not a frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The Supervisor refused, or its answer cannot be read.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The answer to the handshake is not one of the protocol.
    #[error(
        "The server at this address does not speak the control protocol. Is it the address of a control \
         gateway, which `hab sup run --listen-ctl` sets?"
    )]
    NoGateway,
}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::TimedOut,
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Self::Closed,
            io::ErrorKind::InvalidData => Self::Tls(roost_tls::explain_io(&error)),
            _ => Self::Io(error),
        }
    }
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => &stream.sock,
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(stream) => match stream.read(buffer) {
                // Closed without close_notify. A truncated answer is detected by its missing last
                // frame.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                other => other,
            },
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.write_all(bytes),
            Self::Tls(stream) => {
                stream.write_all(bytes)?;
                stream.flush()
            }
        }
    }
}

/// A connection after the handshake; takes one request.
pub struct Client {
    stream: Stream,
    decoder: Decoder,
    finished: bool,
    /// Silence after which the request counts as unanswered.
    patience: Option<Duration>,
    said_bytes: usize,
}

/// Connects.
///
/// # Errors
/// When nothing listens, or the host cannot be reached in time.
pub fn dial(address: SocketAddr) -> Result<TcpStream, ClientError> {
    TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => ClientError::NotRunning,
        // The listener closed before it accepted the connection.
        io::ErrorKind::ConnectionReset => ClientError::Closed,
        _ => ClientError::Io(error),
    })
}

impl Client {
    /// Performs TLS and the handshake on an open connection.
    ///
    /// # Errors
    /// When TLS fails, the secret is refused, or there is no answer in time.
    pub fn start(
        socket: TcpStream,
        tls: Option<ClientTls>,
        secret: &str,
    ) -> Result<Self, ClientError> {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(CONNECT_TIMEOUT))?;
        let stream = match tls {
            None => Stream::Plain(socket),
            Some(tls) => Stream::Tls(Box::new(start_tls(socket, tls)?)),
        };
        let decoder = Decoder::new(MAX_BODY_BYTES);
        let mut client = Self { stream, decoder, finished: false, patience: None, said_bytes: 0 };
        let handshake = message::Handshake { secret_key: Some(secret.into()) };
        client.send(message::Handshake::ID, handshake.encode_to_vec().into(), 0)?;
        let deadline = Instant::now() + CONNECT_TIMEOUT;
        let read = client.read_frame(Some(deadline)).map_err(|error| match error {
            ClientError::Rest | ClientError::Frame(_) => ClientError::NoGateway,
            error => error,
        });
        let frame = read?.ok_or(ClientError::Closed)?;
        if frame.id == message::NetErr::ID {
            return Err(AnswerError::refusal(&frame).into());
        }
        Ok(client)
    }

    /// Sends the request. `patience` limits the silence of the Supervisor; without it there is no
    /// limit.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn request(
        &mut self,
        request: &Request,
        patience: Option<Duration>,
    ) -> Result<(), ClientError> {
        self.send(request.id(), request.encode(), 1)?;
        // A timeout of zero would mean none.
        self.patience = patience.map(|patience| patience.max(Duration::from_millis(1)));
        self.stream.socket().set_read_timeout(self.patience)?;
        Ok(())
    }

    /// The next answer; `None` after the last one, or when the Supervisor closed the connection
    /// instead of answering: then [`Client::is_finished`] is false.
    ///
    /// # Errors
    /// When the Supervisor refuses, the connection fails or an answer cannot be read.
    pub fn next_answer(&mut self) -> Result<Option<Answer>, ClientError> {
        if self.finished {
            return Ok(None);
        }
        let read = self.read_frame(None).map_err(|error| match (error, self.patience) {
            (ClientError::TimedOut, Some(patience)) => ClientError::Silent(patience),
            (error, _) => error,
        });
        let Some(frame) = read? else { return Ok(None) };
        self.finished = frame.transaction.is_some_and(|transaction| transaction.last);
        Ok(Some(Answer::decode(&frame)?))
    }

    /// True when the last answer was read.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    fn send(&mut self, id: &str, body: Bytes, number: u32) -> Result<(), ClientError> {
        let transaction = Some(Transaction::request(number));
        let mut bytes = BytesMut::new();
        Frame { transaction, id: id.into(), body }.encode(&mut bytes)?;
        self.stream.write(&bytes)?;
        Ok(())
    }

    fn read_frame(&mut self, deadline: Option<Instant>) -> Result<Option<Frame>, ClientError> {
        let mut buffer = [0; 8192];
        loop {
            if matches!(self.stream, Stream::Plain(_)) && self.decoder.rest().starts_with(TLS_ALERT)
            {
                return Err(ClientError::WantsTls);
            }
            if let Some(frame) = self.decoder.next_frame()? {
                return Ok(Some(frame));
            }
            if let Some(deadline) = deadline {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(ClientError::TimedOut);
                }
                self.stream.socket().set_read_timeout(Some(left))?;
            }
            match self.stream.read(&mut buffer) {
                Ok(0) if self.decoder.rest().is_empty() => return Ok(None),
                Ok(0) => return Err(ClientError::Rest),
                Ok(count) => {
                    self.said_bytes += count;
                    if self.said_bytes > MAX_CONVERSATION_BYTES {
                        return Err(ClientError::TooLong);
                    }
                    self.decoder.push(&buffer[..count]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// First bytes of the TLS alert that a gateway with TLS sends to a client without.
const TLS_ALERT: &[u8] = &[0x15, 0x03];

fn start_tls(
    socket: TcpStream,
    tls: ClientTls,
) -> Result<StreamOwned<ClientConnection, TcpStream>, ClientError> {
    let connection = ClientConnection::new(tls.config, tls.name)
        .map_err(|error| ClientError::Tls(roost_tls::explain(&error)))?;
    let mut stream = StreamOwned::new(connection, socket);
    while stream.conn.is_handshaking() {
        match stream.conn.complete_io(&mut stream.sock) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                let text = "tls handshake eof; perhaps this Supervisor's gateway has no TLS";
                return Err(ClientError::Tls(text.into()));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(stream)
}
