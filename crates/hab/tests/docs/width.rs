//! Comments are as narrow as the code: rustfmt leaves them as they are.

use std::fs;

use crate::{citations::visit_sources, repository};

/// As `max_width` of rustfmt.
const COLUMNS: usize = 100;

/// A row of a table cannot be broken.
fn is_wide(line: &str) -> bool {
    let Some(comment) = line.trim_start().strip_prefix("//") else { return false };
    let text = comment.trim_start_matches(['/', '!']).trim_start();
    line.chars().count() > COLUMNS && !text.starts_with('|')
}

#[test]
fn no_comment_is_wider_than_the_code() {
    let mut wide = Vec::new();
    visit_sources(&repository("crates"), &mut |path| {
        let source = fs::read_to_string(path).expect("a source");
        let lines = source.lines().enumerate().filter(|(_, line)| is_wide(line));
        wide.extend(lines.map(|(at, line)| format!("{}:{}: {line}", path.display(), at + 1)));
    });
    assert!(wide.is_empty(), "wider than {COLUMNS} columns:\n{}", wide.join("\n"));
}
