//! `/v1/ring/groups`: one document for each service group of the ring.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::members::MemberState;

/// A page of groups, ordered by `id`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RingGroupList {
    /// The groups of this page.
    pub items: Vec<RingGroup>,
    /// The cursor of the next page; null on the last one.
    pub next: Option<String>,
}

/// A service group of the ring as this Supervisor sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RingGroup {
    /// Its name, `name.group[@org]`.
    #[schema(examples("redis.default"))]
    pub id: String,
    /// Member id of the leader; null without one that is alive or suspect.
    pub leader: Option<String>,
    /// Why an election has not given a leader, or gives none that is alive; null when there is one,
    /// and for groups without an election.
    pub why_no_leader: Option<String>,
    /// The arithmetic of its elections.
    pub quorum: RingQuorum,
    /// The election of its leader; null when none has begun.
    pub election: Option<RingElection>,
    /// The election of the member that leads a rolling update; null when none has begun.
    pub update_election: Option<RingElection>,
    /// Two leaders of one term; null without a conflict.
    pub conflict: Option<RingConflict>,
    /// What an operator should look at.
    pub warnings: Vec<RingWarning>,
    /// The members with a service in the group, ordered by id.
    pub members: Vec<RingGroupMember>,
}

/// How many members a leader needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RingQuorum {
    /// Members that did not depart.
    pub electorate: u64,
    /// The alive ones among them.
    pub alive: u64,
    /// Alive members that an election needs: more than half of the electorate.
    pub needed: u64,
    /// Enough are alive.
    pub reached: bool,
    /// Members that may fail before there are too few.
    pub spare: u64,
}

/// An election as this Supervisor knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RingElection {
    /// How far it is.
    pub status: RingElectionStatus,
    /// Its number, raised with each new one.
    pub term: u64,
    /// The leading candidate; the leader once it is finished.
    pub candidate: String,
    /// What the suitability hook of the candidate printed. The highest wins, then the highest id.
    pub suitability: u64,
    /// The members that voted, in the order of arrival.
    pub votes: Vec<String>,
    /// Alive members that have not voted, as far as is known here; none once it is finished.
    pub missing_votes: Vec<String>,
}

/// How far an election is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RingElectionStatus {
    /// Votes are being collected.
    #[default]
    Running,
    /// Too few members are alive.
    NoQuorum,
    /// There is a leader.
    Finished,
}

/// Two leaders of one term: parts of the ring could not reach each other when they were elected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RingConflict {
    /// The term.
    pub term: u64,
    /// Member ids of both.
    pub leaders: Vec<String>,
}

/// What an operator should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RingWarning {
    /// For programs.
    pub code: RingWarningCode,
    /// For people.
    pub message: String,
}

/// What is wrong with a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RingWarningCode {
    /// It elects, and has an even number of members.
    EvenGroup,
    /// It has two leaders.
    LeaderConflict,
    /// Its leader is not alive.
    LeaderNotAlive,
    /// Some of its services elect a leader, and others do not.
    MixedTopologies,
    /// It elects, and too few members are alive.
    NoQuorum,
}

/// A member with a service in a group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RingGroupMember {
    /// Its member id.
    pub id: String,
    /// True for this Supervisor itself.
    pub own: bool,
    /// Name of its machine.
    pub hostname: String,
    /// How it is; null when the member is not in the member list yet.
    pub state: Option<MemberState>,
    /// It leads the group: it is the group's `leader`.
    pub leader: bool,
    /// It has voted for the leader or the present candidate.
    pub voted: bool,
    /// The release of its service, as it announces it.
    #[schema(examples("core/redis/7.0.0/20250101000000"))]
    pub package: String,
}
