//! Errors of keys and encrypted messages, in Habitat's words.

use std::path::PathBuf;

/// Error of this crate. The texts are those of Habitat 2.1.78 (reference: packages §6.2 to §7.1),
/// including the prefix, because scripts match them; they never contain secrets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text of a key is empty.
    #[error("Crypto error: Missing key version")]
    MissingVersion,
    /// The first line is not the tag of the requested kind of key.
    #[error("Crypto error: Unsupported key version: {0}")]
    UnsupportedKeyVersion(String),
    /// The key text ends before its name.
    #[error("Crypto error: Missing name+revision")]
    MissingName,
    /// Not `<name>-<14 digits>`, or a name that cannot be a file name.
    #[error("Crypto error: Cannot parse named revision '{0}'")]
    BadNamedRevision(String),
    /// Not 14 digits.
    #[error("Crypto error: Cannot parse revision '{0}', it must be 14 digits, YYYYMMDDhhmmss")]
    BadRevision(String),
    /// The key text ends before its fourth line.
    #[error("Crypto error: Missing key material")]
    MissingMaterial,
    /// The fourth line is not base64.
    #[error("Crypto error: Invalid base64 key material")]
    BadBase64,
    /// The key has the wrong length, or is not a valid point or pair.
    #[error("Crypto error: Could not parse bytes as key for {0}")]
    BadKey(String),
    /// Imported text is neither half of an origin signing pair.
    #[error("Crypto error: Could not parse content as an public or secret origin signing key!")]
    NotASigningKey,

    /// No key of that name and kind is in the cache.
    #[error("Crypto error: No revisions found for {0}")]
    NoRevisions(String),
    /// This revision is not in the cache.
    #[error("Crypto error: Key not found in cache: {}", .0.display())]
    NotFound(PathBuf),
    /// A file of that name has other content; it was not touched.
    #[error(
        "Crypto error: Existing key file {} found but new version hash is different, failing to \
         write new file over existing. (existing = {existing}, incoming = {incoming})",
        .path.display()
    )]
    Conflict {
        /// The file that exists.
        path: PathBuf,
        /// BLAKE2b of its content.
        existing: String,
        /// BLAKE2b of the new content.
        incoming: String,
    },
    /// A file of the cache cannot be read or written.
    #[error("Crypto error: cannot {action} {}: {source}", .path.display())]
    Io {
        /// The failed action, for example `read`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Error of the operating system.
        source: std::io::Error,
    },
    /// A key file is longer than any key can be.
    #[error("Crypto error: {} is longer than {limit} bytes, so it is not a key file", .path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The limit, [`crate::cache::KEY_FILE_BYTES_MAX`].
        limit: u64,
    },

    /// The nonce is not 24 bytes long.
    #[error("Crypto error: nonce must be exactly 24 bytes")]
    BadNonce,
    /// Wrong ring key, wrong nonce, or a modified message.
    #[error("Crypto error: Secret key and nonce could not decrypt ciphertext")]
    SecretboxFailed,
    /// Wrong keys, wrong nonce, or a modified message.
    #[error("Crypto error: Secret key, public key, and nonce could not decrypt ciphertext")]
    BoxFailed,
    /// An encrypted message ends before the named line.
    #[error("Crypto error: Corrupt payload, can't read {0}")]
    CorruptPayload(&'static str),
    /// An encrypted message does not start with `BOX-1`.
    #[error("Crypto error: Unsupported version: {0}")]
    UnsupportedVersion(String),
    /// A line of an encrypted message is not base64.
    #[error("Crypto error: Can't decode {what}: {source}")]
    BadMessageBase64 {
        /// `nonce` or `ciphertext`.
        what: &'static str,
        /// Position and reason.
        source: base64::DecodeError,
    },
    /// The nonce of an encrypted message is not 24 bytes long.
    #[error("Crypto error: Invalid size of nonce")]
    BadNonceSize,
    /// This key did not make this signature for this message.
    #[error("Crypto error: Signature does not match for {0}")]
    BadSignature(String),
    /// The operating system provides no randomness.
    #[error("Crypto error: the system returned no random bytes: {0}")]
    NoRandomness(String),
}

/// Result with the [`Error`] of this crate.
pub type Result<T> = std::result::Result<T, Error>;
