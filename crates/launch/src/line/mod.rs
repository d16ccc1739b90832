//! The format of a line of user output: `PREAMBLE(KEY): TEXT` and its coloured, verbose and JSON
//! forms (reference: control §20.1). Shared by the launcher and the Supervisor.
//!
//! Every line about a service starts with its service group, whether the service, one of its hooks,
//! the launcher or the Supervisor printed it.

mod level;

use std::{io::IsTerminal, panic::Location};

use roost_ident::time::rfc3339_ms;
use roost_logs::Stream;

pub use self::level::Level;
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

/// The format of lines. The default is plain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Colours; see [`Style::on`] for where they appear.
    pub color: bool,
    /// One JSON object per line; wins over `color`.
    pub json: bool,
    /// Include the source location.
    pub verbose: bool,
    /// Plain lines start with the time. JSON lines always contain it.
    pub time: bool,
    /// The output is the journal: lines start with their priority, `<3>` (`sd-daemon(3)`). A
    /// property of the output that [`Style::of_output`] detects, not an option.
    pub journal: bool,
}

impl Style {
    /// The style according to options and environment. Colour is on unless `--no-color` was given
    /// (`no_color`), `NO_COLOR` is set, `HAB_NOCOLORING` is `1` or `true`, or `TERM` is unset,
    /// empty or `dumb`. `env` looks up a variable; an empty value counts as unset.
    pub fn choose(
        no_color: bool,
        json: bool,
        verbose: bool,
        env: impl Fn(&str) -> Option<String>,
    ) -> Style {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        let capable = set("TERM").is_some_and(|term| term != "dumb");
        let refused = set("NO_COLOR").is_some()
            || set("HAB_NOCOLORING").is_some_and(|value| value == "1" || value == "true");
        let color = capable && !no_color && !refused;
        Style { color, json, verbose, ..Style::default() }
    }

    /// The style with or without the time in plain lines.
    #[must_use]
    pub fn with_time(self, time: bool) -> Style {
        Style { time, ..self }
    }

    /// The style for one output: without colour unless it is a terminal.
    #[must_use]
    pub fn on(self, is_terminal: bool) -> Style {
        Style { color: self.color && is_terminal, ..self }
    }

    /// The style for standard output or standard error of this process: colour only on a terminal,
    /// priorities only for the journal.
    #[must_use]
    pub fn of_output(self, stream: Stream) -> Style {
        let is_terminal = match stream {
            Stream::Stdout => std::io::stdout().is_terminal(),
            Stream::Stderr => std::io::stderr().is_terminal(),
        };
        Style { journal: is_journal(stream), ..self.on(is_terminal) }
    }
}

/// Whether this output is the one that systemd connected with the journal. `JOURNAL_STREAM`
/// identifies it, and is also inherited by processes with other outputs (`systemd.exec(5)`).
fn is_journal(stream: Stream) -> bool {
    let Ok(journal) = std::env::var("JOURNAL_STREAM") else { return false };
    let output = match stream {
        Stream::Stdout => rustix::stdio::stdout(),
        Stream::Stderr => rustix::stdio::stderr(),
    };
    rustix::fs::fstat(output)
        .is_ok_and(|found| journal == format!("{}:{}", found.st_dev, found.st_ino))
}

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

