//! Who this Supervisor is: `MEMBER_ID` (ring chapter 12.1).

use std::{fs, io, path::Path};

use super::store::Store;

const MODE: u32 = 0o644;
/// Longest identity that is accepted; one of our own has 32 characters.
const MEMBER_ID_MAX: usize = 128;

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file cannot be read or written.
    #[error("Unable to use the member id file {path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds something that is no identity.
    #[error(
        "The member id file {path} is corrupt: it must hold 1 to {MEMBER_ID_MAX} printable \
         characters without '/' or blanks. Remove it together with the directory 'data' beside \
         it to join the ring as a new member, or restore it from a backup."
    )]
    Corrupt {
        /// The file.
        path: String,
    },
}

/// Reads the identity, trailing white space removed, or makes a new one and stores it. A new
/// one is durable once the store has written it: nothing waits for the disk at a start.
///
/// # Errors
/// When the file cannot be read or written, or holds no identity. A file that exists is never
/// replaced: the identity decides what the ring thinks of this member.
pub(crate) fn member_id(path: &Path, store: &Store) -> Result<String, IdentityError> {
    let io = |source| IdentityError::Io { path: path.display().to_string(), source };
    match fs::read(path) {
        Ok(bytes) => {
            let text = String::from_utf8(bytes).ok();
            let id = text.as_deref().map(str::trim_end).filter(|id| is_member_id(id));
            id.map(str::to_owned)
                .ok_or_else(|| IdentityError::Corrupt { path: path.display().to_string() })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let id = new_member_id().map_err(io)?;
            roost_pkg::write::write_at_once(path, id.as_bytes(), MODE).map_err(io)?;
            store.write_later(path, id.clone().into_bytes(), MODE);
            Ok(id)
        }
        Err(error) => Err(io(error)),
    }
}

/// The identity is part of a file name, of rumors and of documents.
fn is_member_id(id: &str) -> bool {
    (1..=MEMBER_ID_MAX).contains(&id.len())
        && !matches!(id, "." | "..")
        && id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/')
}

/// A random UUID (RFC 9562, version 4) as 32 lower-case hex digits.
fn new_member_id() -> io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_identity_is_stored_and_found_again() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::start().unwrap();
        let path = directory.path().join("MEMBER_ID");
        let id = member_id(&path, &store).unwrap();
        assert_eq!(id.len(), 32);
        assert_eq!(fs::read_to_string(&path).unwrap(), id);
        assert_eq!(member_id(&path, &store).unwrap(), id);
    }

    #[test]
    fn white_space_behind_a_given_identity_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::start().unwrap();
        let path = directory.path().join("MEMBER_ID");
        fs::write(&path, "abc\r\n").unwrap();
        assert_eq!(member_id(&path, &store).unwrap(), "abc");
    }

    #[test]
    fn a_corrupt_identity_is_refused_and_kept() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::start().unwrap();
        let path = directory.path().join("MEMBER_ID");
        for bytes in [b"".as_slice(), b"\xff\xfe", b"a/b", b"..", &[b'a'; 200]] {
            fs::write(&path, bytes).unwrap();
            assert!(matches!(member_id(&path, &store), Err(IdentityError::Corrupt { .. })));
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
    }
}
