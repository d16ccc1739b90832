//! What `hab events` and `hab svc history` have in common: they read the record of a Supervisor and
//! print its events.

use std::{collections::VecDeque, fmt::Write as _, ops::ControlFlow, thread, time::Duration};

use roost_ident::ServiceGroup;
use roost_text::shown;
use serde_json::Value;

use crate::{
    cmd::loaded::Loaded,
    context::Context,
    gateway::{Client, Refused, Target},
    ui::Ui,
};

const PAGES: &str = "/v1/events";
const STREAM: &str = "/v1/events/stream";
/// Events of one page.
const PAGE: usize = 1000;
/// Pause before a stream that broke off is continued.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);
/// Events that can be named as causes with their text.
const REMEMBERED: usize = 1000;

/// Output formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// One line per event, with its cause and what was printed
    Text,
    /// One JSON object per line
    Json,
}

/// Which events are read.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Selection {
    /// Go on with new events until interrupted
    #[arg(long, short)]
    follow: bool,
    /// Only events from this time on: RFC 3339, or an age (-10m, -2h)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    since: Option<String>,
    /// Only events up to this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, conflicts_with = "follow")]
    until: Option<String>,
    /// Only events of these types (process.exited), separated by commas
    #[arg(long = "type", value_name = "TYPES")]
    kind: Option<String>,
    /// Only events as serious as one of these: info, warning, error
    #[arg(long, value_name = "SEVERITIES")]
    severity: Option<String>,
    /// At most so many, the newest ones
    #[arg(long, value_name = "EVENTS", default_value_t = 100)]
    limit: usize,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// What a command wants to read.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) selection: Selection,
    pub(crate) topic: Option<String>,
    pub(crate) service: Option<Loaded>,
}

/// Prints the events, and follows them if that is wanted.
pub(crate) fn show(context: &Context, target: &Target, wanted: &Wanted) -> anyhow::Result<()> {
    let client = target.client(context)?;
    let group = wanted.service.as_ref().map(|service| group_of(&client, service)).transpose()?;
    let group = group.map(|group| group.to_string());
    let selection = &wanted.selection;
    let mut filters: Vec<(&str, &str)> = Vec::new();
    for (name, value) in [
        ("topic", &wanted.topic),
        ("type", &selection.kind),
        ("severity", &selection.severity),
        ("service", &group),
    ] {
        filters.extend(value.as_deref().map(|value| (name, value)));
    }
    let mut printer = Printer { format: selection.format, known: VecDeque::new() };
    let read = read(&client, selection, &filters)?;
    if read.is_partial {
        context.ui.warn("The journal cannot be read at present: older events are missing.");
    }
    for event in read.events.iter().rev() {
        if printer.print(&context.ui, event).is_break() {
            return Ok(());
        }
    }
    if selection.follow {
        return follow(context, &client, &filters, read.last, &mut printer);
    }
    if read.has_more {
        context
            .ui
            .warn(&format!("There are older events; --limit shows more than {}.", selection.limit));
    }
    Ok(())
}

/// The group that a name means. It need not be loaded: events outlive a service.
fn group_of(client: &Client, service: &Loaded) -> anyhow::Result<ServiceGroup> {
    if let Some(group) = service.group()
        && service.to_string().contains('.')
    {
        return Ok(group);
    }
    let loaded = client.services()?;
    match service.choose(&loaded, |(_, group)| group.to_string()) {
        Ok((_, group)) => Ok(group.clone()),
        Err(error) => service.group().ok_or(error),
    }
}

/// Events that were read, the newest first.
struct Read {
    events: Vec<Value>,
    last: u64,
    has_more: bool,
    is_partial: bool,
}

fn read(client: &Client, selection: &Selection, filters: &[(&str, &str)]) -> anyhow::Result<Read> {
    let mut query = filters.to_vec();
    for (name, value) in [("since", &selection.since), ("until", &selection.until)] {
        query.extend(value.as_deref().map(|value| (name, value)));
    }
    let mut read = Read { events: Vec::new(), last: 0, has_more: false, is_partial: false };
    let mut cursor: Option<String> = None;
    loop {
        // Also of a page that is not wanted: it has the number where a stream begins.
        let limit = selection.limit.saturating_sub(read.events.len()).clamp(1, PAGE).to_string();
        let mut query = query.clone();
        query.push(("limit", &limit));
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let mut page = client.json(PAGES, &query)?;
        if cursor.is_none() {
            read.last = page["last"].as_u64().unwrap_or_default();
        }
        read.is_partial |= page["partial"] == true;
        let items = page["items"].as_array_mut().map(std::mem::take).unwrap_or_default();
        read.events.extend(items);
        read.has_more = page["next"].is_string();
        cursor = page["next"].as_str().map(str::to_owned);
        if cursor.is_none() || read.events.len() >= selection.limit {
            read.events.truncate(selection.limit);
            return Ok(read);
        }
    }
}

