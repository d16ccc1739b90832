//! Key pairs for encrypted service configuration: X25519 keys of a user, a service group or an
//! origin. All roles share one format and can be read as each other.

use std::fmt;

use crypto_box::{PublicKey, SecretKey};
use zeroize::Zeroizing;

use super::{KeyFile, sized};
use crate::{error::Result, name::NamedRevision, random::random_bytes};

/// The public half.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoxPublicKey {
    named: NamedRevision,
    key: [u8; 32],
}

/// The secret half.
#[derive(Clone)]
pub struct BoxSecretKey {
    named: NamedRevision,
    key: Zeroizing<[u8; 32]>,
}

impl BoxPublicKey {
    pub(crate) fn point(&self) -> PublicKey {
        self.key.into()
    }
}

impl BoxSecretKey {
    /// Generates a random key. Its public half is [`BoxSecretKey::public_key`].
    ///
    /// # Errors
    /// When the operating system provides no randomness.
    pub fn generate(named: NamedRevision) -> Result<Self> {
        Ok(Self { named, key: Zeroizing::new(random_bytes()?) })
    }

    /// The public half, with the same name and revision.
    #[must_use]
    pub fn public_key(&self) -> BoxPublicKey {
        let key = self.scalar().public_key().to_bytes();
        BoxPublicKey { named: self.named.clone(), key }
    }

    pub(crate) fn scalar(&self) -> SecretKey {
        SecretKey::from(*self.key)
    }
}

impl KeyFile for BoxPublicKey {
    const TAG: &'static str = "BOX-PUB-1";
    const SUFFIX: &'static str = ".pub";
    const MODE: u32 = 0o444;

    fn named_revision(&self) -> &NamedRevision {
        &self.named
    }

    fn from_raw(named: NamedRevision, raw: &[u8]) -> Result<Self> {
        Ok(Self { key: sized(&named, raw)?, named })
    }

    fn raw(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.key.to_vec())
    }
}

impl KeyFile for BoxSecretKey {
    const TAG: &'static str = "BOX-SEC-1";
    const SUFFIX: &'static str = ".box.key";
    const MODE: u32 = 0o400;

    fn named_revision(&self) -> &NamedRevision {
        &self.named
    }

    fn from_raw(named: NamedRevision, raw: &[u8]) -> Result<Self> {
        Ok(Self { key: Zeroizing::new(sized(&named, raw)?), named })
    }

    fn raw(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.key.to_vec())
    }
}

impl fmt::Debug for BoxSecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BoxSecretKey").field(&self.named.to_string()).finish()
    }
}
