//! Checks an xz stream before the decoder, which allocates the dictionary requested by each block:
//! up to 4 GiB.
//!
//! Follows the stream from block header to block header along the framing of its LZMA2 chunks (xz
//! file format 1.2, sections 2 to 3; the LZMA2 control bytes are those documented by XZ Embedded).
//! The decoder refuses everything else that is invalid.

use std::io::{self, Read};

use crate::{error::HartError, limits::DICTIONARY_BYTES};

/// Bytes of the stream header, and where the kind of check stands in it.
const STREAM_HEADER_BYTES: usize = 12;
const CHECK_AT: usize = 7;
/// Number of the filter LZMA2.
const LZMA2: u64 = 0x21;

/// Passes bytes through; fails when a block requests too large a dictionary.
pub struct DictionaryGuard<R> {
    inner: R,
    place: Place,
    /// The bytes of an incomplete header.
    header: Vec<u8>,
    /// Size of the check after a block.
    check_bytes: u64,
    /// Bytes of chunks in this block.
    block_bytes: u64,
}

/// Position of the next byte in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    StreamHeader,
    BlockSize,
    BlockHeader {
        bytes: usize,
    },
    Control,
    ChunkHeader {
        bytes: usize,
        packed: bool,
    },
    Data {
        left: u64,
    },
    Tail {
        left: u64,
    },
    /// The index, or bytes that the decoder will refuse.
    Rest,
}

impl<R: Read> DictionaryGuard<R> {
    /// Checks a reader that is at the start of an xz stream.
    pub(crate) fn new(inner: R) -> Self {
        let place = Place::StreamHeader;
        Self { inner, place, header: Vec::new(), check_bytes: 0, block_bytes: 0 }
    }

    fn watch(&mut self, mut bytes: &[u8]) -> Result<(), HartError> {
        while let Some((&first, rest)) = bytes.split_first() {
            match self.place {
                Place::Rest => return Ok(()),
                Place::Data { left } | Place::Tail { left } if left > 0 => {
                    let taken = left.min(bytes.len() as u64);
                    bytes = &bytes[usize::try_from(taken).unwrap_or(bytes.len())..];
                    let left = left - taken;
                    self.place = match self.place {
                        Place::Data { .. } if left == 0 => Place::Control,
                        Place::Data { .. } => Place::Data { left },
                        _ if left == 0 => Place::BlockSize,
                        _ => Place::Tail { left },
                    };
                }
                Place::Data { .. } => self.place = Place::Control,
                Place::Tail { .. } => self.place = Place::BlockSize,
                _ => {
                    bytes = rest;
                    self.byte(first)?;
                }
            }
        }
        Ok(())
    }

    /// A byte of a header.
    fn byte(&mut self, byte: u8) -> Result<(), HartError> {
        self.header.push(byte);
        match self.place {
            Place::StreamHeader if self.header.len() == STREAM_HEADER_BYTES => {
                self.check_bytes = match self.header[CHECK_AT] & 0x0f {
                    0 => 0,
                    1..=3 => 4,
                    4..=6 => 8,
                    7..=9 => 16,
                    10..=12 => 32,
                    _ => 64,
                };
                self.next(Place::BlockSize);
            }
            Place::BlockSize if byte == 0 => self.next(Place::Rest),
            Place::BlockSize => {
                self.place = Place::BlockHeader { bytes: (usize::from(byte) + 1) * 4 };
            }
            Place::BlockHeader { bytes } if self.header.len() == bytes => {
                check_block(&self.header)?;
                self.block_bytes = 0;
                self.next(Place::Control);
            }
            Place::Control => {
                self.block_bytes += 1;
                match byte {
                    0 => {
                        // Block headers are multiples of four bytes.
                        let padding = self.block_bytes.next_multiple_of(4) - self.block_bytes;
                        self.next(Place::Tail { left: padding + self.check_bytes });
                    }
                    1 | 2 => self.next(Place::ChunkHeader { bytes: 2, packed: false }),
                    0x80.. => {
                        // From this control byte on, a properties byte follows the sizes.
                        let bytes = if byte >= 0xc0 { 5 } else { 4 };
                        self.next(Place::ChunkHeader { bytes, packed: true });
                    }
                    _ => self.next(Place::Rest),
                }
            }
            Place::ChunkHeader { bytes, packed } if self.header.len() == bytes => {
                let at = if packed { 2 } else { 0 };
                let size = u64::from(u16::from_be_bytes([self.header[at], self.header[at + 1]]));
                self.block_bytes += bytes as u64 + size + 1;
                self.next(Place::Data { left: size + 1 });
            }
            _ => {}
        }
        Ok(())
    }

