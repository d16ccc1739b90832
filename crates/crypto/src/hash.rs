//! The hash of Habitat: BLAKE2b with a digest of 32 bytes, without a key.

use std::fmt::Write;

use blake2::{Blake2b, Digest, digest::consts::U32};

/// The hash of a byte string.
#[must_use]
pub fn hash_bytes(bytes: &[u8]) -> [u8; 32] {
    Blake2b::<U32>::digest(bytes).into()
}

/// The hash of a byte string, in lower-case hexadecimal digits.
#[must_use]
pub fn hash_hex(bytes: &[u8]) -> String {
    hash_bytes(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        text
    })
}
