//! What the gateway itself answers with.

use super::row::{Gives, Outcome, Page, Renderer, Resource};
use crate::accept::Media;

pub(super) const RESOURCES: &[Resource] = &[
    Resource {
        path: "/metrics",
        organization_path: None,
        summary: "Figures for Prometheus.",
        gives: Gives::State,
        parameters: &[],
        media: &[Media::Prometheus, Media::OpenMetrics],
        shape: None,
        outcomes: &[Outcome { status: 200, meaning: "The figures." }],
        renderer: Renderer::Figures,
    },
    Resource {
        path: "/openapi.json",
        organization_path: None,
        summary: "This description of the API for programs (OpenAPI 3.1).",
        gives: Gives::State,
        parameters: &[],
        media: &[Media::Json],
        shape: None,
        outcomes: &[Outcome { status: 200, meaning: "OpenAPI 3.1." }],
        renderer: Renderer::Page(Page::Description),
    },
    Resource {
        path: "/v1/openapi.json",
        organization_path: None,
        summary: "The same description.",
        gives: Gives::State,
        parameters: &[],
        media: &[Media::Json],
        shape: None,
        outcomes: &[Outcome { status: 200, meaning: "OpenAPI 3.1." }],
        renderer: Renderer::Page(Page::Description),
    },
    Resource {
        path: "/",
        organization_path: None,
        summary: "The dashboard for browsers; with an Accept that prefers JSON, the description.",
        gives: Gives::State,
        parameters: &[],
        media: &[Media::Html, Media::Json],
        shape: None,
        outcomes: &[Outcome { status: 200, meaning: "The page." }],
        renderer: Renderer::Page(Page::Dashboard),
    },
    Resource {
        path: "/api",
        organization_path: None,
        summary: "A list of all paths for browsers; with an Accept that prefers JSON, the description.",
        gives: Gives::State,
        parameters: &[],
        media: &[Media::Html, Media::Json],
        shape: None,
        outcomes: &[Outcome { status: 200, meaning: "The list." }],
        renderer: Renderer::Page(Page::List),
    },
];
