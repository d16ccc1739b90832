//! `hab svc check`: checks the health of a service through the HTTP API, with the exit codes and
//! the single output line of a monitoring plugin (Nagios Plugin Development Guidelines): 0 OK, 1
//! WARNING, 2 CRITICAL, 3 UNKNOWN.

use roost_ident::ServiceGroup;
use serde_json::Value;

use crate::{
    cli::Run,
    cmd::loaded::Loaded,
    complete,
    context::Context,
    exit::Exit,
    gateway::{Answer, Client, Refused, Target, escape},
    plugin::PluginStatus,
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// A loaded service: its package identifier (core/redis), its name (redis) or its group
    /// (redis.production, redis.production@acme)
    #[arg(value_name = "SERVICE", add = complete::groups())]
    service: Loaded,
}

/// Result of a check: name of the service, how it is, and text.
type Checked = (String, PluginStatus, String);

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let checked = self.target.client(context).and_then(|client| self.check(&client));
        let (name, status, text) = checked.unwrap_or_else(|error| {
            let group = self.service.group().map(|group| group.to_string());
            let name = group.unwrap_or_else(|| self.service.to_string());
            (name, PluginStatus::Unknown, format!("{error:#}"))
        });
        let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("no output");
        // A bar would start performance data.
        let line = line.trim().replace('|', "/");
        context.ui.info(&format!("{}: {name} - {line}", status.word()));
        Ok(status.into())
    }
}

/// Result and text for the status and body of an answer.
fn judge(code: u16, body: &str) -> (PluginStatus, String) {
    let document: Value = serde_json::from_str(body).unwrap_or_default();
    let status = match document["status"].as_str() {
        Some("OK") => PluginStatus::Ok,
        Some("WARNING") => PluginStatus::Warning,
        Some("CRITICAL") => PluginStatus::Critical,
        Some(_) => PluginStatus::Unknown,
        None => return no_document(code),
    };
    let said = |stream: &str| document[stream].as_str().unwrap_or_default().trim().to_owned();
    let (stdout, stderr) = (said("stdout"), said("stderr"));
    let text = if stdout.is_empty() { stderr } else { stdout };
    (status, if text.is_empty() { format!("HTTP {code}") } else { text })
}

/// Result and text for a document of the v1 API: the reason first, then the output of the last
/// check. `None` when it is not such a document.
fn judge_v1(body: &str) -> Option<(PluginStatus, String)> {
    let document: Value = serde_json::from_str(body).ok()?;
    let word = |key: &str| document[key].as_str();
    let state = word("state")?;
    let check = &document["health_check"];
    let printed = check["output"].as_str().filter(|output| !output.is_empty());
    let code = document["reason"]["code"].as_str();
    let status = match (state, code) {
        ("down" | "stopping", _) => PluginStatus::Unknown,
        ("failed" | "blocked" | "backing_off", _) => PluginStatus::Critical,
        ("starting", Some(_)) => PluginStatus::Critical,
        ("starting", None) => PluginStatus::Unknown,
        (_, Some("run_exits" | "init_failed" | "start_failed")) => PluginStatus::Critical,
        (_, code) => match (word("health")?, code) {
            ("ok", Some(_)) | ("warning", _) => PluginStatus::Warning,
            ("ok", None) => PluginStatus::Ok,
            ("critical", _) => PluginStatus::Critical,
            _ => PluginStatus::Unknown,
        },
    };
    // While the process is down, the last check's output is obsolete.
    let printed = printed.filter(|_| state == "up");
    let text = match (word("why"), printed) {
        (Some(why), Some(printed)) if !why.contains(printed) => {
            format!("{why}; the last check printed: {printed}")
        }
        (Some(why), _) => why.to_owned(),
        (None, Some(printed)) => printed.to_owned(),
        (None, None) => match state {
            "up" if check.is_null() && word("health") == Some("ok") => {
                "its process runs".to_owned()
            }
            "up" if check.is_null() => "its first check has not ended yet".to_owned(),
            "up" => "the last check printed nothing".to_owned(),
            state => format!("it is {state}"),
        },
    };
    Some((status, text))
}

fn no_document(code: u16) -> (PluginStatus, String) {
    match code {
        401 => (PluginStatus::Unknown, "the gateway rejected the token; give --token".into()),
        403 => (
            PluginStatus::Unknown,
            "the token does not allow this; it needs the scope 'read'".into(),
        ),
        404 => (PluginStatus::Critical, "service not loaded".into()),
        503 => (PluginStatus::Unknown, "the Supervisor has not fully started".into()),
        _ => (PluginStatus::Unknown, format!("unexpected answer, HTTP {code}")),
    }
}

