//! Enumerations and their spellings.
//!
//! Some words have several spellings: a health result is `Ok` in a service document and `OK` in a
//! health document. The types here use the most common spelling (`as_str`, `Display`, `FromStr`,
//! serde); other spellings are methods.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A word that is not allowed in its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is not a valid {what}; use one of {allowed}", roost_text::shown(word))]
pub struct UnknownWord {
    /// The expected enumeration, for example `topology`.
    pub what: &'static str,
    /// The given word.
    pub word: String,
    /// The words allowed, joined by commas.
    pub allowed: String,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal {
        $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The spelling in documents and specs.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        #[cfg(feature = "schema")]
        impl utoipa::ToSchema for $name {}

        // The derive macro does not see `rename` through this macro.
        #[cfg(feature = "schema")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                let words = Self::ALL.iter().map(|word| word.as_str());
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::Type::String)
                    .enum_values(Some(words))
                    .into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text).ok_or_else(|| {
                    UnknownWord {
                        what: $what,
                        word: text.into(),
                        allowed: [$($word),+].join(", "),
                    }
                })
            }
        }
    };
}

words! {
    /// Whether a service waits for its binds before it starts.
    #[derive(Default)]
    BindingMode, "binding mode" {
        /// Every mapped bind must be satisfied before the service starts.
        #[default]
        Strict = "strict",
        /// The service starts at once; unsatisfied binds are absent from its templates.
        Relaxed = "relaxed",
    }
}

words! {
    /// The desired state of a service. Specs spell it in lower case, see
    /// [`DesiredState::spec_word`].
    #[derive(Default)]
    DesiredState, "desired state" {
        /// It is to run.
        #[default]
        Up = "Up",
        /// It is loaded but is not to run.
        Down = "Down",
    }
}

impl DesiredState {
    /// The spelling in spec files and in the status table.
    #[must_use]
    pub const fn spec_word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }

    /// Reads the spelling of spec files, in any case.
    #[must_use]
    pub fn from_spec_word(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|state| state.spec_word().eq_ignore_ascii_case(text))
    }
}

words! {
    /// Whether the process of a service runs.
    ProcessState, "process state" {
        /// It runs.
        Up = "up",
        /// It does not run.
        Down = "down",
    }
}

words! {
    /// The result of a health check.
    #[derive(Default)]
    HealthStatus, "health status" {
        /// Exit code 0, or no hook and the process is up.
        Ok = "Ok",
        /// Exit code 1.
        Warning = "Warning",
        /// Exit code 2, or no hook and the process is down.
        Critical = "Critical",
        /// Exit code 3, any other end of the hook, or no check yet.
        #[default]
        Unknown = "Unknown",
    }
}

impl HealthStatus {
    /// The spelling of `status` in a health document.
    #[must_use]
    pub const fn upper(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// The result for an exit code of a `health-check` hook; `None` for a code without meaning,
    /// which counts as [`HealthStatus::Unknown`].
    #[must_use]
    pub const fn from_exit_code(code: i32) -> Option<Self> {
        match code {
            0 => Some(Self::Ok),
            1 => Some(Self::Warning),
            2 => Some(Self::Critical),
            3 => Some(Self::Unknown),
            _ => None,
        }
    }
}

words! {
    /// Topology of a group.
    #[derive(Default)]
    Topology, "topology" {
        /// Members are independent.
        #[default]
        Standalone = "standalone",
        /// One member is elected leader, the others follow.
        Leader = "leader",
    }
}

words! {
    /// How a service follows new releases of its package.
    #[derive(Default)]
    UpdateStrategy, "update strategy" {
        /// It does not update.
        #[default]
        None = "none",
        /// Each member updates as soon as there is a new release.
        AtOnce = "at-once",
        /// The members of the group update one after the other.
        Rolling = "rolling",
    }
}

words! {
    /// Target release of an update.
    #[derive(Default)]
    UpdateCondition, "update condition" {
        /// The newest one.
        #[default]
        Latest = "latest",
        /// The head of the channel, even if it is older.
        TrackChannel = "track-channel",
    }
}

words! {
    /// State of an election as a service or census document shows it.
    #[derive(Default)]
    ElectionStatus, "election status" {
        /// There has been no election.
        #[default]
        None = "None",
        /// Votes are being gathered.
        InProgress = "ElectionInProgress",
        /// Too few members are alive.
        NoQuorum = "ElectionNoQuorum",
        /// There is a leader.
        Finished = "ElectionFinished",
    }
}

words! {
    /// Health of a ring member.
    MemberHealth, "member health" {
        /// It answers.
        Alive = "Alive",
        /// It did not answer a probe.
        Suspect = "Suspect",
        /// It is dead.
        Confirmed = "Confirmed",
        /// It left, or was dead for days.
        Departed = "Departed",
    }
}

impl MemberHealth {
    /// The spelling in labels of metrics.
    #[must_use]
    pub const fn lower(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Suspect => "suspect",
            Self::Confirmed => "confirmed",
            Self::Departed => "departed",
        }
    }
}

