//! Imports have one style: those of `std`, then those of other crates, then those of this crate,
//! and one declaration per crate (see CONTRIBUTING.md).

use std::fs;

use crate::{citations::visit_sources, repository};

/// Where the imports of a name stand among the three groups.
fn group(root: &str) -> u8 {
    match root {
        "std" | "core" => 0,
        "crate" | "super" | "self" => 2,
        _ => 1,
    }
}

/// What is wrong with the private imports at the top level of a source file. One that has an
/// attribute (`#[cfg(doc)]`) stands by itself.
fn fault(source: &str) -> Option<String> {
    let end = |c: char| !(c.is_alphanumeric() || c == '_');
    let previous = std::iter::once("").chain(source.lines());
    let imports = source.lines().zip(previous).filter(|(_, previous)| !previous.starts_with("#["));
    let imports = imports.filter_map(|(line, _)| line.strip_prefix("use "));
    let roots: Vec<&str> = imports.filter_map(|import| import.split(end).next()).collect();
    let twice = roots.iter().enumerate().find(|(at, root)| roots[..*at].contains(root));
    if let Some((_, root)) = twice {
        return Some(format!("imports of {root} are in two declarations"));
    }
    let sorted = roots.is_sorted_by_key(|root| group(root));
    (!sorted).then(|| "std comes first, then other crates, then this one".into())
}

#[test]
fn imports_have_one_style() {
    let mut faults = Vec::new();
    visit_sources(&repository("crates"), &mut |path| {
        if let Some(fault) = fault(&fs::read_to_string(path).expect("text")) {
            faults.push(format!("{}: {fault}", path.display()));
        }
    });
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn imports_in_another_style_are_found() {
    for (source, is_fine) in [
        ("use std::{fs, io};\n\nuse toml::Table;\n\nuse crate::a;\n", true),
        ("use std::fs;\nuse std::io;\n", false),
        ("use crate::a;\n\nuse toml::Table;\n", false),
        ("use std::fs;\n#[cfg(doc)]\nuse std::io;\n", true),
        ("mod a;\n    use std::fs;\n    use std::io;\n", true),
    ] {
        assert_eq!(fault(source).is_none(), is_fine, "{source}");
    }
}
