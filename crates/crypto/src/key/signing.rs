//! Key pairs that sign packages of an origin: Ed25519.

use std::fmt;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use super::{KeyFile, sized};
use crate::{
    error::{Error, Result},
    name::NamedRevision,
    random::random_bytes,
};

/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;

/// The half that verifies signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningPublicKey {
    named: NamedRevision,
    key: VerifyingKey,
}

/// The half that signs. Its raw form is the seed of 32 bytes and the public key.
#[derive(Clone)]
pub struct SigningSecretKey {
    named: NamedRevision,
    key: SigningKey, // wipes itself when dropped
}

impl SigningPublicKey {
    /// Verifies a signature, with the strict rules of libsodium.
    ///
    /// # Errors
    /// When this key did not sign this message.
    pub fn verify(&self, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> Result<()> {
        self.key
            .verify_strict(message, &Signature::from_bytes(signature))
            .map_err(|_| Error::BadSignature(self.named.to_string()))
    }
}

impl SigningSecretKey {
    /// A new random key.
    ///
    /// # Errors
    /// When the operating system provides no randomness.
    pub fn generate(named: NamedRevision) -> Result<Self> {
        let seed = Zeroizing::new(random_bytes()?);
        Ok(Self { named, key: SigningKey::from_bytes(&seed) })
    }

    /// The public half, with the same name and revision.
    #[must_use]
    pub fn public_key(&self) -> SigningPublicKey {
        SigningPublicKey { named: self.named.clone(), key: self.key.verifying_key() }
    }

    /// Signs a message; the same message gives the same signature.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.key.sign(message).to_bytes()
    }
}

impl KeyFile for SigningPublicKey {
    const TAG: &'static str = "SIG-PUB-1";
    const SUFFIX: &'static str = ".pub";
    const MODE: u32 = 0o444;

    fn named_revision(&self) -> &NamedRevision {
        &self.named
    }

    fn from_raw(named: NamedRevision, raw: &[u8]) -> Result<Self> {
        let key = VerifyingKey::from_bytes(&sized(&named, raw)?)
            .map_err(|_| Error::BadKey(named.to_string()))?;
        Ok(Self { named, key })
    }

    fn raw(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.key.to_bytes().to_vec())
    }
}

impl KeyFile for SigningSecretKey {
    const TAG: &'static str = "SIG-SEC-1";
    const SUFFIX: &'static str = ".sig.key";
    const MODE: u32 = 0o400;

    fn named_revision(&self) -> &NamedRevision {
        &self.named
    }

    fn from_raw(named: NamedRevision, raw: &[u8]) -> Result<Self> {
        let pair = Zeroizing::new(sized(&named, raw)?);
        let key =
            SigningKey::from_keypair_bytes(&pair).map_err(|_| Error::BadKey(named.to_string()))?;
        Ok(Self { named, key })
    }

    fn raw(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(Zeroizing::new(self.key.to_keypair_bytes()).to_vec())
    }
}

impl fmt::Debug for SigningSecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningSecretKey").field(&self.named.to_string()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_recorded_public_key() {
        let text = "SIG-SEC-1\nx-20250101000000\n\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8Do\
                    Qe/884Qvh1w3RjnS8CZZ+TWMJulDV8d3IZkElUxuA==";
        let key = SigningSecretKey::parse(text).expect("a key");
        let public = key.public_key().to_text();
        assert!(public.ends_with("\nA6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="), "{}", *public);
    }

    #[test]
    fn halves_of_different_pairs_are_not_a_key() {
        let named = NamedRevision::parse("x-20250101000000").expect("a name");
        assert!(SigningSecretKey::from_raw(named, &[1; 64]).is_err());
    }

    #[test]
    fn a_changed_message_does_not_verify() {
        let named = NamedRevision::parse("x-20250101000000").expect("a name");
        let key = SigningSecretKey::generate(named).expect("a key");
        let signature = key.sign(b"one");
        key.public_key().verify(b"one", &signature).expect("its own signature");
        assert!(key.public_key().verify(b"two", &signature).is_err());
    }
}
