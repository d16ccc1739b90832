//! Iteration over tar entries: applies extension records, classifies kinds, counts sizes.
//!
//! The `tar` crate reads the blocks. Long names and pax records are handled here, because their
//! size is limited, and because fewer of them are allowed than a general reader accepts.

use std::io::{self, Read};

use tar::{EntryType, PaxExtensions};

use crate::{
    error::{HartError, Result},
    limits::{ENTRIES, EXTENSION_BYTES, NAME_BYTES},
};

/// Most blocks of padding after the last entry; `tar` pads to 10 KiB.
const PADDING_BLOCKS: usize = 1024;

/// Kind of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// Another name of an earlier file.
    HardLink,
    /// A kind that packages cannot contain, with the reason.
    Special(&'static str),
}

/// An entry, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name in the tar.
    pub name: Vec<u8>,
    /// Its kind.
    pub kind: Kind,
    /// Target of a link.
    pub link: Vec<u8>,
    /// Mode bits, without the kind.
    pub mode: u32,
    /// Time of the last change in seconds since 1970.
    pub mtime_s: u64,
    /// Bytes of content.
    pub size: u64,
}

/// Whether to continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// With the next entry.
    Continue,
    /// Stop; no further entry is needed.
    Stop,
}

/// Extension records for the next entry.
#[derive(Debug, Default)]
struct Extensions {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

/// Passes all entries to `visit`, with their content. `bytes_max` limits their total unpacked size.
///
/// # Errors
/// Errors of `visit`; a tar that is damaged or exceeds a limit.
pub fn walk(
    tar: impl Read,
    bytes_max: u64,
    mut visit: impl FnMut(&Entry, &mut dyn Read) -> Result<Flow>,
) -> Result<()> {
    let mut archive = tar::Archive::new(tar);
    let mut extensions = Extensions::default();
    let mut total_bytes = 0_u64;
    for (number, raw) in archive.entries().map_err(tar_error)?.raw(true).enumerate() {
        let mut raw = raw.map_err(tar_error)?;
        let header = raw.header();
        let size = header.entry_size().map_err(tar_error)?;
        let kind = header.entry_type();
        let name = extensions.name.clone().unwrap_or_else(|| header.path_bytes().into_owned());
        if number >= ENTRIES {
            return Err(HartError::entry(
                &name,
                format!("the archive has more than {ENTRIES} entries"),
            ));
        }
        total_bytes = total_bytes.saturating_add(size);
        if total_bytes > bytes_max {
            let problem = format!(
                "with it the archive unpacks to more than {bytes_max} bytes, which nothing of its \
                 size needs"
            );
            return Err(HartError::entry(&name, problem));
        }
        if extension(kind) {
            extensions.take(kind, size, &name, &mut raw)?;
            continue;
        }
        let link = extensions.link.take();
        let link = link.or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned));
        extensions.name = None;
        let entry = Entry {
            kind: known_kind(kind, &name),
            link: link.unwrap_or_default(),
            mode: header.mode().map_err(tar_error)? & 0o7777,
            mtime_s: header.mtime().unwrap_or(0),
            size,
            name,
        };
        if entry.name.len() > NAME_BYTES {
            return Err(HartError::entry(&entry.name, "its name is longer than any path"));
        }
        let mut content = Counted { inner: &mut raw, read_bytes: 0 };
        let flow = visit(&entry, &mut content)?;
        if flow == Flow::Stop {
            return Ok(());
        }
        io::copy(&mut content, &mut io::sink()).map_err(tar_error)?;
        if content.read_bytes != size {
            return Err(HartError::Eof);
        }
    }
    Ok(())
}

/// Reads the padding after the last entry. This lets the decoder verify its checksums, and other
/// readers would find further entries in any other bytes.
///
/// # Errors
/// When there are other bytes, or a checksum is wrong.
pub fn end(mut tar: impl Read) -> Result<()> {
    let mut block = vec![0; 16 * 1024];
    for _ in 0..PADDING_BLOCKS {
        match tar.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(count) if block[..count].iter().all(|byte| *byte == 0) => {}
            Ok(_) => return Err(HartError::Tar("there is data after its end".into())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(tar_error(error)),
        }
    }
    Err(HartError::Tar("there is no end to its padding".into()))
}

/// Counts the bytes read.
struct Counted<'a, R> {
    inner: &'a mut R,
    read_bytes: u64,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read_bytes += count as u64;
        Ok(count)
    }
}

fn extension(kind: EntryType) -> bool {
    kind.is_gnu_longname()
        || kind.is_gnu_longlink()
        || kind.is_pax_local_extensions()
        || kind.is_pax_global_extensions()
}

fn known_kind(kind: EntryType, name: &[u8]) -> Kind {
    match kind {
        // Before ustar, directories were files with a trailing slash in their name.
        EntryType::Regular | EntryType::Continuous if name.ends_with(b"/") => Kind::Directory,
        EntryType::Regular | EntryType::Continuous => Kind::File,
        EntryType::Directory => Kind::Directory,
        EntryType::Symlink => Kind::Symlink,
        EntryType::Link => Kind::HardLink,
        EntryType::Char | EntryType::Block => {
            Kind::Special("it is a device; packages hold files, directories and links")
        }
        EntryType::Fifo => {
            Kind::Special("it is a named pipe; packages hold files, directories and links")
        }
        EntryType::GNUSparse => Kind::Special("it is a sparse file; pack it as an ordinary one"),
        _ => Kind::Special("it is of a kind that packages do not hold"),
    }
}

impl Extensions {
    /// Applies a record that describes the next entry.
    fn take(
        &mut self,
        kind: EntryType,
        size: u64,
        name: &[u8],
        content: &mut impl Read,
    ) -> Result<()> {
        if size > EXTENSION_BYTES {
            let problem = format!("its extended header is longer than {EXTENSION_BYTES} bytes");
            return Err(HartError::entry(name, problem));
        }
        let mut record = Vec::new();
        content.read_to_end(&mut record).map_err(tar_error)?;
        if record.len() as u64 != size {
            return Err(HartError::Eof);
        }
        if kind.is_gnu_longname() || kind.is_gnu_longlink() {
            while record.last() == Some(&0) {
                record.pop();
            }
            let place = if kind.is_gnu_longname() { &mut self.name } else { &mut self.link };
            if place.replace(record).is_some() {
                return Err(HartError::entry(name, "it has two long names"));
            }
            return Ok(());
        }
        let global = kind.is_pax_global_extensions();
        for pair in PaxExtensions::new(&record) {
            let pair = pair.map_err(tar_error)?;
            let place = match pair.key_bytes() {
                b"path" if !global => &mut self.name,
                b"linkpath" if !global => &mut self.link,
                b"path" | b"linkpath" => {
                    return Err(HartError::entry(name, "it names all further entries at once"));
                }
                // Readers disagree on which of two sizes counts.
                b"size" => return Err(HartError::entry(name, "it has a second size")),
                key if key.starts_with(b"GNU.sparse.") => {
                    return Err(HartError::entry(
                        name,
                        "it is a sparse file; pack it as an ordinary one",
                    ));
                }
                _ => continue,
            };
            *place = Some(pair.value_bytes().to_vec());
        }
        Ok(())
    }
}

/// The error that ended the reading: one of ours that passed through readers, the end of the
/// stream, or blocks that are not a tar.
fn tar_error(error: io::Error) -> HartError {
    match HartError::from(error) {
        HartError::Io(error) if error.raw_os_error().is_none() => HartError::Tar(error.to_string()),
        other => other,
    }
}
