//! The four layers of a service's configuration, and their merge.
//!
//! Weakest first: `default.toml`, the environment variable `HAB_<PACKAGE>`, `user.toml`, the
//! document gossiped by `hab config apply` (reference: templates §1).

use toml::{Table, Value};

pub use crate::environment::{environment_variable, parse_environment};
use crate::{
    error::{ConfigError, TomlFault},
    limits::{MAX_CONFIG_BYTES, MAX_MERGE_DEPTH},
};

/// The layers of one service's configuration; an absent layer is not an error.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Layers {
    /// `default.toml` of the package or of its `--config-from` directory.
    pub default: Option<Table>,
    /// The environment variable named by [`environment_variable`].
    pub environment: Option<Table>,
    /// `/hab/user/<service>/config/user.toml`.
    pub user: Option<Table>,
    /// The document that `hab config apply` gossiped for the group, with its version.
    pub gossip: Option<(u64, Table)>,
}

/// A layer that was left out because merging it would exceed [`MAX_MERGE_DEPTH`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "Error merging {layer} into config, Failed to merge TOML: Max recursive merge depth of \
     {MAX_MERGE_DEPTH} exceeded."
)]
pub struct MergeError {
    /// `default-cfg`, `environment-cfg`, `user-cfg` or `gossip-cfg`.
    pub layer: &'static str,
}

impl Layers {
    /// The effective configuration: later layers win, tables merge by key, other values are
    /// replaced; a known key keeps its position, a new one is appended. A layer that shares more
    /// than [`MAX_MERGE_DEPTH`] nested tables with earlier ones is left out and reported.
    #[must_use]
    pub fn merged(&self) -> (Table, Vec<MergeError>) {
        let layers = [
            ("default-cfg", self.default.as_ref()),
            ("environment-cfg", self.environment.as_ref()),
            ("user-cfg", self.user.as_ref()),
            ("gossip-cfg", self.gossip.as_ref().map(|(_, table)| table)),
        ];
        let mut merged = Table::new();
        let mut errors = Vec::new();
        for (layer, table) in layers {
            let Some(table) = table else { continue };
            if shared_depth_fits(&merged, table, 0) {
                merge(&mut merged, table);
            } else {
                errors.push(MergeError { layer });
            }
        }
        (merged, errors)
    }

    /// Stores a gossiped document if its version is greater than the current one (0 without a
    /// document); returns whether it did.
    pub fn take_gossip(&mut self, version: u64, table: Table) -> bool {
        let newer = version > self.gossip.as_ref().map_or(0, |(known, _)| *known);
        if newer {
            self.gossip = Some((version, table));
        }
        newer
    }
}

/// True when no merge of `from` into `into` happens deeper than [`MAX_MERGE_DEPTH`].
fn shared_depth_fits(into: &Table, from: &Table, depth: usize) -> bool {
    depth <= MAX_MERGE_DEPTH
        && from.iter().all(|(key, value)| match (into.get(key), value) {
            (Some(Value::Table(into)), Value::Table(from)) => {
                shared_depth_fits(into, from, depth + 1)
            }
            _ => true,
        })
}

/// [`shared_depth_fits`] has already bounded the recursion.
fn merge(into: &mut Table, from: &Table) {
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (Some(Value::Table(into)), Value::Table(from)) => merge(into, from),
            (Some(known), _) => known.clone_from(value),
            (None, _) => drop(into.insert(key.clone(), value.clone())),
        }
    }
}

/// Reads a configuration document: `default.toml`, `user.toml` or a gossiped one. Accepts a byte
/// order mark and `\r
/// `.
///
/// # Errors
/// `Failed to parse TOML: <parser text>`, also for nesting beyond the parser's limit; or a text
/// longer than [`MAX_CONFIG_BYTES`].
pub fn parse_toml(text: &str) -> Result<Table, ConfigError> {
    check_size(text)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    toml::from_str(text).map_err(|error| ConfigError::Toml(TomlFault::new(text, &error)))
}

