//! The table of crates in the internals page matches the manifests, and cores stay cores.

use std::{collections::BTreeSet, fs};

use toml::{Table, Value};

use crate::{read, repository};

/// Crates that reach what a core does not know: sockets, files, clocks, threads, the system.
const FORBIDDEN_IN_CORES: [&str; 10] = [
    "getrandom",
    "hyper",
    "libc",
    "nix",
    "rustix",
    "tempfile",
    "tokio",
    "tokio-util",
    "tracing",
    "ureq",
];

/// A row of the table.
#[derive(Debug)]
struct Row {
    name: String,
    is_core: bool,
    uses: Vec<String>,
}

fn rows() -> Vec<Row> {
    let page = read("docs/internals/README.md");
    let section = page.split("\n## Crates\n").nth(1).expect("the section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [name, is, uses] = cells[..] else { return None };
        Some(Row {
            name: name.strip_prefix('`')?.strip_suffix('`')?.to_owned(),
            is_core: is.starts_with("core: "),
            uses: uses.split(", ").filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        })
    };
    section.lines().filter_map(row).collect()
}

fn manifest(name: &str) -> Table {
    read(&format!("crates/{name}/Cargo.toml")).parse().expect("a manifest")
}

fn dependencies(manifest: &Table) -> Vec<(&str, &Value)> {
    let table = manifest.get("dependencies").and_then(Value::as_table);
    table.into_iter().flatten().map(|(name, value)| (name.as_str(), value)).collect()
}

#[test]
fn the_table_of_crates_is_that_of_the_manifests() {
    let rows = rows();
    let listed: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    let entries = fs::read_dir(repository("crates")).expect("a directory").flatten();
    let there: BTreeSet<String> =
        entries.map(|entry| entry.file_name().into_string().expect("text")).collect();
    assert_eq!(listed.iter().copied().map(str::to_owned).collect::<BTreeSet<_>>(), there);
    assert_eq!(listed.len(), there.len(), "a crate has two rows");
    for (at, row) in rows.iter().enumerate() {
        let manifest = manifest(&row.name);
        let used: BTreeSet<&str> = dependencies(&manifest)
            .into_iter()
            .filter_map(|(name, _)| name.strip_prefix("roost-"))
            .collect();
        let stated: BTreeSet<&str> = row.uses.iter().map(String::as_str).collect();
        assert_eq!(used, stated, "{}: the manifest, then the table", row.name);
        let below = &listed[at + 1..];
        let above: Vec<_> = used.iter().filter(|name| !below.contains(name)).collect();
        assert!(above.is_empty(), "{} uses crates above it: {above:?}", row.name);
    }
}

#[test]
fn cores_reach_nothing_outside_and_have_the_rules_of_cores() {
    let rows = rows();
    let cores: Vec<&Row> = rows.iter().filter(|row| row.is_core).collect();
    assert!(cores.len() > 5, "{cores:?}");
    let root = read("clippy.toml");
    let rules: Table = read("crates/text/clippy.toml").parse().expect("rules");
    for core in cores {
        let manifest = manifest(&core.name);
        let is_optional = |value: &Value| value.get("optional").and_then(Value::as_bool);
        let always: Vec<&str> = dependencies(&manifest)
            .into_iter()
            .filter(|(_, value)| is_optional(value) != Some(true))
            .map(|(name, _)| name.strip_prefix("roost-").unwrap_or(name))
            .collect();
        // Cores use the functions of `crypto`, not its cache of keys.
        let is_other = |name: &str| {
            rows.iter().any(|row| row.name == name && !row.is_core && name != "crypto")
        };
        let reached: Vec<_> = always
            .into_iter()
            .filter(|name| FORBIDDEN_IN_CORES.contains(name) || is_other(name))
            .collect();
        assert!(reached.is_empty(), "{} depends on {reached:?}", core.name);
        let own = read(&format!("crates/{}/clippy.toml", core.name));
        for line in root.lines() {
            assert!(own.contains(line), "{}/clippy.toml replaces the root's: {line}", core.name);
        }
        let own: Table = own.parse().expect("rules");
        for (list, entries) in rules.iter().filter(|(list, _)| list.starts_with("disallowed")) {
            let has = own.get(list).and_then(Value::as_array).cloned().unwrap_or_default();
            let wanted = entries.as_array().expect("a list");
            let missing: Vec<_> = wanted.iter().filter(|entry| !has.contains(entry)).collect();
            assert!(missing.is_empty(), "{}/clippy.toml, {list}: {missing:?}", core.name);
        }
    }
}
