//! The control gateway: its secret, its port, its TLS (control chapters 2 to 4).

use std::{fs, io, net::SocketAddr, path::Path};

use roost_ctl::{
    server::{self, EmptySecret, Incoming, Secret, ServerConfig},
    tls::{self, TlsError},
};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::sync::CancellationToken;

use crate::{
    config::CtlConfig, files::store::Store, metrics::Metrics, supervisor::event::Event, vital,
};

const SECRET_MODE: u32 = 0o600;
/// Bytes of randomness in a new secret.
const SECRET_BYTES: usize = 64;
/// Longest secret file that is read.
const SECRET_FILE_BYTES_MAX: u64 = 64 * 1024;
/// Requests on their way to the Supervisor's queue. That queue has no limit of its own: the server
/// lets no more than [`server::MAX_CONVERSATIONS`] requests be unanswered.
const REQUESTS_MAX: usize = 1;

/// Why there is no control gateway.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The secret file cannot be read or written.
    #[error("Unable to use the secret of the control gateway, {path}: {source}")]
    Secret {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The secret file holds nothing.
    #[error("{path}: {source}")]
    Empty {
        /// The file.
        path: String,
        /// What to do.
        source: EmptySecret,
    },
    /// TLS files.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The port cannot be had.
    #[error("Unable to bind the control gateway to {address}: {source}")]
    Bind {
        /// Where it should listen.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// A gateway that is ready to listen.
#[derive(Debug)]
pub(crate) struct Control {
    config: ServerConfig,
}

impl Control {
    /// Reads the secret, or makes one, and the TLS files.
    ///
    /// # Errors
    /// A secret that exists is never replaced: clients have it.
    pub(crate) fn prepare(
        config: &CtlConfig,
        secret: &Path,
        metrics: Metrics,
        store: &Store,
    ) -> Result<Self, ControlError> {
        let files =
            [&config.tls_key, &config.tls_certs, &config.tls_client_ca].map(Option::as_deref);
        let [key, certificates, client_ca] = files;
        let tls = tls::server_config(key, certificates, client_ca)?;
        let secret = read_or_make(secret, store)?;
        Ok(Self { config: ServerConfig { secret, tls, observer: std::sync::Arc::new(metrics) } })
    }

    /// Hands requests to the Supervisor until the token is cancelled.
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

/// What is wrong with TLS settings that have no effect, if there are any.
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
/// When the port cannot be had.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, ControlError> {
    TcpListener::bind(address).await.map_err(|source| ControlError::Bind { address, source })
}

fn read_or_make(path: &Path, store: &Store) -> Result<Secret, ControlError> {
    let failed = |source| ControlError::Secret { path: path.display().to_string(), source };
    let text = match fs::metadata(path) {
        Ok(found) if found.len() > SECRET_FILE_BYTES_MAX => {
            let text = format!("it has {} bytes; a secret is short", found.len());
            return Err(failed(io::Error::new(io::ErrorKind::InvalidData, text)));
        }
        Ok(_) => fs::read_to_string(path).map_err(failed)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(path, store).map_err(failed)?
        }
        Err(error) => return Err(failed(error)),
    };
    Secret::new(&text)
        .map_err(|source| ControlError::Empty { path: path.display().to_string(), source })
}

fn make(path: &Path, store: &Store) -> io::Result<String> {
    use base64::Engine;
    let bytes = roost_crypto::random_bytes::<SECRET_BYTES>().map_err(io::Error::other)?;
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    // Clients find it at once; it is durable a moment later.
    roost_pkg::write::write_at_once(path, text.as_bytes(), SECRET_MODE)?;
    store.write_later(path, text.clone().into_bytes(), SECRET_MODE);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_new_secret_is_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::start().unwrap();
        let path = directory.path().join("CTL_SECRET");
        read_or_make(&path, &store).unwrap();
        assert_eq!(fs::read(&path).unwrap().len(), 88);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let before = fs::read(&path).unwrap();
        read_or_make(&path, &store).unwrap();
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn an_empty_or_unreadable_secret_is_refused_and_kept() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::start().unwrap();
        let path = directory.path().join("CTL_SECRET");
        fs::write(&path, " \n").unwrap();
        assert!(matches!(read_or_make(&path, &store), Err(ControlError::Empty { .. })));
        fs::write(&path, b"\xff\xfe").unwrap();
        assert!(matches!(read_or_make(&path, &store), Err(ControlError::Secret { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"\xff\xfe");
    }
}
