//! The ring as this Supervisor sees it.

use super::row::{Gives, Outcome, Renderer, Resource};
use crate::{accept::Media, documents::ring::members::RingMemberList, ring::members, shape::Shape};

pub(super) const RESOURCES: &[Resource] = &[Resource {
    path: "/v1/ring/members",
    organization_path: None,
    summary: "The members of the ring as this Supervisor sees them: since when, from whom, how \
              they answer.",
    gives: Gives::Ring,
    parameters: members::PARAMETERS,
    media: &[Media::Json],
    shape: Some(Shape::of::<RingMemberList>()),
    outcomes: &[Outcome { status: 200, meaning: "A page of members." }],
    renderer: Renderer::Selection(members::page),
}];
