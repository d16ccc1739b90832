//! Names of hooks: the files below `hooks/` that the Supervisor runs.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::words::UnknownWord;

/// A hook of a package (reference: services §6.1). Any other name below `hooks/` is ignored,
/// including the old spellings `health_check` and `reload`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hook {
    /// Before the first start, and when the package is installed.
    Install,
    /// When the last installed release of the package is removed.
    Uninstall,
    /// Before each start of the process.
    Init,
    /// The process itself.
    Run,
    /// While the process runs, once after each start; repeated until it succeeds.
    PostRun,
    /// After the process was stopped.
    PostStop,
    /// At the health check interval.
    HealthCheck,
    /// After rendered configuration changed.
    Reconfigure,
    /// After a gossiped file changed.
    FileUpdated,
    /// Before an election: prints the suitability of this member as leader.
    Suitability,
}

impl Hook {
    /// Every hook, in the order of declaration.
    pub const ALL: &'static [Self] = &[
        Self::Install,
        Self::Uninstall,
        Self::Init,
        Self::Run,
        Self::PostRun,
        Self::PostStop,
        Self::HealthCheck,
        Self::Reconfigure,
        Self::FileUpdated,
        Self::Suitability,
    ];

    /// The hooks of a service in the order in which they are rendered (reference: services §6.2).
    /// `install` and `uninstall` are rendered only right before they run.
    pub const RENDER_ORDER: &'static [Self] = &[
        Self::FileUpdated,
        Self::HealthCheck,
        Self::Init,
        Self::Reconfigure,
        Self::Suitability,
        Self::Run,
        Self::PostRun,
        Self::PostStop,
    ];

    /// The file name below `hooks/`, and the name in log lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Uninstall => "uninstall",
            Self::Init => "init",
            Self::Run => "run",
            Self::PostRun => "post-run",
            Self::PostStop => "post-stop",
            Self::HealthCheck => "health-check",
            Self::Reconfigure => "reconfigure",
            Self::FileUpdated => "file-updated",
            Self::Suitability => "suitability",
        }
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Hook {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|hook| hook.as_str() == text).ok_or_else(|| UnknownWord {
            what: "hook",
            word: text.into(),
            allowed: Self::ALL.iter().map(|hook| hook.as_str()).collect::<Vec<_>>().join(", "),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_round_trip_as_text() {
        for hook in Hook::ALL {
            assert_eq!(hook.as_str().parse(), Ok(*hook));
        }
    }

    #[test]
    fn old_spellings_are_not_hooks() {
        for name in ["health_check", "reload", "pre-stop", "Run", "run.sh", ""] {
            assert!(name.parse::<Hook>().is_err(), "{name}");
        }
    }

    #[test]
    fn all_but_install_and_uninstall_are_rendered_with_the_service() {
        for hook in Hook::ALL {
            let at_install = matches!(hook, Hook::Install | Hook::Uninstall);
            assert_eq!(Hook::RENDER_ORDER.contains(hook), !at_install, "{hook}");
        }
    }
}
