//! The connection to the server.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_nats::{Client, ConnectOptions, Event as Signal};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use tokio::{sync::mpsc, time};

use crate::{
    address::{Credentials, ServerAddress},
    buffer::Buffer,
};

/// Pause between two tries to connect.
const RETRY: Duration = Duration::from_secs(5);
/// How long the client may take to send; meanwhile a lost connection goes unnoticed.
const SEND_PATIENCE: Duration = Duration::from_secs(1);
/// How long one try may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// Where events are sent.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its address.
    pub address: ServerAddress,
    /// How the Supervisor identifies itself unless the address has credentials.
    pub token: String,
    /// Name of the connection.
    pub name: String,
    /// Authorities for TLS beside those of the system.
    pub authorities: Vec<CertificateDer<'static>>,
}

/// What became of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// Events reach the server.
    Connected,
    /// They do not; with the reason. Reported again when the reason changes.
    Down(String),
    /// An event was given to the connection.
    Sent,
    /// An event was not taken by the connection.
    Lost,
}

/// Why a file with certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// It cannot be read.
    #[error("{path}: {source}", path = path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// It holds no certificate in PEM.
    #[error("{path} holds no certificate in PEM", path = .0.display())]
    NoCertificate(PathBuf),
}

/// Reads a PEM file with certificates.
///
/// # Errors
/// When it cannot be read or holds none.
pub fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let pem = roost_tls::read_pem(path)
        .map_err(|source| CertificateError::Read { path: path.into(), source })?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(CertificateError::NoCertificate(path.into())),
    }
}

/// Publishes what the buffer holds, and connects again and again. Ends only when its task does.
///
/// Reading the authorities of the system may block: to be made beforehand, see [`tls`].
pub async fn run(
    server: Server,
    tls: ClientConfig,
    buffer: Arc<Buffer>,
    mut report: impl FnMut(Report) + Send,
) {
    let (signals, mut signalled) = mpsc::unbounded_channel();
    let client = connect(&server, &tls, &signals, &mut report).await;
    report(Report::Connected);
    let mut is_connected = true;
    loop {
        tokio::select! {
            biased;
            signal = signalled.recv() => match signal {
                Some(Signal::Connected) if !is_connected => {
                    is_connected = true;
                    report(Report::Connected);
                }
                Some(Signal::Disconnected) => {
                    is_connected = false;
                    report(Report::Down("the connection was lost".into()));
                }
                Some(Signal::ClientError(error)) if !is_connected => {
                    report(Report::Down(error.to_string()));
                }
                // This function holds a sender, so there is always another signal.
                _ => {}
            },
            event = buffer.pop(), if is_connected => {
                // The client waits when its own queue is full, and would hide a lost connection.
                let sent = client.publish(event.subject, event.bytes.into());
                match time::timeout(SEND_PATIENCE, sent).await {
                    Ok(Ok(())) => report(Report::Sent),
                    Ok(Err(_)) | Err(_) => report(Report::Lost),
                }
                if buffer.is_empty() {
                    // A connection that is lost meanwhile is reported by its own signal.
                    if let Ok(Ok(())) = time::timeout(SEND_PATIENCE, client.flush()).await {
                        buffer.confirm();
                    }
                }
            }
        }
    }
}

/// Connects, however long that takes.
async fn connect(
    server: &Server,
    tls: &ClientConfig,
    signals: &mpsc::UnboundedSender<Signal>,
    report: &mut impl FnMut(Report),
) -> Client {
    loop {
        let options = options(server, tls.clone(), signals);
        let error = match options.connect(server.address.to_string()).await {
            Ok(client) => return client,
            Err(error) => error,
        };
        report(Report::Down(error.to_string()));
        time::sleep(RETRY).await;
    }
}

fn options(
    server: &Server,
    tls: ClientConfig,
    signals: &mpsc::UnboundedSender<Signal>,
) -> ConnectOptions {
    let signals = signals.clone();
    let options = match &server.address.credentials {
        None => ConnectOptions::with_token(server.token.clone()),
        Some(Credentials::Token(token)) => ConnectOptions::with_token(token.clone()),
        Some(Credentials::Password { user, password }) => {
            ConnectOptions::with_user_and_password(user.clone(), password.clone())
        }
    };
    options
        .name(&server.name)
        .no_echo()
        // A certificate was given, so TLS is expected: otherwise a machine in between could ask for
        // the token in clear.
        .require_tls(!server.authorities.is_empty())
        // Servers that the first one names are not those that the operator chose.
        .ignore_discovered_servers()
        .connection_timeout(CONNECT_PATIENCE)
        .reconnect_delay_callback(|failed| if failed <= 1 { Duration::ZERO } else { RETRY })
        .tls_client_config(tls)
        .event_callback(move |signal| {
            // Nothing reads signals when the stream has ended.
            let _ = signals.send(signal);
            std::future::ready(())
        })
}

/// TLS with the authorities of the system and these. Reads files.
#[must_use]
pub fn tls(authorities: &[CertificateDer<'static>]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(authorities.iter().cloned());
    ClientConfig::builder_with_provider(roost_tls::provider())
        .with_safe_default_protocol_versions()
        .expect("the provider supports the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
