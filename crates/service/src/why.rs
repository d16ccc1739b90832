//! Reason codes: why a service is not healthy.

pub use roost_ident::ReasonCode;

use crate::excerpt::Excerpt;

/// Why a service is not healthy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// For programs.
    pub code: ReasonCode,
    /// For people, one line.
    pub message: String,
    /// Start of the condition, Unix milliseconds.
    pub since_unix_ms: u64,
    /// Related output, oldest line first.
    pub evidence: Excerpt,
    /// What else is the matter: something newer of what the service is made of cannot be used.
    pub also: Option<String>,
}

impl Reason {
    /// The message with the last line of output, and the conditions.
    #[must_use]
    pub fn line(&self) -> String {
        let also = self.also.as_ref().map_or(String::new(), |also| format!("; {also}"));
        match self.evidence.last() {
            Some(last) if !self.message.contains(last) => {
                format!("{}: {last}{also}", self.message)
            }
            _ => format!("{}{also}", self.message),
        }
    }

    /// The same without anything that a process printed.
    #[must_use]
    pub fn line_without_output(&self) -> String {
        let message = self.message.as_str();
        [Some(message), self.also.as_deref()].into_iter().flatten().collect::<Vec<_>>().join("; ")
    }
}

/// A failure that kept the service from running, until it has run for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Kind of failure.
    pub code: ReasonCode,
    /// The message alone; how a process or hook ended is in [`crate::account::Account`].
    pub message: String,
    /// Unix milliseconds of the first one of this kind in a row.
    pub since_unix_ms: u64,
    /// What an `install` hook or the last health check printed.
    pub printed: Excerpt,
}
