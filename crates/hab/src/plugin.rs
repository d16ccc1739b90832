//! Results of commands that monitoring systems run as plugins (Nagios Plugin Development
//! Guidelines): one word on the first line, and its exit code.

use std::env;

use crate::exit::Exit;

/// True when this process was started as a plugin, whatever else is on its command line.
pub(crate) fn is_run() -> bool {
    let mut words = env::args_os().skip(1);
    let command = [words.next(), words.next()].map(Option::unwrap_or_default);
    command == ["svc", "check"] || command == ["ring", "health"] && words.any(|it| it == "--strict")
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PluginStatus {
    /// All is well.
    Ok,
    /// An operator should look at it.
    Warning,
    /// It does not work.
    Critical,
    /// It could not be found out.
    Unknown,
}

impl PluginStatus {
    /// The word at the beginning of the output.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

impl From<PluginStatus> for Exit {
    fn from(status: PluginStatus) -> Self {
        Self::Plugin(status)
    }
}
