//! `/v1/ring/members`: filters, pages.

use roost_ident::time::rfc3339_ms;

use crate::{
    cursor,
    documents::ring::members::{MemberState, RingMember, RingMemberList},
    json::to_json,
    problem::Problem,
    query::{Kind, Parameter, Query},
    rendered::Rendered,
    service_list::{CURSOR, LIMIT, PAGE, fits},
    snapshot::Snapshot,
};

/// The name that cursors carry.
const LIST: &str = "members";

pub(crate) const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "state",
        kind: Kind::Words(MemberState::WORDS),
        meaning: "Only members in one of these states.",
    },
    Parameter {
        name: "service",
        kind: Kind::Text { bytes_max: 255 },
        meaning: "Only members with a service in this group, `name.group`; `*` stands for any \
                  text.",
    },
    Parameter {
        name: "name",
        kind: Kind::Text { bytes_max: 255 },
        meaning: "Only members with this id or name of the machine; `*` stands for any text.",
    },
    LIMIT,
    CURSOR,
];

/// The page that a query asks for. Its version is that of the facts without contacts.
pub(crate) fn page(snapshot: &Snapshot, query: &Query, _: bool) -> Result<Rendered, Problem> {
    let owner = snapshot.census().value().local_member_id.as_str();
    let behind = match query.text("cursor") {
        Some(text) => cursor::decode(LIST, owner, text)?,
        None => String::new(),
    };
    let limit = usize::try_from(query.number("limit").unwrap_or(PAGE)).unwrap_or(usize::MAX);
    let mut members = snapshot.ring().members.iter().filter(|(_, member)| {
        // No id is empty.
        member.id > behind && is_wanted(member, query)
    });
    let page: Vec<_> = members.by_ref().take(limit).collect();
    let has_more = members.next().is_some();
    let last = page.last().filter(|_| has_more);
    let next = last.map(|(_, member)| cursor::encode(LIST, owner, &member.id));
    let items = page.iter().map(|(_, member)| member.clone()).collect();
    let mut list = RingMemberList { items, next };
    let facts = to_json(&list);
    for ((place, _), item) in page.iter().zip(&mut list.items) {
        let Some(place) = place else { continue };
        let contact = snapshot.contacts().get(*place);
        item.round_trip_ms = contact.round_trip_us.map(|us| f64::from(us) / 1_000.0);
        item.last_heard = contact.heard_unix_ms.map(rfc3339_ms);
    }
    Ok(Rendered::with_version_of(to_json(&list), &facts))
}

fn is_wanted(member: &RingMember, query: &Query) -> bool {
    let is_state = |wanted: &[&str]| wanted.contains(&member.state.as_str());
    let is_called = |pattern: &str| {
        fits(pattern, &member.id) || member.hostname.as_deref().is_some_and(|it| fits(pattern, it))
    };
    query.words("state").is_none_or(is_state)
        && query.text("service").is_none_or(|it| member.services.iter().any(|sg| fits(it, sg)))
        && query.text("name").is_none_or(is_called)
}
