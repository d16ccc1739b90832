//! A fact, and the event that it becomes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    kind::{Kind, Severity, Topic},
    limits::{MESSAGE_BYTES, TEXT_BYTES, WORD_BYTES, cut},
};

/// The sequence number of an event: from 1, one higher with each event of this Supervisor, also
/// after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Seq(pub u64);

/// Key of the data with the last lines that a process printed to stderr.
pub const PRINTED_STDERR: &str = "stderr";

/// Key of the data with the last lines that a hook printed.
pub const PRINTED_OUTPUT: &str = "output";

/// Key of the data of a start with the time at which the Supervisor before it was last seen.
pub const LAST_SEEN: &str = "last_seen";

/// What happened, without its place in the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Its type.
    pub kind: Kind,
    /// How serious it is.
    pub severity: Severity,
    /// The service group that it is about.
    pub service: Option<String>,
    /// The word before a change.
    pub before: Option<String>,
    /// The word after it.
    pub after: Option<String>,
    /// One sentence for people.
    pub message: String,
    /// What else is known, by snake_case keys; each type documents its own.
    pub data: Map<String, Value>,
}

impl Fact {
    /// A fact of the severity that its type has, with one sentence.
    #[must_use]
    pub fn new(kind: Kind, message: impl AsRef<str>) -> Self {
        Self {
            kind,
            severity: kind.severity(),
            service: None,
            before: None,
            after: None,
            message: cut(message.as_ref(), MESSAGE_BYTES),
            data: Map::new(),
        }
    }

    /// About this service group.
    #[must_use]
    pub fn of(mut self, group: impl AsRef<str>) -> Self {
        self.service = Some(cut(group.as_ref(), WORD_BYTES));
        self
    }

    /// With another severity than its type has.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// With the words before and after a change.
    #[must_use]
    pub fn change(mut self, before: Option<&str>, after: &str) -> Self {
        self.before = before.map(|word| cut(word, WORD_BYTES));
        self.after = Some(cut(after, WORD_BYTES));
        self
    }

    /// With one more datum. Long text is cut.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        let value = match value.into() {
            Value::String(text) => Value::String(cut(&text, TEXT_BYTES)),
            other => other,
        };
        self.data.insert(key.to_owned(), value);
        self
    }

    /// With one more datum, where it is known.
    #[must_use]
    pub fn with_some(self, key: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }
}

/// A fact in the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its number.
    pub seq: Seq,
    /// When it was recorded, milliseconds since 1970.
    pub time_ms: u64,
    /// The event that it follows from.
    pub cause: Option<Seq>,
    /// What happened.
    pub fact: Fact,
}

impl Event {
    /// What it is about.
    #[must_use]
    pub fn topic(&self) -> Topic {
        self.fact.kind.topic()
    }
}
