//! Compares the output of Supervisors: the lines of one service, of the launcher about one process,
//! of the Supervisor, each in order. Ignores periodic lines, repeated parts of lines, and the
//! diagnostic log.

use std::collections::BTreeMap;

use crate::{compare::Mismatch, names::Names};

/// Lines with one of these words occur with each check, each second, or once more at the end.
const AS_TIME_PASSES: [&str; 5] = [
    "hook[health-check]",
    "Health checking has been stopped",
    "Waiting for service binds",
    "is not (yet?) present in the census data",
    "cannot satisfy the",
];

/// Recorded lines that are missing, or not in this order. There may be other lines in between.
pub(crate) fn compare(recorded: &str, found: &str, names: &Names) -> Vec<Mismatch> {
    let recorded = names.fill(recorded).lines().map(spelled_as_ours).collect::<String>();
    let (recorded, found) = (sequences(&recorded), sequences(found));
    let nothing = Vec::new();
    let mut mismatches = Vec::new();
    for (speaker, lines) in &recorded {
        let mut ours = found.get(speaker).unwrap_or(&nothing).iter();
        if let Some(missing) = lines.iter().find(|line| !ours.any(|found| found == *line)) {
            let ours = found.get(speaker).unwrap_or(&nothing).join("\n      ");
            let at = format!("console of {speaker}");
            mismatches.push(Mismatch::new(&at, missing, format!("among\n      {ours}")));
        }
    }
    mismatches
}

/// The recorded line with the service group in front as Roost spells it everywhere: Habitat writes
/// `web.default hook[init]:(HK): text` for a hook and `web(HK): text` for some lines about it.
fn spelled_as_ours(line: &str) -> String {
    let Some((head, text)) = line.split_once("): ") else { return format!("{line}\n") };
    let Some((speaker, key)) = head.split_once('(') else { return format!("{line}\n") };
    match speaker.split_once(' ') {
        Some((group, hook)) if key == "HK" => format!("{group}(HK): {hook} {text}\n"),
        None if !speaker.contains('.') && !speaker.starts_with("hab-") => {
            format!("{speaker}.default({key}): {text}\n")
        }
        _ => format!("{line}\n"),
    }
}

/// Lines by speaker.
fn sequences(console: &str) -> BTreeMap<String, Vec<String>> {
    let mut sequences: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in console.lines() {
        if AS_TIME_PASSES.iter().any(|text| line.contains(text)) {
            continue;
        }
        // A line without a key belongs to the diagnostic log.
        let Some((head, _)) = line.split_once("): ") else { continue };
        let Some((speaker, _)) = head.split_once(['(', ' ']) else { continue };
        let line = without_numbers(line);
        let lines = sequences.entry(about(speaker, &line)).or_default();
        if lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    sequences
}

/// Speakers whose lines have an order: the launcher and the Supervisor report on several services,
/// and files and output of one service come in any order.
fn about(speaker: &str, line: &str) -> String {
    let word = |n: usize| line.split_whitespace().nth(n).unwrap_or_default();
    let ident = line.split_whitespace().find(|word| word.starts_with("example/"));
    match speaker {
        "hab-launch" if line.contains(" for service ") => format!("{speaker} of {}", word(4)),
        "hab-sup" => match ident {
            Some(ident) => format!("{speaker} of {}", ident.trim_end_matches('.')),
            None => format!("{speaker} {}", word(0)),
        },
        _ if line.contains("(CF): ") => line.to_owned(),
        _ if line.contains("(O): ") => format!("output of {speaker}"),
        _ => speaker.to_owned(),
    }
}

/// Puts `N` for pids, waits and the version.
fn without_numbers(line: &str) -> String {
    let line = line.replace("/2.1.78+roost.0.1.0)", "/2.1.78)");
    let mut words: Vec<&str> = line.split(' ').collect();
    for at in 1..words.len() {
        let is_number =
            words[at].starts_with("${PID") || words[at].starts_with(|c: char| c.is_ascii_digit());
        if is_number && matches!(words[at - 1], "PID" | "(PID:" | "after") {
            words[at] = if words[at].ends_with(')') { "N)" } else { "N" };
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_hooks_begin_with_the_service_group() {
        for (recorded, ours) in [
            ("a.x hook[init]:(HK): b (HK): c", "a.x(HK): hook[init]: b (HK): c\n"),
            ("a(HK): Failed", "a.default(HK): Failed\n"),
            ("a.x(HK): Modified", "a.x(HK): Modified\n"),
            ("a.x(O): (HK", "a.x(O): (HK\n"),
            ("hab-sup(MR): x", "hab-sup(MR): x\n"),
            ("a(CF): Created", "a.default(CF): Created\n"),
        ] {
            assert_eq!(spelled_as_ours(recorded), ours);
        }
    }

    #[test]
    fn lines_of_one_service_have_an_order_and_lines_of_two_have_none() {
        let recorded = "a.x(SR): one\nb.x(SR): one\na.x(SR): two\n";
        let missing = |found: &str| compare(recorded, found, &Names::new()).len();
        assert_eq!(missing("b.x(SR): one\na.x(SR): one\na.x(SR): more\na.x(SR): two\n"), 0);
        assert_eq!(missing("b.x(SR): one\na.x(SR): two\na.x(SR): one\n"), 1);
        assert_eq!(missing("a.x(SR): one\n"), 2);
    }
}
