//! The ring as this Supervisor sees it.

use super::row::{Outcome, Renderer, Resource, Scope};
use crate::{accept::Media, documents::ring::members::RingMemberList, ring::members, shape::Shape};

pub(super) const RESOURCES: &[Resource] = &[Resource {
    path: "/v1/ring/members",
    organization_path: None,
    summary: "The members of the ring as this Supervisor sees them: since when, from whom, how \
              they answer.",
    scope: Scope::Secrets,
    parameters: members::PARAMETERS,
    media: &[Media::Json],
    shape: Some(Shape::of::<RingMemberList>()),
    outcomes: &[Outcome { status: 200, meaning: "A page of members." }],
    renderer: Renderer::Selection(members::page),
}];
