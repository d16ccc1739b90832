//! TLS of commands that use the HTTP gateway: unusable files are errors before anything is sent.

use std::path::Path;

use anyhow::{Context as _, bail};
use roost_tls::{IdentityError, authorities, check_identity, explain, explain_io, provider};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig, TlsProvider};

/// Files of a client.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Files<'a> {
    /// CA certificates for the gateway.
    pub(crate) ca_certs: Option<&'a Path>,
    /// The client's certificate and its key.
    pub(crate) identity: Option<(&'a Path, &'a Path)>,
}

/// Settings for a gateway at `url`.
///
/// # Errors
/// When a file cannot be read or used.
pub(crate) fn settings(url: &str, files: Files<'_>) -> anyhow::Result<TlsConfig> {
    let mut builder = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(provider());
    if let Some(path) = files.ca_certs {
        let found = certificates(path)?;
        authorities(found.clone()).map_err(|(number, why)| {
            anyhow::anyhow!("certificate {number} of {} cannot be used: {why}", path.display())
        })?;
        let roots: Vec<_> = found.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
        builder = builder.root_certs(RootCerts::new_with_certs(&roots));
    } else if url.starts_with("https://") {
        bail!("--ca-certs is needed for https: the file of the gateway's certificate authority");
    }
    if let Some((certs, key_path)) = files.identity {
        let (chain, key_pem) = (certificates(certs)?, read(key_path)?);
        let key = key(key_path, &key_pem)?;
        check_identity(&chain, &key).map_err(|error| match error {
            IdentityError::Certificate(why) => {
                anyhow::anyhow!("{} cannot be used: {why}", certs.display())
            }
            IdentityError::Key(why) => {
                anyhow::anyhow!("{} cannot be used: {why}", key_path.display())
            }
        })?;
        let chain: Vec<_> = chain.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
        let key = PrivateKey::from_pem(&key_pem)
            .with_context(|| format!("{} cannot be used", key_path.display()))?;
        builder = builder.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
    }
    Ok(builder.build())
}

/// The message for an error of the HTTP client.
pub(crate) fn explain_http(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => explain_io(error),
        ureq::Error::Rustls(error) => explain(error),
        other => other.to_string(),
    }
}

fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => bail!("{} holds no certificate in PEM form", path.display()),
    }
}

fn key(path: &Path, pem: &[u8]) -> anyhow::Result<PrivateKeyDer<'static>> {
    match PrivateKeyDer::from_pem_slice(pem) {
        Ok(key) => Ok(key),
        Err(_) => bail!("{} holds no private key in PEM form", path.display()),
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    roost_tls::read_pem(path).with_context(|| format!("cannot read {}", path.display()))
}
