//! `hab ring groups`: the service groups of the ring as one Supervisor sees them.

use std::fmt::Write as _;

use roost_text::shown;
use serde_json::Value;

use crate::{
    cli::Run,
    cmd::svc_status::columns,
    context::Context,
    exit::Exit,
    gateway::{Target, escape},
    ring_view::{Format, UNKNOWN, all_items, items, text},
};

const PATH: &str = "/v1/ring/groups";

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only groups with a warning
    #[arg(long, conflicts_with = "group")]
    warnings: bool,
    /// Output format
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    #[command(flatten)]
    target: Target,
    /// A group (redis.default), with its members; all of them without it
    #[arg(value_name = "GROUP")]
    group: Option<String>,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = self.target.client(context)?;
        let answer = match &self.group {
            Some(group) => {
                let group = client.json(&format!("{PATH}/{}", escape(group)), &[])?;
                self.format.show(&group, details)
            }
            None => {
                let filter: &[(&str, &str)] = if self.warnings { &[("warnings", "")] } else { &[] };
                let groups = Value::Array(all_items(&client, PATH, filter)?);
                self.format.show(&groups, |all| columns(&table(items(all))))
            }
        };
        context.ui.block(&answer);
        Ok(Exit::Success)
    }
}

const HEADER: [&str; 6] = ["group", "alive", "needed", "leader", "term", "remarks"];

fn table(groups: &[Value]) -> Vec<Vec<String>> {
    std::iter::once(HEADER.map(String::from).to_vec()).chain(groups.iter().map(row)).collect()
}

fn row(group: &Value) -> Vec<String> {
    let (quorum, election) = (&group["quorum"], &group["election"]);
    let elects = election.is_object();
    vec![
        text(&group["id"]),
        format!("{} of {}", quorum["alive"], quorum["electorate"]),
        if elects { quorum["needed"].to_string() } else { UNKNOWN.into() },
        text(&group["leader"]),
        if elects { election["term"].to_string() } else { UNKNOWN.into() },
        remarks(group).join("; "),
    ]
}

/// Why there is no leader, and the warnings.
fn remarks(group: &Value) -> Vec<String> {
    let why = group["why_no_leader"].as_str();
    let warnings = group["warnings"].as_array().into_iter().flatten();
    let warnings = warnings.filter_map(|warning| warning["message"].as_str());
    why.into_iter().chain(warnings).map(|it| shown(it).to_string()).collect()
}

/// One group with its members.
fn details(group: &Value) -> String {
    let mut out = columns(&table(std::slice::from_ref(group)));
    let header = ["member", "host", "state", "role", "voted", "package"].map(String::from);
    let members = group["members"].as_array().into_iter().flatten().map(|member| {
        let is =
            |key: &str, word: &str| if member[key] == true { word } else { UNKNOWN }.to_owned();
        vec![
            text(&member["id"]),
            text(&member["hostname"]),
            text(&member["state"]),
            is("leader", "leader"),
            is("voted", "yes"),
            text(&member["package"]),
        ]
    });
    let rows: Vec<Vec<String>> = std::iter::once(header.to_vec()).chain(members).collect();
    // Writing to a string does not fail.
    let _ = write!(out, "\n{}", columns(&rows));
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_group_shows_its_arithmetic_and_why_it_has_no_leader() {
        let group = json!({
            "id": "db.default", "leader": null, "why_no_leader": "1 of 3 are alive",
            "quorum": {"electorate": 3, "alive": 1, "needed": 2},
            "election": {"term": 4},
            "warnings": [{"code": "no_quorum", "message": "too few\u{1b}"}],
            "members": [{"id": "a1", "hostname": "one", "state": "alive", "leader": false,
                         "voted": true, "package": "acme/db/1/2"}],
        });
        let expected = "\
group       alive   needed  leader  term  remarks
db.default  1 of 3  2       -       4     1 of 3 are alive; too few\\u{1b}

member  host  state  role  voted  package
a1      one   alive  -     yes    acme/db/1/2
";
        assert_eq!(details(&group), expected);
        let standalone = json!({"id": "web.default", "quorum": {"electorate": 2, "alive": 2}});
        assert_eq!(row(&standalone)[1..], ["2 of 2", "-", "-", "-", ""].map(String::from));
    }
}
