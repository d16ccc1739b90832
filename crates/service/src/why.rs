//! Reason codes: why a service is not healthy.

use crate::excerpt::Excerpt;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)+) => {
        /// The cause, for programs. The words are stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ReasonCode {
            $($(#[$doc])* $variant,)+
        }

        impl ReasonCode {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word in documents.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}

codes! {
    /// It was stopped, and stays down until it is started.
    DesiredDown = "desired_down",
    /// It is being stopped.
    Stopping = "stopping",
    /// A group that it binds to is not in the ring, or none of its members is alive.
    WaitingForBinds = "waiting_for_binds",
    /// A group that it binds to does not export what it needs.
    BindFieldMissing = "bind_field_missing",
    /// Its group has no leader yet.
    ElectionInProgress = "election_in_progress",
    /// Too few members of its group are alive to elect a leader.
    NoQuorum = "no_quorum",
    /// An `install` hook failed.
    InstallFailed = "install_failed",
    /// Its `init` hook failed.
    InitFailed = "init_failed",
    /// Its process could not be started.
    StartFailed = "start_failed",
    /// Its process ends unexpectedly.
    RunExits = "run_exits",
    /// A template cannot be rendered or written.
    TemplateError = "template_error",
    /// User, configuration, binds or templates are missing or invalid.
    ConfigError = "config_error",
    /// A newer release or spec was requested and cannot start.
    NotReplaced = "not_replaced",
    /// No installed package satisfies its spec.
    PackageMissing = "package_missing",
    /// Its package has no run hook.
    PackageBroken = "package_broken",
    /// A directory of the service could not be created.
    DirectoryError = "directory_error",
    /// The last health check was critical.
    HealthCritical = "health_critical",
    /// The last health check gave no result.
    HealthUnknown = "health_unknown",
    /// The last health check timed out.
    HealthTimeout = "health_timeout",
}

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
}
