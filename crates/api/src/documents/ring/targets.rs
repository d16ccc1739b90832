//! `/v1/ring/prometheus-targets`: what Prometheus asks to find the members (`http_sd_config`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One entry for each member with a gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PrometheusTargets(pub Vec<PrometheusTarget>);

/// A gateway of the ring.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PrometheusTarget {
    /// Its address and port, one.
    #[schema(examples(json!(["10.0.0.7:9631"])))]
    pub targets: Vec<String>,
    /// `__meta_roost_member_id`, `__meta_roost_hostname`, `__meta_roost_state` and
    /// `__meta_roost_services`, with a comma before and after each group.
    pub labels: BTreeMap<String, String>,
}
