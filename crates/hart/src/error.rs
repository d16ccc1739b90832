//! Errors of archives, in Habitat's words where it has some.

use std::{io, path::PathBuf};

use roost_text::shown;

/// Why an archive cannot be read, trusted or unpacked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HartError {
    /// The header ends too early.
    #[error("Crypto error: Corrupt payload, can't {0}")]
    Truncated(&'static str),
    /// The first line is not `HART-1`.
    #[error("Crypto error: Unsupported format version: {0}")]
    FormatVersion(String),
    /// The third line is not `BLAKE2b`.
    #[error("Crypto error: Unsupported signature type: {0}")]
    HashType(String),
    /// The fourth line is not base64.
    #[error("Crypto error: Can't decode signature: {0}")]
    SignatureText(base64::DecodeError),
    /// The fifth line is not empty.
    #[error("Crypto error: Expected empty delimiter line in header; got '{0}'")]
    Delimiter(String),
    /// A header line exceeds the limit.
    #[error(
        "Crypto error: A header line is longer than {0} bytes, so this is not a package archive"
    )]
    HeaderLine(u64),
    /// A header line is not text.
    #[error("stream did not contain valid UTF-8")]
    NotText,
    /// The signer's name or a key is invalid.
    #[error(transparent)]
    Key(#[from] roost_crypto::Error),
    /// The signature does not match the key.
    #[error("Crypto error: Verification failed")]
    Signature,
    /// The payload does not match the signature.
    #[error(
        "Crypto error: Habitat artifact is invalid, hashes don't match \
         (expected: {expected}, computed: {computed})"
    )]
    Hash {
        /// The signed hash.
        expected: String,
        /// The hash of the payload.
        computed: String,
    },
    /// The payload is truncated.
    #[error("premature eof")]
    Eof,
    /// The payload is neither xz nor tar.
    #[error("stream/file format not recognized")]
    Format,
    /// The compressed stream cannot be decoded.
    #[error("The compressed payload is damaged: {0}")]
    Compression(String),
    /// The tar cannot be read.
    #[error("The tar in the archive is damaged: {0}")]
    Tar(String),
    /// A metafile is not in the archive.
    #[error("Couldn't read MetaFile: {0}, not found")]
    NoMetafile(String),
    /// A metafile is not text.
    #[error("MetaFile: {0}, didn't contain a valid UTF-8 string")]
    MetafileText(String),
    /// An entry that packages cannot contain.
    #[error("Refused archive entry '{name}': {problem}")]
    Entry {
        /// Its name, escaped.
        name: String,
        /// The problem.
        problem: String,
    },
    /// The archive exceeds a limit.
    #[error("Refused archive: {0}")]
    Limit(String),
    /// A file of this machine cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// A system call failed that does not concern a particular file.
    #[error("{0}")]
    Io(io::Error),
}

/// Result with [`HartError`].
pub type Result<T> = std::result::Result<T, HartError>;

impl HartError {
    /// The error of a refused entry.
    pub(crate) fn entry(name: &[u8], problem: impl Into<String>) -> Self {
        Self::Entry { name: printable(name), problem: problem.into() }
    }

    /// The error of a file operation.
    pub(crate) fn file(path: &std::path::Path, source: io::Error) -> Self {
        Self::File { path: path.into(), source }
    }
}

/// Converts to an [`io::Error`] that can pass through a reader and be converted back.
impl From<HartError> for io::Error {
    fn from(error: HartError) -> Self {
        Self::other(error)
    }
}

impl From<io::Error> for HartError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Eof,
            _ => error.downcast::<Self>().unwrap_or_else(Self::Io),
        }
    }
}

/// A name from an archive as escaped text.
pub(crate) fn printable(name: &[u8]) -> String {
    shown(&String::from_utf8_lossy(name)).into_owned()
}
