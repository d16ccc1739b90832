//! `hab svc status`

use anyhow::bail;
use roost_ctl::{Answer, Request, ServiceStatus};
use roost_ident::{DesiredState, time::rfc3339_ms};
use serde_json::{Value, json};

use crate::{
    cli::Run,
    clock,
    cmd::loaded::Loaded,
    cmd::svc_watch::watch,
    complete,
    context::Context,
    control::{RemoteArg, ask, expect_answer},
    exit::Exit,
    gateway::Target,
};

/// Output formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// The compatible table for scripts
    Table,
    /// A table with health, restarts and more
    Wide,
    /// JSON
    Json,
    /// YAML
    Yaml,
}

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    remote: RemoteArg,
    /// Output format
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Show the services again whenever one changes, until interrupted; asks the HTTP gateway
    #[arg(long, conflicts_with = "remote_sup")]
    watch: bool,
    #[command(flatten)]
    target: Target,
    /// A loaded service: its package identifier (core/redis), its name (redis) or its group
    /// (redis.default)
    #[arg(value_name = "SERVICE", add = complete::services())]
    service: Option<Loaded>,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        if self.watch {
            let is_json = match self.format {
                Format::Json => true,
                Format::Table | Format::Wide => false,
                Format::Yaml => bail!("--watch shows a table, or JSON: one line for each change"),
            };
            return watch(context, &self.target, self.service.as_ref(), is_json);
        }
        if self.target.has_url() {
            bail!("--url is for --watch; give --remote-sup, the address of the control gateway");
        }
        let remote = self.remote.address(context);
        let mut statuses = Vec::new();
        let ident = self.service.map(|service| service.resolve(context, &remote)).transpose()?;
        let request = Request::Status { ident };
        let ended = ask(context, &remote, &request, |answer| {
            match answer {
                Answer::Status(status) => statuses.push(*status),
                Answer::Other(id) => tracing::warn!("unexpected answer {id}"),
                _ => {}
            }
            Ok(())
        })?;
        // Only now: a broken answer prints nothing.
        expect_answer(ended)?;
        let text = match self.format {
            Format::Table | Format::Wide if statuses.is_empty() => "No services loaded.\n".into(),
            Format::Table => columns(&table(&statuses)),
            Format::Wide => columns(&wide(&statuses, clock::unix_s())),
            Format::Json => format!("{:#}\n", document(&statuses)),
            Format::Yaml => yaml_serde::to_string(&document(&statuses))?,
        };
        context.ui.block(&text);
        Ok(Exit::Success)
    }
}

const HEADER: [&str; 7] = ["package", "type", "desired", "state", "elapsed (s)", "pid", "group"];
const WIDE_HEADER: [&str; 7] =
    ["health", "restarts", "since (s)", "phase", "update", "leader", "reason"];
/// Shown for a missing value in the wide columns.
const UNKNOWN: &str = "-";

fn table(statuses: &[ServiceStatus]) -> Vec<Vec<String>> {
    let header = HEADER.map(String::from).to_vec();
    std::iter::once(header).chain(statuses.iter().map(row)).collect()
}

fn row(status: &ServiceStatus) -> Vec<String> {
    vec![
        status.ident.to_string(),
        // Habitat never sends another value; the column stays for scripts.
        "standalone".into(),
        status.desired.map_or("<none>", DesiredState::spec_word).into(),
        status.state.to_string(),
        status.elapsed_s.to_string(),
        status.pid.map_or_else(|| "<none>".into(), |pid| pid.to_string()),
        status.group.to_string(),
    ]
}

fn wide(statuses: &[ServiceStatus], now_unix_s: u64) -> Vec<Vec<String>> {
    let mut rows = table(statuses);
    rows[0].extend(WIDE_HEADER.map(String::from));
    for (row, status) in rows.iter_mut().skip(1).zip(statuses) {
        let extra = &status.extra;
        let text = |fact: &Option<String>| fact.clone().unwrap_or_else(|| UNKNOWN.into());
        let number = |fact: Option<u64>| fact.map_or_else(|| UNKNOWN.into(), |n| n.to_string());
        row.extend([
            text(&extra.health),
            number(extra.restarts),
            number(extra.since_unix_s.map(|since| now_unix_s.saturating_sub(since))),
            text(&extra.phase),
            text(&extra.update),
            text(&extra.leader),
            text(&extra.reason),
        ]);
    }
    rows
}