/// A JSON string (RFC 8259 section 7): escapes what must be escaped, and terminal commands.
fn append_json_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if roost_text::is_unprintable(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn place_text(place: &Location<'_>) -> String {
    format!("{}:{}:{}", place.file(), place.line(), place.column())
}

fn push_all(out: &mut String, parts: &[&str]) {
    for part in parts {
        out.push_str(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Style =
        Style { color: false, json: false, verbose: false, time: false, journal: false };
    const JSON: Style = Style { json: true, ..PLAIN };

    fn shown(style: Style, line: Line<'_>) -> String {
        let mut out = String::new();
        line.append_at(&mut out, style, 1_795_362_698_042);
        out
    }

    #[test]
    fn a_plain_line_has_preamble_key_and_text() {
        assert_eq!(shown(PLAIN, Line::new("hab-sup", "MR", "hello")), "hab-sup(MR): hello\n");
    }

    #[test]
    fn a_hook_has_the_service_group_in_front_as_its_service_has() {
        let hook = Line::printed("a.b", Some("init"), Stream::Stdout, "ready");
        assert_eq!(shown(PLAIN, hook), "a.b(HK): hook[init]: ready\n");
        let service = Line::printed("a.b", None, Stream::Stderr, "x");
        assert_eq!(shown(PLAIN, service), "a.b(E): x\n");
    }

    #[test]
    fn times_are_shown_when_they_are_wanted() {
        let style = PLAIN.with_time(true);
        assert_eq!(
            shown(style, Line::new("hab-sup", "MR", "hello")),
            "2026-11-22T15:51:38.042Z hab-sup(MR): hello\n"
        );
    }

    #[test]
    fn a_verbose_line_names_its_place_and_others_do_not() {
        let here = Location::caller();
        let verbose = Style { verbose: true, ..PLAIN };
        let line = Line::new("hab-sup", "MR", "hello").at(here);
        let expected =
            format!("hab-sup(MR)[{}:{}:{}]: hello\n", here.file(), here.line(), here.column());
        assert_eq!(shown(verbose, line), expected);
        assert_eq!(shown(PLAIN, line), "hab-sup(MR): hello\n");
        assert_eq!(shown(verbose, Line::printed("a.b", None, Stream::Stdout, "x")), "a.b(O): x\n");
    }

    #[test]
    fn a_coloured_line_has_the_recorded_escapes() {
        let style = Style { color: true, ..PLAIN };
        assert_eq!(
            shown(style, Line::new("hab-sup", "MR", "hi")),
            "\x1b[0m\x1b[0m\x1b[36mhab-sup\x1b[0m(\x1b[0m\x1b[1m\x1b[37mMR\x1b[0m): \x1b[0mhi\x1b[0m\n"
        );
        let service = Line::printed("a.b", None, Stream::Stdout, "hi");
        assert!(shown(style, service).contains("\x1b[32ma.b"));
    }

    #[test]
    fn json_has_habitats_keys_first_then_time_level_service_and_stream() {
        let style = Style { color: true, ..JSON };
        assert_eq!(
            shown(style, Line::new("hab-sup", "MR", "a \"b\"\\\n\u{1}é")),
            "{\"preamble\":\"hab-sup\",\"logkey\":\"MR\",\"content\":\"a \\\"b\\\"\\\\\\n\\u0001é\",\
             \"time\":\"2026-11-22T15:51:38.042Z\",\"level\":\"info\",\"service\":null,\
             \"hook\":null,\"stream\":null}\n"
        );
        let hook = Line::printed("a.b", Some("init"), Stream::Stderr, "no");
        let text = shown(JSON, hook);
        assert!(
            text.ends_with(
                "\"content\":\"no\",\"time\":\"2026-11-22T15:51:38.042Z\",\"level\":\"error\",\
                 \"service\":\"a.b\",\"hook\":\"init\",\"stream\":\"stderr\"}\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn the_journal_gets_the_priority_first() {
        let journal = Style { journal: true, ..PLAIN };
        let line = |stream, text| shown(journal, Line::printed("a.b", None, stream, text));
        assert_eq!(line(Stream::Stdout, "x"), "<6>a.b(O): x\n");
        assert_eq!(line(Stream::Stderr, "x"), "<3>a.b(E): x\n");
        assert_eq!(line(Stream::Stderr, "<4>low on space"), "<4>a.b(E): low on space\n");
        assert_eq!(line(Stream::Stdout, "<h1>"), "<6>a.b(O): <h1>\n");
        let failed = Line::new("hab-sup", "MR", "Unable to start x");
        assert_eq!(shown(journal, failed), "<3>hab-sup(MR): Unable to start x\n");
        let timed = Style { json: true, ..journal };
        assert!(shown(timed, failed).starts_with("<3>{\"preamble\""));
    }

    #[test]
    fn text_without_preamble_is_one_object_in_json_and_prefixed_for_the_journal() {
        let text = |style| format_text(style, SUPERVISOR, Level::Error, "one\ntwo\n");
        assert_eq!(text(PLAIN), "one\ntwo\n");
        assert_eq!(text(Style { journal: true, ..PLAIN }), "<3>one\n<3>two\n");
        let json = text(JSON);
        assert!(json.contains("\"content\":\"one\\ntwo\"") && json.lines().count() == 1, "{json}");
    }

    #[test]
    fn text_cannot_forge_a_line_in_any_style() {
        let forged = "x\nhab-sup(MR): forged\r\x1b[2J\u{9b}2J";
        for (color, json) in [(false, false), (true, false), (false, true)] {
            let style = Style { color, json, ..PLAIN };
            for line in [
                shown(style, Line::new("a.b", "SR", forged)),
                shown(style, Line::new(forged, "SR", "x")),
                shown(style, Line::printed("a.b", Some(forged), Stream::Stdout, "x")),
            ] {
                assert!(!line.contains("\nhab-sup") && !line.contains("[2J\n"), "{line:?}");
                assert!(!line.contains(['\r', '\u{9b}']) && !line.contains("\x1b[2J"), "{line:?}");
            }
        }
        let line = Line::printed("a.b", None, Stream::Stdout, "\x1b[31mred\x1b[0m\tx");
        assert_eq!(shown(PLAIN, line), "a.b(O): \x1b[31mred\x1b[0m\tx\n");
    }

    #[test]
    fn verbose_json_has_the_place_before_the_content() {
        let style = Style { verbose: true, ..JSON };
        let line = shown(style, Line::new("hab-sup", "MR", "x").at(Location::caller()));
        let order: Vec<usize> = ["preamble", "logkey", "file", "\"line\":", "column", "content"]
            .iter()
            .map(|key| line.find(key).expect("present"))
            .collect();
        assert!(order.is_sorted(), "{line}");
    }

    #[test]
    fn colour_needs_a_capable_terminal_and_no_opt_out() {
        let env = |pairs: &'static [(&str, &str)]| {
            move |name: &str| {
                pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            }
        };
        let xterm = env(&[("TERM", "xterm")]);
        assert!(Style::choose(false, false, false, xterm).color);
        assert!(!Style::choose(true, false, false, xterm).color);
        assert!(!Style::choose(false, false, false, env(&[])).color);
        assert!(!Style::choose(false, false, false, env(&[("TERM", "dumb")])).color);
        let refused = env(&[("TERM", "xterm"), ("NO_COLOR", "1")]);
        assert!(!Style::choose(false, false, false, refused).color);
        let refused = env(&[("TERM", "xterm"), ("HAB_NOCOLORING", "true")]);
        assert!(!Style::choose(false, false, false, refused).color);
        let empty = env(&[("TERM", "xterm"), ("NO_COLOR", "")]);
        let style = Style::choose(false, false, false, empty);
        assert!(style.color && style.on(true).color && !style.on(false).color);
    }
}
