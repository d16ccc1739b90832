//! The tar behind the header, decompressed as it is read.

use std::io::{self, BufRead, Read};

use lzma_rust2::XzReader;

use crate::{
    dictionary::DictionaryGuard,
    error::{HartError, Result},
};

/// First bytes of an xz stream.
const XZ_MAGIC: &[u8] = b"\xfd7zXZ\0";
/// Offset of the magic bytes of a tar.
const TAR_MAGIC_AT: usize = 257;
const TAR_MAGIC: &[u8] = b"ustar";

/// A payload as a stream of tar.
pub enum Body<R: BufRead> {
    /// One xz stream; the bytes after it are not read.
    Xz(Box<XzReader<DictionaryGuard<R>>>),
    /// A bare tar.
    Tar(R),
    /// A failed stream: the decoder must not be called again.
    Failed,
}

impl<R: BufRead> Body<R> {
    /// Detects the format from the first bytes.
    ///
    /// # Errors
    /// When the payload is empty, or is neither xz nor tar.
    pub fn open(mut payload: R) -> Result<Self> {
        let begin = payload.fill_buf()?;
        if begin.is_empty() {
            return Err(HartError::Eof);
        }
        if begin.starts_with(XZ_MAGIC) {
            return Ok(Self::Xz(Box::new(XzReader::new(DictionaryGuard::new(payload), false))));
        }
        if begin.get(TAR_MAGIC_AT..).is_some_and(|rest| rest.starts_with(TAR_MAGIC)) {
            return Ok(Self::Tar(payload));
        }
        Err(HartError::Format)
    }
}

impl<R: BufRead> Read for Body<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match self {
            Self::Xz(reader) => reader.read(buffer).map_err(xz_error),
            Self::Tar(reader) => reader.read(buffer),
            Self::Failed => return Err(HartError::Eof.into()),
        };
        match read {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                *self = Self::Failed;
                Err(error)
            }
            other => other,
        }
    }
}

/// Errors of the decoder, as opposed to those of the underlying file.
fn xz_error(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            HartError::Compression(error.to_string()).into()
        }
        _ => error,
    }
}

impl<R: BufRead> std::fmt::Debug for Body<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Xz(_) => "Xz",
            Self::Tar(_) => "Tar",
            Self::Failed => "Failed",
        })
    }
}
