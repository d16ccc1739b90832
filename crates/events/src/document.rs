//! An event as documents show it.

use roost_ident::time;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    event::{Event, Seq},
    kind::{Kind, Severity, Topic},
};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct EventDocument {
    /// Its number in the record of this Supervisor. Numbers rise; a jump means that events are
    /// missing.
    pub seq: Seq,
    /// When it was recorded.
    #[cfg_attr(feature = "schema", schema(format = DateTime))]
    pub time: String,
    /// What it is about: the part of `type` before the dot.
    pub topic: Topic,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// How serious it is.
    pub severity: Severity,
    /// The service group that it is about.
    pub service: Option<String>,
    /// The word before a change.
    pub before: Option<String>,
    /// The word after a change.
    pub after: Option<String>,
    /// One sentence for people.
    pub message: String,
    /// The number of the event that it follows from.
    pub cause: Option<Seq>,
    /// What else is known; each type has its own keys.
    #[cfg_attr(feature = "schema", schema(value_type = Object))]
    pub data: Map<String, Value>,
}

impl From<&Event> for EventDocument {
    fn from(event: &Event) -> Self {
        let fact = event.fact.clone();
        Self {
            seq: event.seq,
            time: time::rfc3339_ms(event.time_ms),
            topic: event.topic(),
            kind: fact.kind,
            severity: fact.severity,
            service: fact.service,
            before: fact.before,
            after: fact.after,
            message: fact.message,
            cause: event.cause,
            data: fact.data,
        }
    }
}

impl Event {
    /// Its document as JSON on one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Maps with text as keys, numbers and text always become JSON.
        serde_json::to_string(&EventDocument::from(self)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use crate::{Event, EventDocument, Fact, Kind, Seq};

    #[test]
    fn a_document_has_the_shape_that_clients_rely_on() {
        let fact = Fact::new(Kind::HealthChanged, "redis.default became critical")
            .of("redis.default")
            .change(Some("ok"), "critical")
            .with("exit_code", 2);
        let event =
            Event { seq: Seq(991), time_ms: 1_700_000_000_250, cause: Some(Seq(987)), fact };
        let json = event.to_json();
        assert_eq!(
            json,
            r#"{"seq":991,"time":"2023-11-14T22:13:20.250Z","topic":"health","type":"health.changed","severity":"info","service":"redis.default","before":"ok","after":"critical","message":"redis.default became critical","cause":987,"data":{"exit_code":2}}"#
        );

        let document: EventDocument = serde_json::from_str(&json).unwrap();
        assert_eq!(document, EventDocument::from(&event));
        let fact = Fact::new(Kind::FileReceived, "a file came");
        let json = Event { cause: None, fact, ..event }.to_json();
        assert!(json.contains(r#""service":null,"before":null,"after":null,"#), "{json}");
    }
}
