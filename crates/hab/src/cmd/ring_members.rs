//! `hab ring members`: the members of the ring as one Supervisor sees them.

use serde_json::Value;

use crate::{
    cli::Run,
    clock,
    cmd::svc_status::columns,
    context::Context,
    exit::Exit,
    gateway::Target,
    ring_view::{Format, UNKNOWN, age, all_items, items, text, texts},
};

const PATH: &str = "/v1/ring/members";

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only members in these states (alive, suspect, confirmed, departed), separated by commas
    #[arg(long, value_name = "STATES")]
    state: Option<String>,
    /// Only members with a service in this group (redis.default); * stands for any text
    #[arg(long, value_name = "GROUP")]
    service: Option<String>,
    /// Only members with this id or name of the machine; * stands for any text
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Output format
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    #[command(flatten)]
    target: Target,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = self.target.client(context)?;
        let filters: Vec<(&str, &str)> =
            [("state", &self.state), ("service", &self.service), ("name", &self.name)]
                .into_iter()
                .filter_map(|(name, value)| Some((name, value.as_deref()?)))
                .collect();
        let members = Value::Array(all_items(&client, PATH, &filters)?);
        context
            .ui
            .block(&self.format.show(&members, |all| columns(&table(items(all), clock::unix_s()))));
        Ok(Exit::Success)
    }
}

const HEADER: [&str; 9] =
    ["member", "host", "state", "since", "known from", "round trip", "heard", "http", "services"];

fn table(members: &[Value], now_unix_s: u64) -> Vec<Vec<String>> {
    let header = HEADER.map(String::from).to_vec();
    std::iter::once(header).chain(members.iter().map(|it| row(it, now_unix_s))).collect()
}

fn row(member: &Value, now_unix_s: u64) -> Vec<String> {
    let round_trip = member["round_trip_ms"].as_f64();
    let known_from = match (member["source"].as_str(), member["reported_by"].as_str()) {
        (Some("own"), _) => "itself".into(),
        (Some("probe"), _) => "own probe".into(),
        (Some("data_file"), _) => "data file".into(),
        (Some("news"), Some(_)) => format!("news of {}", text(&member["reported_by"])),
        _ => text(&member["source"]),
    };
    vec![
        text(&member["id"]),
        text(&member["hostname"]),
        text(&member["state"]),
        age(&member["since"], now_unix_s),
        known_from,
        round_trip.map_or_else(|| UNKNOWN.into(), |ms| format!("{ms:.2} ms")),
        age(&member["last_heard"], now_unix_s),
        text(&member["http"]),
        texts(&member["services"]),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_names_where_the_state_is_known_from() {
        let now = 1_795_362_698;
        let members = [
            json!({
                "id": "a1", "own": true, "state": "alive", "since": null, "source": "own",
                "reported_by": null, "hostname": "one", "http": "10.0.0.1:9631",
                "services": ["db.default", "web.default"],
                "round_trip_ms": null, "last_heard": null,
            }),
            json!({
                "id": "b2", "state": "suspect", "since": "2026-11-22T15:51:28.000Z",
                "source": "news", "reported_by": "a\u{1b}", "hostname": null, "http": null,
                "services": [], "round_trip_ms": 0.417,
                "last_heard": "2026-11-22T15:51:08.000Z",
            }),
        ];
        let expected = "\
member  host  state    since  known from       round trip  heard  http           services
a1      one   alive    -      itself           -           -      10.0.0.1:9631  db.default web.default
b2      -     suspect  10s    news of a\\u{1b}  0.42 ms     30s    -              -
";
        assert_eq!(columns(&table(&members, now)), expected);
    }
}
