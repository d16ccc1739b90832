//! The ring as this Supervisor sees it.

use super::row::{Gives, Outcome, Renderer, Resource};
use crate::{
    accept::Media,
    documents::ring::{
        groups::{RingGroup, RingGroupList},
        health::RingHealth,
        matrix::RingMatrix,
        members::RingMemberList,
        targets::PrometheusTargets,
    },
    ring::{groups, members, targets},
    shape::Shape,
};

pub(super) const RESOURCES: &[Resource] = &[
    Resource {
        path: "/v1/ring/members",
        organization_path: None,
        summary: "The members of the ring as this Supervisor sees them: since when, from whom, \
                  how they answer.",
        gives: Gives::Ring,
        parameters: members::PARAMETERS,
        media: &[Media::Json],
        shape: Some(Shape::of::<RingMemberList>()),
        outcomes: &[Outcome { status: 200, meaning: "A page of members." }],
        renderer: Renderer::Selection(members::page),
    },
    Resource {
        path: "/v1/ring/groups",
        organization_path: None,
        summary: "The service groups of the ring: members, leader, election with its arithmetic, \
                  conflicts.",
        gives: Gives::Ring,
        parameters: groups::PARAMETERS,
        media: &[Media::Json],
        shape: Some(Shape::of::<RingGroupList>()),
        outcomes: &[Outcome { status: 200, meaning: "A page of groups." }],
        renderer: Renderer::Selection(groups::page),
    },
    Resource {
        path: "/v1/ring/groups/{sg}",
        organization_path: None,
        summary: "One service group of the ring; no service of it has to be loaded here.",
        gives: Gives::Ring,
        parameters: &[],
        media: &[Media::Json],
        shape: Some(Shape::of::<RingGroup>()),
        outcomes: &[Outcome { status: 200, meaning: "The group." }],
        renderer: Renderer::Group(groups::one),
    },
    Resource {
        path: "/v1/ring/health",
        organization_path: None,
        summary: "The health of the services of all members, from the gateway of each.",
        gives: Gives::Ring,
        parameters: &[],
        media: &[Media::Json],
        shape: Some(Shape::of::<RingHealth>()),
        outcomes: &[Outcome { status: 200, meaning: "What the members answered." }],
        renderer: Renderer::Live(|live, ask| live.ring_health(ask)),
    },
    Resource {
        path: "/v1/ring/matrix",
        organization_path: None,
        summary: "How the members see each other: each one is queried at its own gateway; \
                  one-way cuts and split views are named.",
        gives: Gives::Ring,
        parameters: &[],
        media: &[Media::Json],
        shape: Some(Shape::of::<RingMatrix>()),
        outcomes: &[Outcome { status: 200, meaning: "How the members see each other." }],
        renderer: Renderer::Live(|live, ask| live.ring_matrix(ask)),
    },
    Resource {
        path: "/v1/ring/prometheus-targets",
        organization_path: None,
        summary: "The HTTP gateways of the ring, for Prometheus' discovery by HTTP.",
        gives: Gives::Ring,
        parameters: &[],
        media: &[Media::Json],
        shape: Some(Shape::of::<PrometheusTargets>()),
        outcomes: &[Outcome { status: 200, meaning: "One entry for each member with a gateway." }],
        renderer: Renderer::Selection(targets::list),
    },
];
