//! The Supervisor's end of the connection to its launcher.
//!
//! Nothing here waits: [`Client::into_stream`] returns the socket (already non-blocking) for the
//! caller's event loop, [`encode`] turns requests into bytes, and a [`Decoder`] turns bytes into
//! events.
//!
//! ```no_run
//! use roost_launch::client::{self, Client, Decoder};
//! use roost_launch::wire::{Hello, Request};
//!
//! let stream = Client::from_env()?.into_stream();
//! let hello = Request::Hello(Hello::new(Default::default()));
//! let bytes = client::encode(&hello)?; // write them to the stream
//! let mut decoder = Decoder::new(); // push what is read, then take `next()` until it is `None`
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::{
    fmt, io,
    os::{fd::FromRawFd, unix::net::UnixStream},
    sync::atomic::{AtomicBool, Ordering},
};

use crate::{
    codec,
    wire::{LauncherEvent, PROTOCOL_VERSION, Request},
};

/// Decodes events from the launcher's bytes.
pub type Decoder = codec::Decoder<LauncherEvent>;

/// Environment variable with the number of the inherited socket.
pub const LAUNCHER_FD_VAR: &str = "ROOST_LAUNCHER_FD";

/// Environment variable with the launcher's protocol version.
pub const PROTOCOL_VAR: &str = "ROOST_LAUNCHER_PROTOCOL";

/// The connection to the launcher.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
}

/// Why there is no connection.
#[derive(Debug)]
pub enum ClientError {
    /// The program was not started by a launcher: the variable is missing. Habitat's text.
    NoLauncher,
    /// The launcher, which keeps running when the program is replaced, has this version of the
    /// protocol; the first one announced none.
    Version(Option<u32>),
    /// The variable does not name an open socket.
    BadDescriptor(String),
    /// The connection is already in use; there is only one.
    AlreadyTaken,
    /// A system call failed.
    Io(io::Error),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::NoLauncher => f.write_str("Supervisor must be run from `hab-launch`"),
            ClientError::BadDescriptor(value) => write!(
                f,
                "{LAUNCHER_FD_VAR}={} is not the number of an open socket; \
                 start the Supervisor with `hab sup run`",
                value.escape_debug()
            ),
            ClientError::Version(version) => {
                f.write_str("The launcher, which keeps running when the program is replaced, ")?;
                match version {
                    Some(version) => write!(f, "speaks version {version} of their protocol")?,
                    None => f.write_str("speaks the first version of their protocol")?,
                }
                write!(
                    f,
                    " and this program version {PROTOCOL_VERSION}. Services keep running, without \
                     a Supervisor. Restart hab-launch, which stops and starts them (`systemctl \
                     restart hab-sup`), or put the former program back"
                )
            }
            ClientError::AlreadyTaken => f.write_str("the launcher's connection is already in use"),
            ClientError::Io(error) => write!(f, "cannot use the launcher's connection: {error}"),
        }
    }
}

impl std::error::Error for ClientError {}

/// The descriptor may be owned only once.
static TAKEN: AtomicBool = AtomicBool::new(false);

impl Client {
    /// Takes the launcher's inherited socket, marks it close-on-exec and non-blocking.
    ///
    /// The variable itself stays (changing the environment is unsafe once threads run); the
    /// launcher removes it from every child's environment.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn from_env() -> Result<Client, ClientError> {
        let value = std::env::var_os(LAUNCHER_FD_VAR)
            .filter(|value| !value.is_empty())
            .ok_or(ClientError::NoLauncher)?;
        check_version(std::env::var(PROTOCOL_VAR).ok().as_deref())?;
        let bad = || ClientError::BadDescriptor(value.to_string_lossy().into_owned());
        let fd: i32 = value.to_str().and_then(|v| v.parse().ok()).ok_or_else(bad)?;
        if fd <= 2 {
            return Err(bad());
        }
        if TAKEN.swap(true, Ordering::SeqCst) {
            return Err(ClientError::AlreadyTaken);
        }
        // SAFETY: the launcher opened this descriptor for this process and no other code in it
        // knows the number; TAKEN ensures that it gets only one owner. The first calls below check
        // that it is open and a socket.
        let stream = unsafe { UnixStream::from_raw_fd(fd) };
        let checked = rustix::io::fcntl_setfd(&stream, rustix::io::FdFlags::CLOEXEC)
            .map_err(io::Error::from)
            .and_then(|()| stream.local_addr().map(|_| ()));
        if checked.is_err() {
            // not ours to close
            std::mem::forget(stream);
            return Err(bad());
        }
        stream.set_nonblocking(true).map_err(ClientError::Io)?;
        Ok(Client { stream })
    }

    /// The socket, non-blocking, for the caller's event loop.
    ///
    /// Its end means that the launcher died: end soon and leave the services alone. The next
    /// launcher finds them, and it needs this process's ports.
    #[must_use]
    pub fn into_stream(self) -> UnixStream {
        self.stream
    }
}

/// The bytes of one request.
///
/// # Errors
/// [`codec::EncodeError`] when it is larger than [`crate::wire::MAX_MESSAGE_BYTES`].
pub fn encode(request: &Request) -> Result<Vec<u8>, codec::EncodeError> {
    let mut out = Vec::new();
    codec::append(&mut out, request)?;
    Ok(out)
}

/// Checks the version announced by the launcher.
fn check_version(announced: Option<&str>) -> Result<(), ClientError> {
    match announced.and_then(|version| version.parse().ok()) {
        Some(PROTOCOL_VERSION) => Ok(()),
        version => Err(ClientError::Version(version)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launcher_of_another_version_is_refused_with_a_remedy() {
        assert!(check_version(Some(&PROTOCOL_VERSION.to_string())).is_ok());
        for (announced, shown) in [
            (None, "speaks the first version of their protocol and this program version 2."),
            (Some("3"), "speaks version 3 of their protocol and this program version 2."),
            (Some("x"), "speaks the first version"),
        ] {
            let error = check_version(announced).expect_err("another version").to_string();
            assert!(error.contains(shown) && error.contains("Services keep running"), "{error}");
        }
    }
}
