//! The Supervisor itself, and probes.

use super::row::{Gives, Outcome, Renderer, Resource};
use crate::{
    accept::Media,
    documents::{SupervisorV1, probe::ProbeReport},
    live, probe,
    shape::Shape,
};

pub(super) const RESOURCES: &[Resource] = &[
    Resource {
        path: "/v1/supervisor",
        organization_path: None,
        summary: "The Supervisor itself: version, addresses, what it uses, what needs an operator.",
        gives: Gives::State,
        parameters: &[],
        media: &[Media::Json],
        shape: Some(Shape::of::<SupervisorV1>()),
        outcomes: &[Outcome { status: 200, meaning: "The Supervisor." }],
        renderer: Renderer::Live(|live, ask| live::document(live.supervisor(ask))),
    },
    Resource {
        path: "/livez",
        organization_path: None,
        summary: "Whether the Supervisor handles events. Restarting it helps when it does not.",
        gives: Gives::Probe,
        parameters: probe::PARAMETERS,
        media: &[Media::Text, Media::Json],
        shape: Some(Shape::of::<ProbeReport>()),
        outcomes: &[
            Outcome { status: 200, meaning: "It does." },
            Outcome { status: 503, meaning: "A check fails." },
        ],
        renderer: Renderer::Live(|live, ask| probe::answer(probe::LIVE, live, ask)),
    },
    Resource {
        path: "/readyz",
        organization_path: None,
        summary: "Whether the Supervisor can do all that it is there for.",
        gives: Gives::Probe,
        parameters: probe::PARAMETERS,
        media: &[Media::Text, Media::Json],
        shape: Some(Shape::of::<ProbeReport>()),
        outcomes: &[
            Outcome { status: 200, meaning: "It can; a warning does not change that." },
            Outcome { status: 503, meaning: "A check fails." },
        ],
        renderer: Renderer::Live(|live, ask| probe::answer(probe::READY, live, ask)),
    },
    Resource {
        path: "/startupz",
        organization_path: None,
        summary: "Whether the start is complete.",
        gives: Gives::Probe,
        parameters: probe::PARAMETERS,
        media: &[Media::Text, Media::Json],
        shape: Some(Shape::of::<ProbeReport>()),
        outcomes: &[
            Outcome { status: 200, meaning: "It is." },
            Outcome { status: 503, meaning: "A check fails." },
        ],
        renderer: Renderer::Live(|live, ask| probe::answer(probe::STARTED, live, ask)),
    },
];
