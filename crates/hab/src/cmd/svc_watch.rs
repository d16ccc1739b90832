//! `hab svc status --watch`: the services of a Supervisor, shown again whenever one changes.

use std::{io::IsTerminal, thread, time::Duration};

use anyhow::bail;
use roost_text::shown;
use serde_json::Value;

use crate::{
    cmd::{loaded::Loaded, svc_status::columns},
    context::Context,
    exit::Exit,
    gateway::{Client, Target, refused},
};

const PATH: &str = "/v1/services";
/// The longest page of the API.
const LIMIT: (&str, &str) = ("limit", "1000");
/// How long one request waits. A pipe whose reader has left is noticed between requests.
const WAIT: Duration = Duration::from_secs(10);
/// Pause before the next request to a Supervisor that does not respond.
const RETRY: Duration = Duration::from_secs(1);
/// Begins at the top of an empty screen.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// Shows the services until interrupted. Only the first request may fail: a Supervisor that
/// restarts is awaited.
pub(crate) fn watch(
    context: &Context,
    target: &Target,
    service: Option<&Loaded>,
    is_json: bool,
) -> anyhow::Result<Exit> {
    let is_screen = !is_json && std::io::stdout().is_terminal();
    let mut client = target.client(context)?;
    let (mut tag, mut last) = (String::new(), None);
    let mut is_first = true;
    while context.ui.has_reader() {
        let (items, etag) = match next(&client, &tag) {
            Ok(Some(changed)) => changed,
            Ok(None) => continue,
            Err(error) if is_first => return Err(error),
            Err(error) => {
                if !tag.is_empty() {
                    context.ui.warn(&format!("{error:#}; trying again"));
                }
                tag.clear();
                thread::sleep(RETRY);
                // Its socket may be another one now.
                if let Ok(again) = target.client(context) {
                    client = again;
                }
                continue;
            }
        };
        (tag, is_first) = (etag, false);
        let items: Vec<Value> = items.into_iter().filter(|item| is_wanted(item, service)).collect();
        if last.as_ref() == Some(&items) {
            continue;
        }
        let text = match is_json {
            true => format!("{}\n", Value::from(items.clone())),
            false => format!("{}{}", if is_screen { CLEAR } else { "" }, table(&items)),
        };
        last = Some(items);
        if context.ui.stream(&text).is_break() {
            break;
        }
    }
    Ok(Exit::Success)
}

/// The services and their version, once it is another one than `tag`.
fn next(client: &Client, tag: &str) -> anyhow::Result<Option<(Vec<Value>, String)>> {
    let answer = match tag {
        "" => client.get(PATH, &[LIMIT])?,
        tag => client.changed(PATH, &[LIMIT], tag, WAIT)?,
    };
    match (answer.status, answer.etag.as_ref()) {
        (304, _) => Ok(None),
        (200, Some(etag)) => {
            let mut page: Value = serde_json::from_str(&answer.body)?;
            if !page["next"].is_null() {
                bail!("more than 1,000 services are loaded; --watch shows at most 1,000");
            }
            let items = page["items"].as_array_mut().map(std::mem::take).unwrap_or_default();
            Ok(Some((items, etag.clone())))
        }
        (404, _) => bail!("this Supervisor has no list that could be watched"),
        _ => Err(refused(&answer).into()),
    }
}

/// True for the selected service; without one for all.
fn is_wanted(item: &Value, service: Option<&Loaded>) -> bool {
    let word = |key: &str| item[key].as_str().unwrap_or_default();
    match service {
        None => true,
        Some(Loaded::Ident(ident)) => {
            let mut parts = word("package").split('/');
            parts.next() == Some(&ident.origin) && parts.next() == Some(&ident.name)
        }
        Some(Loaded::Name(name)) => {
            let group = word("id").split('@').next().unwrap_or_default();
            let service = group.split('.').next().unwrap_or_default();
            [word("id"), group, service].contains(&name.as_str())
        }
    }
}

fn table(items: &[Value]) -> String {
    if items.is_empty() {
        return "No services loaded.\n".into();
    }
    let header = ["service", "desired", "state", "health", "pid", "restarts", "since", "reason"];
    let row = |item: &Value| {
        let cell = |value: &Value| match value {
            Value::String(text) => shown(text).into_owned(),
            Value::Null => "-".into(),
            other => other.to_string(),
        };
        ["id", "desired", "state", "health", "pid"]
            .map(|key| &item[key])
            .into_iter()
            .chain([&item["restarts"]["total"], &item["since"], &item["why"]])
            .map(cell)
            .collect()
    };
    let rows: Vec<Vec<String>> =
        std::iter::once(header.map(String::from).to_vec()).chain(items.iter().map(row)).collect();
    columns(&rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_service_is_selected_by_each_of_its_names() {
        let item = json!({ "id": "web.blue@acme", "package": "core/web/1.0/20250101000000" });
        let is = |name: &str| is_wanted(&item, Some(&name.parse().expect(name)));
        for name in ["web", "web.blue", "web.blue@acme", "core/web"] {
            assert!(is(name), "{name}");
        }
        for name in ["we", "web.green", "web.blue@other", "other/web", "core/we"] {
            assert!(!is(name), "{name}");
        }
        assert!(is_wanted(&item, None));
    }

    #[test]
    fn foreign_text_commands_no_terminal() {
        let item = json!({ "id": "web.default", "why": "\u{1b}[2J", "restarts": { "total": 3 } });
        let text = table(&[item]);
        assert!(text.contains("\\u{1b}[2J") && !text.contains('\u{1b}'), "{text}");
    }
}
