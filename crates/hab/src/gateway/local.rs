//! Requests through a socket in the file system.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use ureq::{
    Error,
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{ResolvedSocketAddrs, Resolver},
        transport::{Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport},
    },
};

/// Wait for a queue that is full, where no limit was given.
const CONNECT_PATIENCE: Duration = Duration::from_secs(60);

/// Connects; waits at most this long when the Supervisor accepts nothing.
pub(super) fn connect(path: &Path, timeout: Duration) -> io::Result<UnixStream> {
    roost_files::connect_to(path, timeout)
}

/// Connects all requests to one socket, whatever their host.
#[derive(Debug)]
pub(super) struct LocalConnector {
    path: PathBuf,
}

impl LocalConnector {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

/// Gives each host an address, which is not used.
#[derive(Debug)]
pub(super) struct AnyAddress;

impl Resolver for AnyAddress {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let mut addresses = self.empty();
        addresses.push(([127, 0, 0, 1], 0).into());
        Ok(addresses)
    }
}

impl Connector for LocalConnector {
    type Out = LocalTransport;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<Self::Out>, Error> {
        let stream = connect(&self.path, limit(details.timeout).unwrap_or(CONNECT_PATIENCE))?;
        let (input, output) =
            (details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(LocalTransport { stream, buffers: LazyBuffers::new(input, output) }))
    }
}

/// One connection.
pub(super) struct LocalTransport {
    stream: UnixStream,
    buffers: LazyBuffers,
}

impl std::fmt::Debug for LocalTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalTransport").finish_non_exhaustive()
    }
}

/// A time limit of the socket ends as this error of the client.
fn timed(error: io::Error, timeout: NextTimeout) -> Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::Timeout(timeout.reason),
        _ => error.into(),
    }
}

fn limit(timeout: NextTimeout) -> Option<Duration> {
    timeout.not_zero().map(|duration| *duration)
}

impl Transport for LocalTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.set_write_timeout(limit(timeout))?;
        let output = &self.buffers.output()[..amount];
        self.stream.write_all(output).map_err(|error| timed(error, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.set_read_timeout(limit(timeout))?;
        let input = self.buffers.input_append_buf();
        let amount = loop {
            match self.stream.read(input) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read.map_err(|error| timed(error, timeout))?,
            }
        };
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        // A request on a new connection costs little here.
        false
    }
}
