//! TLS of checks.
//!
//! A handshake can wait for a peer, and roots for a disk: the caller's time limit bounds both.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use roost_service::monitor::{Address, Trust};
use roost_tls::{Unverified, authorities, explain, explain_io, provider, read_pem};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::vital;

/// How long the authorities of the system are kept: reading all of them takes a moment.
const SYSTEM_KEPT: Duration = Duration::from_secs(600);

/// Encrypts a connection, after the server has shown a certificate that is trusted.
pub(super) async fn handshake(
    address: &Address,
    trust: &Trust,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, String> {
    let name = ServerName::try_from(address.host.clone())
        .map_err(|_| format!("'{}' cannot be the name of a certificate", address.host))?;
    let config = config(trust).await?;
    let connected = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    connected.map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => "the other side ended the TLS handshake".into(),
        _ => explain_io(&error),
    })
}

async fn config(trust: &Trust) -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| explain(&error))?;
    let builder = match trust {
        Trust::Anyone => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified::new()))
        }
        Trust::System => builder.with_root_certificates(system().await?),
        Trust::File(path) => builder.with_root_certificates(of_file(path.clone()).await?),
    };
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Reads on a thread of its own: a disk can hang.
async fn read<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let reading = vital::spawn_blocking("authorities of checks", work);
    reading.await.map_err(|error| error.to_string())?
}

/// The authorities of a file, which is read each time: it may have been renewed.
async fn of_file(path: PathBuf) -> Result<Arc<RootCertStore>, String> {
    read(move || load(&path).map_err(|error| format!("ca_file {}: {error}", path.display()))).await
}

fn load(path: &Path) -> Result<Arc<RootCertStore>, String> {
    let pem = read_pem(path).map_err(|error| error.to_string())?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let found = found.map_err(|error| format!("it cannot be read as PEM: {error}"))?;
    if found.is_empty() {
        return Err("it holds no certificate".into());
    }
    let roots = authorities(found);
    roots.map(Arc::new).map_err(|(number, why)| format!("certificate {number}: {why}"))
}

/// The authorities that the system trusts.
async fn system() -> Result<Arc<RootCertStore>, String> {
    static KEPT: Mutex<Option<(Instant, Arc<RootCertStore>)>> = Mutex::new(None);
    let kept = || KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let known = kept().clone();
    if let Some((_, roots)) = known.filter(|(at, _)| at.elapsed() < SYSTEM_KEPT) {
        return Ok(roots);
    }
    let roots = read(|| {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        // Single ones that cannot be used are common in such stores.
        let (usable, _) = roots.add_parsable_certificates(found.certs);
        match usable {
            0 => Err("this system has no store of trusted certificates; state 'ca_file'".into()),
            _ => Ok(Arc::new(roots)),
        }
    })
    .await?;
    *kept() = Some((Instant::now(), Arc::clone(&roots)));
    Ok(roots)
}
