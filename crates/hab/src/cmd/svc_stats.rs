//! `hab svc stats`: what the processes of services use.

use roost_ident::ServiceGroup;
use roost_text::shown;
use serde_json::Value;

use crate::{
    cli::Run,
    cmd::{loaded::Loaded, svc_status::columns},
    complete,
    context::Context,
    exit::Exit,
    gateway::{Refused, Target, escape},
};

/// Output formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A table
    Table,
    /// The documents of the HTTP API, as a list
    Json,
}

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Output format
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// A loaded service: its package identifier (core/redis), its name (redis) or its group
    /// (redis.default); all of them without it
    #[arg(value_name = "SERVICE", add = complete::services())]
    service: Option<Loaded>,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = self.target.client(context)?;
        let loaded = client.services()?;
        let wanted: Vec<&ServiceGroup> = match &self.service {
            Some(service) => vec![&service.choose(&loaded, |(_, group)| group.to_string())?.1],
            None => loaded.iter().map(|(_, group)| group).collect(),
        };
        let mut documents = Vec::new();
        for group in wanted {
            let path = format!("/v1/services/{}/stats", escape(group.as_str()));
            match client.json(&path, &[]) {
                Ok(document) => documents.push(document),
                // Unloaded in the meantime.
                Err(error) if self.service.is_none() && is_gone(&error) => {}
                Err(error) => return Err(error),
            }
        }
        context.ui.block(&match self.format {
            Format::Table if documents.is_empty() => "No services loaded.\n".into(),
            Format::Table => columns(&table(&documents)),
            Format::Json => format!("{:#}\n", Value::Array(documents)),
        });
        Ok(Exit::Success)
    }
}

fn is_gone(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Refused>().is_some_and(|refused| refused.status == 404)
}

const HEADER: [&str; 8] =
    ["service", "pid", "processes", "threads", "cpu (s)", "memory (MiB)", "files", "listens on"];
/// Shown for what is not known.
const UNKNOWN: &str = "-";

fn table(documents: &[Value]) -> Vec<Vec<String>> {
    let header = HEADER.map(String::from).to_vec();
    std::iter::once(header).chain(documents.iter().map(row)).collect()
}

fn row(stats: &Value) -> Vec<String> {
    let usage = &stats["usage"];
    let number = |value: &Value| value.as_u64().map_or_else(|| UNKNOWN.into(), |n| n.to_string());
    let scaled = |value: &Value, unit: f64| match value.as_f64() {
        Some(number) => format!("{:.1}", number / unit),
        None => UNKNOWN.into(),
    };
    let fullest = &usage["descriptors"]["fullest"];
    let files = match (fullest["open"].as_u64(), fullest["limit"].as_u64()) {
        (Some(open), Some(limit)) => format!("{open} of {limit}"),
        _ => number(&usage["descriptors"]["open"]),
    };
    let listens = usage["listening"].as_array().map(|all| {
        let one = |it: &Value| {
            let ip = it["ip"].as_str().unwrap_or(UNKNOWN);
            let ip = if ip.contains(':') { format!("[{ip}]") } else { ip.to_owned() };
            let protocol = it["protocol"].as_str().unwrap_or(UNKNOWN);
            format!("{protocol} {ip}:{}", number(&it["port"]))
        };
        all.iter().map(one).collect::<Vec<_>>().join(", ")
    });
    let remark = stats["why"].as_str().map(|why| format!("({why})"));
    let last: Vec<String> = listens.into_iter().chain(remark).filter(|it| !it.is_empty()).collect();
    vec![
        shown(stats["id"].as_str().unwrap_or(UNKNOWN)).to_string(),
        number(&stats["pid"]),
        number(&usage["processes"]),
        number(&usage["threads"]),
        scaled(&usage["cpu_ms"], 1_000.0),
        scaled(&usage["resident_bytes"], 1024.0 * 1024.0),
        files,
        match last.is_empty() {
            true => UNKNOWN.into(),
            false => shown(&last.join(" ")).to_string(),
        },
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_has_a_dash_for_what_is_not_known() {
        let all = [
            json!({
                "id": "redis.default", "pid": 4711, "why": null,
                "usage": {
                    "processes": 2, "threads": 5, "cpu_ms": 1830, "resident_bytes": 9_437_184,
                    "descriptors": {
                        "open": 50, "fullest": {"pid": 4711, "open": 42, "limit": 1024},
                    },
                    "listening": [
                        {"protocol": "tcp", "ip": "127.0.0.1", "port": 6379},
                        {"protocol": "tcp", "ip": "::1", "port": 6379},
                    ],
                },
            }),
            json!({
                "id": "web.default", "pid": null, "usage": null,
                "why": "the service does not run",
            }),
            json!({
                "id": "a\u{1b}.b", "pid": 1, "why": "may not read",
                "usage": {"processes": 1, "threads": 1, "cpu_ms": 0, "resident_bytes": 1,
                          "descriptors": null, "listening": null},
            }),
        ];
        let expected = "\
service        pid   processes  threads  cpu (s)  memory (MiB)  files       listens on
redis.default  4711  2          5        1.8      9.0           42 of 1024  tcp 127.0.0.1:6379, tcp [::1]:6379
web.default    -     -          -        -        -             -           (the service does not run)
a\\u{1b}.b      1     1          1        0.0      0.0           -           (may not read)
";
        assert_eq!(columns(&table(&all)), expected);
    }
}
