//! The rule for names, checked at entry: command line, control requests, files, rumors.

use std::fmt;

use crate::show::{is_unprintable, shown};

/// Longest name of most kinds: with prefixes and suffixes it still fits a file name.
const NAME_BYTES_MAX: usize = 128;
/// Longest name of a file.
const FILE_NAME_BYTES_MAX: usize = 255;
/// Longest name of a key: those of services include a group and an organization.
const KEY_NAME_BYTES_MAX: usize = 200;
/// Longest member id: those of the ring are 32 characters, others may be longer.
const MEMBER_ID_BYTES_MAX: usize = 256;

/// Kind of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameKind {
    /// A service, which is named like its package.
    Service,
    /// A group of services.
    Group,
    /// An organization.
    Organization,
    /// A bind.
    Bind,
    /// A part of a package identifier.
    Package,
    /// A file of a service group.
    File,
    /// A key.
    Key,
    /// A member of the ring.
    Member,
}

impl NameKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service name",
            Self::Group => "group name",
            Self::Organization => "organization",
            Self::Bind => "bind name",
            Self::Package => "package identifier",
            Self::File => "file name",
            Self::Key => "key name",
            Self::Member => "member id",
        }
    }

    /// Longest name of this kind.
    #[must_use]
    pub const fn bytes_max(self) -> usize {
        match self {
            Self::File => FILE_NAME_BYTES_MAX,
            Self::Key => KEY_NAME_BYTES_MAX,
            Self::Member => MEMBER_ID_BYTES_MAX,
            _ => NAME_BYTES_MAX,
        }
    }
}

impl fmt::Display for NameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that is not a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameError {
    /// The expected kind.
    pub kind: NameKind,
    /// The text.
    pub name: String,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name, most) = (self.kind, shown(&self.name), self.kind.bytes_max());
        write!(
            f,
            "Invalid {kind} '{name}': a name has 1 to {most} bytes, no control \
             characters, no '/' and no blanks at its ends, and is not '.' or '..'"
        )
    }
}

impl std::error::Error for NameError {}

/// Whether a text may be a name of this kind.
#[must_use]
pub fn is_name(kind: NameKind, name: &str) -> bool {
    !name.is_empty()
        && name.len() <= kind.bytes_max()
        && name.trim().len() == name.len()
        && !matches!(name, "." | "..")
        && !name.contains(|c: char| c == '/' || is_unprintable(c))
}

/// Checks a name.
///
/// # Errors
/// When it is empty, too long, contains `/` or unprintable characters, starts or ends with a blank,
/// or denotes a directory.
pub fn check(kind: NameKind, name: &str) -> Result<(), NameError> {
    if is_name(kind, name) { Ok(()) } else { Err(NameError { kind, name: name.into() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_file_names_on_one_line() {
        for name in ["web", "web x", "a.b", "nginx-1_2+3", "ü", ".hidden", "...", "#1"] {
            assert_eq!(check(NameKind::Group, name), Ok(()), "{name}");
        }
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        for name in
            ["", " ", " a", "a ", "a\tb", "a\nb", "a/b", "..", "\x1b[2J", "a\u{202e}", &long]
        {
            assert!(check(NameKind::Group, name).is_err(), "{name}");
        }
    }

    #[test]
    fn the_message_can_be_printed() {
        let error = check(NameKind::Group, "x\ty").expect_err("refused").to_string();
        assert!(
            error.starts_with(r"Invalid group name 'x\ty': a name has 1 to 128 bytes"),
            "{error}"
        );
        assert!(!error.contains('\t'));
    }
}
