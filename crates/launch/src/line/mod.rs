//! The format of a line of user output: `PREAMBLE(KEY): TEXT` and its coloured, verbose and JSON
//! forms (reference: control §20.1). Shared by the launcher and the Supervisor.
//!
//! Every line about a service starts with its service group, whether the service, one of its hooks,
//! the launcher or the Supervisor printed it.

mod json;
mod level;
mod style;
#[cfg(test)]
mod tests;

use std::panic::Location;

use roost_ident::time::rfc3339_ms;
use roost_logs::Stream;

use self::json::append_json_string;
pub use self::{level::Level, style::Style};
use crate::clock;

/// Preamble of the launcher's own lines.
pub const LAUNCHER: &str = "hab-launch";
/// Preamble of the Supervisor's own lines.
pub const SUPERVISOR: &str = "hab-sup";

const RESET: &str = "\x1b[0m";
const BOLD_WHITE: &str = "\x1b[0m\x1b[1m\x1b[37m";
const UNDERLINED_WHITE: &str = "\x1b[0m\x1b[4m\x1b[37m";
const CYAN: &str = "\x1b[0m\x1b[36m";
const GREEN: &str = "\x1b[0m\x1b[32m";

/// A line and its attributes. Its texts may be foreign: terminal commands and line breaks are
/// escaped ([`roost_text`]); JSON keeps all of them.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// A program ([`LAUNCHER`], [`SUPERVISOR`]) or a service group.
    pub preamble: &'a str,
    /// A short word (reference: control §20.1).
    pub key: &'a str,
    /// Severity.
    pub level: Level,
    /// The hook that printed it.
    pub hook: Option<&'a str>,
    /// Stream of the service or hook; `None` for lines of the Supervisor or the launcher.
    pub stream: Option<Stream>,
    /// Source location; shown only in the verbose forms.
    pub place: Option<&'a Location<'a>>,
    /// The text.
    pub text: &'a str,
}

impl<'a> Line<'a> {
    /// A line of the launcher or the Supervisor. Its text determines its level.
    #[must_use]
    pub fn new(preamble: &'a str, key: &'a str, text: &'a str) -> Self {
        let level = Level::of(text);
        Self { preamble, key, level, hook: None, stream: None, place: None, text }
    }

    /// A line that a service or one of its hooks printed.
    #[must_use]
    pub fn printed(group: &'a str, hook: Option<&'a str>, stream: Stream, text: &'a str) -> Self {
        let key = match (hook, stream) {
            (Some(_), _) => "HK",
            (None, Stream::Stdout) => "O",
            (None, Stream::Stderr) => "E",
        };
        let level = match stream {
            Stream::Stdout => Level::Info,
            Stream::Stderr => Level::Error,
        };
        Self { preamble: group, key, level, hook, stream: Some(stream), place: None, text }
    }

    /// The same line with its source location.
    #[must_use]
    pub fn at(self, place: &'a Location<'a>) -> Self {
        Self { place: Some(place), ..self }
    }

    /// The line in this style, with its line feed.
    #[must_use]
    pub fn format(self, style: Style) -> String {
        let mut out =
            String::with_capacity(self.preamble.len() + self.key.len() + self.text.len() + 48);
        self.append(&mut out, style);
        out
    }

    /// Appends the line, with its line feed, to `out`.
    pub fn append(self, out: &mut String, style: Style) {
        self.append_at(out, style, clock::unix_ms());
    }

    fn append_at(mut self, out: &mut String, style: Style, unix_ms: u64) {
        if !style.verbose {
            self.place = None;
        }
        // A service under systemd may prefix a line with its priority.
        if style.journal
            && self.stream.is_some()
            && let Some((level, text)) = level::of_prefix(self.text)
        {
            (self.level, self.text) = (level, text);
        }
        if style.journal {
            push_all(out, &["<", self.level.priority(), ">"]);
        }
        let preamble = roost_text::shown(self.preamble);
        let line = Line { preamble: &preamble, ..self };
        if style.json {
            line.append_json(out, &rfc3339_ms(unix_ms));
        } else {
            if style.time {
                push_all(out, &[&rfc3339_ms(unix_ms), " "]);
            }
            if style.color { line.append_colored(out) } else { line.append_plain(out) }
        }
        out.push('\n');
    }

    fn append_plain(self, out: &mut String) {
        push_all(out, &[self.preamble, "(", self.key, ")"]);
        if let Some(place) = self.place {
            push_all(out, &["[", &place_text(place), "]"]);
        }
        out.push_str(": ");
        self.append_hook(out);
        roost_text::append_line(out, self.text);
    }

    fn append_colored(self, out: &mut String) {
        let color = if self.is_of_program() { CYAN } else { GREEN };
        push_all(out, &[RESET, color, self.preamble, RESET, "(", BOLD_WHITE, self.key, RESET, ")"]);
        if let Some(place) = self.place {
            push_all(out, &["[", UNDERLINED_WHITE, &place_text(place), RESET, "]"]);
        }
        push_all(out, &[": ", RESET]);
        self.append_hook(out);
        roost_text::append_line(out, self.text);
        out.push_str(RESET);
    }

    fn append_hook(self, out: &mut String) {
        if let Some(hook) = self.hook {
            push_all(out, &["hook[", &roost_text::shown(hook), "]: "]);
        }
    }

    /// Habitat's keys come first, in its order.
    fn append_json(self, out: &mut String, time: &str) {
        out.push_str("{\"preamble\":");
        append_json_string(out, self.preamble);
        out.push_str(",\"logkey\":");
        append_json_string(out, self.key);
        if let Some(place) = self.place {
            out.push_str(",\"file\":");
            append_json_string(out, place.file());
            let numbers = format!(",\"line\":{},\"column\":{}", place.line(), place.column());
            out.push_str(&numbers);
        }
        out.push_str(",\"content\":");
        append_json_string(out, self.text);
        push_all(out, &[",\"time\":\"", time, "\",\"level\":\"", self.level.as_str(), "\""]);
        let service = (!self.is_of_program()).then_some(self.preamble);
        let stream = self.stream.map(|stream| match stream {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        });
        for (name, value) in [("service", service), ("hook", self.hook), ("stream", stream)] {
            push_all(out, &[",\"", name, "\":"]);
            match value {
                Some(value) => append_json_string(out, value),
                None => out.push_str("null"),
            }
        }
        out.push('}');
    }

    fn is_of_program(self) -> bool {
        self.preamble == LAUNCHER || self.preamble == SUPERVISOR
    }
}

/// Text without preamble, such as the reason why a Supervisor cannot start: unchanged, except as
/// one object in JSON, and with its priority on each line for the journal.
#[must_use]
pub fn format_text(style: Style, preamble: &str, level: Level, text: &str) -> String {
    if style.json {
        let line = Line { level, ..Line::new(preamble, "MR", text.trim_end()) };
        return line.format(style);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for line in roost_text::block(text).lines() {
        if style.journal {
            push_all(&mut out, &["<", level.priority(), ">"]);
        }
        push_all(&mut out, &[line, "\n"]);
    }
    out
}

fn place_text(place: &Location<'_>) -> String {
    format!("{}:{}:{}", place.file(), place.line(), place.column())
}

fn push_all(out: &mut String, parts: &[&str]) {
    for part in parts {
        out.push_str(part);
    }
}
