//! `hab ring health`: how the services of all members are; also a check of monitoring systems.

use serde_json::Value;

use crate::{
    cli::Run,
    clock,
    cmd::svc_status::columns,
    context::Context,
    exit::Exit,
    gateway::Target,
    plugin::PluginStatus,
    ring_view::{Format, UNKNOWN, age, text},
};

const PATH: &str = "/v1/ring/health";

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Exit with the code of the worst result, as a plugin of a monitoring system: 0 all are well,
    /// 1 a warning, 2 critical or dead, 3 unknown or not answering
    #[arg(long)]
    strict: bool,
    /// Output format
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    #[command(flatten)]
    target: Target,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let asked = self.target.client(context).and_then(|client| client.json(PATH, &[]));
        let document = match asked {
            Err(error) if self.strict => {
                let status = PluginStatus::Unknown;
                context.ui.info(&format!("{}: {error:#}", status.word()));
                return Ok(status.into());
            }
            asked => asked?,
        };
        let status = judge(&document);
        context.ui.block(&self.format.show(&document, |document| {
            let table = columns(&table(document, clock::unix_s()));
            match self.strict {
                true => format!("{}\n{table}", headline(document, status)),
                false => table,
            }
        }));
        Ok(if self.strict { status.into() } else { Exit::Success })
    }
}

fn members(document: &Value) -> impl Iterator<Item = &Value> {
    document["members"].as_array().into_iter().flatten()
}

fn services(member: &Value) -> impl Iterator<Item = &Value> {
    member["services"].as_array().into_iter().flatten()
}

/// The worst of all: critical, then unknown, then a warning. Nothing is known without members: a
/// ring has at least the Supervisor that answers.
fn judge(document: &Value) -> PluginStatus {
    let (mut warning, mut unknown) = (false, members(document).next().is_none());
    for member in members(document) {
        match member["result"].as_str() {
            Some("answered" | "no_services") => {}
            Some("dead") => return PluginStatus::Critical,
            _ => unknown = true,
        }
        for service in services(member).filter(|service| service["stopped"] != true) {
            match (service["state"].as_str(), service["health"].as_str()) {
                (Some("up"), Some("ok")) => {}
                (Some("up"), Some("warning")) => warning = true,
                (Some("up"), Some("critical")) => return PluginStatus::Critical,
                (Some("failed" | "backing_off" | "blocked" | "down"), _) => {
                    return PluginStatus::Critical;
                }
                _ => unknown = true,
            }
        }
    }
    match (unknown, warning) {
        (true, _) => PluginStatus::Unknown,
        (false, true) => PluginStatus::Warning,
        (false, false) => PluginStatus::Ok,
    }
}

fn headline(document: &Value, status: PluginStatus) -> String {
    let word = status.word();
    let answered = members(document).filter(|member| member["result"] == "answered").count();
    format!("{word}: {answered} of {} members answered", members(document).count())
}

const HEADER: [&str; 8] =
    ["member", "host", "ring", "answer", "age", "service", "health", "remarks"];

fn table(document: &Value, now_unix_s: u64) -> Vec<Vec<String>> {
    let mut rows = vec![HEADER.map(String::from).to_vec()];
    for member in members(document) {
        let begin = || {
            let answer = match member["source"].is_string() {
                true => text(&member["source"]),
                false => text(&member["result"]),
            };
            vec![
                text(&member["id"]),
                text(&member["hostname"]),
                text(&member["state"]),
                answer,
                age(&member["at"], now_unix_s),
            ]
        };
        for service in services(member) {
            let health = match service["state"].as_str() {
                Some("up") => text(&service["health"]),
                _ => text(&service["state"]),
            };
            let last = [text(&service["id"]), health, text(&service["why"])];
            rows.push(begin().into_iter().chain(last).collect());
        }
        if services(member).next().is_none() {
            let last = [UNKNOWN.into(), UNKNOWN.into(), text(&member["reason"])];
            rows.push(begin().into_iter().chain(last).collect());
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_worst_result_decides() {
        let member =
            |result: &str, services: Value| json!({"result": result, "services": services});
        let service = |state: &str, health: &str| json!([{"state": state, "health": health, "stopped": false}]);
        let fine = member("answered", service("up", "ok"));
        for (other, status) in [
            (member("no_services", json!([])), PluginStatus::Ok),
            (
                member(
                    "answered",
                    json!([{"state": "down", "health": "unknown", "stopped": true}]),
                ),
                PluginStatus::Ok,
            ),
            (member("answered", service("up", "warning")), PluginStatus::Warning),
            (member("answered", service("up", "critical")), PluginStatus::Critical),
            (member("answered", service("backing_off", "unknown")), PluginStatus::Critical),
            (member("dead", json!([])), PluginStatus::Critical),
            (member("answered", service("up", "unknown")), PluginStatus::Unknown),
            (member("answered", service("starting", "unknown")), PluginStatus::Unknown),
            (member("unreachable", json!([])), PluginStatus::Unknown),
            (member("refused", json!([])), PluginStatus::Unknown),
            (json!({}), PluginStatus::Unknown),
        ] {
            assert_eq!(judge(&json!({"members": [fine, other]})), status, "{other}");
        }
        for nothing in [json!({}), json!([]), json!({"members": []}), json!({"members": 1})] {
            assert_eq!(judge(&nothing), PluginStatus::Unknown, "{nothing}");
        }
    }
}
