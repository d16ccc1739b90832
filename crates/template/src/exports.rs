//! The part of a service's configuration that its service rumor gossips.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::config::parse_toml;

/// The rumor's `cfg`: a TOML document with one entry per export whose path is found in the merged
/// configuration; empty without any. `exports` maps public keys to dotted paths.
///
/// Habitat's quirk is kept, because templates of peers depend on it: a path segment that is not
/// found is skipped, only the last one decides, so `missing.port` finds the top-level `port`.
#[must_use]
pub fn rumor_cfg(config: &Table, exports: &BTreeMap<String, String>) -> String {
    let found: Table = exports
        .iter()
        .filter_map(|(key, path)| Some((key.clone(), find(config, path)?.clone())))
        .collect();
    toml::to_string(&found).expect("a table of TOML values always has a TOML form")
}

fn find<'a>(config: &'a Table, path: &str) -> Option<&'a Value> {
    let (parents, last) = path.rsplit_once('.').map_or((None, path), |(p, l)| (Some(p), l));
    parents
        .into_iter()
        .flat_map(|parents| parents.split('.'))
        .fold(config, |table, segment| match table.get(segment) {
            Some(Value::Table(inner)) => inner,
            _ => table,
        })
        .get(last)
}

/// The `cfg` of a member's service rumor; invalid text counts as empty.
#[must_use]
pub fn parse_rumor_cfg(bytes: &[u8]) -> Table {
    std::str::from_utf8(bytes).ok().and_then(|text| parse_toml(text).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export(config: &str, exports: &[(&str, &str)]) -> String {
        let exports = exports.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        rumor_cfg(&parse_toml(config).expect(config), &exports)
    }

    #[test]
    fn the_example_of_the_reference_is_reproduced_byte_for_byte() {
        let text = export(
            "test_port = 2112\n[stuff]\nthing = \"foo\"\nother = true\n[stuff.nested]\nk = \"v\"\n",
            &[
                ("bad", "missing.test_port"),
                ("blah", "stuff.thing"),
                ("none", "missing.nothing"),
                ("port", "test_port"),
                ("whole", "stuff"),
            ],
        );
        assert_eq!(
            text,
            "bad = 2112\nblah = \"foo\"\nport = 2112\n\n[whole]\nthing = \"foo\"\nother = true\n\n\
             [whole.nested]\nk = \"v\"\n"
        );
        assert_eq!(text.len(), 96);
    }

    #[test]
    fn segments_that_are_not_found_are_skipped() {
        assert_eq!(export("[a]\nport = 7\n", &[("x", "a.nope.port")]), "x = 7\n");
        assert_eq!(export("port = 1\n[a]\nport = 2\n", &[("x", "a.")]), "");
    }

    #[test]
    fn plain_values_come_before_tables_and_nothing_found_is_empty() {
        let text = export("p = 1\n[t]\nx = 1\n", &[("a", "t"), ("b", "p")]);
        assert_eq!(text, "b = 1\n\n[a]\nx = 1\n");
        assert_eq!(export("p = 1", &[("a", "q")]), "");
    }

    #[test]
    fn a_rumor_that_cannot_be_read_counts_as_empty() {
        assert_eq!(parse_rumor_cfg(b"port = 1\n").len(), 1);
        for bytes in [&b""[..], b"\xff\xfe", b"= ="] {
            assert!(parse_rumor_cfg(bytes).is_empty());
        }
    }
}
