//! Limits on archives, which come from anywhere and may claim any size.

/// Longest line of the header in bytes.
pub const HEADER_LINE_BYTES: u64 = 4096;

/// Most entries of one archive. Large real packages have fewer than 100,000.
pub const ENTRIES: usize = 400_000;

/// Longest name of an entry in bytes: the longest path of the system.
pub const NAME_BYTES: usize = 4095;

/// Longest part of a name in bytes: the limit of file systems.
pub const PART_BYTES: usize = 255;

/// Longest extension record (long names, pax) in bytes.
pub const EXTENSION_BYTES: u64 = 64 * 1024;

/// Longest metafile in bytes.
pub const METAFILE_BYTES: u64 = 1024 * 1024;

/// Bytes of all directory names together: they are kept until unpacking ends.
pub const DIRECTORY_NAME_BYTES: usize = 8 * 1024 * 1024;

/// Every archive may unpack to this size.
pub const UNPACKED_BYTES_FREE: u64 = 512 * 1024 * 1024;

/// Beyond that, to this multiple of its compressed size.
pub const UNPACKED_RATIO: u64 = 300;

/// Largest dictionary of the xz stream, held in memory: that of `xz -9`.
pub const DICTIONARY_BYTES: u64 = 64 * 1024 * 1024;

/// Most bytes that an archive of this compressed size may unpack to.
#[must_use]
pub fn unpacked_bytes(compressed: u64) -> u64 {
    UNPACKED_BYTES_FREE.saturating_add(compressed.saturating_mul(UNPACKED_RATIO))
}
