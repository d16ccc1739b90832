//! The data file `<member id>.rst` (reference: ring §12.3): reads versions 1 and 2, writes 2.

use bytes::Bytes;
use prost::Message;

use crate::{
    config::Stores,
    dropped::Dropped,
    member::{Membership, MembershipWire},
    rumor::{Rumor, RumorKind},
};

/// Version that is written.
const VERSION: u8 = 2;
/// Sections that each file of version 2 has, because Habitat knows them. Others are written when
/// they are not empty.
const SECTIONS_MIN: usize = 7;

/// Header size of version 2, counted from offset 1: itself, and the length of each section.
const fn header_bytes(sections: usize) -> usize {
    8 + 8 * sections
}

/// Size of the largest file that is read, in bytes.
pub const FILE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// An unusable data file. The caller sets it aside and starts empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DataFileError {
    /// Neither version 1 nor 2.
    #[error("invalid header version: {0}")]
    Version(u8),
    /// It ends inside its header.
    #[error("failed to fill whole buffer: the header is truncated")]
    ShortHeader,
    /// It ends inside a section, or a record is longer than its section.
    #[error("the section of {section} ends too early, at byte {offset}")]
    ShortSection {
        /// Name of the section.
        section: &'static str,
        /// Offset in the file.
        offset: usize,
    },
    /// A record is not a message, or does not belong to its section.
    #[error("a record in the section of {section} at byte {offset} is unusable: {reason}")]
    Record {
        /// Name of the section.
        section: &'static str,
        /// Offset in the file.
        offset: usize,
        /// The reason.
        reason: Dropped,
    },
    /// Larger than any ring needs.
    #[error("the file has {0} bytes, more than the {FILE_BYTES_MAX} that are read")]
    TooLarge(usize),
}

/// Sections in the order of the file. Version 1 has the first six, Habitat's version 2 seven; the
/// size of the header shows how many a file has.
const SECTIONS: &[RumorKind] = &RumorKind::ALL;

/// The content of a file with `stores`.
#[must_use]
pub fn encode(stores: &Stores) -> Vec<u8> {
    let section = |kind: &RumorKind| {
        let records = match kind {
            RumorKind::Member => {
                stores.members.iter().map(|member| member.to_wire().encode_to_vec()).collect()
            }
            kind => stores.encoded(*kind),
        };
        let mut section = Vec::new();
        for record in records {
            section.extend((record.len() as u64).to_le_bytes());
            section.extend(record);
        }
        section
    };
    let mut sections: Vec<Vec<u8>> = SECTIONS.iter().map(section).collect();
    while sections.len() > SECTIONS_MIN && sections.last().is_some_and(Vec::is_empty) {
        sections.pop();
    }
    let mut file = vec![VERSION];
    file.extend((header_bytes(sections.len()) as u64).to_le_bytes());
    for section in &sections {
        file.extend((section.len() as u64).to_le_bytes());
    }
    for section in &sections {
        file.extend(section);
    }
    file
}

/// As many bytes as [`size`] needs at most.
pub const HEADER_BYTES_MAX: usize = 1 + header_bytes(SECTIONS.len());

/// Length of a file according to its header; later bytes are not part of it.
///
/// # Errors
/// When it is not a header, or the file is too large.
pub fn size(beginning: &[u8]) -> Result<usize, DataFileError> {
    let (lengths_at, sections_at, sections) = layout(beginning)?;
    let mut size = sections_at;
    for number in 0..sections.len() {
        let length = number_at(beginning, lengths_at + number * 8);
        let length = length.ok_or(DataFileError::ShortHeader)?;
        size = size.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
    }
    if size > FILE_BYTES_MAX { Err(DataFileError::TooLarge(size)) } else { Ok(size) }
}

/// Offset of the section lengths, offset of the first section, and the kinds of sections.
fn layout(file: &[u8]) -> Result<(usize, usize, &'static [RumorKind]), DataFileError> {
    match file.first().copied() {
        Some(1) => Ok((1, 1 + 6 * 8, &SECTIONS[..6])),
        Some(2) => {
            let header = number_at(file, 1).ok_or(DataFileError::ShortHeader)?;
            let header =
                usize::try_from(header).ok().filter(|size| *size >= header_bytes(SECTIONS_MIN));
            let header = header.ok_or(DataFileError::ShortHeader)?;
            let sections = ((header - 8) / 8).min(SECTIONS.len());
            Ok((9, header.saturating_add(1), &SECTIONS[..sections]))
        }
        Some(version) => Err(DataFileError::Version(version)),
        None => Err(DataFileError::ShortHeader),
    }
}

/// Decodes a file. An empty one gives empty stores.
///
/// # Errors
/// When it is damaged. None of it is used then.
pub fn decode(file: &[u8]) -> Result<Stores, DataFileError> {
    let mut stores = Stores::default();
    if file.is_empty() {
        return Ok(stores);
    }
    if file.len() > FILE_BYTES_MAX {
        return Err(DataFileError::TooLarge(file.len()));
    }
    let (lengths_at, sections_at, sections) = layout(file)?;
    if file.len() < sections_at {
        return Err(DataFileError::ShortHeader);
    }
    let mut offset = sections_at;
    for (number, kind) in sections.iter().enumerate() {
        let length = number_at(file, lengths_at + number * 8).ok_or(DataFileError::ShortHeader)?;
        let short = DataFileError::ShortSection { section: kind.as_str(), offset };
        let length = usize::try_from(length).map_err(|_| short.clone())?;
        let end = offset.checked_add(length).filter(|end| *end <= file.len()).ok_or(short)?;
        read_section(&mut stores, *kind, &file[..end], offset)?;
        offset = end;
    }
    Ok(stores)
}

fn number_at(file: &[u8], offset: usize) -> Option<u64> {
    let bytes = file.get(offset..offset.checked_add(8)?)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

/// Reads the records from `offset` to the end of `file`.
fn read_section(
    stores: &mut Stores,
    kind: RumorKind,
    file: &[u8],
    mut offset: usize,
) -> Result<(), DataFileError> {
    let section = kind.as_str();
    while offset < file.len() {
        let short = DataFileError::ShortSection { section, offset };
        let length = number_at(file, offset).and_then(|length| usize::try_from(length).ok());
        let start = offset + 8;
        let end = length.and_then(|length| start.checked_add(length)).ok_or(short.clone())?;
        let record = file.get(start..end).ok_or(short)?;
        match read_record(stores, kind, record) {
            // A name that earlier versions accepted, or Habitat does: only its own record is lost.
            Ok(()) | Err(Dropped::InvalidServiceGroup(_) | Dropped::InvalidName) => {}
            Err(reason) => return Err(DataFileError::Record { section, offset, reason }),
        }
        offset = end;
    }
    Ok(())
}

fn read_record(stores: &mut Stores, kind: RumorKind, record: &[u8]) -> Result<(), Dropped> {
    if kind == RumorKind::Member {
        let wire = MembershipWire::decode(record)
            .map_err(|error| Dropped::Undecodable(error.to_string()))?;
        stores.members.push(Membership::from_wire(wire)?);
        return Ok(());
    }
    let rumor = Rumor::decode(Bytes::copy_from_slice(record))?;
    if rumor.kind() != kind {
        return Err(Dropped::TypeMismatch);
    }
    stores.add(rumor);
    Ok(())
}
