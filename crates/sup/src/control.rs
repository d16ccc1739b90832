//! The control gateway: its secret, its port, its TLS (reference: control §2 to §4).

use std::{io, net::SocketAddr, path::Path};

use roost_ctl::{
    server::{self, EmptySecret, Incoming, Secret, ServerConfig},
    tls::{self, TlsError},
};
use roost_files::ReadError;
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::sync::CancellationToken;

use crate::{
    config::CtlConfig, files::damage, metrics::Metrics, ports, supervisor::event::Event, vital,
};

const SECRET_MODE: u32 = 0o600;
/// Bytes of randomness in a new secret.
const SECRET_BYTES: usize = 64;
/// Longest secret file that is read.
const SECRET_FILE_BYTES_MAX: u64 = 64 * 1024;
/// Requests on their way to the Supervisor's queue. That queue has no limit of its own: the server
/// allows no more than [`server::MAX_CONVERSATIONS`] unanswered requests.
const REQUESTS_MAX: usize = 1;

/// Why the control gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The secret file cannot be read or written.
    #[error("Unable to use the secret of the control gateway, {path}: {source}")]
    Secret {
        /// The file.
        path: String,
        /// The system error.
        source: io::Error,
    },
    /// The secret file is empty.
    #[error("{path}: {source}")]
    Empty {
        /// The file.
        path: String,
        /// The remedy.
        source: EmptySecret,
    },
    /// A TLS file cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The port is not available.
    #[error("Unable to bind the control gateway to {address}. {}", ports::remedy(.source, ports::CTL))]
    Bind {
        /// The listen address.
        address: SocketAddr,
        /// The system error.
        source: io::Error,
    },
}

/// A checked gateway, not yet listening.
#[derive(Debug)]
pub(crate) struct Control {
    config: ServerConfig,
}

impl Control {
    /// Reads or creates the secret, and reads the TLS files.
    ///
    /// # Errors
    /// An existing secret is replaced only if it is damaged, because clients use it.
    pub(crate) fn prepare(
        config: &CtlConfig,
        secret: &Path,
        metrics: Metrics,
    ) -> Result<Self, ControlError> {
        let files =
            [&config.tls_key, &config.tls_certs, &config.tls_client_ca].map(Option::as_deref);
        let [key, certificates, client_ca] = files;
        let tls = tls::server_config(key, certificates, client_ca)?;
        let secret = read_or_make(secret, &metrics)?;
        Ok(Self { config: ServerConfig { secret, tls, observer: std::sync::Arc::new(metrics) } })
    }

    /// Forwards requests to the Supervisor until the token is cancelled.
    pub(crate) fn serve(
        self,
        listener: TcpListener,
        events: mpsc::UnboundedSender<Event>,
        shutdown: CancellationToken,
    ) {
        let (requests, mut inbox) = mpsc::channel::<Incoming>(REQUESTS_MAX);
        let serving = server::serve(listener, self.config, requests, shutdown.cancelled_owned());
        vital::spawn("ctl-gateway", serving);
        vital::spawn("requests of clients", async move {
            while let Some(incoming) = inbox.recv().await {
                if events.send(Event::Control(incoming)).is_err() {
                    return;
                }
            }
        });
    }
}

/// A warning about TLS settings without effect, if there are any.
pub(crate) fn tls_without_key(config: &CtlConfig) -> Option<String> {
    let named = [
        ("--ctl-server-certificate", &config.tls_certs),
        ("--ctl-client-ca-certificate", &config.tls_client_ca),
    ];
    let given: Vec<&str> =
        named.iter().filter(|(_, path)| path.is_some()).map(|(option, _)| *option).collect();
    if config.tls_key.is_some() || given.is_empty() {
        return None;
    }
    Some(format!(
        "WARNING: the control gateway listens WITHOUT TLS: {} needs --ctl-server-key. Secrets and \
         commands travel in clear, and no client certificate is asked for",
        given.join(" and ")
    ))
}

/// Listens on the address of the control gateway.
///
/// # Errors
/// When the port is not available.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, ControlError> {
    TcpListener::bind(address).await.map_err(|source| ControlError::Bind { address, source })
}

/// Reads or creates the secret. Sets a damaged file aside, for example an empty one: clients on
/// this machine then find the new secret, and others get a mismatch.
fn read_or_make(path: &Path, metrics: &Metrics) -> Result<Secret, ControlError> {
    let failed = |source| ControlError::Secret { path: path.display().to_string(), source };
    let problem = match roost_files::read(path, SECRET_FILE_BYTES_MAX) {
        Ok(None) => return make(path).map_err(failed),
        Err(ReadError::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {
            return Err(failed(source));
        }
        Err(error) => error.reason(),
        Ok(Some(bytes)) => match damage::of_text(&bytes) {
            Some(problem) => problem.into(),
            None => return secret(path, &String::from_utf8(bytes).unwrap_or_default()),
        },
    };
    damage::set_aside(metrics, "CTL_SECRET", path, &problem, "a new secret is made");
    make(path).map_err(failed)
}

fn secret(path: &Path, text: &str) -> Result<Secret, ControlError> {
    Secret::new(text)
        .map_err(|source| ControlError::Empty { path: path.display().to_string(), source })
}

/// Creates a secret, durably, because clients use it next.
fn make(path: &Path) -> io::Result<Secret> {
    use base64::Engine;
    let bytes = roost_crypto::random_bytes::<SECRET_BYTES>().map_err(io::Error::other)?;
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    roost_pkg::write::write_atomic(path, text.as_bytes(), SECRET_MODE)?;
    Secret::new(&text).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    fn metrics() -> Metrics {
        Metrics::new(prometheus::Registry::new())
    }

    #[test]
    fn a_new_secret_is_readable_only_for_its_owner() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("CTL_SECRET");
        read_or_make(&path, &metrics()).unwrap();
        assert_eq!(fs::read(&path).unwrap().len(), 88);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let before = fs::read(&path).unwrap();
        read_or_make(&path, &metrics()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_file_damaged_by_a_power_failure_is_not_a_secret() {
        for damaged in [b"".as_slice(), b" \n", &[0; 88], b"\xff\xfe", &[b'a'; 100_000]] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("CTL_SECRET");
            fs::write(&path, damaged).unwrap();
            read_or_make(&path, &metrics()).unwrap();
            assert_eq!(fs::read(&path).unwrap().len(), 88);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(fs::read(path.with_extension("corrupt")).unwrap(), damaged);
        }
    }
}
