//! Severity of a line.
//!
//! Lines of services and hooks have the level of their stream. Lines of the Supervisor and the
//! launcher are texts without a level, many of them Habitat's: this module derives it from their
//! words.

/// Severity of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something failed.
    Error,
    /// A problem that may resolve itself.
    Warning,
    /// An ordinary event.
    Info,
    /// For developers.
    Debug,
}

/// Words of lines about a failure.
const FAILURE: &[&str] = &[
    "can't",
    "cannot",
    "could not",
    "does not exist",
    "error",
    "exited with status code",
    "exits with",
    "failed",
    "failure",
    "fails",
    "invalid",
    "is not valid",
    "not found",
    "permission denied",
    "ran longer than",
    "unable to",
    "was terminated by",
];

/// Words of lines about a possible problem.
const CONCERN: &[&str] = &[
    "be killed",
    "crashed",
    "has no effect",
    "have no effect",
    "ignored",
    "is taken",
    "killed",
    "lost",
    "no quorum",
    "not supported",
    "skipped",
    "trying again",
    "waiting for",
    "warning",
    "without tls",
];

impl Level {
    /// The name in JSON lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }

    /// The priority of `syslog(3)`.
    #[must_use]
    pub const fn priority(self) -> &'static str {
        match self {
            Self::Error => "3",
            Self::Warning => "4",
            Self::Info => "6",
            Self::Debug => "7",
        }
    }

    /// The level implied by the words of our own line. Words in paths and identifiers do not count:
    /// a service may be called `error`.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut words = String::from(" ");
        for word in text.split_whitespace().filter(|word| !word.contains('/')) {
            let word = word.trim_matches(|c: char| !c.is_alphanumeric());
            words.push_str(&word.to_lowercase());
            words.push(' ');
        }
        let has = |all: &[&str]| all.iter().any(|word| words.contains(&format!(" {word} ")));
        if has(FAILURE) || ended_badly(&words) {
            Self::Error
        } else if has(CONCERN) {
            Self::Warning
        } else {
            Self::Info
        }
    }
}

/// `… exited with code exit status: 1` and `… signal: 11`, except the ends caused by a stop.
fn ended_badly(words: &str) -> bool {
    let code_after = |name: &str| {
        let (_, rest) = words.split_once(name)?;
        rest.split(' ').next().map(|code| !matches!(code, "0" | "15"))
    };
    code_after(" exit status ").or_else(|| code_after(" code signal ")).unwrap_or(false)
}

/// The level and the rest of a line that starts with its priority, such as `<4>` (`sd-daemon(3)`).
pub(super) fn of_prefix(text: &str) -> Option<(Level, &str)> {
    let (priority, rest) = text.strip_prefix('<')?.split_once('>')?;
    let level = match priority {
        "0" | "1" | "2" | "3" => Level::Error,
        "4" => Level::Warning,
        "5" | "6" => Level::Info,
        "7" => Level::Debug,
        _ => return None,
    };
    Some((level, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_our_lines_imply_a_level() {
        let failures = [
            "Initialization failed! 'init' exited with status code 4",
            "Child for service 'a.b' with PID 7 exited with code exit status: 1",
            "Child for service 'a.b' with PID 7 exited with code signal: 11 (SIGSEGV)",
            "Unable to bind to address 127.0.0.1:9631.",
            "Can't create directory '/hab/sup/default': Permission denied (os error 13)",
        ];
        for text in failures {
            assert_eq!(Level::of(text), Level::Error, "{text}");
        }
        for text in ["Waiting for service binds...", "3 lines of output are lost"] {
            assert_eq!(Level::of(text), Level::Warning, "{text}");
        }
        let usual = [
            "Hooks recompiled",
            "Starting local/failed (local/failed/1/2)",
            "Modified configuration file /hab/svc/error/config/x",
            "Child for service 'a.b' with PID 7 exited with code signal: 15 (SIGTERM)",
            "Child for service 'a.b' with PID 7 exited with code exit status: 0",
            "",
        ];
        for text in usual {
            assert_eq!(Level::of(text), Level::Info, "{text}");
        }
    }

    #[test]
    fn a_priority_prefix_is_parsed() {
        assert_eq!(of_prefix("<7>x"), Some((Level::Debug, "x")));
        for text in ["<8>x", "<>x", "<3", "3>x", "<33>x", ""] {
            assert_eq!(of_prefix(text), None, "{text}");
        }
    }
}
