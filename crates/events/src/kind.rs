//! What can happen: the closed list of types of events, their topics and how serious they are.

use std::{fmt, str::FromStr};

use roost_ident::UnknownWord;
use serde::{Deserialize, Serialize};

/// How serious an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Severity {
    /// Part of normal work.
    Info,
    /// Something is not as it should be, but nothing is down because of it.
    Warning,
    /// A service, the ring or the record suffers.
    Error,
}

impl Severity {
    /// Every severity, the least serious first.
    pub const ALL: &'static [Self] = &[Self::Info, Self::Warning, Self::Error];

    /// The words of all severities, in the same order.
    pub const WORDS: &'static [&'static str] = &["info", "warning", "error"];

    /// The word in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

macro_rules! kinds {
    ($($topic:ident = $topic_word:literal {
        $($kind:ident = $word:literal, $severity:ident, $meaning:literal;)+
    })+) => {
        /// What an event is about: the part of its type before the dot.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        pub enum Topic {
            $(
                #[doc = concat!("`", $topic_word, "`.")]
                $topic,
            )+
        }

        impl Topic {
            /// Every topic.
            pub const ALL: &'static [Self] = &[$(Self::$topic),+];

            /// The words of all topics, in the same order.
            pub const WORDS: &'static [&'static str] = &[$($topic_word),+];

            /// The word in documents.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$topic => $topic_word),+ }
            }
        }

        /// The type of an event. The list is closed: consumers may rely on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Kind {
            $($(
                #[doc = $meaning]
                #[serde(rename = $word)]
                $kind,
            )+)+
        }

        impl Kind {
            /// Every type, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$($(Self::$kind),+),+];

            /// The words of all types, in the same order.
            pub const WORDS: &'static [&'static str] = &[$($($word),+),+];

            /// The word in documents, `topic.what`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $($(Self::$kind => $word),+),+ }
            }

            /// The part before the dot.
            #[must_use]
            pub const fn topic(self) -> Topic {
                match self { $($(Self::$kind => Topic::$topic),+),+ }
            }

            /// How serious it is unless the source sets another severity.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $($(Self::$kind => Severity::$severity),+),+ }
            }

            /// One line for the documentation.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $($(Self::$kind => $meaning),+),+ }
            }
        }
    };
}

kinds! {
    Supervisor = "supervisor" {
        SupervisorStarted = "supervisor.started", Info, "The Supervisor started.";
        SupervisorTookBack = "supervisor.took_back", Info, "The Supervisor took running services back from its predecessor.";
        SupervisorStopping = "supervisor.stopping", Info, "The Supervisor began to stop.";
        SupervisorRecovered = "supervisor.recovered", Warning, "The Supervisor started after a predecessor that did not end in order.";
    }
    Service = "service" {
        ServiceLoaded = "service.loaded", Info, "A service was loaded.";
        ServiceUnloaded = "service.unloaded", Info, "A service was unloaded.";
        ServiceOptionsChanged = "service.options_changed", Info, "The options of a loaded service changed.";
        ServiceStarting = "service.starting", Info, "A service began to start.";
        ServiceUp = "service.up", Info, "The process of a service runs.";
        ServiceStopping = "service.stopping", Info, "A service began to stop.";
        ServiceDown = "service.down", Info, "A service is down.";
        ServiceBlocked = "service.blocked", Warning, "A service waits for something before it can start.";
        ServiceBackingOff = "service.backing_off", Warning, "A service failed and waits before it starts again.";
        ServiceFailed = "service.failed", Error, "A service cannot start as it is.";
    }
    Process = "process" {
        ProcessStarted = "process.started", Info, "The process of a service started.";
        ProcessExited = "process.exited", Warning, "The process of a service ended.";
    }
    Hook = "hook" {
        HookFailed = "hook.failed", Warning, "A hook ended with an error.";
        HookTimedOut = "hook.timed_out", Warning, "A hook was stopped at its time limit.";
    }
    Health = "health" {
        HealthChanged = "health.changed", Info, "The health of a service changed.";
    }
    Config = "config" {
        ConfigChanged = "config.changed", Info, "The configuration of a service changed.";
        ConfigRejected = "config.rejected", Error, "A new configuration of a service was rejected; the former one stays in force.";
    }
    File = "file" {
        FileReceived = "file.received", Info, "A file came over the ring.";
    }
    Bind = "bind" {
        BindSatisfied = "bind.satisfied", Info, "A bind of a service has members.";
        BindMissing = "bind.missing", Warning, "A bind of a service has no members.";
    }
    Election = "election" {
        ElectionStarted = "election.started", Info, "A service here takes part in a new election of its group.";
        ElectionFinished = "election.finished", Info, "An election has a result.";
        ElectionNoQuorum = "election.no_quorum", Warning, "An election waits: too few members of the group are alive.";
    }
    Leader = "leader" {
        LeaderChanged = "leader.changed", Info, "A group with a service here has another leader.";
        LeaderConflict = "leader.conflict", Error, "A group with a service here has two leaders.";
    }
    Member = "member" {
        MemberJoined = "member.joined", Info, "A member joined the ring.";
        MemberSuspect = "member.suspect", Warning, "A member of the ring does not answer.";
        MemberAlive = "member.alive", Info, "A member that was suspected, dead or gone is alive again.";
        MemberConfirmed = "member.confirmed", Error, "A member of the ring counts as dead.";
        MemberDeparted = "member.departed", Info, "A member left the ring, or was departed from it.";
        MemberAddressChanged = "member.address_changed", Info, "A member of the ring has another address.";
    }
    Control = "control" {
        ControlRequest = "control.request", Info, "A command reached the control gateway.";
    }
    Journal = "journal" {
        JournalGap = "journal.gap", Warning, "Events are missing here.";
        JournalRecovered = "journal.recovered", Warning, "The journal could not be read and was set aside; a new one was begun.";
    }
}

