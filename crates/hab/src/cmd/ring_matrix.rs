//! `hab ring matrix`: how the members of the ring see each other.

use std::fmt::Write as _;

use roost_text::shown;
use serde_json::Value;

use crate::{
    cli::Run,
    context::Context,
    exit::Exit,
    gateway::Target,
    ring_view::{Format, UNKNOWN, text},
};

const PATH: &str = "/v1/ring/matrix";
/// Columns of a terminal.
const WIDTH: usize = 80;
const NAME_CHARS_MAX: usize = 16;
const LEGEND: &str = ". alive  ? suspect  x dead or departed  _ not known  - not answered";

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Output format
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    #[command(flatten)]
    target: Target,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let document = self.target.client(context)?.json(PATH, &[])?;
        context.ui.block(&self.format.show(&document, table));
        Ok(Exit::Success)
    }
}

fn list<'a>(document: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    document[key].as_array().into_iter().flatten()
}

/// Rows see, columns are seen; a ring with more members than columns has several blocks.
fn table(document: &Value) -> String {
    let members: Vec<&Value> = list(document, "members").collect();
    let names: Vec<String> = members.iter().map(|member| name(member)).collect();
    let digits = members.len().to_string().len();
    let name_width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let prefix = digits + 1 + name_width + 2;
    let mut out = String::new();
    let columns: Vec<usize> = (0..members.len()).collect();
    for block in columns.chunks(WIDTH - prefix) {
        for digit in 0..digits {
            let header: String =
                block.iter().map(|column| place(column + 1, digits, digit)).collect();
            out.push_str(format!("{:prefix$}{header}", "").trim_end());
            out.push('\n');
        }
        for (row, member) in members.iter().enumerate() {
            let letters: Vec<char> = member["sees"].as_str().unwrap_or_default().chars().collect();
            let cells: String = block.iter().map(|&column| cell(letters.get(column))).collect();
            // Writing to a string does not fail.
            let _ = writeln!(out, "{:>digits$} {:name_width$}  {cells}", row + 1, names[row]);
        }
        out.push('\n');
    }
    let _ = writeln!(out, "{LEGEND}");
    out.push_str(&remarks(document, &members, &names));
    out
}

/// Findings, and why members did not answer.
fn remarks(document: &Value, members: &[&Value], names: &[String]) -> String {
    let mut out = String::new();
    let more = |count: &Value| count.as_u64().filter(|&count| count > 0);
    for finding in list(document, "findings") {
        let _ = writeln!(out, "{}", text(&finding["message"]));
    }
    if let Some(count) = more(&document["more_findings"]) {
        let _ = writeln!(out, "{count} more findings are not shown.");
    }
    if let Some(count) = more(&document["left_out"]) {
        let _ = writeln!(out, "{count} more members are not in the table.");
    }
    let answered = members.iter().filter(|member| member["sees"].is_string()).count();
    if answered < members.len() {
        let _ = writeln!(out, "{answered} of {} members answered:", members.len());
    }
    for (row, member) in members.iter().enumerate().filter(|(_, it)| !it["sees"].is_string()) {
        let (result, reason) = (text(&member["result"]), text(&member["reason"]));
        let _ = writeln!(out, "{} {}: {result}: {reason}", row + 1, names[row]);
    }
    out
}

/// The name of a machine, or else the id, shortened.
fn name(member: &Value) -> String {
    let name = member["hostname"].as_str().or(member["id"].as_str()).unwrap_or(UNKNOWN);
    let name = shown(name).to_string();
    if name.chars().count() <= NAME_CHARS_MAX {
        return name;
    }
    name.chars().take(NAME_CHARS_MAX - 1).chain(['…']).collect()
}

/// A digit of the number of a column; leading zeros are empty.
fn place(number: usize, digits: usize, digit: usize) -> char {
    let text = format!("{number:>digits$}");
    text.chars().nth(digit).unwrap_or(' ')
}

/// Only what the legend explains.
fn cell(letter: Option<&char>) -> char {
    match letter {
        Some(&letter) if ".?x_".contains(letter) => letter,
        _ => '-',
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_has_one_letter_for_each_pair() {
        let document = json!({
            "members": [
                {"id": "a1", "hostname": "db-1", "sees": "..?\u{7}", "result": "answered"},
                {"id": "4399afd30f3f46669c781de43b344120", "hostname": null, "sees": null,
                 "result": "unreachable", "reason": "no\u{1b} answer"},
                {"id": "c3", "hostname": "web\n", "sees": "_x.", "result": "answered"},
            ],
            "findings": [{"message": "The ring\u{1b} is split."}],
            "more_findings": 3, "left_out": 0,
        });
        let expected = "                    123
1 db-1              ..?
2 4399afd30f3f466…  ---
3 web\\n             _x.

. alive  ? suspect  x dead or departed  _ not known  - not answered
The ring\\u{1b} is split.
3 more findings are not shown.
2 of 3 members answered:
2 4399afd30f3f466…: unreachable: no\\u{1b} answer
";
        assert_eq!(table(&document), expected);
    }

    #[test]
    fn a_large_ring_fits_into_the_terminal() {
        let member = |number| {
            let name = format!("a-machine-with-a-long-name-{number}");
            json!({"id": "x", "hostname": name, "sees": ".".repeat(120), "result": "answered"})
        };
        let members: Vec<Value> = (0..120).map(member).collect();
        let shown = table(&json!({"members": members, "findings": [], "left_out": 7}));
        assert!(shown.lines().all(|line| line.chars().count() <= WIDTH), "{shown}");
        assert_eq!(shown.matches('.').count(), 120 * 120 + 2, "and the legend and a sentence");
        assert!(shown.contains("7 more members are not in the table."), "{shown}");
        assert!(table(&json!({})).contains(LEGEND));
    }
}
