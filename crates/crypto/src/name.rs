//! Names of keys: `<name>-<revision>`, where a revision is a UTC stamp of 14 digits.

use std::fmt;

use roost_text::name::NameKind;

use roost_ident::time;

use crate::error::{Error, Result};

/// Digits of a revision.
pub const REVISION_DIGITS: usize = time::STAMP_DIGITS;

/// Creation time of a key: `YYYYMMDDhhmmss`. Any 14 digits are accepted; they sort as text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Revision(String);

impl Revision {
    /// Reads exactly 14 ASCII digits.
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() == REVISION_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text.into()))
        } else {
            Err(Error::BadRevision(text.into()))
        }
    }

    /// The revision of a key created at this time, in seconds since 1970. Times beyond the year
    /// 9999 become its last second.
    #[must_use]
    pub fn from_unix_seconds(seconds: u64) -> Self {
        Self(time::stamp(i64::try_from(seconds).unwrap_or(i64::MAX)))
    }

    /// The 14 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Name and revision of a key, as in the second line of its file.
///
/// A name becomes part of a file name, and names arrive in messages from the ring, so a text that
/// violates the rule for names is refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NamedRevision {
    name: String,
    revision: Revision,
}

impl NamedRevision {
    /// Combines name and revision.
    ///
    /// # Errors
    /// When the name is empty, too long or cannot be part of a file name.
    pub fn new(name: &str, revision: Revision) -> Result<Self> {
        if roost_text::name::is_name(NameKind::Key, name) {
            Ok(Self { name: name.into(), revision })
        } else {
            Err(Error::BadNamedRevision(format!("{name}-{revision}")))
        }
    }

    /// Reads `<name>-<14 digits>`; the name may contain `-`.
    ///
    /// # Errors
    /// When the text has another form, or the name cannot be part of a file name.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = || Error::BadNamedRevision(text.into());
        let (name, revision) = text.rsplit_once('-').ok_or_else(bad)?;
        let revision = Revision::parse(revision).map_err(|_| bad())?;
        Self::new(name, revision)
    }

    /// The part before the revision.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Creation time of the key.
    #[must_use]
    pub fn revision(&self) -> &Revision {
        &self.revision
    }
}

impl fmt::Display for NamedRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.name, self.revision)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_revision_is_the_utc_stamp_of_a_time() {
        for (seconds, expected) in [
            (0, "19700101000000"),
            (951_782_400, "20000229000000"),
            (951_868_799, "20000229235959"),
            (951_868_800, "20000301000000"),
            (1_795_365_860, "20261122164420"),
            (4_107_542_399, "21000228235959"),
            (4_107_542_400, "21000301000000"),
            (u64::MAX, "99991231235959"),
        ] {
            assert_eq!(Revision::from_unix_seconds(seconds).as_str(), expected);
        }
    }

    #[test]
    fn names_may_hold_dashes_dots_and_organizations() {
        for name in ["acme", "acme-corp", "web.default@acme", "x-20240102030405"] {
            let text = format!("{name}-20240102030405");
            let named = NamedRevision::parse(&text).expect(name);
            assert_eq!((named.name(), named.to_string()), (name, text));
        }
    }

    #[test]
    fn text_without_name_or_revision_is_refused() {
        for text in [
            "",
            "acme",
            "-20240102030405",
            "acme-2024010203040",
            "acme-202401020304055",
            "acme-2024010203040x",
            "acme-٢٠٢٤٠١٠٢٠٣٠٤٠٥",
            "../acme-20240102030405",
            "a\nb-20240102030405",
        ] {
            let error = NamedRevision::parse(text).expect_err(text);
            assert_eq!(
                error.to_string(),
                format!("Crypto error: Cannot parse named revision '{text}'")
            );
        }
        assert!(NamedRevision::parse(&format!("{}-20240102030405", "x".repeat(201))).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}(-[0-9]{14})?") {
            if let Ok(named) = NamedRevision::parse(&text) {
                prop_assert_eq!(named.to_string(), text);
            }
        }
    }
}
