//! Compares the text of `/metrics`: families, types and label sets; values are measured.

use std::collections::{BTreeMap, BTreeSet};

use crate::{compare::Mismatch, recorded::Request};

/// Labels of requests that no route answered, where Habitat shows the path.
const OTHER: &str = "{path=\"<other>\"}";
const UNAUTHORIZED: &str = "{path=\"<unauthorized>\"}";

#[derive(Debug, Default)]
struct Family {
    kind: String,
    labels: BTreeSet<String>,
}

fn parse(text: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type");
            families.entry(name.into()).or_default().kind = kind.into();
        } else if !line.starts_with('#') {
            let (sample, _) = line.rsplit_once(' ').expect("a value");
            let (name, labels) = sample.find('{').map_or((sample, ""), |at| sample.split_at(at));
            let suffixes = ["_bucket", "_sum", "_count"].into_iter();
            let mut bases = suffixes.filter_map(|suffix| name.strip_suffix(suffix));
            let known = bases.find(|base| families.contains_key(*base));
            let family = families.entry(known.unwrap_or(name).into()).or_default();
            family.labels.insert(without_bounds(labels));
        }
    }
    families
}

/// A set of labels without `le`.
fn without_bounds(labels: &str) -> String {
    let end = labels.find("le=\"").unwrap_or(labels.len());
    let kept = labels[..end].trim_end_matches(['{', '}', ',']);
    if kept.is_empty() { String::new() } else { format!("{kept}}}") }
}

/// Recorded series that are missing or have another type. Requests before this one determine which
/// paths a route answered.
pub(crate) fn compare(expected: &str, found: &str, before: &[&Request]) -> Vec<Mismatch> {
    let (expected, found) = (parse(expected), parse(found));
    let answered = |path: &str| {
        let status = |request: &&&Request| request.head[0].split(' ').nth(1) == Some("200");
        before.iter().filter(|request| request.path == path).any(|request| status(&request))
    };
    let mut mismatches = Vec::new();
    for (name, recorded) in &expected {
        let Some(ours) = found.get(name) else {
            mismatches.push(Mismatch::new(&format!("/{name}"), &recorded.kind, "nothing"));
            continue;
        };
        if ours.kind != recorded.kind {
            mismatches.push(Mismatch::new(&format!("/{name}"), &recorded.kind, &ours.kind));
        }
        for labels in &recorded.labels {
            let path = labels.strip_prefix("{path=\"").and_then(|rest| rest.strip_suffix("\"}"));
            let is_there = match path {
                Some(path) if !answered(path) => {
                    ours.labels.contains(OTHER)
                        || ours.labels.contains(UNAUTHORIZED)
                        || ours.labels.contains(labels)
                }
                _ => ours.labels.contains(labels),
            };
            if !is_there {
                mismatches.push(Mismatch::new(&format!("/{name}{labels}"), "it", "nothing"));
            }
        }
        for labels in ours.labels.difference(&recorded.labels) {
            if labels != OTHER && labels != UNAUTHORIZED {
                mismatches.push(Mismatch::new(&format!("/{name}{labels}"), "nothing", "it"));
            }
        }
    }
    mismatches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_types_and_labels_are_compared_and_values_are_not() {
        let text = "# TYPE a counter\na{x=\"1\"} 5\n# TYPE h histogram\n\
                    h_bucket{x=\"1\",le=\"1\"} 1\nh_count{x=\"1\"} 1\n";
        let differing = |found: &str| compare(text, found, &[]).len();
        assert_eq!(differing(&text.replace(" 5", " 6")), 0);
        assert_eq!(differing(&text.replace("counter", "gauge")), 1);
        assert_eq!(differing(&text.replace("a{x=\"1\"}", "a{x=\"2\"}")), 2);
        assert_eq!(differing("# TYPE a counter\na{x=\"1\"} 5\n"), 1);
    }
}
