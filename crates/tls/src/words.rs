//! Messages for errors of the TLS library, without names of its types.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

/// Message of the error, as the end of a sentence.
#[must_use]
pub fn explain(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(error) => certificate(error),
        Error::InconsistentKeys(_) => "the private key does not belong to the certificate".into(),
        Error::NoCertificatesPresented => "the other side presented no certificate".into(),
        Error::AlertReceived(alert) => received(*alert),
        Error::InvalidMessage(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::PeerMisbehaved(_) => "the other side does not speak TLS correctly".into(),
        Error::PeerIncompatible(PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon) => {
            "the other side does not accept this kind of certificate".into()
        }
        Error::PeerIncompatible(_) | Error::NoApplicationProtocol => {
            "the two sides have no version or cipher of TLS in common".into()
        }
        Error::General(text) => text.clone(),
        Error::Other(inner) => spaced(&inner.to_string()),
        other => spaced(&other.to_string()),
    }
}

/// Message of an input or output error, including those of TLS.
#[must_use]
pub fn explain_io(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    inner.map_or_else(|| error.to_string(), explain)
}

/// A name of a certificate, which the library writes as `DnsName("localhost")`.
fn bare(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"')
}

fn certificate(error: &CertificateError) -> String {
    use CertificateError as E;
    let text = match error {
        E::BadEncoding => "the certificate cannot be read as one",
        E::Expired | E::ExpiredContext { .. } => "the certificate has expired",
        E::NotValidYet | E::NotValidYetContext { .. } => "the certificate is not valid yet",
        E::Revoked => "the certificate has been revoked",
        E::UnknownIssuer => "the certificate does not come from one of the given authorities",
        E::BadSignature => "the signature of the certificate is wrong",
        E::NotValidForName => "the certificate is for another name",
        E::NotValidForNameContext { expected, presented } => {
            let names: Vec<_> = presented.iter().map(|name| bare(name)).collect();
            let names = names.join(", ");
            return format!(
                "the certificate is for {}, and not for {}",
                if names.is_empty() { "no name" } else { &names },
                expected.to_str()
            );
        }
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => {
            "the certificate is not meant for this purpose (extended key usage)"
        }
        E::Other(inner) => return library(&inner.to_string()),
        other => return format!("the certificate cannot be used: {}", spaced(&other.to_string())),
    };
    text.into()
}

/// Message for an error that the certificate library reports only by name.
fn library(name: &str) -> String {
    let text = match name {
        "UnsupportedCertVersion" => {
            "the certificate is of X.509 version 1, and TLS needs version 3. Make it again with an \
             extension, for example subjectAltName"
        }
        "CaUsedAsEndEntity" => "the certificate is that of an authority, which cannot be used here",
        "EndEntityUsedAsCa" => "the certificate comes from one that is not an authority",
        other => return format!("the certificate cannot be used: {}", spaced(other)),
    };
    text.into()
}

fn received(alert: AlertDescription) -> String {
    let text = match alert {
        AlertDescription::CertificateRequired => "the other side demands a client certificate",
        AlertDescription::UnknownCA => {
            "the other side does not know the authority of this side's certificate"
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateUnknown => {
            "the other side does not accept this side's certificate"
        }
        AlertDescription::CertificateExpired => "this side's certificate has expired",
        AlertDescription::ProtocolVersion => "the other side has no version of TLS in common",
        AlertDescription::UnrecognisedName => "the other side is not known by this name",
        other => return format!("the other side refused: {}", spaced(&format!("{other:?}"))),
    };
    text.into()
}

/// `UnsupportedCertVersion` as words; other text stays unchanged.
fn spaced(text: &str) -> String {
    if text.contains(' ') {
        return text.into();
    }
    let mut out = String::new();
    for c in text.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push(' ');
        }
        out.extend(c.to_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::OtherError;

    use super::*;

    #[test]
    fn names_of_types_become_words() {
        #[derive(Debug)]
        struct Named(&'static str);
        impl std::fmt::Display for Named {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.0)
            }
        }
        impl std::error::Error for Named {}
        let other = |name| {
            let inner = CertificateError::Other(OtherError(Arc::new(Named(name))));
            explain(&Error::InvalidCertificate(inner))
        };
        assert!(other("UnsupportedCertVersion").contains("X.509 version 1"));
        assert_eq!(
            other("InvalidCertValidity"),
            "the certificate cannot be used: invalid cert validity"
        );
        let required = Error::AlertReceived(AlertDescription::CertificateRequired);
        let wrapped = io::Error::new(io::ErrorKind::InvalidData, required);
        assert_eq!(explain_io(&wrapped), "the other side demands a client certificate");
        assert_eq!(explain_io(&io::Error::other("x")), "x");
    }
}
