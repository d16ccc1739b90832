//! Certificates (reference: http-api §2.2). Files are read once, at start.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use roost_tls::{IdentityError, explain, provider, read_pem};
use rustls::{
    ServerConfig,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

/// Everything a TLS handshake needs.
#[derive(Clone)]
pub struct TlsConfig(pub(crate) Arc<ServerConfig>);

/// A TLS file that cannot be used. Displays Habitat's line; the cause is its source.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The private key is missing, unreadable, or does not belong to the certificate.
    #[error("Invalid key file: {}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// The problem.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A certificate is missing or unreadable.
    #[error("Invalid cert file: {}", path.display())]
    Cert {
        /// The file.
        path: PathBuf,
        /// The problem.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl TlsConfig {
    /// Reads a PEM private key (PKCS#8, PKCS#1 or SEC1; the last one in the file counts), a PEM
    /// certificate chain, leaf first, and, if given, the authorities one of which must have
    /// signed the certificate that every client then has to show.
    ///
    /// # Errors
    /// When a file cannot be read, holds nothing usable, or key and certificate do not match.
    pub fn load(key: &Path, certs: &Path, ca_certs: Option<&Path>) -> Result<Self, TlsError> {
        let key_error = |source| TlsError::Key { path: key.into(), source };
        let private_key = read_key(key).map_err(key_error)?;
        let chain = read_certs(certs)?;
        roost_tls::check_identity(&chain, &private_key).map_err(|error| match error {
            IdentityError::Certificate(why) => {
                TlsError::Cert { path: certs.into(), source: why.into() }
            }
            IdentityError::Key(why) => key_error(why.into()),
        })?;
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| key_error(explain(&error).into()))?;
        let builder = match ca_certs {
            None => builder.with_no_client_auth(),
            Some(path) => builder.with_client_cert_verifier(client_verifier(path)?),
        };
        let mut config = builder
            .with_single_cert(chain, private_key)
            .map_err(|error| key_error(explain(&error).into()))?;
        config.ignore_client_order = true;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig").finish_non_exhaustive()
    }
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, Cause> {
    let pem = read_pem(path)?;
    let keys: Vec<_> = PrivateKeyDer::pem_slice_iter(&pem).collect::<Result<_, _>>()?;
    keys.into_iter().next_back().ok_or_else(|| "it holds no private key".into())
}

fn read_certs(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certs = || -> Result<Vec<_>, Cause> {
        let pem = read_pem(path)?;
        let certs: Vec<_> = CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>()?;
        if certs.is_empty() {
            return Err("it holds no certificate".into());
        }
        Ok(certs)
    };
    certs().map_err(|source| TlsError::Cert { path: path.into(), source })
}

fn client_verifier(path: &Path) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let wrong = |source| TlsError::Cert { path: path.into(), source };
    let roots = roost_tls::authorities(read_certs(path)?)
        .map_err(|(number, why)| wrong(format!("number {number}: {why}").into()))?;
    WebPkiClientVerifier::builder_with_provider(roots.into(), provider())
        .build()
        .map_err(|error| wrong(error.into()))
}
