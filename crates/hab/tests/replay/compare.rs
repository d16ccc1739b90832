//! Compares documents and reports the differences.

use std::{collections::BTreeMap, fmt};

use serde_json::{Map, Value};

use crate::names::Names;

/// Shown length of a value that differs.
const LONGEST_SHOWN_CHARS: usize = 600;

/// A difference between the found document and the recorded one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mismatch {
    /// JSON pointer, or `head`, `body`, `stdout` …
    pub(crate) at: String,
    pub(crate) expected: String,
    pub(crate) found: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shorten = |text: &str| text.chars().take(LONGEST_SHOWN_CHARS).collect::<String>();
        let (at, expected, found) = (&self.at, shorten(&self.expected), shorten(&self.found));
        write!(f, "  at {at}\n    recorded {expected}\n    found    {found}")
    }
}

impl Mismatch {
    pub(crate) fn new(at: &str, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        Self { at: at.into(), expected: expected.to_string(), found: found.to_string() }
    }
}

/// All differences between `found` and the recording.
pub(crate) fn json(expected: &Value, found: &Value, names: &mut Names) -> Vec<Mismatch> {
    let mut comparison = Comparison { names, mismatches: Vec::new() };
    comparison.value("", "", expected, found);
    comparison.mismatches
}

struct Comparison<'a> {
    names: &'a mut Names,
    mismatches: Vec<Mismatch>,
}

impl Comparison<'_> {
    fn value(&mut self, at: &str, key: &str, expected: &Value, found: &Value) {
        match (expected, found) {
            (Value::Object(expected), Value::Object(found)) => self.object(at, expected, found),
            (Value::Array(expected), Value::Array(found)) => self.array(at, key, expected, found),
            _ if at == "/changed" && found.is_boolean() => {}
            _ if self.names.same(key, expected, found) => {}
            _ => self.mismatches.push(Mismatch::new(at, expected, found)),
        }
    }

    fn object(&mut self, at: &str, expected: &Map<String, Value>, found: &Map<String, Value>) {
        let expected: Vec<(String, &Value)> =
            expected.iter().map(|(key, value)| (self.names.fill(key), value)).collect();
        let is_map = expected.iter().any(|(key, _)| is_name(key));
        let keys: Vec<&String> = expected.iter().map(|(key, _)| key).collect();
        let same_keys = expected.iter().filter(|(key, _)| found.contains_key(key)).count();
        if !is_map && same_keys == keys.len() && !found.keys().eq(keys.iter().copied()) {
            let found: Vec<&String> = found.keys().collect();
            if found.len() == keys.len() {
                let (keys, found) = (format!("{keys:?}"), format!("{found:?}"));
                self.mismatches.push(Mismatch::new(&format!("{at}/(order)"), keys, found));
            }
        }
        for (key, value) in &expected {
            let at = format!("{at}/{key}");
            match found.get(key) {
                Some(found) => self.value(&at, key, value, found),
                None => self.mismatches.push(Mismatch::new(&at, value, "nothing")),
            }
        }
        for (key, value) in found {
            if !expected.iter().any(|(known, _)| known == key) {
                self.mismatches.push(Mismatch::new(&format!("{at}/{key}"), "nothing", value));
            }
        }
    }

    fn array(&mut self, at: &str, key: &str, expected: &[Value], found: &[Value]) {
        if at.is_empty() {
            return self.services(expected, found);
        }
        let unordered = matches!(key, "votes" | "departed_members" | "changed_service_files");
        let mut found = found.to_vec();
        let mut expected = expected.to_vec();
        if unordered {
            let names = &*self.names;
            let text = |value: &Value| names.fill(value.as_str().unwrap_or_default());
            expected.sort_by_key(text);
            found.sort_by_key(text);
        }
        if expected.len() != found.len() {
            let (expected, found) = (Value::Array(expected), Value::Array(found));
            return self.mismatches.push(Mismatch::new(at, expected, found));
        }
        for (number, (expected, found)) in expected.iter().zip(&found).enumerate() {
            self.value(&format!("{at}/{number}"), "", expected, found);
        }
    }

    /// The list of services, whose order is irrelevant.
    fn services(&mut self, expected: &[Value], found: &[Value]) {
        let by_group = |list: &[Value]| -> BTreeMap<String, Value> {
            let group = |value: &Value| value["service_group"].as_str().unwrap_or("?").to_owned();
            list.iter().map(|value| (group(value), value.clone())).collect()
        };
        let (expected, mut found) = (by_group(expected), by_group(found));
        for (group, expected) in &expected {
            match found.remove(group) {
                Some(found) => self.value(&format!("/{group}"), "", expected, &found),
                None => self.mismatches.push(Mismatch::new(&format!("/{group}"), "it", "nothing")),
            }
        }
        for group in found.keys() {
            self.mismatches.push(Mismatch::new(&format!("/{group}"), "nothing", "it"));
        }
    }
}

/// Keys that are ids, service groups or file names, not names of fields.
fn is_name(key: &str) -> bool {
    key.contains('.') || (key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn places(expected: &Value, found: &Value) -> Vec<String> {
        let mismatches = json(expected, found, &mut Names::new());
        mismatches.into_iter().map(|mismatch| mismatch.at).collect()
    }

    #[test]
    fn fields_have_an_order_and_maps_have_none() {
        let fields = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        let (one, other) = (fields(r#"{"a":1,"b":2}"#), fields(r#"{"b":2,"a":1}"#));
        assert_eq!(places(&one, &other), ["/(order)"]);
        let (one, other) = (fields(r#"{"a.x":1,"b.x":2}"#), fields(r#"{"b.x":2,"a.x":1}"#));
        assert!(places(&one, &other).is_empty());
    }

    #[test]
    fn what_is_missing_or_more_or_of_another_type_is_found() {
        let expected = json!({ "a": { "b": 1, "c": 2.0, "d": "1" } });
        let found = json!({ "a": { "b": 1, "c": 2, "e": 1 } });
        assert_eq!(places(&expected, &found), ["/a/c", "/a/d", "/a/e"]);
        assert_eq!(places(&json!({ "a": [1, 2] }), &json!({ "a": [2, 1] })), ["/a/0", "/a/1"]);
        assert_eq!(places(&json!({ "a": [1] }), &json!({ "a": [1, 2] })), ["/a"]);
    }

    #[test]
    fn a_placeholder_is_one_value_and_different_pids_are_two() {
        let expected = json!({ "a": "${PID_1}", "b": "${PID_1}", "c": "${PID_2}" });
        assert!(places(&expected, &json!({ "a": 7, "b": 7, "c": 8 })).is_empty());
        assert_eq!(places(&expected, &json!({ "a": 7, "b": 8, "c": 7 })), ["/b", "/c"]);
    }

    #[test]
    fn services_are_told_by_group_not_by_place() {
        let service = |group: &str, up: bool| json!({ "service_group": group, "up": up });
        let expected = json!([service("a.x", true), service("b.x", false)]);
        assert!(
            places(&expected, &json!([service("b.x", false), service("a.x", true)])).is_empty()
        );
        let found = json!([service("b.x", true), service("c.x", true)]);
        assert_eq!(places(&expected, &found), ["/a.x", "/b.x/up", "/c.x"]);
    }
}
