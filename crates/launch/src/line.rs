//! The look of a line of user output: `PREAMBLE(KEY): TEXT` and its coloured, verbose and JSON
//! forms (control chapter 20.1). Shared by the launcher and the Supervisor.

use std::panic::Location;

/// Preamble of the launcher's own lines.
pub const LAUNCHER: &str = "hab-launch";
/// Preamble of the Supervisor's own lines.
pub const SUPERVISOR: &str = "hab-sup";

const RESET: &str = "\x1b[0m";
const BOLD_WHITE: &str = "\x1b[0m\x1b[1m\x1b[37m";
const UNDERLINED_WHITE: &str = "\x1b[0m\x1b[4m\x1b[37m";
const CYAN: &str = "\x1b[0m\x1b[36m";
const GREEN: &str = "\x1b[0m\x1b[32m";

/// Which form lines take. The default is plain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Colours; see [`Style::on`] for where they are shown.
    pub color: bool,
    /// One JSON object per line; wins over `color`.
    pub json: bool,
    /// Name the place in the program.
    pub verbose: bool,
}

impl Style {
    /// The style that options and environment ask for. Colour is on unless `--no-color` was given
    /// (`no_color`), `NO_COLOR` is set to anything, `HAB_NOCOLORING` to `1` or `true`, or `TERM` is
    /// unset, empty or `dumb`. `env` looks up a variable; an empty value counts as unset.
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
        Style { color: capable && !no_color && !refused, json, verbose }
    }

    /// The style for one output: without colour where it is no terminal.
    #[must_use]
    pub fn on(self, is_terminal: bool) -> Style {
        Style { color: self.color && is_terminal, ..self }
    }
}

/// One line, with its line feed.
///
/// `preamble` is a program ([`LAUNCHER`], [`SUPERVISOR`]), a service group, or a hook
/// (`GROUP hook[NAME]:`); `key` a short word of control chapter 20.1. `place` is only shown in the
/// verbose forms; lines of services (`O`, `E`) have none. Preamble and text may be foreign: what
/// could command a terminal or forge a line is escaped ([`roost_text`]); JSON keeps all of the text.
#[must_use]
pub fn format_line(
    style: Style,
    preamble: &str,
    key: &str,
    place: Option<&Location<'_>>,
    text: &str,
) -> String {
    let mut out = String::with_capacity(preamble.len() + key.len() + text.len() + 48);
    append_line(&mut out, style, preamble, key, place, text);
    out
}

/// Like [`format_line`], written to the end of `out`.
pub fn append_line(
    out: &mut String,
    style: Style,
    preamble: &str,
    key: &str,
    place: Option<&Location<'_>>,
    text: &str,
) {
    let place = place.filter(|_| style.verbose);
    let preamble = &*roost_text::shown(preamble);
    if style.json {
        append_json(out, preamble, key, place, text);
    } else if style.color {
        append_colored(out, preamble, key, place, text);
    } else {
        append_plain(out, preamble, key, place, text);
    }
    out.push('\n');
}

fn append_plain(
    out: &mut String,
    preamble: &str,
    key: &str,
    place: Option<&Location<'_>>,
    text: &str,
) {
    push_all(out, &[preamble, "(", key, ")"]);
    if let Some(place) = place {
        push_all(out, &["[", &place_text(place), "]"]);
    }
    out.push_str(": ");
    roost_text::append_line(out, text);
}

fn append_colored(
    out: &mut String,
    preamble: &str,
    key: &str,
    place: Option<&Location<'_>>,
    text: &str,
) {
    let is_program = preamble == LAUNCHER || preamble == SUPERVISOR;
    let color = if is_program { CYAN } else { GREEN };
    push_all(out, &[RESET, color, preamble, RESET, "(", BOLD_WHITE, key, RESET, ")"]);
    if let Some(place) = place {
        push_all(out, &["[", UNDERLINED_WHITE, &place_text(place), RESET, "]"]);
    }
    push_all(out, &[": ", RESET]);
    roost_text::append_line(out, text);
    out.push_str(RESET);
}

