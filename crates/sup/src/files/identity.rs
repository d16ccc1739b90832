//! Identity of this Supervisor: `MEMBER_ID` (reference: ring §12.1).

use std::{fs, io, path::Path};

use roost_files::ReadError;

use super::damage;
use crate::metrics::Metrics;

const MODE: u32 = 0o644;
/// Longest file that is read.
const FILE_BYTES_MAX: u64 = 4096;
/// Longest accepted identity; generated ones have 32 characters.
const MEMBER_ID_MAX: usize = 128;

/// Why the identity cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file cannot be read or written.
    #[error("Unable to use the member id file {path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// The system error.
        source: io::Error,
    },
    /// The file contains an invalid identity.
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

/// Reads the identity, without trailing white space, or creates one durably.
///
/// A damaged file (a directory, zeros, an empty file) is set aside. The identity is then that of
/// the rumor file beside it, so that the ring sees the same member; without one, a new identity.
///
/// # Errors
/// When the file cannot be read or written, or contains text that is not an identity: a person
/// wrote it, and the intention is unknown.
pub(crate) fn member_id(
    path: &Path,
    data: &Path,
    metrics: &Metrics,
) -> Result<String, IdentityError> {
    let io = |source| IdentityError::Io { path: path.display().to_string(), source };
    let problem = match roost_files::read(path, FILE_BYTES_MAX) {
        Ok(None) => return make(path, None).map_err(io),
        Err(ReadError::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {
            return Err(io(source));
        }
        Err(error) => error.reason(),
        Ok(Some(bytes)) => match damage::of_text(&bytes) {
            Some(problem) => problem.into(),
            None => {
                let text = String::from_utf8(bytes).unwrap_or_default();
                let id = Some(text.trim_end()).filter(|id| is_member_id(id));
                let corrupt = || IdentityError::Corrupt { path: path.display().to_string() };
                return id.map(str::to_owned).ok_or_else(corrupt);
            }
        },
    };
    let former = former_id(data);
    let instead = match &former {
        Some(id) => format!("this member stays {id}, whose rumors are in {}", data.display()),
        None => "this Supervisor joins the ring as a new member".into(),
    };
    damage::set_aside(metrics, "MEMBER_ID", path, &problem, &instead);
    make(path, former).map_err(io)
}

/// The member of the only rumor file.
fn former_id(data: &Path) -> Option<String> {
    let entries = fs::read_dir(data).ok()?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut ids = names.filter_map(|name| {
        name.strip_suffix(".rst").filter(|id| is_member_id(id)).map(str::to_owned)
    });
    ids.next().filter(|_| ids.next().is_none())
}

/// Writes the identity durably, because others see it next.
fn make(path: &Path, id: Option<String>) -> io::Result<String> {
    let id = id.map_or_else(new_member_id, Ok)?;
    roost_pkg::write::write_atomic(path, id.as_bytes(), MODE)?;
    Ok(id)
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

    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Self {
            let place = Self(tempfile::tempdir().unwrap());
            fs::create_dir(place.data()).unwrap();
            place
        }

        fn data(&self) -> std::path::PathBuf {
            self.0.path().join("data")
        }

        fn file(&self) -> std::path::PathBuf {
            self.0.path().join("MEMBER_ID")
        }

        fn member_id(&self) -> Result<String, IdentityError> {
            let metrics = Metrics::new(prometheus::Registry::new());
            member_id(&self.file(), &self.data(), &metrics)
        }
    }

    #[test]
    fn a_new_identity_is_stored_and_found_again() {
        let place = Place::new();
        let id = place.member_id().unwrap();
        assert_eq!(id.len(), 32);
        assert_eq!(fs::read_to_string(place.file()).unwrap(), id);
        assert_eq!(place.member_id().unwrap(), id);
    }

    #[test]
    fn white_space_behind_a_given_identity_is_dropped() {
        let place = Place::new();
        fs::write(place.file(), "abc\r\n").unwrap();
        assert_eq!(place.member_id().unwrap(), "abc");
    }

    #[test]
    fn an_invalid_identity_is_refused_and_kept() {
        let place = Place::new();
        for bytes in [b"a/b".as_slice(), b"..", b"a b", &[b'a'; 200]] {
            fs::write(place.file(), bytes).unwrap();
            assert!(matches!(place.member_id(), Err(IdentityError::Corrupt { .. })));
            assert_eq!(fs::read(place.file()).unwrap(), bytes);
        }
    }

    #[test]
    fn a_damaged_identity_is_the_one_of_the_rumors_beside_it() {
        for damaged in [b"".as_slice(), b"\xff\xfe", &[0; 32], &[b'a'; 5000]] {
            let place = Place::new();
            fs::write(place.file(), damaged).unwrap();
            fs::write(place.data().join("abc.rst"), "").unwrap();
            assert_eq!(place.member_id().unwrap(), "abc");
            assert_eq!(fs::read_to_string(place.file()).unwrap(), "abc");
            assert_eq!(fs::read(place.0.path().join("MEMBER_ID.corrupt")).unwrap(), damaged);
        }
        let place = Place::new();
        fs::create_dir(place.file()).unwrap();
        for name in ["abc.rst", "def.rst"] {
            fs::write(place.data().join(name), "").unwrap();
        }
        assert_eq!(place.member_id().unwrap().len(), 32, "ambiguous, so a new one");
    }
}
