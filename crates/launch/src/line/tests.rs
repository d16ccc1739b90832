//! Lines in every form.

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
