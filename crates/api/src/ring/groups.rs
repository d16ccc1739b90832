//! `/v1/ring/groups`: filters, pages, one group.

use roost_ident::Topology;

use crate::{
    cursor,
    documents::ring::groups::{RingGroup, RingGroupList, RingWarning, RingWarningCode},
    json::to_json,
    problem::{Code, Problem},
    query::{Kind, Parameter, Query},
    rendered::Rendered,
    service_list::{CURSOR, LIMIT, PAGE, fits},
    snapshot::Snapshot,
};

/// The name that cursors carry.
const LIST: &str = "groups";

pub(crate) const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "name",
        kind: Kind::Text { bytes_max: 255 },
        meaning: "Only groups with this name, `name.group`; `*` stands for any text.",
    },
    Parameter { name: "warnings", kind: Kind::Flag, meaning: "Only groups with a warning." },
    LIMIT,
    CURSOR,
];

/// The page that a query asks for.
pub(crate) fn page(snapshot: &Snapshot, query: &Query, _: bool) -> Result<Rendered, Problem> {
    let owner = snapshot.census().value().local_member_id.as_str();
    let behind = match query.text("cursor") {
        Some(text) => cursor::decode(LIST, owner, text)?,
        None => String::new(),
    };
    let limit = usize::try_from(query.number("limit").unwrap_or(PAGE)).unwrap_or(usize::MAX);
    let groups = snapshot.ring().groups.iter().filter(|group| {
        group.id > behind && query.text("name").is_none_or(|name| fits(name, &group.id))
    });
    let mut groups = groups
        .map(|group| with_topology(snapshot, group))
        .filter(|group| !query.flag("warnings") || !group.warnings.is_empty());
    let items: Vec<RingGroup> = groups.by_ref().take(limit).collect();
    let last = items.last().filter(|_| groups.next().is_some());
    let next = last.map(|group| cursor::encode(LIST, owner, &group.id));
    Ok(Rendered::versioned(to_json(&RingGroupList { items, next })))
}

/// One group.
pub(crate) fn one(snapshot: &Snapshot, name: &str) -> Result<Rendered, Problem> {
    let groups = &snapshot.ring().groups;
    let place = groups.binary_search_by(|group| group.id.as_str().cmp(name));
    let group = place.map(|place| &groups[place]).map_err(|_| {
        Problem::new(Code::NotFound, "The ring has no service in a group with this name.")
            .hint("'hab ring groups' lists the groups of the ring.")
    })?;
    Ok(Rendered::versioned(to_json(&with_topology(snapshot, group))))
}

/// Topologies are not in rumors: what others elect shows, and what the own service does is known.
fn with_topology(snapshot: &Snapshot, group: &RingGroup) -> RingGroup {
    let mut group = group.clone();
    let own = snapshot.service(&group.id).map(|entry| entry.document().topology);
    if group.election.is_some() && own == Some(Topology::Standalone) {
        group.warnings.push(RingWarning {
            code: RingWarningCode::MixedTopologies,
            message: "others of the group elect a leader; the service here has the topology \
                      standalone and does not wait for one"
                .into(),
        });
    }
    group
}
