//! Comments of the code cite sections of the reference, as in `reference: ring §5.2`.

use std::{fs, path::Path};

use crate::{read, repository};

/// The text of a source file, without the line breaks and marks of its comments.
fn joined(source: &str) -> String {
    let lines = source.lines().map(|line| line.trim_start().trim_start_matches(['/', '!']).trim());
    lines.collect::<Vec<_>>().join(" ")
}

/// Page and section of each citation: `reference: ring §5.2, §5.3, services §4`.
fn citations(source: &str) -> Vec<(String, String)> {
    let text = joined(source);
    let mut found = Vec::new();
    for citation in text.split("reference: ").skip(1) {
        let mut page = "";
        for word in citation.split(' ') {
            let bare = word.trim_end_matches([',', ')', '.', ':', ';', '`', '"']);
            match bare.strip_prefix('§') {
                Some(section) => found.push((page.to_owned(), section.to_owned())),
                None if matches!(bare, "and" | "to") => {}
                None if bare == word && is_page_name(bare) => page = bare,
                None => break,
            }
            if bare != word && !word.ends_with(',') {
                break;
            }
        }
    }
    found
}

fn is_page_name(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
}

/// True when a page has a heading with this number.
fn has_section(page: &str, section: &str) -> bool {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let mut numbers = headings.filter_map(|line| line.split(' ').nth(1));
    numbers.any(|number| number.trim_end_matches('.') == section)
}

/// Calls `visit` with each source file below a directory.
pub(crate) fn visit_sources(directory: &Path, visit: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(directory).expect("a directory").flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            visit_sources(&path, visit);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            visit(&path);
        }
    }
}

#[test]
fn every_cited_section_exists() {
    let mut wrong = Vec::new();
    visit_sources(&repository("crates"), &mut |path| {
        for (page, section) in citations(&fs::read_to_string(path).expect("text")) {
            let file = format!("docs/reference/{page}.md");
            if !repository(&file).exists() || !has_section(&read(&file), &section) {
                wrong.push(format!("{}: {page} §{section}", path.display()));
            }
        }
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn citations_may_name_several_pages_and_cross_lines() {
    let lines = ["/// A (reference: http-api §12,", "    /// ring §5.2 and §5.3). B", "// C"];
    let found = citations(&lines.join("\n"));
    let found: Vec<(&str, &str)> = found.iter().map(|(p, s)| (p.as_str(), s.as_str())).collect();
    assert_eq!(found, [("http-api", "12"), ("ring", "5.2"), ("ring", "5.3")]);
}
