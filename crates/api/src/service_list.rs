//! `/v1/services`: filters, pages.

use std::time::Duration;

use crate::{
    cursor,
    documents::{
        summary::{ServiceList, ServiceSummary},
        v1::Health,
    },
    json::to_json,
    problem::Problem,
    query::{Kind, Parameter, Query},
    rendered::Rendered,
    snapshot::Snapshot,
};

/// Length of a page: usual, and at most.
pub(crate) const PAGE: u64 = 100;
pub(crate) const PAGE_MAX: u64 = 1000;

/// Longest wait for a change.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(600);

/// The parameters of every list.
pub(crate) const LIMIT: Parameter = Parameter {
    name: "limit",
    kind: Kind::Number { least: 1, most: PAGE_MAX },
    meaning: "Most items of the page; 100 when it is not given.",
};
pub(crate) const CURSOR: Parameter = Parameter {
    name: "cursor",
    kind: Kind::Text { bytes_max: cursor::CURSOR_BYTES_MAX },
    meaning: "Where the page begins: `next` of the page before.",
};

/// The parameter of documents that can be waited for.
pub(crate) const WAIT: &[Parameter] = &[Parameter {
    name: "wait",
    kind: Kind::Span { most: WAIT_MAX },
    meaning: "With `if-none-match`: wait this long for the document to change, then answer 304.",
}];

/// The name that cursors carry.
const LIST: &str = "services";

pub(crate) const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "state",
        kind: Kind::Words(&[
            "starting",
            "up",
            "stopping",
            "down",
            "backing_off",
            "blocked",
            "failed",
        ]),
        meaning: "Only services in one of these states.",
    },
    Parameter {
        name: "health",
        kind: Kind::Words(&["ok", "warning", "critical", "unknown"]),
        meaning: "Only services with one of these results.",
    },
    Parameter {
        name: "name",
        kind: Kind::Text { bytes_max: 255 },
        meaning: "Only services with this name; `*` stands for any text.",
    },
    Parameter {
        name: "group",
        kind: Kind::Text { bytes_max: 255 },
        meaning: "Only services in the group with this name, such as `default`.",
    },
    LIMIT,
    CURSOR,
];

/// The page that a query asks for.
pub(crate) fn page(snapshot: &Snapshot, query: &Query, redact: bool) -> Result<Rendered, Problem> {
    let census = snapshot.census().value();
    let owner = census.local_member_id.as_str();
    let behind = match query.text("cursor") {
        Some(text) => cursor::decode(LIST, owner, text)?,
        None => String::new(),
    };
    let mut services: Vec<_> = snapshot
        .services()
        .iter()
        .map(|entry| (&entry.document().service_group, &*entry.v1_documents().service))
        .filter(|(group, service)| {
            let is = |name: &str, word: &str| {
                query.words(name).is_none_or(|wanted| wanted.contains(&word))
            };
            group.as_str() > behind.as_str()
                && is("state", service.state.as_str())
                && is("health", health_word(service.health))
                && query.text("name").is_none_or(|name| fits(name, group.service()))
                && query.text("group").is_none_or(|name| name == group.group())
        })
        .collect();
    services.sort_unstable_by_key(|(group, _)| group.as_str());
    let limit = usize::try_from(query.number("limit").unwrap_or(PAGE)).unwrap_or(usize::MAX);
    let is_last = services.len() <= limit;
    services.truncate(limit);
    let next = services.last().filter(|_| !is_last);
    let next = next.map(|(group, _)| cursor::encode(LIST, owner, group.as_str()));
    let leader = |group: &str| {
        let group = census.census_groups.get(group).filter(|_| !redact)?;
        group.leader_id.clone()
    };
    let summary =
        |(group, service): &(&roost_ident::ServiceGroup, &crate::documents::ServiceV1)| {
            ServiceSummary::new(service, leader(group.as_str()))
        };
    let items = services.iter().map(summary).collect();
    Ok(Rendered::versioned(to_json(&ServiceList { items, next })))
}

const fn health_word(health: Health) -> &'static str {
    match health {
        Health::Ok => "ok",
        Health::Warning => "warning",
        Health::Critical => "critical",
        Health::Unknown => "unknown",
    }
}

/// True when a name has the form of a pattern, in which `*` stands for any text. Takes at most the
/// product of their lengths.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut star, mut from) = (0, None, 0);
    let mut index = 0;
    while index < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                (star, from) = (Some(at), index);
                at += 1;
            }
            Some(byte) if *byte == name[index] => {
                at += 1;
                index += 1;
            }
            _ => {
                // The last star takes one byte more.
                let Some(last) = star else { return false };
                at = last + 1;
                from += 1;
                index = from;
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use roost_ident::ServiceState;

    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name) in [
            ("web", "web"),
            ("*", ""),
            ("*", "web"),
            ("w*", "web"),
            ("*b", "web"),
            ("w**b", "wb"),
            ("*a*b*", "xaxxbx"),
            ("a*a", "aaa"),
        ] {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("web", "web2"), ("we", "web"), ("", "a"), ("a*a", "a"), ("*c", "web"), ("w?b", "web")]
        {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
        let long = "a".repeat(255);
        assert!(!fits(&format!("{}b", "a*".repeat(127)), &long));
    }

    #[test]
    fn the_states_of_the_filter_are_those_of_services() {
        let Kind::Words(words) = PARAMETERS[0].kind else { panic!("not words") };
        let states: Vec<_> = ServiceState::ALL.iter().map(|state| state.as_str()).collect();
        assert_eq!(words, states);
    }
}
