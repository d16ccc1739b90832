//! Links between pages.

use std::fs;

use crate::{read, repository};

/// Every page of the repository that links to others.
fn pages() -> Vec<String> {
    let mut pages = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(str::to_owned).to_vec();
    for directory in ["docs", "docs/internals", "docs/reference"] {
        for entry in fs::read_dir(repository(directory)).expect("a directory").flatten() {
            let name = entry.file_name().into_string().expect("text");
            if name.ends_with(".md") {
                pages.push(format!("{directory}/{name}"));
            }
        }
    }
    pages
}

/// Targets of `[text](target)`.
fn targets(page: &str) -> Vec<&str> {
    page.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect()
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = read(&page);
        let directory = page.rsplit_once('/').map_or(String::new(), |(it, _)| format!("{it}/"));
        for target in targets(&text).into_iter().filter(|it| !it.contains("://")) {
            let (file, fragment) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { page.clone() } else { format!("{directory}{file}") };
            let exists = repository(&path).exists();
            let has_heading = fragment.is_empty()
                || exists
                    && read(&path)
                        .lines()
                        .any(|line| line.starts_with('#') && anchor(line) == fragment);
            if !exists || !has_heading {
                broken.push(format!("{page}: {target}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Source files that a page names, as `CRATE/src/…` or `crates/CRATE/src/…`.
fn source_files(page: &str) -> impl Iterator<Item = &str> {
    let is_source = |code: &&str| {
        let path = code.strip_prefix("crates/").unwrap_or(code);
        let mut parts = path.split('/').skip(1);
        // `NAME.rs` stands for a file that the reader chooses.
        !code.contains([' ', '{', '*'])
            && !code.contains("NAME")
            && matches!(parts.next(), Some("src" | "tests" | "benches"))
    };
    page.split('`').skip(1).step_by(2).filter(is_source)
}

#[test]
fn every_source_file_that_a_page_names_exists() {
    let mut missing = Vec::new();
    for page in pages() {
        let text = read(&page);
        for file in source_files(&text) {
            let path = file.strip_prefix("crates/").unwrap_or(file);
            if !repository(&format!("crates/{path}")).exists() {
                missing.push(format!("{page}: {file}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
