//! How the program ends: exit codes and the errors that lead to them (control chapter 19).

use std::process::ExitCode;

use crate::ui::Ui;

/// Exit codes of every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Success, help, version; for `svc check`: healthy.
    Success = 0,
    /// A run-time error; for `svc check`: a warning.
    Failure = 1,
    /// A wrong command line; for `svc check`: critical.
    Usage = 2,
    /// Only `svc check`: it could not find out.
    Unknown = 3,
    /// A Supervisor that cannot start.
    SupervisorFailed = 86,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A wrong command line that the parser could not see; printed as the parser prints its own.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

/// A Supervisor cannot start with these settings; printed as plain text on standard output, as
/// all fatal errors of a Supervisor.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct StartError(pub(crate) String);

/// Prints the error and tells the exit code.
pub(crate) fn report(error: &anyhow::Error, ui: &Ui) -> Exit {
    if error.is::<UsageError>() {
        ui.usage(&format!("{error}"));
        Exit::Usage
    } else if error.is::<StartError>() {
        ui.info(&format!("{error}"));
        Exit::SupervisorFailed
    } else {
        ui.fatal(&format!("{error:#}"));
        Exit::Failure
    }
}
