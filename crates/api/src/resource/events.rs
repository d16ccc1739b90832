//! What happened.

use roost_events::{Kind as EventKind, Severity, Topic, limits::WORD_BYTES};

use super::row::{Gives, Outcome, Renderer, Resource};
use crate::{
    accept::Media,
    documents::EventsV1,
    live,
    query::{Kind, Parameter},
    shape::Shape,
};

const TOPIC: Parameter = Parameter {
    name: "topic",
    kind: Kind::Words(Topic::WORDS),
    meaning: "Only events about one of these.",
};
const TYPE: Parameter = Parameter {
    name: "type",
    kind: Kind::Words(EventKind::WORDS),
    meaning: "Only events of one of these types.",
};
const SEVERITY: Parameter = Parameter {
    name: "severity",
    kind: Kind::Words(Severity::WORDS),
    meaning: "Only events as serious as one of these.",
};
const SERVICE: Parameter = Parameter {
    name: "service",
    kind: Kind::Text { bytes_max: WORD_BYTES },
    meaning: "Only events of this service group, loaded or not.",
};
const EVENTS: &[Parameter] =
    &[SINCE, UNTIL, TOPIC, TYPE, SEVERITY, SERVICE, CAUSES_OF, ORDER, LIMIT, CURSOR];
const EVENTS_OF_SERVICE: &[Parameter] =
    &[SINCE, UNTIL, TOPIC, TYPE, SEVERITY, ORDER, LIMIT, CURSOR];
const CAUSES_OF: Parameter = Parameter {
    name: "causes_of",
    // What every JSON parser reads exactly.
    kind: Kind::Number { least: 1, most: (1 << 53) - 1 },
    meaning: "Only the event of this number and those that it follows from, one from the other, at \
              most 32. There is no further page.",
};
const SINCE: Parameter =
    Parameter { name: "since", kind: Kind::Moment, meaning: "Only events from then on." };
const UNTIL: Parameter =
    Parameter { name: "until", kind: Kind::Moment, meaning: "Only events until then." };
const ORDER: Parameter = Parameter {
    name: "order",
    kind: Kind::Words(&["newest", "oldest"]),
    meaning: "Which come first; the newest if not given.",
};
const LIMIT: Parameter = Parameter {
    name: "limit",
    kind: Kind::Number { least: 1, most: 1000 },
    meaning: "At most so many; 100 if not given.",
};
const CURSOR: Parameter = Parameter {
    name: "cursor",
    kind: Kind::Text { bytes_max: 64 },
    meaning: "The `next` of the page before, with the same filters and order.",
};

pub(super) const RESOURCES: &[Resource] = &[
    Resource {
        path: "/v1/services/{sg}/events",
        organization_path: None,
        summary: "What happened to one service.",
        gives: Gives::State,
        parameters: EVENTS_OF_SERVICE,
        media: &[Media::Json],
        shape: Some(Shape::of::<EventsV1>()),
        outcomes: &[Outcome { status: 200, meaning: "A page of events." }],
        renderer: Renderer::Live(|live, ask| live.events(ask)),
    },
    Resource {
        path: "/v1/events",
        organization_path: None,
        summary: "What happened to services, ring and Supervisor.",
        gives: Gives::State,
        parameters: EVENTS,
        media: &[Media::Json],
        shape: Some(Shape::of::<EventsV1>()),
        outcomes: &[Outcome { status: 200, meaning: "A page of events." }],
        renderer: Renderer::Live(|live, ask| live.events(ask)),
    },
    Resource {
        path: "/v1/events/stream",
        organization_path: None,
        summary: "Events as they happen; resumes after `last-event-id` without a hole.",
        gives: Gives::State,
        parameters: &[TOPIC, TYPE, SEVERITY, SERVICE],
        media: &[Media::EventStream, Media::Ndjson],
        shape: None,
        outcomes: &[Outcome { status: 200, meaning: "One event after the other." }],
        renderer: Renderer::Live(|live, ask| live::stream(live.event_stream(ask))),
    },
];
