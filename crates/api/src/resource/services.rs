//! Services in the v1 API.

use http::StatusCode;

use super::row::{Gives, Outcome, Renderer, Resource};
use crate::{
    accept::Media,
    configuration,
    documents::{
        ServiceHealthV1, ServiceV1, Stats, StatsList,
        availability::{AvailabilityV1, TimelineV1},
        configuration::ConfigV1,
        explain::Explanation,
        summary::ServiceList,
    },
    live,
    query::{Kind, Parameter},
    service_list,
    shape::Shape,
};

pub(super) const RESOURCES: &[Resource] = &[
    Resource {
        path: "/v1/services",
        organization_path: None,
        summary: "The services of this Supervisor, a summary of each.",
        gives: Gives::State,
        parameters: service_list::PARAMETERS,
        media: &[Media::Json],
        shape: Some(Shape::of::<ServiceList>()),
        outcomes: &[Outcome { status: 200, meaning: "A page of services." }],
        renderer: Renderer::Selection(service_list::page),
    },
    Resource {
        path: "/v1/services/{sg}",
        organization_path: None,
        summary: "How one service is, and why it is so.",
        gives: Gives::State,
        parameters: &[],
        media: &[Media::Json],
        shape: Some(Shape::of::<ServiceV1>()),
        outcomes: &[Outcome { status: 200, meaning: "The service." }],
        renderer: Renderer::Service(|entry, _| {
            (StatusCode::OK, entry.v1_documents().service.render())
        }),
    },
    Resource {
        path: "/v1/services/{sg}/health",
        organization_path: None,
        summary: "The health of one service, and the last results of each of its checks.",
        gives: Gives::State,
        parameters: &[],
        media: &[Media::Json],
        shape: Some(Shape::of::<ServiceHealthV1>()),
        outcomes: &[Outcome { status: 200, meaning: "The health, whatever it is." }],
        renderer: Renderer::Service(|entry, _| {
            (StatusCode::OK, entry.v1_documents().health.render())
        }),
    },
    Resource {
        path: "/v1/services/{sg}/explain",
        organization_path: None,
        summary: "Why one service is as it is: a sentence, its causes with evidence, what to do.",
        gives: Gives::State,
        media: &[Media::Json],
        parameters: &[],
        shape: Some(Shape::of::<Explanation>()),
        outcomes: &[Outcome { status: 200, meaning: "The explanation." }],
        renderer: Renderer::Service(|entry, _| {
            (StatusCode::OK, entry.v1_documents().explanation.render())
        }),
    },
    Resource {
        path: "/v1/services/{sg}/config",
        organization_path: None,
        summary: "The effective configuration of one service: each value with the layer that it \
                  comes from. Secrets are hidden from clients without the scope for them.",
        gives: Gives::Configuration,
        parameters: &[
            Parameter {
                name: "source",
                kind: Kind::Words(&["all"]),
                meaning: "`all` lists the value of each layer too.",
            },
            Parameter {
                name: "secrets",
                kind: Kind::Words(&["hidden"]),
                meaning: "`hidden` hides secrets from clients with the scope for them too.",
            },
        ],
        media: &[Media::Json],
        shape: Some(Shape::of::<ConfigV1>()),
        outcomes: &[Outcome { status: 200, meaning: "The configuration." }],
        renderer: Renderer::Live(|_, ask| live::document(configuration::answer(ask))),
    },
    Resource {
        path: "/v1/services/{sg}/logs",
        organization_path: None,
        summary: "What one service printed, from the files of the launcher: the last 100 lines, \
                  unless parameters select others.",
        gives: Gives::Lines,
        parameters: &[
            Parameter {
                name: "tail",
                kind: Kind::Number { least: 0, most: 10_000 },
                meaning: "Only this many lines, the newest ones.",
            },
            Parameter { name: "since", kind: Kind::Moment, meaning: "Only lines from then on." },
            Parameter { name: "until", kind: Kind::Moment, meaning: "Only lines up to then." },
            Parameter {
                name: "stream",
                kind: Kind::Words(&["stdout", "stderr"]),
                meaning: "Only lines of this stream.",
            },
            Parameter {
                name: "grep",
                kind: Kind::Text { bytes_max: 1024 },
                meaning: "Only lines that contain this text.",
            },
            Parameter {
                name: "follow",
                kind: Kind::Flag,
                meaning: "Goes on with new lines until the client leaves.",
            },
        ],
        media: &[Media::Text, Media::Ndjson],
        shape: None,
        outcomes: &[Outcome { status: 200, meaning: "The lines." }],
        renderer: Renderer::Live(|live, ask| live::stream(live.lines(ask))),
    },
    Resource {
        path: "/v1/services/{sg}/availability",
        organization_path: None,
        summary: "How available one service was, and its incidents.",
        gives: Gives::State,
        parameters: &[],
        media: &[Media::Json],
        shape: Some(Shape::of::<AvailabilityV1>()),
        outcomes: &[Outcome { status: 200, meaning: "Its availability." }],
        renderer: Renderer::Live(|live, ask| live::document(live.availability(ask))),
    },
    Resource {
        path: "/v1/services/{sg}/timeline",
        organization_path: None,
        summary: "The worst state of one service in each part of a window.",
        gives: Gives::State,
        parameters: &[
            Parameter {
                name: "window",
                kind: Kind::Words(&["24h", "7d", "30d", "90d"]),
                meaning: "The length; 24h if not given.",
            },
            Parameter {
                name: "buckets",
                kind: Kind::Number { least: 1, most: 1000 },
                meaning: "The number of parts; 90 if not given.",
            },
        ],
        media: &[Media::Json],
        shape: Some(Shape::of::<TimelineV1>()),
        outcomes: &[Outcome { status: 200, meaning: "The timeline." }],
        renderer: Renderer::Live(|live, ask| live::document(live.timeline(ask))),
    },
    Resource {
        path: "/v1/stats",
        organization_path: None,
        summary: "CPU time and memory of each service that runs.",
        gives: Gives::State,
        parameters: &[],
        media: &[Media::Json],
        shape: Some(Shape::of::<StatsList>()),
        outcomes: &[Outcome { status: 200, meaning: "The figures." }],
        renderer: Renderer::Live(|live, ask| live::document(live.all_stats(ask))),
    },
    Resource {
        path: "/v1/services/{sg}/stats",
        organization_path: None,
        summary: "What the processes of one service use: CPU, memory, descriptors, ports.",
        gives: Gives::State,
        parameters: &[],
        media: &[Media::Json],
        shape: Some(Shape::of::<Stats>()),
        outcomes: &[Outcome { status: 200, meaning: "The figures." }],
        renderer: Renderer::Live(|live, ask| live::document(live.stats(ask))),
    },
];
