//! Shared parts of TLS: the cryptography, the check of a certificate and its private key, and error
//! messages for operators.
//!
//! All code that reads certificates (the HTTP API, the control gateway, its clients, `hab svc
//! check`) passes them through [`check_identity`] before a library gets them: libraries handle
//! unusable certificates differently, and some end the process.

mod subject;
mod unverified;
mod words;

use std::{io, path::Path, sync::Arc};

use rustls::{
    RootCertStore,
    crypto::{CryptoProvider, ring},
    server::ParsedCertificate,
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer, X509Certificate};

pub use subject::{Subject, SubjectError};
pub use unverified::Unverified;
pub use words::{explain, explain_io};

/// The cryptography, passed at each use instead of installed for the whole process.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Longest PEM file that is read.
pub const PEM_BYTES_MAX: u64 = 1 << 20;

/// Reads a PEM file.
///
/// # Errors
/// When it cannot be read or is longer than [`PEM_BYTES_MAX`].
pub fn read_pem(path: &Path) -> io::Result<Vec<u8>> {
    match roost_files::read(path, PEM_BYTES_MAX) {
        Ok(bytes) => {
            bytes.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "it does not exist"))
        }
        Err(roost_files::ReadError::Io { source, .. }) => Err(source),
        Err(error) => Err(io::Error::other(error.reason())),
    }
}

/// Why a certificate chain and a private key cannot be used together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentityError {
    /// The first certificate cannot be used; with the reason.
    Certificate(String),
    /// The private key cannot be used, or does not belong to the certificate; with the reason.
    Key(String),
}

/// Checks that the first certificate of the chain can be used for TLS and belongs to the key.
///
/// # Errors
/// When it cannot be used.
pub fn check_identity(
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
) -> Result<(), IdentityError> {
    let Some(leaf) = chain.first() else {
        return Err(IdentityError::Certificate("there is no certificate".into()));
    };
    ParsedCertificate::try_from(leaf)
        .map_err(|error| IdentityError::Certificate(explain(&error)))?;
    CertifiedKey::from_der(chain.to_vec(), key.clone_key(), &provider())
        .map(drop)
        .map_err(|error| IdentityError::Key(explain(&error)))
}

/// A store of trusted certificates.
///
/// # Errors
/// With the number of the first certificate that cannot be a CA certificate, from 1, and the
/// reason.
pub fn authorities(
    certificates: Vec<CertificateDer<'static>>,
) -> Result<RootCertStore, (usize, String)> {
    let mut roots = RootCertStore::empty();
    for (index, certificate) in certificates.into_iter().enumerate() {
        roots.add(certificate).map_err(|error| (index + 1, explain(&error)))?;
    }
    Ok(roots)
}

/// The owner of a certificate that a handshake has verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The subject.
    pub subject: Subject,
    /// The last second at which the certificate is valid, in milliseconds since 1970.
    pub until_ms: u64,
}

/// The owner of a certificate. `None` if it has no subject.
#[must_use]
pub fn owner(certificate: &CertificateDer<'_>) -> Option<Owner> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let subject = Subject::of(certificate.subject())?;
    let until_s = certificate.validity().not_after.timestamp();
    Some(Owner { subject, until_ms: u64::try_from(until_s).unwrap_or(0).saturating_mul(1000) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unusable_certificate_and_a_wrong_key_give_different_errors() {
        let one = rcgen::generate_simple_self_signed(["a".to_owned()]).expect("a certificate");
        let other = rcgen::generate_simple_self_signed(["a".to_owned()]).expect("a certificate");
        let key = |of: &rcgen::CertifiedKey<rcgen::KeyPair>| {
            PrivateKeyDer::try_from(of.signing_key.serialize_der()).expect("a key")
        };
        let chain = [one.cert.der().clone()];
        assert_eq!(check_identity(&chain, &key(&one)), Ok(()));
        let Err(IdentityError::Key(text)) = check_identity(&chain, &key(&other)) else {
            panic!("another key")
        };
        assert_eq!(text, "the private key does not belong to the certificate");
        for broken in [vec![], vec![CertificateDer::from(vec![1, 2, 3])]] {
            let error = check_identity(&broken, &key(&one)).expect_err("no certificate");
            assert!(matches!(error, IdentityError::Certificate(_)), "{error:?}");
        }
    }

    #[test]
    fn the_error_contains_the_number_of_an_invalid_authority() {
        let good = rcgen::generate_simple_self_signed(["a".to_owned()]).expect("a certificate");
        let bad = CertificateDer::from(vec![0x30, 0x00]);
        let (number, text) = authorities(vec![good.cert.der().clone(), bad]).expect_err("bad");
        assert_eq!(number, 2);
        assert!(text.starts_with("the certificate "), "{text}");
    }
}