fn append_json(
    out: &mut String,
    preamble: &str,
    key: &str,
    place: Option<&Location<'_>>,
    text: &str,
) {
    out.push_str("{\"preamble\":");
    append_json_string(out, preamble);
    out.push_str(",\"logkey\":");
    append_json_string(out, key);
    if let Some(place) = place {
        out.push_str(",\"file\":");
        append_json_string(out, place.file());
        let numbers = format!(",\"line\":{},\"column\":{}", place.line(), place.column());
        out.push_str(&numbers);
    }
    out.push_str(",\"content\":");
    append_json_string(out, text);
    out.push('}');
}

/// A string in JSON (RFC 8259 section 7): what must be escaped is escaped, and what a terminal
/// might obey.
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

    const PLAIN: Style = Style { color: false, json: false, verbose: false };

    #[test]
    fn a_plain_line_has_preamble_key_and_text() {
        let line = format_line(PLAIN, "hab-sup", "MR", None, "hello");
        assert_eq!(line, "hab-sup(MR): hello\n");
    }

    #[test]
    fn a_verbose_line_names_its_place_and_others_do_not() {
        let here = Location::caller();
        let verbose = Style { verbose: true, ..PLAIN };
        let expected =
            format!("hab-sup(MR)[{}:{}:{}]: hello\n", here.file(), here.line(), here.column());
        assert_eq!(format_line(verbose, "hab-sup", "MR", Some(here), "hello"), expected);
        assert_eq!(
            format_line(PLAIN, "hab-sup", "MR", Some(here), "hello"),
            "hab-sup(MR): hello\n"
        );
        assert_eq!(format_line(verbose, "a.b", "O", None, "x"), "a.b(O): x\n");
    }

    #[test]
    fn a_coloured_line_has_the_recorded_escapes() {
        let style = Style { color: true, ..PLAIN };
        assert_eq!(
            format_line(style, "hab-sup", "MR", None, "hi"),
            "\x1b[0m\x1b[0m\x1b[36mhab-sup\x1b[0m(\x1b[0m\x1b[1m\x1b[37mMR\x1b[0m): \x1b[0mhi\x1b[0m\n"
        );
        assert!(format_line(style, "a.b", "O", None, "hi").contains("\x1b[32ma.b"));
    }

    #[test]
    fn json_wins_over_colour_and_escapes_its_text() {
        let style = Style { color: true, json: true, verbose: false };
        assert_eq!(
            format_line(style, "hab-sup", "MR", None, "a \"b\"\\\n\u{1}é"),
            "{\"preamble\":\"hab-sup\",\"logkey\":\"MR\",\"content\":\"a \\\"b\\\"\\\\\\n\\u0001é\"}\n"
        );
    }

    #[test]
    fn text_forges_no_line_in_any_style() {
        let forged = "x\nhab-sup(MR): forged\r\x1b[2J\u{9b}2J";
        for (color, json) in [(false, false), (true, false), (false, true)] {
            let style = Style { color, json, verbose: false };
            for line in [
                format_line(style, "a.b", "SR", None, forged),
                format_line(style, forged, "SR", None, "x"),
            ] {
                assert!(!line.contains("\nhab-sup") && !line.contains("[2J\n"), "{line:?}");
                assert!(!line.contains(['\r', '\u{9b}']) && !line.contains("\x1b[2J"), "{line:?}");
            }
        }
        let line = format_line(PLAIN, "a.b", "O", None, "\x1b[31mred\x1b[0m\tx");
        assert_eq!(line, "a.b(O): \x1b[31mred\x1b[0m\tx\n");
    }

    #[test]
    fn verbose_json_has_the_place_before_the_content() {
        let style = Style { color: false, json: true, verbose: true };
        let line = format_line(style, "hab-sup", "MR", Some(Location::caller()), "x");
        let order: Vec<usize> = ["preamble", "logkey", "file", "\"line\":", "column", "content"]
            .iter()
            .map(|key| line.find(key).expect("present"))
            .collect();
        assert!(order.is_sorted(), "{line}");
    }

    #[test]
    fn colour_needs_a_terminal_that_can_and_nobody_against_it() {
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
