//! TLS settings of both sides (reference: control §4), read from PEM files or directories of them.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use roost_tls::{IdentityError, provider};
use rustls::{ClientConfig, RootCertStore, ServerConfig, server::WebPkiClientVerifier};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, pem::PemObject,
};

const NAME_PREFIX: &str = "ctl-gateway-";
const CERTIFICATE_SUFFIX: &str = ".crt.pem";
const KEY_SUFFIX: &str = ".key.pem";

/// Settings that cannot be used; the text names the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// A file or directory cannot be read.
    #[error("failed to read file {}, err: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Errors of the operating system.
        error: String,
    },
    /// A directory without a file of the pattern.
    #[error("ctl gateway TLS file lookup failed when trying to match files {0}")]
    Lookup(String),
    /// A file without usable certificates.
    #[error("failed to read PEM certificates from file {}", .0.display())]
    Certificates(PathBuf),
    /// A file whose keys cannot be read.
    #[error("failed to read PEM, PKCS8 private keys from file {}", .0.display())]
    Keys(PathBuf),
    /// A file without a key.
    #[error("no PEM, PKCS8 private keys in file {}", .0.display())]
    NoKey(PathBuf),
    /// Certificates that are not authorities.
    #[error("failed to read {count} certificates from PEM root certificate store file {}",
            path.display())]
    Roots {
        /// Number of certificates.
        count: usize,
        /// The file.
        path: PathBuf,
    },
    /// A key without certificate: the gateway could not accept clients.
    #[error(
        "the control gateway has a TLS key but no certificate; give --ctl-server-certificate too"
    )]
    NoCertificate,
    /// A certificate or key that TLS cannot use.
    #[error("{} cannot be used: {why}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// The settings are inconsistent.
    #[error("TLS settings cannot be used: {0}")]
    Settings(String),
    /// A name that cannot be in a certificate.
    #[error("invalid DNS name '{0}'")]
    Name(String),
}

/// TLS of a client: settings, and the expected name in the server's certificate.
#[derive(Debug, Clone)]
pub struct ClientTls {
    /// Settings
    pub config: Arc<ClientConfig>,
    /// Name for SNI and verification.
    pub name: ServerName<'static>,
}

/// Files of the client side; each a file or a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientTlsFiles {
    /// CA certificates for the server; enables TLS.
    pub server_ca: Option<PathBuf>,
    /// Key of the client's certificate.
    pub key: Option<PathBuf>,
    /// The client's certificate.
    pub certificate: Option<PathBuf>,
}

