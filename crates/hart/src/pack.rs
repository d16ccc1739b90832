//! Packing a tree into an archive. The same content, release and key give the same bytes.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Read, Seek, Write},
    num::NonZeroU64,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use blake2::{Blake2b, Digest, digest::consts::U32};
use lzma_rust2::{XzOptions, XzWriterMt};
use roost_crypto::SigningSecretKey;
use roost_ident::PackageIdent;

use crate::{
    error::{HartError, Result},
    header::{Header, PayloadHash, hex},
    layout::{Layout, Place},
    limits::NAME_BYTES,
    walk::{Entry, Kind},
};

/// Bytes that are compressed together. It decides the bytes of the archive, the number of threads
/// does not.
const BLOCK_BYTES: u64 = 24 * 1024 * 1024;
/// Most threads that compress: each needs about 100 MB at level 6.
const WORKERS_MAX: usize = 4;

fn workers() -> u32 {
    let available = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u32::try_from(available.min(WORKERS_MAX)).unwrap_or(1)
}

/// Compression and timestamp of an archive.
#[derive(Debug, Clone, Copy)]
pub struct PackOptions {
    /// xz preset, 0 to 9.
    pub level: u32,
    /// The time of all entries, in seconds since 1970.
    pub mtime_s: u64,
}

/// Packs a directory as the release, signed, into a new file; returns the payload's hash.
///
/// Entries are sorted by name, have no owner, and share one timestamp. The file is complete and on
/// disk when this returns; after an error it is removed.
///
/// # Errors
/// An entry that packages cannot contain; errors of the operating system.
pub fn pack(
    tree: &Path,
    ident: &PackageIdent,
    key: &SigningSecretKey,
    options: PackOptions,
    destination: &Path,
) -> Result<PayloadHash> {
    let written = write(tree, ident, key, options, destination);
    if written.is_err() {
        // The caller needs the first error, not one of the cleanup.
        let _ = fs::remove_file(destination);
    }
    written
}

fn write(
    tree: &Path,
    ident: &PackageIdent,
    key: &SigningSecretKey,
    options: PackOptions,
    destination: &Path,
) -> Result<PayloadHash> {
    let failed = |source| HartError::file(destination, source);
    let mut create = File::options();
    create.write(true).create(true).truncate(true).mode(0o644);
    let mut out = create.open(destination).map_err(failed)?;
    // All headers of one signer have the same length: the final one overwrites this.
    let nothing = PayloadHash::of(io::empty()).map_err(failed)?;
    Header::sign(key, &nothing).write(&mut out).map_err(failed)?;
    let hashing =
        Hashing { inner: BufWriter::with_capacity(256 * 1024, out), hash: Blake2b::new() };
    let mut xz = XzOptions::with_preset(options.level.min(9));
    xz.set_block_size(NonZeroU64::new(BLOCK_BYTES));
    let xz = XzWriterMt::new(hashing, xz, workers()).map_err(failed)?;
    let mut tar = tar::Builder::new(xz);
    tar.mode(tar::HeaderMode::Deterministic);
    append_release(&mut tar, tree, ident, options.mtime_s)?;
    let hashing = tar.into_inner().and_then(XzWriterMt::finish).map_err(failed)?;
    let (out, hash) = hashing.finish().map_err(failed)?;
    let mut out = out;
    out.rewind().map_err(failed)?;
    Header::sign(key, &hash).write(&mut out).map_err(failed)?;
    out.sync_all().map_err(failed)?;
    Ok(hash)
}

/// Signs a file of any content: header, then the unchanged file.
///
/// # Errors
/// Errors of the operating system.
pub fn sign(source: &Path, key: &SigningSecretKey, destination: &Path) -> Result<()> {
    let mut payload = File::open(source).map_err(HartError::Io)?;
    let hash = PayloadHash::of(&payload).map_err(HartError::Io)?;
    payload.rewind().map_err(HartError::Io)?;
    let mut create = File::options();
    create.write(true).create(true).truncate(true).mode(0o644);
    let mut out = create.open(destination).map_err(HartError::Io)?;
    Header::sign(key, &hash).write(&mut out).map_err(HartError::Io)?;
    io::copy(&mut payload, &mut out).map_err(HartError::Io)?;
    Ok(())
}

/// Appends a release to a tar, below `hab/pkgs/O/N/V/R`.
///
/// # Errors
/// An entry that packages cannot contain; errors of the operating system.
pub fn append_release<W: Write>(
    tar: &mut tar::Builder<W>,
    tree: &Path,
    ident: &PackageIdent,
    mtime_s: u64,
) -> Result<()> {
    append_release_but(tar, tree, ident, mtime_s, &[])
}

