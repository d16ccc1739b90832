//! The key of a ring: XSalsa20-Poly1305 ("secretbox") encrypts every gossip message.

use std::fmt;

use crypto_secretbox::{KeyInit, XSalsa20Poly1305, aead::Aead};
use zeroize::Zeroizing;

use super::{KeyFile, sized};
use crate::{
    error::{Error, Result},
    name::NamedRevision,
    random::{NONCE_BYTES, Nonce, random_bytes},
};

/// A ring key. Its holder can read and write all gossip of the ring.
#[derive(Clone)]
pub struct RingKey {
    named: NamedRevision,
    key: Zeroizing<[u8; 32]>,
}

impl RingKey {
    /// A new random key.
    ///
    /// # Errors
    /// When the operating system provides no randomness.
    pub fn generate(named: NamedRevision) -> Result<Self> {
        Ok(Self { named, key: Zeroizing::new(random_bytes()?) })
    }

    /// Encrypts a message. The result is the tag of 16 bytes and the ciphertext. A nonce must never
    /// be used for two messages; use [`crate::random_nonce`].
    #[must_use]
    pub fn seal(&self, nonce: &Nonce, content: &[u8]) -> Vec<u8> {
        self.cipher()
            .encrypt(nonce.into(), content)
            .expect("fails only when the buffer cannot grow, and a Vec can")
    }

    /// Decrypts a message. The nonce is a slice because it comes from the network.
    ///
    /// # Errors
    /// When the nonce is not 24 bytes long, or the message was not encrypted with this key and
    /// nonce.
    pub fn open(&self, nonce: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        let nonce: &[u8; NONCE_BYTES] = nonce.try_into().map_err(|_| Error::BadNonce)?;
        self.cipher().decrypt(nonce.into(), sealed).map_err(|_| Error::SecretboxFailed)
    }

    fn cipher(&self) -> XSalsa20Poly1305 {
        XSalsa20Poly1305::new((&*self.key).into())
    }
}

impl KeyFile for RingKey {
    const TAG: &'static str = "SYM-SEC-1";
    const SUFFIX: &'static str = ".sym.key";
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

impl fmt::Debug for RingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RingKey").field(&self.named.to_string()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(byte: impl Fn(u8) -> u8) -> RingKey {
        let raw: Vec<u8> = (0..32).map(byte).collect();
        RingKey::from_raw(NamedRevision::parse("vec-20250101000000").expect("a name"), &raw)
            .expect("a key")
    }

    #[test]
    fn the_result_matches_the_test_vector_of_libsodium() {
        let sealed = key(|n| n).seal(&[3; 24], b"ring");
        let expected = [
            0xc3, 0xb5, 0x44, 0x27, 0x28, 0x0e, 0x80, 0xcc, 0x90, 0x82, 0x05, 0xd1, 0x9c, 0x93,
            0x16, 0x4d, 0xe6, 0x7c, 0x7a, 0x02,
        ];
        assert_eq!(sealed, expected);
    }

    #[test]
    fn a_nonce_of_another_length_is_refused_before_the_key_is_tried() {
        for length in [0, 23, 25] {
            let error = key(|n| n).open(&vec![3; length], b"").expect_err("a bad nonce");
            assert!(error.to_string().ends_with("nonce must be exactly 24 bytes"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn only_the_same_key_nonce_and_bytes_open(
            content in prop::collection::vec(any::<u8>(), 0..300), nonce: [u8; 24], bit: usize,
        ) {
            let sealed = key(|n| n).seal(&nonce, &content);
            prop_assert_eq!(sealed.len(), content.len() + 16);
            prop_assert_eq!(key(|n| n).open(&nonce, &sealed).expect("opens"), content);
            prop_assert!(key(|n| n ^ 1).open(&nonce, &sealed).is_err());
            let flip = |bytes: &[u8]| {
                let mut bytes = bytes.to_vec();
                let bit = bit % (bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
                bytes
            };
            prop_assert!(key(|n| n).open(&flip(&nonce), &sealed).is_err());
            prop_assert!(key(|n| n).open(&nonce, &flip(&sealed)).is_err());
        }

        #[test]
        fn any_bytes_are_opened_or_refused(sealed in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(key(|n| n).open(&[0; 24], &sealed).is_err());
        }
    }
}