/// Prints events as they happen, over restarts of the Supervisor.
fn follow(
    context: &Context,
    client: &Client,
    filters: &[(&str, &str)],
    mut last: u64,
    printer: &mut Printer,
) -> anyhow::Result<()> {
    let mut is_lost = false;
    loop {
        let mut has_reader = true;
        let ended = client.lines_after(STREAM, filters, Some(last), |line| {
            let event: Value = serde_json::from_str(line).unwrap_or_default();
            let seq = event["seq"].as_u64().or_else(|| event["gap"]["last"].as_u64());
            last = seq.unwrap_or(last);
            let printed = printer.print(&context.ui, &event);
            has_reader = printed.is_continue();
            printed
        });
        if !has_reader || !context.ui.has_reader() {
            return Ok(());
        }
        if let Err(error) = ended {
            if error.is::<Refused>() && error.downcast_ref().is_some_and(is_final) {
                return Err(error);
            }
            if !is_lost {
                context.ui.warn(&format!("{error:#}; trying again"));
            }
            is_lost = true;
        } else {
            is_lost = false;
        }
        thread::sleep(RECONNECT_PAUSE);
    }
}

/// A refusal that a later attempt would meet again.
fn is_final(refused: &Refused) -> bool {
    (400..500).contains(&refused.status) && refused.status != 429
}

/// Prints events.
struct Printer {
    format: Format,
    /// The latest events, by number: their messages explain what follows from them.
    known: VecDeque<(u64, String)>,
}

impl Printer {
    fn print(&mut self, ui: &Ui, event: &Value) -> ControlFlow<()> {
        let text = match self.format {
            Format::Json => format!("{event}\n"),
            Format::Text => self.text(event),
        };
        ui.stream(&text)
    }

    fn text(&mut self, event: &Value) -> String {
        let gap = &event["gap"];
        if gap.is_object() {
            return format!("--- events {} to {} are missing ---\n", gap["first"], gap["last"]);
        }
        let word = |key: &str| shown(event[key].as_str().unwrap_or_default()).to_string();
        let seq = event["seq"].as_u64().unwrap_or_default();
        let message = word("message");
        let mut text = format!("{} {:<7} {message} [{seq}]\n", word("time"), word("severity"));
        // Writing to text cannot fail.
        if let Some(cause) = event["cause"].as_u64() {
            let known = self.known.iter().find(|(known, _)| *known == cause);
            let _ = match known {
                Some((_, message)) => writeln!(text, "    because of [{cause}]: {message}"),
                None => writeln!(text, "    because of [{cause}]"),
            };
        }
        for key in ["stderr", "output"] {
            for line in event["data"][key].as_array().into_iter().flatten() {
                let _ = writeln!(text, "    | {}", shown(line.as_str().unwrap_or_default()));
            }
        }
        self.known.push_back((seq, message));
        if self.known.len() > REMEMBERED {
            self.known.pop_front();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_a_line_with_its_cause_and_what_was_printed() {
        let mut printer = Printer { format: Format::Text, known: VecDeque::new() };
        let exit = json!({
            "seq": 7, "time": "2026-11-28T03:12:07.412Z", "severity": "warning",
            "message": "web.default: process 12 was killed by signal 9 (SIGKILL)",
            "cause": null, "data": { "stderr": ["out of \u{1b}[2Jmemory"] },
        });
        assert_eq!(
            printer.text(&exit),
            "2026-11-28T03:12:07.412Z warning web.default: process 12 was killed by signal 9 \
             (SIGKILL) [7]\n    | out of \\u{1b}[2Jmemory\n"
        );
        let start = json!({
            "seq": 8, "time": "2026-11-28T03:12:07.420Z", "severity": "info",
            "message": "web.default starts", "cause": 7, "data": {},
        });
        assert_eq!(
            printer.text(&start),
            "2026-11-28T03:12:07.420Z info    web.default starts [8]\n    because of [7]: \
             web.default: process 12 was killed by signal 9 (SIGKILL)\n"
        );
        let gap = json!({ "gap": { "first": 9, "last": 12 } });
        assert_eq!(printer.text(&gap), "--- events 9 to 12 are missing ---\n");
    }
}