    fn next(&mut self, place: Place) {
        self.header.clear();
        self.place = place;
    }
}

impl<R: Read> Read for DictionaryGuard<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.watch(&buffer[..count])?;
        Ok(count)
    }
}

/// Checks the filters of a block header.
fn check_block(header: &[u8]) -> Result<(), HartError> {
    let mut at = 2;
    let flags = header[1];
    for present in [flags & 0x40 != 0, flags & 0x80 != 0] {
        if present && number(header, &mut at).is_none() {
            return Ok(());
        }
    }
    for _ in 0..=(flags & 3) {
        let (Some(filter), Some(size)) = (number(header, &mut at), number(header, &mut at)) else {
            return Ok(());
        };
        let bytes =
            usize::try_from(size).ok().and_then(|size| header.get(at..at.checked_add(size)?));
        let Some(properties) = bytes else { return Ok(()) };
        at += properties.len();
        if filter == LZMA2
            && let Some(code) = properties.first()
            && dictionary_bytes(*code) > DICTIONARY_BYTES
        {
            return Err(HartError::Limit(format!(
                "its compression needs a dictionary of {} MiB, more than {} MiB",
                dictionary_bytes(*code) >> 20,
                DICTIONARY_BYTES >> 20
            )));
        }
    }
    Ok(())
}

/// Decodes a dictionary size: mantissa 2 or 3, exponent from 12.
fn dictionary_bytes(code: u8) -> u64 {
    let code = u32::from(code & 0x3f);
    u64::from(2 | (code & 1)) << (code / 2 + 11)
}

/// Decodes a number of seven bits per byte.
fn number(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0;
    for index in 0..9 {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use lzma_rust2::{XzOptions, XzReader, XzWriter};

    use super::*;

    fn compress(options: XzOptions, data: &[u8]) -> Vec<u8> {
        let mut writer = XzWriter::new(Vec::new(), options).expect("options");
        writer.write_all(data).expect("compressed");
        writer.finish().expect("compressed")
    }

    fn sample() -> Vec<u8> {
        (0..3_000_000_u32)
            .flat_map(|n| (n.wrapping_mul(2_654_435_761) >> 20).to_le_bytes())
            .collect()
    }

    #[test]
    fn streams_pass_unchanged_however_they_are_cut() {
        let data = sample();
        let mut options = XzOptions::with_preset(0);
        options.set_block_size(std::num::NonZeroU64::new(1_000_000));
        let packed = compress(options, &data);
        let mut guard = DictionaryGuard::new(packed.as_slice());
        let mut buffer = [0; 7];
        while guard.read(&mut buffer).expect("no dictionary is too large") > 0 {}
        // The guard has reached the index, so it has seen every block.
        assert_eq!(guard.place, Place::Rest);
        let mut unpacked = Vec::new();
        let mut reader = XzReader::new(DictionaryGuard::new(packed.as_slice()), false);
        reader.read_to_end(&mut unpacked).expect("unpacked");
        assert!(unpacked == data);
    }

    #[test]
    fn a_dictionary_that_is_too_large_is_refused_in_any_block() {
        let data = sample();
        let mut options = XzOptions::with_preset(0);
        options.set_block_size(std::num::NonZeroU64::new(1_000_000));
        let mut packed = compress(options, &data);
        // The property of LZMA2 in the last block header that has one.
        let filter = [0x21, 0x01];
        let header = packed.windows(2).rposition(|pair| pair == filter).expect("a block header");
        let first = packed.windows(2).position(|pair| pair == filter).expect("a block header");
        assert!(header > first);
        packed[header + 2] = 40;
        let mut guard = DictionaryGuard::new(packed.as_slice());
        let error = guard.read_to_end(&mut Vec::new()).expect_err("4 GiB").to_string();
        assert!(error.contains("dictionary of 4096 MiB"), "{error}");
    }

    #[test]
    fn any_bytes_pass_or_fail() {
        let packed = compress(XzOptions::with_preset(0), &sample()[..40_000]);
        for at in 0..packed.len().min(2000) {
            for bit in 0..8 {
                let mut bytes = packed.clone();
                bytes[at] ^= 1 << bit;
                let _ = DictionaryGuard::new(bytes.as_slice()).read_to_end(&mut Vec::new());
            }
        }
    }
}
