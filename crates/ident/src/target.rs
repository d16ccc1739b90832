//! Package targets: the platforms that packages are built for.

use std::{fmt, str::FromStr};

/// A platform from the closed set of `TARGET` metafiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PackageTarget(&'static str);

/// Text that is not a known platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "Invalid package target: {0}. A valid target is in the form architecture-platform \
     (example: x86_64-linux)"
)]
pub struct PackageTargetError(pub String);

const KNOWN: [&str; 7] = [
    "x86_64-darwin",
    "x86_64-linux",
    "x86_64-linux-kernel2",
    "x86_64-windows",
    "aarch64-darwin",
    "aarch64-linux",
    "aarch64-windows",
];

impl PackageTarget {
    /// The platform this program was built for; packages for another one are not installed.
    #[must_use]
    pub fn active() -> Self {
        if cfg!(target_arch = "aarch64") { Self("aarch64-linux") } else { Self("x86_64-linux") }
    }
}

impl FromStr for PackageTarget {
    type Err = PackageTargetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = KNOWN.iter().find(|known| **known == text);
        known.map(|known| Self(known)).ok_or_else(|| PackageTargetError(text.into()))
    }
}

impl fmt::Display for PackageTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_platforms_parse() {
        for known in KNOWN {
            assert_eq!(known.parse::<PackageTarget>().expect(known).to_string(), known);
        }
        for unknown in ["", "x86_64", "X86_64-linux", "riscv64-linux"] {
            assert!(unknown.parse::<PackageTarget>().is_err(), "{unknown}");
        }
    }
}
