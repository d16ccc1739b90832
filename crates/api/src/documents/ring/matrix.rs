//! `/v1/ring/matrix`: how the members of the ring see each other.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    health::{RingAnswer, RingSource},
    members::MemberState,
};

/// How the members see each other, as they answered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RingMatrix {
    /// When the first members were asked. Clients share the answer until two seconds after the last
    /// one has answered, ten seconds later at most.
    #[schema(format = DateTime, examples("2026-11-22T15:51:38.900Z"))]
    pub at: String,
    /// True when the view of a member is missing, whatever the reason.
    pub partial: bool,
    /// Members that are not in `members`, because it holds 1,000 at most.
    pub left_out: usize,
    /// The members that did not depart, ordered by id.
    pub members: Vec<RingMatrixMember>,
    /// What the views show, the most severe first; empty when fewer than two members answered.
    pub findings: Vec<RingFinding>,
    /// Findings that are not in `findings`, because it holds 100 at most.
    pub more_findings: usize,
}

/// One member, and how it sees the others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RingMatrixMember {
    /// Its member id.
    pub id: String,
    /// Name of its machine, by its services.
    pub hostname: Option<String>,
    /// How it is in the ring, as this Supervisor sees it.
    pub state: MemberState,
    /// What came of asking it.
    pub result: RingAnswer,
    /// Why there is no answer; null with one.
    pub reason: Option<String>,
    /// Which documents answered; null without an answer.
    pub source: Option<RingSource>,
    /// When it answered; null without an answer.
    #[schema(format = DateTime)]
    pub at: Option<String>,
    /// How it sees the members, one character for each in the order of the list: `.` alive,
    /// `?` suspect, `x` confirmed dead or departed, `_` not known to it. Null without an answer.
    #[schema(pattern = "^[.?x_]*$", examples("..x"))]
    pub sees: Option<String>,
}

/// Something that the views show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RingFinding {
    /// What it is.
    pub code: RingFindingCode,
    /// The members, by id: all that answered for `agree`; for `one_way_cut` the one that sees the
    /// other, then the other; for `unseen` and `disagree` the one that is seen so.
    pub members: Vec<String>,
    /// For `split_views` the groups by the ids of their members; empty otherwise.
    pub groups: Vec<Vec<String>>,
    /// The same as a sentence.
    pub message: String,
}

/// What the views of the members show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RingFindingCode {
    /// Groups of members see each other only.
    SplitViews,
    /// One member sees another, which does not see it.
    OneWayCut,
    /// None of the others that answered sees this member.
    Unseen,
    /// The members see this one differently, and none of the others explains it.
    Disagree,
    /// All members that answered see the same.
    Agree,
}