words! {
    /// Why a service was restarted.
    TerminationReason, "termination reason" {
        /// A newer release is to run.
        PackageUpdated = "package_updated",
        /// The `init` hook failed.
        InitHookFailed = "init_hook_failed",
        /// The process ended by itself, whatever its exit code.
        RunHookFailed = "run_hook_failed",
        /// A config file changed and there is no `reconfigure` hook.
        AppConfigUpdated = "app_config_updated",
        /// The rendered `init` hook changed.
        InitHookUpdated = "init_hook_updated",
        /// The rendered `run` hook changed.
        RunHookUpdated = "run_hook_updated",
        /// The rendered `post-run` hook changed.
        PostRunHookUpdated = "post_run_hook_updated",
        /// Too many health checks in a row were critical.
        HealthCheckCritical = "health_check_critical",
    }
}

impl TerminationReason {
    /// True for a failure, which waits for the back-off before the next start; all others are
    /// intended and restart at once.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::InitHookFailed | Self::RunHookFailed | Self::HealthCheckCritical)
    }
}

words! {
    /// The signal that asks a service to end.
    #[derive(Default)]
    ShutdownSignal, "signal" {
        /// SIGHUP
        Hup = "HUP",
        /// SIGINT
        Int = "INT",
        /// SIGQUIT
        Quit = "QUIT",
        /// SIGILL
        Ill = "ILL",
        /// SIGABRT
        Abrt = "ABRT",
        /// SIGFPE
        Fpe = "FPE",
        /// SIGKILL
        Kill = "KILL",
        /// SIGUSR1
        Usr1 = "USR1",
        /// SIGSEGV
        Segv = "SEGV",
        /// SIGUSR2
        Usr2 = "USR2",
        /// SIGALRM
        Alrm = "ALRM",
        /// SIGTERM
        #[default]
        Term = "TERM",
        /// SIGCHLD
        Chld = "CHLD",
    }
}

impl ShutdownSignal {
    /// The number of the signal on Linux.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Self::Hup => 1,
            Self::Int => 2,
            Self::Quit => 3,
            Self::Ill => 4,
            Self::Abrt => 6,
            Self::Fpe => 8,
            Self::Kill => 9,
            Self::Usr1 => 10,
            Self::Segv => 11,
            Self::Usr2 => 12,
            Self::Alrm => 14,
            Self::Term => 15,
            Self::Chld => 17,
        }
    }

    /// The signal of this number on Linux, if a service can be asked to end by it.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|signal| signal.number() == number)
    }
}

words! {
    /// State of a service, for machines: the words of the v1 documents.
    #[derive(Default)]
    ServiceState, "service state" {
        /// On its way up.
        #[default]
        Starting = "starting",
        /// Its process runs.
        Up = "up",
        /// Being stopped.
        Stopping = "stopping",
        /// Not wanted, and down.
        Down = "down",
        /// Failed; waits for the next start.
        BackingOff = "backing_off",
        /// Waits for others: binds, a leader.
        Blocked = "blocked",
        /// Cannot start until something changes.
        Failed = "failed",
    }
}

words! {
    /// Why a service is not healthy, for programs. The words are stable.
    ReasonCode, "reason code" {
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
        /// It failed, and waits before its next start.
        BackingOff = "backing_off",
        /// A template cannot be rendered or written.
        TemplateError = "template_error",
        /// Configuration, binds or templates are missing or invalid.
        ConfigError = "config_error",
        /// A newer release or spec was requested and cannot start.
        NotReplaced = "not_replaced",
        /// No installed package satisfies its spec.
        PackageMissing = "package_missing",
        /// Its package has no run hook.
        PackageBroken = "package_broken",
        /// The user or the group that its package names does not exist.
        UserMissing = "user_missing",
        /// A directory of the service could not be created.
        DirectoryError = "directory_error",
        /// Its files could not be read or written in time.
        FilesNotAnswering = "files_not_answering",
        /// The last health check was critical.
        HealthCritical = "health_critical",
        /// The last health check gave no result.
        HealthUnknown = "health_unknown",
        /// The last health check timed out.
        HealthTimeout = "health_timeout",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_what_they_write() {
        for strategy in UpdateStrategy::ALL {
            assert_eq!(strategy.as_str().parse(), Ok(*strategy));
        }
        let error = "Rolling".parse::<UpdateStrategy>().expect_err("case matters");
        assert_eq!(
            error.to_string(),
            "'Rolling' is not a valid update strategy; use one of none, at-once, rolling"
        );
    }

    #[test]
    fn desired_state_of_a_spec_is_read_in_any_case() {
        assert_eq!(DesiredState::from_spec_word("DOWN"), Some(DesiredState::Down));
        assert_eq!(DesiredState::from_spec_word("sideways"), None);
    }

    #[test]
    fn exit_codes_above_three_have_no_meaning() {
        assert_eq!(HealthStatus::from_exit_code(1), Some(HealthStatus::Warning));
        assert_eq!(HealthStatus::from_exit_code(7), None);
    }
}
