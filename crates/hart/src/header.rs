//! The header of an archive: the signer and the signature.

use std::{
    fmt::Write as _,
    io::{BufRead, Read, Write},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use blake2::{Blake2b, Digest, digest::consts::U32};
use roost_crypto::{KeyFile, NamedRevision, SIGNATURE_BYTES, SigningPublicKey, SigningSecretKey};

use crate::{
    error::{HartError, Result},
    limits::HEADER_LINE_BYTES,
};

/// First line of every archive.
pub const FORMAT_VERSION: &str = "HART-1";
/// Third line.
pub const HASH_TYPE: &str = "BLAKE2b";
/// Digits of a hash.
const HASH_DIGITS: usize = 64;

/// The parsed header of an archive, not yet trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Name of the signing key.
    pub signer: NamedRevision,
    /// The signature as written.
    pub signature_text: String,
    /// The signature and the signed text: the hash of the payload in hexadecimal digits.
    signature: Vec<u8>,
}

/// The hash of a payload: 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadHash(String);

impl PayloadHash {
    /// Hashes a payload to its end.
    ///
    /// # Errors
    /// Errors of the reader.
    pub fn of(mut payload: impl Read) -> std::io::Result<Self> {
        let mut hash = Blake2b::<U32>::new();
        let mut block = vec![0; 256 * 1024];
        loop {
            match payload.read(&mut block) {
                Ok(0) => break,
                Ok(count) => hash.update(&block[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self(hex(&hash.finalize())))
    }

    pub(crate) fn new(digits: String) -> Self {
        Self(digits)
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(HASH_DIGITS), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Header {
    /// Reads a header, up to the start of the payload. Lines may end in CR LF and have blanks
    /// around them.
    ///
    /// # Errors
    /// The problem of the first invalid line.
    pub fn read(reader: &mut impl BufRead) -> Result<Self> {
        let mut line = |missing| read_line(reader, missing);
        let version = line("read format version")?;
        if version != FORMAT_VERSION {
            return Err(HartError::FormatVersion(crate::error::printable(version.as_bytes())));
        }
        let signer = NamedRevision::parse(&line("read origin key name")?)?;
        let hash_type = line("read hash type")?;
        if hash_type != HASH_TYPE {
            return Err(HartError::HashType(crate::error::printable(hash_type.as_bytes())));
        }
        let signature_text = line("read signature")?;
        let signature =
            BASE64_STANDARD.decode(&signature_text).map_err(HartError::SignatureText)?;
        let delimiter = line("find end of header")?;
        if !delimiter.is_empty() {
            return Err(HartError::Delimiter(crate::error::printable(delimiter.as_bytes())));
        }
        Ok(Self { signer, signature_text, signature })
    }

    /// The header of a payload with this hash, signed with this key.
    #[must_use]
    pub fn sign(key: &SigningSecretKey, hash: &PayloadHash) -> Self {
        let message = hash.as_str().as_bytes();
        let mut signature = key.sign(message).to_vec();
        signature.extend_from_slice(message);
        let signature_text = BASE64_STANDARD.encode(&signature);
        Self { signer: key.named_revision().clone(), signature_text, signature }
    }

    /// Writes the five lines.
    ///
    /// # Errors
    /// Errors of the writer.
    pub fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        let Self { signer, signature_text, .. } = self;
        write!(out, "{FORMAT_VERSION}\n{signer}\n{HASH_TYPE}\n{signature_text}\n\n")
    }

    /// The signed hash, if this key signed it.
    ///
    /// # Errors
    /// When it did not, or when the signed text is not a hash.
    pub fn signed_hash(&self, key: &SigningPublicKey) -> Result<PayloadHash> {
        let (signature, message) =
            self.signature.split_first_chunk::<SIGNATURE_BYTES>().ok_or(HartError::Signature)?;
        key.verify(message, signature).map_err(|_| HartError::Signature)?;
        let text = std::str::from_utf8(message).map_err(|_| HartError::Signature)?;
        if text.len() != HASH_DIGITS || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(HartError::Signature);
        }
        Ok(PayloadHash(text.to_ascii_lowercase()))
    }

    /// Compares the hash of the payload with the signed one.
    ///
    /// # Errors
    /// When this key did not sign the header, or it signed another payload.
    pub fn verify(&self, key: &SigningPublicKey, computed: &PayloadHash) -> Result<()> {
        let expected = self.signed_hash(key)?;
        if expected == *computed {
            return Ok(());
        }
        Err(HartError::Hash { expected: expected.0, computed: computed.0.clone() })
    }
}

/// Reads one trimmed line.
fn read_line(reader: &mut impl BufRead, missing: &'static str) -> Result<String> {
    let mut line = Vec::new();
    reader.by_ref().take(HEADER_LINE_BYTES).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Err(HartError::Truncated(missing));
    }
    let line = String::from_utf8(line).map_err(|_| HartError::NotText)?;
    if line.len() as u64 == HEADER_LINE_BYTES && !line.ends_with('\n') {
        return Err(HartError::HeaderLine(HEADER_LINE_BYTES));
    }
    Ok(line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The worked example (reference: packages §5).
    const SECRET: &str = "SIG-SEC-1\nexample-20240102030405\n\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYX\
                          GBkaGxwdHh8DoQe/884Qvh1w3RjnS8CZZ+TWMJulDV8d3IZkElUxuA==";
    const HEADER: &str = "HART-1\nexample-20240102030405\nBLAKE2b\nFyTApT1R4+6Y5r/k2GEMFsZRlsCuXw\
        ZBbCM4qVl+os2eVRCkfTFrmnlcoJWwxiy7AGLbwBCZdjWxW3MxhZSYCmM0YjdlOTRlYTZkYjBlYzc1ZGE0OWQ0ZDA5\
        ZTYwOWIzNjU0M2I2MzYwODYzY2MzYzgyNmE2N2EyZjkyYjNhMTU=\n\n";

    fn key() -> SigningSecretKey {
        SigningSecretKey::parse(SECRET).expect("a key")
    }

    #[test]
    fn the_known_example_is_signed_byte_for_byte_and_verifies() {
        let hash = PayloadHash::of(&b"hello habitat\n"[..]).expect("a hash");
        let header = Header::sign(&key(), &hash);
        let mut text = Vec::new();
        header.write(&mut text).expect("written");
        assert_eq!(String::from_utf8(text).expect("text"), HEADER);
        let read = Header::read(&mut HEADER.as_bytes()).expect("a header");
        assert_eq!(read, header);
        read.verify(&key().public_key(), &hash).expect("its own signature");
    }

    #[test]
    fn a_header_cut_at_any_byte_is_refused() {
        for end in 0..HEADER.len() {
            let cut = &HEADER[..end];
            let result = Header::read(&mut cut.as_bytes());
            if let Ok(header) = result {
                // Only trailing white space can be missing undetected.
                assert_eq!(cut.trim_end(), HEADER.trim_end(), "cut at {end}: {header:?}");
            }
        }
    }

    #[test]
    fn a_line_that_does_not_end_is_refused_early() {
        let mut endless = std::io::BufReader::new(std::io::repeat(b'x'));
        assert!(matches!(Header::read(&mut endless), Err(HartError::HeaderLine(_))));
    }

    #[test]
    fn a_signature_of_other_text_than_a_hash_does_not_verify() {
        let hash = PayloadHash("no hash at all".into());
        let header = Header::sign(&key(), &hash);
        assert!(matches!(header.verify(&key().public_key(), &hash), Err(HartError::Signature)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_header_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = Header::read(&mut bytes.as_slice());
        }

        #[test]
        fn any_lines_are_a_header_or_an_error(
            lines in "(HART-1|x)\n(a-20250101000000|a)\n(BLAKE2b|x)\n[A-Za-z0-9+/=]{0,180}\n.?\n",
        ) {
            if let Ok(header) = Header::read(&mut lines.as_bytes()) {
                let mut text = Vec::new();
                header.write(&mut text).expect("written");
                prop_assert_eq!(Header::read(&mut text.as_slice()).expect("its own text"), header);
            }
        }
    }
}
