//! Randomness of the operating system.

use crate::error::{Error, Result};

/// Bytes of a nonce of secretbox and box.
pub const NONCE_BYTES: usize = 24;

/// A number used once per message; random, because there is no counter.
pub type Nonce = [u8; NONCE_BYTES];

/// Random bytes suitable for keys.
///
/// # Errors
/// When the operating system provides no randomness.
pub fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Error::NoRandomness(error.to_string()))?;
    Ok(bytes)
}

/// A fresh nonce.
///
/// # Errors
/// When the operating system provides no randomness.
pub fn random_nonce() -> Result<Nonce> {
    random_bytes()
}
