//! What a token may read.

use std::{fmt, str::FromStr};

/// One kind of what the HTTP API gives away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Whether the Supervisor works.
    Probe,
    /// How the Supervisor and its services are; includes [`Scope::Probe`].
    Read,
    /// What services print.
    Logs,
    /// Values of configurations that are secrets.
    Secrets,
    /// How the other members of the ring are.
    Ring,
}

/// A word that is not a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected probe, read, logs, secrets or ring")]
pub struct UnknownScope;

impl Scope {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 5] = [Self::Probe, Self::Read, Self::Logs, Self::Secrets, Self::Ring];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Read => "read",
            Self::Logs => "logs",
            Self::Secrets => "secrets",
            Self::Ring => "ring",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(UnknownScope)
    }
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// Every scope.
    #[must_use]
    pub fn all() -> Self {
        Scope::ALL.into_iter().collect()
    }

    /// Every scope but one.
    #[must_use]
    pub fn all_but(left_out: Scope) -> Self {
        Scope::ALL.into_iter().filter(|scope| *scope != left_out).collect()
    }

    /// The scopes that were given, in their usual order.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.0 & scope.bit() != 0)
    }

    /// True when it allows what needs this scope.
    #[must_use]
    pub const fn allow(self, needed: Scope) -> bool {
        let implied = match needed {
            Scope::Probe => Scope::Read.bit(),
            _ => 0,
        };
        self.0 & (needed.bit() | implied) != 0
    }

    /// True when nothing is allowed.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

impl fmt::Display for Scopes {
    /// `read, logs`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.iter().map(Scope::as_str).collect();
        f.write_str(&words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_allows_itself_and_read_allows_probes() {
        for given in Scope::ALL {
            let scopes: Scopes = [given].into_iter().collect();
            for needed in Scope::ALL {
                let expected = given == needed || (given, needed) == (Scope::Read, Scope::Probe);
                assert_eq!(scopes.allow(needed), expected, "{given} for {needed}");
            }
        }
        assert!(Scope::ALL.into_iter().all(|needed| !Scopes::default().allow(needed)));
        assert!(Scope::ALL.into_iter().all(|needed| Scopes::all().allow(needed)));
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for scope in Scope::ALL {
            assert_eq!(scope.to_string().parse(), Ok(scope));
        }
        for word in ["", "Read", "admin", "read "] {
            assert_eq!(word.parse::<Scope>(), Err(UnknownScope), "{word}");
        }
        let scopes: Scopes = [Scope::Logs, Scope::Read].into_iter().collect();
        assert_eq!(scopes.to_string(), "read, logs");
        assert_eq!(Scopes::all_but(Scope::Secrets).to_string(), "probe, read, logs, ring");
    }
}
