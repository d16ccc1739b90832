//! Package identifiers: `origin/name[/version[/release]]`.

use std::{cmp::Ordering, fmt, str::FromStr};

use roost_text::{
    name::{self, NameKind},
    shown,
};
use serde::{Deserialize, Serialize};

use crate::version;

/// A package identifier. Serialises as the object `{"origin","name","version","release"}` with
/// `null` for missing parts, as in the HTTP API and Builder.
///
/// Parts are not validated beyond their number, because identifiers arrive from the ring and from
/// old files; [`PackageIdent::validate`] is for user input.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Ident, description = "A package identifier; missing parts are null."))]
pub struct PackageIdent {
    /// Origin of the package, for example `core`.
    pub origin: String,
    /// Name of the package; also the name of the service it runs.
    pub name: String,
    /// Version, any text without `/`.
    #[serde(default)]
    pub version: Option<String>,
    /// Release, by convention a UTC stamp `YYYYMMDDhhmmss`.
    #[serde(default)]
    pub release: Option<String>,
}

/// Text that is not a package identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "Invalid package identifier: \"{}\". A valid identifier is in the form origin/name \
     (example: acme/redis)",
    shown(.0)
)]
pub struct PackageIdentError(pub String);

impl PackageIdent {
    /// Builds an identifier from its parts.
    #[must_use]
    pub fn new(origin: &str, name: &str, version: Option<&str>, release: Option<&str>) -> Self {
        Self {
            origin: origin.into(),
            name: name.into(),
            version: version.map(Into::into),
            release: release.map(Into::into),
        }
    }

    /// True when version and release are both present, so that it names one release.
    #[must_use]
    pub fn is_fully_qualified(&self) -> bool {
        self.version.is_some() && self.release.is_some()
    }

    /// Fuzzy match: origin and name are equal, and so are version and release where both have
    /// them. Missing parts match anything, on either side.
    #[must_use]
    pub fn satisfies(&self, wanted: &PackageIdent) -> bool {
        fn agree(a: Option<&String>, b: Option<&String>) -> bool {
            a.zip(b).is_none_or(|(a, b)| a == b)
        }
        self.origin == wanted.origin
            && self.name == wanted.name
            && agree(self.version.as_ref(), wanted.version.as_ref())
            && agree(self.release.as_ref(), wanted.release.as_ref())
    }

    /// Orders two releases of one package by age: version first, then release as text. Ignores
    /// origin and name; a missing part is older than a present one.
    #[must_use]
    pub fn compare_age(&self, other: &PackageIdent) -> Ordering {
        fn by(
            a: Option<&String>,
            b: Option<&String>,
            compare: impl Fn(&str, &str) -> Ordering,
        ) -> Ordering {
            match (a, b) {
                (Some(a), Some(b)) => compare(a, b),
                (a, b) => a.is_some().cmp(&b.is_some()),
            }
        }
        by(self.version.as_ref(), other.version.as_ref(), version::compare_or_text)
            .then_with(|| by(self.release.as_ref(), other.release.as_ref(), str::cmp))
    }

    /// Refuses identifiers with parts that are not valid names ([`roost_text::name`]).
    ///
    /// # Errors
    /// The same text as for an identifier that does not parse.
    pub fn validate(self) -> Result<Self, PackageIdentError> {
        let fine = |part: &String| name::is_name(NameKind::Package, part);
        let parts = [Some(&self.origin), Some(&self.name), self.version.as_ref()];
        if parts.into_iter().chain([self.release.as_ref()]).flatten().all(fine) {
            Ok(self)
        } else {
            Err(PackageIdentError(self.to_string()))
        }
    }
}

impl FromStr for PackageIdent {
    type Err = PackageIdentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('/');
        let (Some(origin), Some(name), version, release, None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(PackageIdentError(text.into()));
        };
        Ok(Self::new(origin, name, version, release))
    }
}

impl fmt::Display for PackageIdent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.origin, self.name)?;
        if let Some(version) = &self.version {
            write!(f, "/{version}")?;
            if let Some(release) = &self.release {
                write!(f, "/{release}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ident(text: &str) -> PackageIdent {
        text.parse().expect(text)
    }

    #[test]
    fn two_to_four_parts_are_an_identifier() {
        assert_eq!(ident("core/redis").version, None);
        assert_eq!(ident("core/redis/4.0").release, None);
        assert!(ident("core/redis/4.0/20240102030405").is_fully_qualified());
        for text in ["redis", "", "a/b/c/d/e"] {
            assert!(text.parse::<PackageIdent>().is_err(), "{text}");
        }
        // From the wire or old files: odd, but an identifier.
        assert_eq!(ident("o/n/2.0/").release.as_deref(), Some(""));
    }

    #[test]
    fn text_omits_missing_parts() {
        for text in ["core/redis", "core/redis/4.0", "core/redis/4.0/20240102030405"] {
            assert_eq!(ident(text).to_string(), text);
        }
        assert_eq!(PackageIdent::new("o", "n", None, Some("1")).to_string(), "o/n");
    }

    #[test]
    fn a_users_identifier_has_no_empty_or_climbing_part() {
        for text in ["/n", "o/", "o//1", "o/n/..", "o/n/1/", "o/n\tm", "o/n/1\n"] {
            assert!(ident(text).validate().is_err(), "{text}");
        }
        assert!(ident("o/n/1/2").validate().is_ok());
    }

    #[test]
    fn missing_parts_match_anything() {
        assert!(ident("a/b/1/2").satisfies(&ident("a/b")));
        assert!(ident("a/b").satisfies(&ident("a/b/1")));
        assert!(!ident("a/b/1/2").satisfies(&ident("a/b/2")));
        assert!(!ident("x/b/1/2").satisfies(&ident("a/b")));
    }

    #[test]
    fn age_is_version_then_release() {
        let newest = ["o/n/1.0/9", "o/n/0.9/99", "o/n/1.0/10", "o/n"]
            .into_iter()
            .map(ident)
            .max_by(PackageIdent::compare_age);
        assert_eq!(newest, Some(ident("o/n/1.0/9")));
    }
}