/// As [`append_release`], without the files of these names in the release's root.
///
/// # Errors
/// As [`append_release`].
pub fn append_release_but<W: Write>(
    tar: &mut tar::Builder<W>,
    tree: &Path,
    ident: &PackageIdent,
    mtime_s: u64,
    without: &[&str],
) -> Result<()> {
    let mut layout = Layout::new(ident);
    for path in sorted(tree)? {
        if !without.iter().any(|name| path == Path::new(name)) {
            append(tar, &mut layout, tree, &path, ident, mtime_s)?;
        }
    }
    Ok(())
}

/// All paths of a tree, itself first, sorted by name.
///
/// # Errors
/// Errors of the operating system.
pub fn sorted(tree: &Path) -> Result<Vec<PathBuf>> {
    let mut found = vec![PathBuf::new()];
    let mut at = 0;
    while at < found.len() {
        let directory = tree.join(&found[at]);
        let is_directory = directory.symlink_metadata().is_ok_and(|found| found.is_dir());
        if is_directory {
            let entries = fs::read_dir(&directory).map_err(|e| HartError::file(&directory, e))?;
            for entry in entries {
                let entry = entry.map_err(|error| HartError::file(&directory, error))?;
                let path = found[at].join(entry.file_name());
                if found.len() > crate::limits::ENTRIES {
                    return Err(HartError::Limit(format!(
                        "more than {} entries",
                        crate::limits::ENTRIES
                    )));
                }
                found.push(path);
            }
        }
        at += 1;
    }
    // As bytes, for the same order everywhere.
    found.sort_by(|a, b| a.as_os_str().as_encoded_bytes().cmp(b.as_os_str().as_encoded_bytes()));
    Ok(found)
}

fn append<W: Write>(
    tar: &mut tar::Builder<W>,
    layout: &mut Layout,
    tree: &Path,
    path: &Path,
    ident: &PackageIdent,
    mtime_s: u64,
) -> Result<()> {
    let source = tree.join(path);
    let failed = |error| HartError::file(&source, error);
    let found = source.symlink_metadata().map_err(failed)?;
    let mut name = PathBuf::from(format!("hab/pkgs/{ident}"));
    if !path.as_os_str().is_empty() {
        name.push(path);
    }
    let kind = match found.file_type() {
        kind if kind.is_file() => Kind::File,
        kind if kind.is_dir() => Kind::Directory,
        kind if kind.is_symlink() => Kind::Symlink,
        _ => {
            let name = path.as_os_str().as_encoded_bytes();
            return Err(HartError::entry(name, "packages hold files, directories and links"));
        }
    };
    let link = match kind {
        Kind::Symlink => fs::read_link(&source).map_err(failed)?,
        _ => PathBuf::new(),
    };
    let entry = Entry {
        name: name.as_os_str().as_encoded_bytes().to_vec(),
        kind,
        link: link.as_os_str().as_encoded_bytes().to_vec(),
        mode: found.mode() & 0o7777,
        mtime_s,
        size: found.len(),
    };
    if entry.name.len() > NAME_BYTES {
        return Err(HartError::entry(&entry.name, "its name is longer than any path"));
    }
    // Entries that no installation accepts are not packed.
    if layout.place(&entry)? == Place::Above {
        return Ok(());
    }
    let mut header = tar::Header::new_gnu();
    header.set_mode(entry.mode);
    header.set_mtime(mtime_s);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    match kind {
        Kind::File => {
            header.set_entry_type(tar::EntryType::Regular);
            header.set_size(found.len());
            // A file that grows in the meantime must not corrupt the tar.
            let content = File::open(&source).map_err(failed)?.take(found.len());
            let mut content = Exact { inner: content, left: found.len() };
            tar.append_data(&mut header, &name, &mut content).map_err(failed)?;
            if content.left > 0 {
                return Err(failed(io::Error::other("it shrank while it was packed")));
            }
        }
        Kind::Directory => {
            header.set_entry_type(tar::EntryType::Directory);
            tar.append_data(&mut header, &name, io::empty()).map_err(failed)?;
        }
        Kind::Symlink | Kind::HardLink | Kind::Special(_) => {
            header.set_entry_type(tar::EntryType::Symlink);
            tar.append_link(&mut header, &name, &link).map_err(failed)?;
        }
    }
    Ok(())
}

/// Counts down the bytes read.
struct Exact<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Exact<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left -= count as u64;
        Ok(count)
    }
}

/// Hashes the bytes written.
struct Hashing {
    inner: BufWriter<File>,
    hash: Blake2b<U32>,
}

impl Hashing {
    fn finish(self) -> io::Result<(File, PayloadHash)> {
        let file = self.inner.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok((file, PayloadHash::from_digest(&self.hash.finalize())))
    }
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl PayloadHash {
    fn from_digest(digest: &[u8]) -> Self {
        Self::new(hex(digest))
    }
}