/// Left-aligned columns, separated by two blanks, without trailing blanks.
pub(crate) fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..count).map(|column| width(column).unwrap_or(0)).collect();
    let mut out = String::new();
    for row in rows {
        for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
            if index + 1 == count {
                out.push_str(cell);
            } else {
                out.push_str(&format!("{cell:<width$}  "));
            }
        }
        out.push('\n');
    }
    out
}

fn document(statuses: &[ServiceStatus]) -> Value {
    let service = |status: &ServiceStatus| {
        let extra = &status.extra;
        json!({
            "package": status.ident.to_string(),
            "group": status.group.to_string(),
            "desired": status.desired.map(DesiredState::spec_word),
            "state": status.state.as_str(),
            "elapsed_s": status.elapsed_s,
            "pid": status.pid,
            "health": extra.health,
            "restarts": extra.restarts,
            "restart_when_critical": extra.restart_when_critical,
            "since_unix_s": extra.since_unix_s,
            "phase": extra.phase,
            "service_state": extra.service_state,
            "reason": extra.reason,
            "reason_code": extra.reason_code,
            "evidence": extra.evidence,
            "last_exit": extra.last_exit.as_ref().map(|exit| json!({
                "pid": exit.pid,
                "code": exit.code,
                "signal": exit.signal,
                "cause": exit.cause,
                "at": rfc3339_ms(exit.at_unix_ms),
                "ran_ms": exit.ran_ms,
                "stderr": exit.stderr,
            })),
            "last_hook_failure": extra.last_hook.as_ref().map(|hook| json!({
                "hook": hook.hook,
                "code": hook.code,
                "signal": hook.signal,
                "error": hook.error,
                "timed_out": hook.timed_out,
                "at": rfc3339_ms(hook.at_unix_ms),
                "output": hook.output,
            })),
            "update": extra.update,
            "leader": extra.leader,
        })
    };
    statuses.iter().map(service).collect()
}

#[cfg(test)]
mod tests {
    use roost_ctl::reply::StatusExtra;
    use roost_ident::ProcessState;

    use super::*;

    fn demo() -> Vec<ServiceStatus> {
        let service = |ident: &str, group: &str, up: bool, elapsed_s| ServiceStatus {
            ident: ident.parse().expect("an identifier"),
            group: group.parse().expect("a group"),
            desired: Some(if up { DesiredState::Up } else { DesiredState::Down }),
            state: if up { ProcessState::Up } else { ProcessState::Down },
            elapsed_s,
            pid: up.then_some(9579),
            extra: StatusExtra::default(),
        };
        vec![
            service("acme/demo/1.2.3/20240102030405", "demo.default", true, 8),
            service("acme/second/0.1.0/20240102030405", "second.blue", false, 3),
        ]
    }

    #[test]
    fn the_table_is_that_of_habitat() {
        // Byte for byte (reference: control §9).
        let expected = "\
package                           type        desired  state  elapsed (s)  pid     group
acme/demo/1.2.3/20240102030405    standalone  up       up     8            9579    demo.default
acme/second/0.1.0/20240102030405  standalone  down     down   3            <none>  second.blue
";
        assert_eq!(columns(&table(&demo())), expected);
    }

    #[test]
    fn values_that_only_roost_sends_are_dashes_without_it() {
        let mut statuses = demo();
        statuses[0].extra = StatusExtra {
            health: Some("OK".into()),
            restarts: Some(2),
            since_unix_s: Some(90),
            ..StatusExtra::default()
        };
        let text = columns(&wide(&statuses, 100));
        let cells = |line: usize| -> Vec<_> {
            text.lines().nth(line).expect("a line").split_whitespace().skip(7).collect()
        };
        assert_eq!(cells(1), ["OK", "2", "10", "-", "-", "-", "-"]);
        assert_eq!(cells(2), ["-"; 7]);
    }

    #[test]
    fn a_document_has_every_key_and_null_for_unknown_values() {
        let document = document(&demo());
        assert_eq!(document[0]["pid"], 9579);
        assert_eq!(document[1]["pid"], Value::Null);
        assert_eq!(document[1]["health"], Value::Null);
        assert_eq!(document[1]["desired"], "down");
    }
}
