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
/// How long the server may take to accept what is in this process; until then a lost connection
/// would go unnoticed.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);
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
pub async fn run(server: Server, buffer: Arc<Buffer>, mut report: impl FnMut(Report) + Send) {
    let (signals, mut signalled) = mpsc::unbounded_channel();
    let client = connect(&server, &signals, &mut report).await;
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
                if client.publish(event.subject, event.bytes.into()).await.is_ok() {
                    report(Report::Sent);
                }
                if buffer.is_empty() {
                    // A connection that is lost meanwhile is reported by its own signal.
                    if let Ok(Ok(())) = time::timeout(FLUSH_PATIENCE, client.flush()).await {
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
    signals: &mpsc::UnboundedSender<Signal>,
    report: &mut impl FnMut(Report),
) -> Client {
    loop {
        let error = match options(server, signals).connect(server.address.to_string()).await {
            Ok(client) => return client,
            Err(error) => error,
        };
        report(Report::Down(error.to_string()));
        time::sleep(RETRY).await;
    }
}

fn options(server: &Server, signals: &mpsc::UnboundedSender<Signal>) -> ConnectOptions {
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
        // Servers that the first one names are not those that the operator chose.
        .ignore_discovered_servers()
        .connection_timeout(CONNECT_PATIENCE)
        .reconnect_delay_callback(|failed| if failed <= 1 { Duration::ZERO } else { RETRY })
        .tls_client_config(tls(server.authorities.clone()))
        .event_callback(move |signal| {
            // Nothing reads signals when the stream has ended.
            let _ = signals.send(signal);
            std::future::ready(())
        })
}

/// TLS with the authorities of the system and these.
fn tls(authorities: Vec<CertificateDer<'static>>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(authorities);
    ClientConfig::builder_with_provider(roost_tls::provider())
        .with_safe_default_protocol_versions()
        .expect("the provider supports the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
