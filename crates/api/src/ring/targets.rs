//! `/v1/ring/prometheus-targets`.

use crate::{
    documents::ring::{
        members::{MemberState, RingMember},
        targets::{PrometheusTarget, PrometheusTargets},
    },
    json::to_json,
    problem::Problem,
    query::Query,
    rendered::Rendered,
    snapshot::Snapshot,
};

/// The gateways of all members that did not depart. A dead one stays, so that its absence shows.
pub(crate) fn list(snapshot: &Snapshot, _: &Query, _: bool) -> Result<Rendered, Problem> {
    let members = snapshot.ring().members.iter().map(|(_, member)| member);
    let present = members.filter(|member| member.state != MemberState::Departed);
    let targets = PrometheusTargets(present.filter_map(target).collect());
    Ok(Rendered::versioned(to_json(&targets)))
}

fn target(member: &RingMember) -> Option<PrometheusTarget> {
    let label = |name: &str, value: &str| (format!("__meta_roost_{name}"), value.to_owned());
    let services: String = member.services.iter().map(|group| format!("{group},")).collect();
    Some(PrometheusTarget {
        targets: vec![member.http.clone()?],
        labels: [
            label("member_id", &member.id),
            label("hostname", member.hostname.as_deref().unwrap_or_default()),
            label("state", member.state.as_str()),
            label("services", &format!(",{services}")),
        ]
        .into(),
    })
}