pub(crate) fn check_size(text: &str) -> Result<(), ConfigError> {
    if text.len() > MAX_CONFIG_BYTES { Err(ConfigError::TooLarge(text.len())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        parse_toml(text).expect(text)
    }

    /// `depth` tables around one value.
    fn chain(depth: usize, value: i64) -> String {
        let path = vec!["t"; depth].join(".");
        format!("top = {value}\n[{path}]\nleaf = {value}\n[zz]\nx = {value}\n")
    }

    #[test]
    fn later_layers_win_and_new_keys_go_to_the_end() {
        let layers = Layers {
            default: Some(table("c = 1\na = [1, 2]\n[t]\ny = 1\nx = 1\n")),
            environment: Some(table("b = 2\na = [3]\n")),
            user: Some(table("c = 3\n[t]\nx = 3\nz = 3\n")),
            gossip: Some((1, table("c = 4\nt.y = 4\n"))),
        };
        let (merged, errors) = layers.merged();
        assert!(errors.is_empty());
        assert_eq!(
            crate::value::to_json(&merged).to_string(),
            r#"{"c":4,"a":[3],"t":{"y":4,"x":3,"z":3},"b":2}"#
        );
    }

    #[test]
    fn thirty_shared_tables_merge_and_the_thirty_first_refuses_the_whole_layer() {
        let layers = |depth| Layers {
            default: Some(table(&chain(depth, 1))),
            user: Some(table(&chain(depth, 2))),
            ..Layers::default()
        };
        let (merged, errors) = layers(30).merged();
        assert_eq!((merged, errors), (table(&chain(30, 2)), vec![]));

        let (merged, errors) = layers(31).merged();
        assert_eq!(merged, table(&chain(31, 1)), "nothing of the refused layer is kept");
        assert_eq!(
            errors[0].to_string(),
            "Error merging user-cfg into config, Failed to merge TOML: \
             Max recursive merge depth of 30 exceeded."
        );
        assert_eq!(errors.len(), 1);
    }

    #[test]
    fn one_deep_layer_alone_is_fine() {
        let layers = Layers { default: Some(table(&chain(60, 1))), ..Layers::default() };
        assert_eq!(layers.merged(), (table(&chain(60, 1)), vec![]));
    }

    #[test]
    fn a_gossiped_document_counts_only_with_a_greater_version() {
        let mut layers = Layers::default();
        assert!(!layers.take_gossip(0, table("a = 0")), "version 0 is never applied");
        assert!(layers.take_gossip(5, table("a = 5")));
        assert!(!layers.take_gossip(5, table("a = 6")));
        assert!(!layers.take_gossip(4, table("a = 4")));
        assert_eq!(layers.gossip, Some((5, table("a = 5"))));
    }

    #[test]
    fn a_byte_order_mark_and_carriage_returns_are_fine() {
        assert_eq!(table("\u{feff}a = 1\r\nb = 2\r\n"), table("a = 1\nb = 2\n"));
    }

    #[test]
    fn a_syntax_error_names_line_and_column() {
        let error = parse_toml("a = 1\nb = = 2").expect_err("invalid");
        let text = error.to_string();
        assert!(
            text.starts_with("Failed to parse TOML: TOML parse error at line 2, column 5\n"),
            "{text}"
        );
    }

    #[test]
    fn too_long_or_too_deep_text_is_an_error() {
        let long = format!("a = \"{}\"", "x".repeat(MAX_CONFIG_BYTES));
        assert!(matches!(parse_toml(&long), Err(ConfigError::TooLarge(_))));
        for deep in [
            format!("a = {}{}", "[".repeat(200_000), "]".repeat(200_000)),
            format!("a = {}1{}", "{b=".repeat(200_000), "}".repeat(200_000)),
            format!("{}a = 1", "a.".repeat(200_000)),
            format!("[{}a]", "a.".repeat(200_000)),
        ] {
            assert!(matches!(parse_toml(&deep), Err(ConfigError::Toml(_))));
        }
    }
}