#[cfg(feature = "schema")]
impl utoipa::ToSchema for Kind {}

// The derive macro does not see `rename` through the macro above.
#[cfg(feature = "schema")]
impl utoipa::PartialSchema for Kind {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::Type::String)
            .description(Some("The type of an event. The list is closed."))
            .enum_values(Some(Self::WORDS.iter().copied()))
            .into()
    }
}

macro_rules! words {
    ($($name:ident = $what:literal),+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text).ok_or_else(|| {
                    let allowed: Vec<&str> = Self::ALL.iter().map(|word| word.as_str()).collect();
                    UnknownWord { what: $what, word: text.into(), allowed: allowed.join(", ") }
                })
            }
        }
    )+};
}

words!(Severity = "severity", Topic = "topic", Kind = "type");

#[cfg(test)]
mod tests {
    use super::{Kind, Topic};

    #[test]
    fn the_topic_is_the_part_of_the_type_before_the_dot() {
        for kind in Kind::ALL {
            let (topic, what) = kind.as_str().split_once('.').unwrap();
            assert_eq!(kind.topic().as_str(), topic);
            assert!(!what.is_empty());
            assert_eq!(kind.as_str().parse(), Ok(*kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        for topic in Topic::ALL {
            assert_eq!(serde_json::to_value(topic).unwrap(), topic.as_str());
        }
    }

    #[test]
    fn the_page_for_users_lists_every_type() {
        let page = include_str!("../../../docs/monitoring.md");
        let section = page.split("\n## Events\n").nth(1).expect("the section");
        let section = section.split("\n##").next().unwrap_or_default();
        let listed: Vec<&str> = section.lines().filter(|line| line.starts_with("| `")).collect();
        let row = |kind: &Kind| format!("| `{kind}` | {} | {} |", kind.severity(), kind.meaning());
        assert_eq!(listed, Kind::ALL.iter().map(row).collect::<Vec<_>>());
    }

    #[test]
    fn the_page_for_users_lists_the_data_of_every_type() {
        let page = include_str!("../../../docs/monitoring.md");
        let section = page.split("\n### Data of events\n").nth(1).expect("the section");
        let section = section.split("\n##").next().unwrap_or_default();
        let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
        let listed: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
        assert_eq!(listed, Kind::WORDS);
    }

    #[test]
    fn an_unknown_word_names_those_that_are_allowed() {
        let error = "helth".parse::<Topic>().unwrap_err().to_string();
        assert!(error.contains("topic") && error.contains("health"), "{error}");
    }
}