/// Reads the settings of a server; `None` without a key, whatever else is set.
///
/// # Errors
/// When a file cannot be read or used.
pub fn server_config(
    key: Option<&Path>,
    certificate: Option<&Path>,
    client_ca: Option<&Path>,
) -> Result<Option<Arc<ServerConfig>>, TlsError> {
    let Some(key) = key else { return Ok(None) };
    let (certificates, key) = read_identity(certificate.ok_or(TlsError::NoCertificate), key)?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(settings)?;
    let builder = match client_ca {
        Some(path) => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(read_roots(path)?.into(), provider())
                    .build()
                    .map_err(|error| TlsError::Settings(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    let config = builder.with_single_cert(certificates, key).map_err(settings)?;
    Ok(Some(Arc::new(config)))
}

/// Reads the settings of a client that connects to `host`; `None` without CA certificates for the
/// server.
///
/// # Errors
/// When a file cannot be read or used, or `host` cannot be a name in a certificate.
pub fn client_config(files: &ClientTlsFiles, host: &str) -> Result<Option<ClientTls>, TlsError> {
    let Some(server_ca) = &files.server_ca else { return Ok(None) };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(settings)?
        .with_root_certificates(read_roots(server_ca)?);
    let config = match (&files.key, &files.certificate) {
        (Some(key), Some(certificate)) => {
            let (certificates, key) = read_identity(Ok(certificate), key)?;
            builder.with_client_auth_cert(certificates, key).map_err(settings)?
        }
        _ => builder.with_no_client_auth(),
    };
    let name =
        ServerName::try_from(host.to_owned()).map_err(|_| TlsError::Name(host.to_owned()))?;
    Ok(Some(ClientTls { config: Arc::new(config), name }))
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function for map_err")]
fn settings(error: rustls::Error) -> TlsError {
    TlsError::Settings(roost_tls::explain(&error))
}

/// The path itself, or in a directory the greatest `ctl-gateway-*` with this suffix: names contain
/// a stamp, so that is the newest.
fn find(path: &Path, suffix: &str) -> Result<PathBuf, TlsError> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let entries = fs::read_dir(path)
        .map_err(|error| TlsError::Read { path: path.to_owned(), error: error.to_string() })?;
    entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| {
            let stamp = name.strip_prefix(NAME_PREFIX);
            stamp.is_some_and(|rest| rest.ends_with(suffix))
        })
        .max()
        .map(|name| path.join(name))
        .ok_or_else(|| TlsError::Lookup(format!("{}/{NAME_PREFIX}*{suffix}", path.display())))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    roost_tls::read_pem(path)
        .map_err(|error| TlsError::Read { path: path.to_owned(), error: error.to_string() })
}

type Certificates = Vec<CertificateDer<'static>>;

/// A certificate chain and its matching private key.
fn read_identity(
    certificate: Result<&Path, TlsError>,
    key: &Path,
) -> Result<(Certificates, PrivateKeyDer<'static>), TlsError> {
    let (key, key_path) = read_key(key)?;
    let (certificates, path) = read_certificates(certificate?)?;
    match roost_tls::check_identity(&certificates, &key) {
        Ok(()) => Ok((certificates, key)),
        Err(IdentityError::Certificate(why)) => Err(TlsError::Unusable { path, why }),
        Err(IdentityError::Key(why)) => Err(TlsError::Unusable { path: key_path, why }),
    }
}

/// The certificates and their file.
fn read_certificates(path: &Path) -> Result<(Certificates, PathBuf), TlsError> {
    let path = find(path, CERTIFICATE_SUFFIX)?;
    let text = read(&path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok((certificates, path)),
        _ => Err(TlsError::Certificates(path)),
    }
}

/// The key and its file.
fn read_key(path: &Path) -> Result<(PrivateKeyDer<'static>, PathBuf), TlsError> {
    let path = find(path, KEY_SUFFIX)?;
    let text = read(&path)?;
    let keys: Result<Vec<_>, _> = PrivatePkcs8KeyDer::pem_slice_iter(&text).collect();
    let mut keys = keys.map_err(|_| TlsError::Keys(path.clone()))?;
    match keys.pop() {
        Some(key) => Ok((key.into(), path)),
        None => Err(TlsError::NoKey(path)),
    }
}

fn read_roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let (certificates, path) = read_certificates(path)?;
    let count = certificates.len();
    roost_tls::authorities(certificates).map_err(|_| TlsError::Roots { count, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_selects_the_greatest_matching_name() {
        let directory = tempfile::tempdir().expect("a directory");
        for name in [
            "ctl-gateway-20260101000000.key.pem",
            "ctl-gateway-20270101000000.key.pem",
            "ctl-gateway-20280101000000.crt.pem",
            "zzz.key.pem",
        ] {
            fs::write(directory.path().join(name), "").expect("a file");
        }
        let key = find(directory.path(), KEY_SUFFIX).expect("a key");
        assert_eq!(key, directory.path().join("ctl-gateway-20270101000000.key.pem"));
    }

    #[test]
    fn errors_contain_the_file_as_in_habitat() {
        let directory = tempfile::tempdir().expect("a directory");
        let dir = directory.path().display();
        let error = |path: &Path| read_key(path).expect_err("no key").to_string();
        assert_eq!(
            error(directory.path()),
            format!(
                "ctl gateway TLS file lookup failed when trying to match files \
                 {dir}/ctl-gateway-*.key.pem"
            )
        );
        let empty = directory.path().join("empty");
        fs::write(&empty, "").expect("a file");
        assert_eq!(error(&empty), format!("no PEM, PKCS8 private keys in file {dir}/empty"));
        assert!(error(&directory.path().join("none")).starts_with("failed to read file "));
        assert_eq!(
            read_certificates(&empty).expect_err("none").to_string(),
            format!("failed to read PEM certificates from file {dir}/empty")
        );
    }

    #[test]
    fn a_certificate_alone_leaves_tls_off_and_a_key_alone_is_refused() {
        assert!(matches!(server_config(None, Some(Path::new("/nonexistent")), None), Ok(None)));
        let key = rcgen::KeyPair::generate().expect("a key");
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("key.pem");
        fs::write(&path, key.serialize_pem()).expect("a file");
        assert_eq!(
            server_config(Some(&path), None, None).expect_err("refused"),
            TlsError::NoCertificate
        );
    }
}
