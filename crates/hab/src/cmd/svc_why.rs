//! `hab svc why`: why a service is as it is. Asks the Supervisor; when that does not answer, reads
//! what its files show.

use roost_ident::ServiceGroup;
use serde_json::Value;

use crate::{
    cli::Run,
    cmd::{loaded::Loaded, traces},
    complete,
    context::Context,
    exit::Exit,
    gateway::{Client, Refused, Target, escape, refused},
};

/// Most letters that a similar name differs in.
const LETTERS_MAX: usize = 2;
/// The cause of a service that is down because it was stopped: as it should be.
const STOPPED: &str = "desired_down";

/// Output formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Text,
    /// The document of the API
    Json,
}

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// The service: its package identifier (core/redis), its name (redis) or its group
    /// (redis.production, redis.production@acme)
    #[arg(value_name = "SERVICE", add = complete::groups())]
    service: Loaded,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let asked = self.target.client(context).and_then(|client| self.ask(&client));
        let explanation = match asked {
            Ok(explanation) => explanation,
            // Another Supervisor's files are elsewhere, and a refusal is an answer.
            Err(error) if self.target.is_elsewhere() || error.is::<Told>() => return Err(error),
            Err(error) => traces::explain(context, &self.service, &format!("{error:#}"))?,
        };
        match self.format {
            Format::Json => context.ui.raw(&format!("{explanation:#}\n")),
            Format::Text => context.ui.block(&text(&explanation)),
        }
        Ok(exit(&explanation))
    }
}

/// What the Supervisor said instead of an explanation.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Told(String);

impl Arguments {
    fn ask(&self, client: &Client) -> anyhow::Result<Value> {
        if let Some(group) = self.service.group()
            && let Some(explanation) = explanation(client, &group)?
        {
            return Ok(explanation);
        }
        let loaded = client.services().map_err(|error| match error.downcast::<Refused>() {
            Ok(refused) => Told(refused.to_string()).into(),
            Err(error) => error,
        })?;
        let found = self.service.choose(&loaded, |(_, group)| group.to_string());
        let (_, group) = found.map_err(|error| Told(unknown(&error, &self.service, &loaded)))?;
        let found = explanation(client, group)?;
        found.ok_or_else(|| Told(format!("{group} has just been unloaded")).into())
    }
}

/// The explanation of a group; `None` when it is not loaded.
fn explanation(client: &Client, group: &ServiceGroup) -> anyhow::Result<Option<Value>> {
    let answer = client.get(&format!("/v1/services/{}/explain", escape(group.as_str())), &[])?;
    match answer.status {
        200 => serde_json::from_str(&answer.body).map(Some).map_err(|_| {
            Told("the answer is not an explanation; is this a Supervisor of Roost?".into()).into()
        }),
        404 => Ok(None),
        _ => Err(Told(refused(&answer).to_string()).into()),
    }
}

/// The message about a service that is not loaded, with similar names.
fn unknown(error: &anyhow::Error, service: &Loaded, loaded: &[(String, ServiceGroup)]) -> String {
    let names = loaded.iter().map(|(_, group)| group.service());
    match similar(&service.to_string(), names) {
        Some(similar) => format!("{error} Did you mean {similar}?"),
        None => error.to_string(),
    }
}

/// The name that a user may have meant.
pub(super) fn similar<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.rsplit('/').next().unwrap_or_default();
    let name = name.split('.').next().unwrap_or_default();
    let distance = |known: &str| strsim::damerau_levenshtein(name, known);
    let near = known.map(|known| (distance(known), known));
    near.filter(|(letters, _)| (1..=LETTERS_MAX).contains(letters)).min().map(|(_, known)| known)
}

/// 0 for a service that is as it should be: up and well, or stopped by a user.
fn exit(explanation: &Value) -> Exit {
    let chain = explanation["chain"].as_array().map(Vec::as_slice).unwrap_or_default();
    match chain.iter().all(|step| step["code"] == STOPPED) {
        true => Exit::Success,
        false => Exit::NotAsDesired,
    }
}

/// The explanation for people.
fn text(explanation: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut text = format!("{}\n", word(&explanation["answer"]));
    let chain = all(&explanation["chain"]);
    if !chain.is_empty() {
        text.push_str("\nCauses, from the effect to the root:\n");
    }
    for step in chain {
        text.push_str(&format!("  {}", word(&step["code"])));
        if let Some(since) = step["since"].as_str() {
            text.push_str(&format!(" since {since}"));
        }
        text.push_str(&format!(": {}\n", word(&step["message"])));
        for line in all(&step["evidence"]) {
            text.push_str(&format!("    | {}\n", word(&line)));
        }
    }
    let remedies = all(&explanation["remedies"]);
    if !remedies.is_empty() {
        text.push_str("\nWhat to do:\n");
    }
    for remedy in remedies {
        text.push_str(&format!("  {}\n", word(&remedy["text"])));
        if let Some(command) = remedy["command"].as_str() {
            text.push_str(&format!("      {command}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_explanation_is_readable_and_has_an_honest_exit_code() {
        let fine = json!({"answer": "web.default is up", "chain": [], "remedies": []});
        assert_eq!((text(&fine).as_str(), exit(&fine)), ("web.default is up\n", Exit::Success));
        let mut broken = json!({
            "answer": "web.default cannot start",
            "chain": [{"code": "run_exits", "message": "it exited", "since": "T",
                       "evidence": ["no port"]}],
            "remedies": [{"text": "Read it", "command": "hab svc logs web"},
                         {"text": "Wait", "command": null}],
        });
        let expected = "web.default cannot start\n\nCauses, from the effect to the root:\n  \
                        run_exits since T: it exited\n    | no port\n\nWhat to do:\n  Read it\n      \
                        hab svc logs web\n  Wait\n";
        assert_eq!((text(&broken).as_str(), exit(&broken)), (expected, Exit::NotAsDesired));
        broken["chain"][0]["code"] = STOPPED.into();
        assert_eq!(exit(&broken), Exit::Success);
    }

    #[test]
    fn a_similar_name_is_proposed() {
        let known = || ["redis", "nginx", "pg"].into_iter();
        assert_eq!(similar("core/rdeis", known()), Some("redis"));
        assert_eq!(similar("ngnx.default", known()), Some("nginx"));
        assert_eq!(similar("postgres", known()), None);
        assert_eq!(similar("redis", known()), None, "that is the name itself");
    }
}
