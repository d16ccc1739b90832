//! The documents of Habitat (reference: http-api §5).

use http::StatusCode;
use roost_ident::HealthStatus;

use super::row::{Gives, Outcome, Renderer, Resource};
use crate::{
    accept::Media,
    documents::{
        Butterfly, Census, HealthDocument, ServiceDocument, config::CurrentConfig,
        service::Services,
    },
    shape::Shape,
};

const STRUCTURED: &[Media] = &[Media::Json, Media::Toml];
const ALL_FORMS: &[Media] = &[Media::Json, Media::Toml, Media::Text];

pub(super) const RESOURCES: &[Resource] = &[
    Resource {
        path: "/services",
        organization_path: None,
        summary: "All services loaded by this Supervisor: process, health, restarts, configuration.",
        gives: Gives::ClearConfiguration,
        parameters: &[],
        media: STRUCTURED,
        shape: Some(Shape::of::<Services>()),
        outcomes: &[Outcome { status: 200, meaning: "The services." }],
        renderer: Renderer::Snapshot(|snapshot, format| snapshot.list(format)),
    },
    Resource {
        path: "/services/{name}/{group}",
        organization_path: Some("/services/{name}/{group}/{organization}"),
        summary: "One loaded service.",
        gives: Gives::ClearConfiguration,
        parameters: &[],
        media: STRUCTURED,
        shape: Some(Shape::of::<ServiceDocument>()),
        outcomes: &[Outcome { status: 200, meaning: "The service." }],
        renderer: Renderer::Service(|entry, format| (StatusCode::OK, entry.object(format))),
    },
    Resource {
        path: "/services/{name}/{group}/config",
        organization_path: Some("/services/{name}/{group}/{organization}/config"),
        summary: "The current configuration of one service.",
        gives: Gives::ClearConfiguration,
        parameters: &[],
        media: ALL_FORMS,
        shape: Some(Shape::of::<CurrentConfig>()),
        outcomes: &[Outcome { status: 200, meaning: "The configuration; null when redacted." }],
        renderer: Renderer::Service(|entry, format| (StatusCode::OK, entry.config(format))),
    },
    Resource {
        path: "/services/{name}/{group}/health",
        organization_path: Some("/services/{name}/{group}/{organization}/health"),
        summary: "The last health check of one service. Ok and Warning are 200, Critical is 503, \
                  Unknown is 500.",
        gives: Gives::State,
        parameters: &[],
        media: ALL_FORMS,
        shape: Some(Shape::of::<HealthDocument>()),
        outcomes: &[
            Outcome { status: 200, meaning: "Ok or Warning." },
            Outcome { status: 500, meaning: "Health check: Unknown." },
            Outcome { status: 503, meaning: "Health check: Critical." },
        ],
        renderer: Renderer::Service(|entry, format| {
            (health_status(entry.health_document().status), entry.health(format))
        }),
    },
    Resource {
        path: "/census",
        organization_path: None,
        summary: "All services on the ring: which members are alive, which lead.",
        gives: Gives::ClearRumors,
        parameters: &[],
        media: STRUCTURED,
        shape: Some(Shape::of::<Census>()),
        outcomes: &[Outcome { status: 200, meaning: "The census." }],
        renderer: Renderer::Snapshot(|snapshot, format| snapshot.census().render(format)),
    },
    Resource {
        path: "/butterfly",
        organization_path: None,
        summary: "The rumors that the census is made of, for debugging.",
        gives: Gives::ClearRumors,
        parameters: &[],
        media: STRUCTURED,
        shape: Some(Shape::of::<Butterfly>()),
        outcomes: &[Outcome { status: 200, meaning: "The rumors." }],
        renderer: Renderer::Snapshot(|snapshot, format| snapshot.butterfly().render(format)),
    },
];

const fn health_status(health: HealthStatus) -> StatusCode {
    match health {
        HealthStatus::Ok | HealthStatus::Warning => StatusCode::OK,
        HealthStatus::Critical => StatusCode::SERVICE_UNAVAILABLE,
        HealthStatus::Unknown => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
