//! The rules of a file, as requests are compared with them.

use std::sync::Arc;

use roost_tls::Subject;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{Scopes, TOKEN_BYTES_MAX};

/// All that a file grants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// By token.
    pub tokens: Vec<TokenRule>,
    /// By certificate of the client.
    pub certificates: Vec<CertificateRule>,
}

/// What a token grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRule {
    /// What people call it.
    pub name: Arc<str>,
    /// SHA-256 of the token.
    pub digest: [u8; 32],
    /// What it may read.
    pub scopes: Scopes,
    /// When it ends, in milliseconds since 1970; `None` is never.
    pub expires_ms: Option<u64>,
}

/// What a certificate grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRule {
    /// The subject of the certificate.
    pub subject: Subject,
    /// What its owner may read.
    pub scopes: Scopes,
}

/// The hash that a file holds of a token; `None` for text that cannot be a token of a file.
#[must_use]
pub fn digest_of(token: &str) -> Option<[u8; 32]> {
    (token.len() <= TOKEN_BYTES_MAX).then(|| Sha256::digest(token.as_bytes()).into())
}

impl Rules {
    /// The rule of a token, expired or not. The time that it takes does not depend on the token.
    #[must_use]
    pub fn token(&self, digest: &[u8; 32]) -> Option<&TokenRule> {
        let mut found = None;
        for rule in &self.tokens {
            if bool::from(rule.digest.ct_eq(digest)) {
                found = Some(rule);
            }
        }
        found
    }

    /// The rule of a certificate.
    #[must_use]
    pub fn certificate(&self, subject: &Subject) -> Option<&CertificateRule> {
        self.certificates.iter().find(|rule| rule.subject == *subject)
    }
}

impl TokenRule {
    /// True when it is no longer valid.
    #[must_use]
    pub fn has_expired(&self, now_ms: u64) -> bool {
        self.expires_ms.is_some_and(|expires_ms| expires_ms <= now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_its_hash_and_ends_on_time() {
        // printf sekret | sha256sum
        let known = "b6a6c5e1e5a9c6bdd2b9b43c4e9f7d4b";
        let rule = TokenRule {
            name: known.into(),
            digest: digest_of("sekret").expect("short"),
            scopes: Scopes::all(),
            expires_ms: Some(1000),
        };
        let rules = Rules { tokens: vec![rule.clone()], certificates: Vec::new() };
        assert_eq!(rules.token(&digest_of("sekret").expect("short")), Some(&rule));
        assert_eq!(rules.token(&digest_of("Sekret").expect("short")), None);
        assert_eq!(digest_of(&"x".repeat(TOKEN_BYTES_MAX + 1)), None);
        assert!(!rule.has_expired(999) && rule.has_expired(1000));
        assert!(!TokenRule { expires_ms: None, ..rule }.has_expired(u64::MAX));
    }
}
