//! An archive on disk.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufReader, Seek, SeekFrom},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use roost_crypto::SigningPublicKey;
use roost_ident::PackageIdent;

use crate::{
    body::Body,
    error::{HartError, Result},
    header::{Header, PayloadHash},
    limits::{self, METAFILE_BYTES},
    unpack,
    walk::{Flow, Kind, walk},
};

/// Size of reads in bytes.
const BUFFER_BYTES: usize = 256 * 1024;

/// An archive with a parsed header. Nothing in it is trusted before [`Archive::verify`].
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    file: File,
    header: Header,
    payload_at: u64,
    size: u64,
}

/// Metafiles by name, trimmed.
pub type Metafiles = BTreeMap<String, String>;

impl Archive {
    /// Opens an archive and reads its header.
    ///
    /// # Errors
    /// When the file cannot be read or the header is wrong.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |source| HartError::file(path, source);
        let file = File::open(path).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        let mut reader = BufReader::with_capacity(8192, &file);
        let header = Header::read(&mut reader)?;
        let payload_at = reader.stream_position().map_err(failed)?;
        Ok(Self { path: path.into(), header, payload_at, size, file })
    }

    /// Path of the archive.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The header, including the unverified signer.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Verifies that this key signed this payload; returns the payload's hash.
    ///
    /// # Errors
    /// When verification fails, or the file cannot be read.
    pub fn verify(&self, key: &SigningPublicKey) -> Result<PayloadHash> {
        // A wrong signature is detected without reading the payload.
        self.header.signed_hash(key)?;
        let computed = PayloadHash::of(self.payload()?)
            .map_err(|source| HartError::file(&self.path, source))?;
        self.header.verify(key, &computed)?;
        Ok(computed)
    }

    /// The metafiles with the given names, as far as the archive contains them; stops reading when
    /// all are found.
    ///
    /// # Errors
    /// When the payload cannot be read, or a metafile is too long or not text.
    pub fn metafiles(&self, wanted: &[&str]) -> Result<Metafiles> {
        let mut found = Metafiles::new();
        let tar = Body::open(self.payload()?)?;
        walk(tar, limits::unpacked_bytes(self.size), |entry, content| {
            let name = metafile_name(&entry.name).filter(|name| {
                entry.kind == Kind::File && wanted.contains(name) && !found.contains_key(*name)
            });
            if let Some(name) = name {
                if entry.size > METAFILE_BYTES {
                    let problem = format!("it is a metafile of more than {METAFILE_BYTES} bytes");
                    return Err(HartError::entry(&entry.name, problem));
                }
                let mut bytes = Vec::new();
                content.read_to_end(&mut bytes)?;
                let text = String::from_utf8(bytes)
                    .map_err(|_| HartError::MetafileText(name.to_owned()))?;
                found.insert(name.to_owned(), text.trim().to_owned());
            }
            Ok(if found.len() == wanted.len() { Flow::Stop } else { Flow::Continue })
        })?;
        Ok(found)
    }

    /// Unpacks into an empty directory, which becomes the release. Call [`Archive::verify`] first.
    ///
    /// # Errors
    /// See [`unpack::unpack`].
    pub fn unpack(&self, ident: &PackageIdent, release: &OwnedFd) -> Result<()> {
        let tar = Body::open(self.payload()?)?;
        unpack::unpack(tar, ident, release, limits::unpacked_bytes(self.size))
    }

    /// The tar of the payload.
    ///
    /// # Errors
    /// When it cannot be read or is not a tar.
    pub fn body(&self) -> Result<Body<BufReader<&File>>> {
        Body::open(self.payload()?)
    }

    fn payload(&self) -> Result<BufReader<&File>> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(self.payload_at))
            .map_err(|source| HartError::file(&self.path, source))?;
        Ok(BufReader::with_capacity(BUFFER_BYTES, file))
    }
}

/// The name of the metafile, if the entry is one: `hab/pkgs/O/N/V/R/NAME`.
fn metafile_name(entry: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(entry).ok()?;
    let text = text.strip_prefix('/').unwrap_or(text);
    let text = text.strip_prefix("opt/").unwrap_or(text);
    let mut parts = text.strip_prefix("hab/pkgs/")?.split('/');
    let ident_ends = parts.by_ref().take(4).filter(|part| !part.is_empty()).count() == 4;
    let name = parts.next().filter(|name| !name.is_empty())?;
    (ident_ends && parts.next().is_none()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::metafile_name;

    #[test]
    fn metafiles_lie_in_the_root_of_a_release() {
        for name in
            ["hab/pkgs/o/n/1/2/IDENT", "/hab/pkgs/o/n/1/2/IDENT", "opt/hab/pkgs/o/n/1/2/IDENT"]
        {
            assert_eq!(metafile_name(name.as_bytes()), Some("IDENT"), "{name}");
        }
        for name in [
            "./hab/pkgs/o/n/1/2/IDENT",
            "hab/pkgs/o/n/1/IDENT",
            "hab/pkgs/o/n/1/2/x/IDENT",
            "IDENT",
        ] {
            assert_eq!(metafile_name(name.as_bytes()), None, "{name}");
        }
    }
}
