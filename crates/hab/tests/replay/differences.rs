//! The list of intentional differences.

use std::{cell::Cell, fs, path::Path};

use serde::Deserialize;

use crate::compare::Mismatch;

/// The list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Differences {
    difference: Vec<Difference>,
    transient: Vec<Transient>,
}

/// A difference between Roost and Habitat.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    reason: String,
    /// Scenario and file without extension, or scenario and command; `*` is any text.
    files: Vec<String>,
    /// Our status line and headers instead, except dates and lengths. The body is then ours too.
    head: Option<Vec<String>>,
    /// JSON pointers, or `stdout`, `stderr`, `exit_code`, `body`; `*` is any text.
    #[serde(default)]
    at: Vec<String>,
    /// It occurs only in some runs, depending on the order of simultaneous events.
    #[serde(default)]
    sometimes: bool,
    #[serde(skip)]
    used: Cell<bool>,
}

/// Transient states, or states that Roost passes faster.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Transient {
    reason: String,
    files: Vec<String>,
    /// Whether the head is compared anyway.
    #[serde(default = "yes")]
    head: bool,
}

const fn yes() -> bool {
    true
}

impl Difference {
    fn lists(&self, place: &str) -> bool {
        self.at.iter().any(|at| fits(at, place))
    }
}

/// Whether the pattern, in which `*` is any text, matches.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            let mut tails = (0..=text.len()).filter(|at| text.is_char_boundary(*at));
            tails.any(|at| fits(rest, &text[at..]))
        }),
    }
}

impl Differences {
    /// Entries for a scenario.
    pub(crate) fn of(scenario: &str) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/differences.toml");
        let mut list: Self =
            toml::from_str(&fs::read_to_string(file).expect("the list")).expect("TOML");
        let own = |files: &mut Vec<String>| {
            files.retain(|file| file.starts_with(&format!("{scenario}/")));
            !files.is_empty()
        };
        list.difference.retain_mut(|difference| own(&mut difference.files));
        list.transient.retain_mut(|transient| own(&mut transient.files));
        for reason in list.difference.iter().map(|entry| &entry.reason) {
            assert!(!reason.is_empty(), "a difference without a reason");
        }
        list
    }

    /// Whether the answer is transient, and whether its head is compared anyway.
    pub(crate) fn transient(&self, file: &str) -> Option<bool> {
        let mut entries = self.transient.iter().filter(|entry| !entry.reason.is_empty());
        let entry = entries.find(|entry| entry.files.iter().any(|pattern| fits(pattern, file)))?;
        Some(entry.head)
    }

    /// The head that replaces the recorded one.
    pub(crate) fn head(&self, file: &str) -> Option<&[String]> {
        let entry = self.entries(file).find(|entry| entry.head.is_some())?;
        entry.used.set(true);
        entry.head.as_deref()
    }

    /// The differences that are not listed.
    pub(crate) fn unlisted(&self, file: &str, mismatches: &[Mismatch]) -> Vec<Mismatch> {
        let listed = |one: &&Mismatch| self.entries(file).any(|entry| entry.lists(&one.at));
        mismatches.iter().filter(|mismatch| !listed(mismatch)).cloned().collect()
    }

    /// Records that these differences occurred.
    pub(crate) fn found(&self, file: &str, mismatches: &[Mismatch]) {
        for entry in self.entries(file) {
            if mismatches.iter().any(|mismatch| entry.lists(&mismatch.at)) {
                entry.used.set(true);
            }
        }
    }

    fn entries(&self, file: &str) -> impl Iterator<Item = &Difference> {
        let own = move |entry: &&Difference| entry.files.iter().any(|at| fits(at, file));
        self.difference.iter().filter(own)
    }

    /// Entries that were never used.
    pub(crate) fn unused(&self) -> Vec<String> {
        let unused = self.difference.iter().filter(|entry| !entry.used.get());
        let unused = unused.filter(|entry| !entry.sometimes);
        unused.map(|entry| format!("never used: {} {:?}", entry.reason, entry.files)).collect()
    }
}