impl Arguments {
    /// Checks the group with this name, or the loaded service that the name selects if there is no
    /// such group.
    fn check(&self, client: &Client) -> anyhow::Result<Checked> {
        let service = &self.service;
        if let Some(group) = service.group()
            && let Some((status, said)) = check_group(client, &group)?
        {
            return Ok((group.to_string(), status, said));
        }
        let loaded = match client.services() {
            Ok(loaded) => loaded,
            Err(error) => {
                let Some(refused) = error.downcast_ref::<Refused>() else { return Err(error) };
                let (status, said) = no_document(refused.status);
                return Ok((service.to_string(), status, said));
            }
        };
        let found = match service.choose(&loaded, |(_, group)| group.to_string()) {
            Ok((_, found)) => found.clone(),
            Err(error) => {
                return Ok((service.to_string(), PluginStatus::Critical, error.to_string()));
            }
        };
        // It may have been unloaded in the meantime.
        let (status, said) = check_group(client, &found)?.unwrap_or_else(|| no_document(404));
        Ok((found.to_string(), status, said))
    }
}

/// Requests Roost's document of the group, and Habitat's if that does not exist; `None` when
/// the group is not loaded.
fn check_group(
    client: &Client,
    group: &ServiceGroup,
) -> anyhow::Result<Option<(PluginStatus, String)>> {
    let path = format!("/v1/services/{}", escape(group.as_str()));
    let Answer { status: code, body, .. } = client.get(&path, &[])?;
    if code == 200
        && let Some(judged) = judge_v1(&body)
    {
        return Ok(Some(judged));
    }
    if code != 404 {
        return Ok(Some(no_document(code)));
    }
    if body.contains("\"code\"") {
        return Ok(None);
    }
    let mut path = format!("/services/{}", escape(group.service()));
    for part in [Some(group.group()), group.organization()].into_iter().flatten() {
        path.push('/');
        path.push_str(&escape(part));
    }
    path.push_str("/health");
    let Answer { status: code, body, .. } = client.get(&path, &[])?;
    Ok((code != 404).then(|| judge(code, &body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_results_map_to_plugin_exit_codes() {
        let body =
            |status: &str| format!(r#"{{"status":"{status}","stdout":"\nfine|x\n","stderr":""}}"#);
        for (code, body, expected) in [
            (200, body("OK"), PluginStatus::Ok),
            (200, body("WARNING"), PluginStatus::Warning),
            (503, body("CRITICAL"), PluginStatus::Critical),
            (500, body("UNKNOWN"), PluginStatus::Unknown),
            (503, String::new(), PluginStatus::Unknown),
            (404, String::new(), PluginStatus::Critical),
            (401, String::new(), PluginStatus::Unknown),
            (200, "<html>".into(), PluginStatus::Unknown),
        ] {
            assert_eq!(judge(code, &body).0, expected, "{code} {body}");
        }
    }

    #[test]
    fn the_reason_comes_before_the_output_of_the_last_check() {
        let body = |state: &str, health: &str, why: Option<(&str, &str)>, output: &str| {
            serde_json::json!({
                "state": state,
                "health": health,
                "why": why.map(|(_, why)| why),
                "reason": why.map(|(code, _)| serde_json::json!({ "code": code })),
                "health_check": { "output": output },
            })
            .to_string()
        };
        let exits = Some(("run_exits", "the process exited with code 1"));
        let stopped = Some(("desired_down", "it was stopped"));
        let binds = Some(("waiting_for_binds", "bind 'db' waits for db.default"));
        let stale = Some(("template_error", "Failed to compile"));
        let critical = Some(("health_critical", "the last health check was critical: refused"));
        for (body, status, text) in [
            (body("up", "ok", None, "fine"), PluginStatus::Ok, "fine"),
            (body("up", "ok", None, ""), PluginStatus::Ok, "the last check printed nothing"),
            (body("up", "warning", None, "slow"), PluginStatus::Warning, "slow"),
            (
                body("up", "critical", critical, "refused"),
                PluginStatus::Critical,
                critical.map_or("", |it| it.1),
            ),
            (
                body("up", "ok", exits, "fine"),
                PluginStatus::Critical,
                "the process exited with code 1; the last check printed: fine",
            ),
            (
                body("backing_off", "unknown", exits, "fine"),
                PluginStatus::Critical,
                "the process exited with code 1",
            ),
            (
                body("blocked", "unknown", binds, ""),
                PluginStatus::Critical,
                "bind 'db' waits for db.default",
            ),
            (body("down", "unknown", stopped, "fine"), PluginStatus::Unknown, "it was stopped"),
            (body("starting", "unknown", None, ""), PluginStatus::Unknown, "it is starting"),
            (
                body("up", "unknown", None, ""),
                PluginStatus::Unknown,
                "the last check printed nothing",
            ),
            (
                body("up", "ok", stale, "fine"),
                PluginStatus::Warning,
                "Failed to compile; the last check printed: fine",
            ),
        ] {
            assert_eq!(judge_v1(&body), Some((status, text.into())), "{body}");
        }
        assert_eq!(judge_v1("<html>"), None);
        assert_eq!(judge_v1(r#"{"status":"OK"}"#), None);
    }

    #[test]
    fn a_bare_name_selects_the_group_default_first() {
        let group = |text: &str| {
            text.parse::<Loaded>().map(|name| name.group().map(|group| group.to_string()))
        };
        assert_eq!(group("redis"), Ok(Some("redis.default".into())));
        assert_eq!(group("redis.prod@acme"), Ok(Some("redis.prod@acme".into())));
        assert_eq!(group("core/redis"), Ok(None));
        assert!(group("").is_err());
    }
}
