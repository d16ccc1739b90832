//! `/v1/services/{sg}/explain`.

use roost_ident::ReasonCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a service is as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Explanation {
    /// Its service group, `name.group[@org]`.
    #[schema(examples("redis.default"))]
    pub id: String,
    /// One sentence.
    pub answer: String,
    /// The causes, from the effect to the root; empty when the service is as it should be.
    pub chain: Vec<Step>,
    /// What to do, the most direct first.
    pub remedies: Vec<Remedy>,
}

/// One cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ExplanationStep)]
pub struct Step {
    /// For programs; the words are stable.
    pub code: ReasonCode,
    /// For people. About another service of this Supervisor, it begins with that one's group.
    #[schema(examples("db.default: the init hook exited with code 4"))]
    pub message: String,
    /// Since when it is so.
    #[schema(format = DateTime)]
    pub since: String,
    /// What was observed, line by line.
    pub evidence: Vec<String>,
}

/// Something to do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Remedy {
    /// For people.
    pub text: String,
    /// What to type; words in capitals stand for something to fill in.
    #[schema(examples("hab svc start acme/web"))]
    pub command: Option<String>,
}
