//! Exit codes of the program and the errors that cause them (reference: control §19).

use std::{
    fmt,
    io::{self, ErrorKind},
    process::ExitCode,
};

use crate::{context, plugin::PluginStatus, ui::Ui};

/// Exit codes of every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Success, help, version.
    Success,
    /// A run-time error.
    Failure,
    /// A wrong command line.
    Usage,
    /// `svc why`: the service is not as it should be.
    NotAsDesired,
    /// A plugin of a monitoring system.
    Plugin(PluginStatus),
    /// A Supervisor cannot start.
    SupervisorFailed,
    /// The exit code of a failed hook.
    Hook(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success | Exit::Plugin(PluginStatus::Ok) => 0,
            Exit::Failure | Exit::Plugin(PluginStatus::Warning) => 1,
            Exit::Usage | Exit::Plugin(PluginStatus::Critical) => 2,
            Exit::NotAsDesired | Exit::Plugin(PluginStatus::Unknown) => 3,
            Exit::SupervisorFailed => 86,
            Exit::Hook(code) => code,
        })
    }
}

/// A wrong command line that the parser cannot detect; printed like the parser's own errors.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

/// A Supervisor cannot start with these settings; printed as plain text on standard output, like
/// all fatal errors of a Supervisor.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct StartError(pub(crate) String);

/// A hook failed; the program exits with its code.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct HookError {
    /// The printed message.
    pub(crate) text: String,
    /// Exit code of the hook.
    pub(crate) code: u8,
}

/// An error with advice, which is printed below it.
#[derive(Debug)]
pub(crate) struct Advised {
    error: anyhow::Error,
    advice: String,
}

impl Advised {
    /// The error with advice.
    pub(crate) fn wrap(error: anyhow::Error, advice: impl Into<String>) -> anyhow::Error {
        Self { error, advice: advice.into() }.into()
    }
}

impl fmt::Display for Advised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n\n{}", text(&self.error), self.advice)
    }
}

impl std::error::Error for Advised {}

/// Prints the error and returns the exit code.
pub(crate) fn report(error: &anyhow::Error, ui: &Ui) -> Exit {
    if error.is::<UsageError>() {
        ui.usage(&format!("{error}"));
        Exit::Usage
    } else if error.is::<StartError>() {
        ui.info(&format!("{error}"));
        Exit::SupervisorFailed
    } else {
        let mut text = text(error);
        if let Some(advice) = advice(error) {
            text.push_str(&format!("\n\n{advice}"));
        }
        ui.fatal(&text);
        error.downcast_ref().map_or(Exit::Failure, |hook: &HookError| Exit::Hook(hook.code))
    }
}

/// The error and its causes. Some errors contain their cause; it is not repeated.
fn text(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.ends_with(&cause) {
            text.push_str(&format!(": {cause}"));
        }
    }
    text
}

/// Advice for an ordinary user when the system denies access.
fn advice(error: &anyhow::Error) -> Option<String> {
    let refused = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| {
            matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
        })
    };
    error.chain().any(refused).then(context::surroundings)
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn causes_appear_once_and_denied_access_shows_user_and_root() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot write x: {source}")]
        struct Repeats {
            source: io::Error,
        }
        let denied = io::Error::from(ErrorKind::PermissionDenied);
        let error = anyhow::Error::from(Repeats { source: denied }).context("cannot do it");
        assert_eq!(text(&error), "cannot do it: cannot write x: permission denied");
        assert!(advice(&error).is_some_and(|text| text.contains("FS_ROOT")));
        let missing = Err::<(), _>(io::Error::from(ErrorKind::NotFound)).context("cannot read y");
        let missing = missing.expect_err("an error");
        assert_eq!(text(&missing), "cannot read y: entity not found");
        assert_eq!(advice(&missing), None);
        assert_eq!(
            text(&Advised::wrap(missing, "Look elsewhere.")),
            "cannot read y: entity not found\n\nLook elsewhere."
        );
    }
}
