//! What the documentation states of events, and whether an event is so.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

const PAGE: &str = include_str!("../../../docs/monitoring.md");

/// The documented events.
#[derive(Debug)]
pub struct Documented(BTreeMap<&'static str, Row>);

#[derive(Debug)]
struct Row {
    changes: bool,
    always: BTreeSet<&'static str>,
    sometimes: BTreeSet<&'static str>,
}

impl Documented {
    /// Reads the table of the page.
    ///
    /// # Panics
    /// When the page has no such table.
    #[must_use]
    pub fn read() -> Self {
        let section = PAGE.split("\n### Data of events\n").nth(1).expect("the section");
        let section = section.split("\n##").next().unwrap_or_default();
        let row = |line: &'static str| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [_, kind, change, always, sometimes, _] = cells[..] else { panic!("{line}") };
            let row = Row {
                changes: !change.is_empty(),
                always: words(always),
                sometimes: words(sometimes),
            };
            (kind.trim_matches('`'), row)
        };
        Self(section.lines().filter(|line| line.starts_with("| `")).map(row).collect())
    }

    /// The types of the table.
    pub fn types(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.keys().copied()
    }

    /// Compares an event with the table.
    ///
    /// # Panics
    /// When it is not as documented.
    pub fn check(&self, event: &Value) {
        let kind = event["type"].as_str().unwrap_or_default();
        let row = self.0.get(kind).unwrap_or_else(|| panic!("not documented: {event}"));
        let data = event["data"].as_object().expect("data");
        let keys: BTreeSet<&str> = data.keys().map(String::as_str).collect();
        let allowed: BTreeSet<&str> = row.always.union(&row.sometimes).copied().collect();
        assert!(row.always.is_subset(&keys), "{kind} lacks documented keys: {event}");
        assert!(keys.is_subset(&allowed), "{kind} has keys that are not documented: {event}");
        assert!(data.values().all(|value| !value.is_null()), "null in data: {event}");
        assert_eq!(event["after"].is_string(), row.changes, "{event}");
        assert!(row.changes || event["before"].is_null(), "{event}");
        let topic = kind.split('.').next().unwrap_or_default();
        assert_eq!(event["topic"], topic);
        assert!(event["message"].as_str().is_some_and(|text| !text.is_empty()), "{event}");
        if let Some(cause) = event["cause"].as_u64() {
            assert!(event["seq"].as_u64() > Some(cause), "a cause comes first: {event}");
        }
    }
}

/// The words in code spans.
fn words(cell: &'static str) -> BTreeSet<&'static str> {
    cell.split('`').skip(1).step_by(2).collect()
}
