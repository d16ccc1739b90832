//! Display of foreign text without terminal commands or forged lines.

use std::{borrow::Cow, fmt::Write};

/// Longest name or value within a message; a longer one is truncated and ends with `…`.
pub const SHOWN_BYTES_MAX: usize = 1024;

/// Start of a continuation line, so that it cannot be mistaken for a log line.
const CONTINUATION: &str = "\n    ";
const RESET: &str = "\x1b[0m";

/// Characters that need escaping: control characters (including those from U+0080, which some
/// terminals obey), line separators, and those that reorder or hide their neighbours.
#[must_use]
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// A name or value within a message: on one line, with unprintable characters escaped like `
/// ` and `\u{1b}`, and at most [`SHOWN_BYTES_MAX`] long.
#[must_use]
pub fn shown(text: &str) -> Cow<'_, str> {
    let cut = cut(text, SHOWN_BYTES_MAX);
    if cut.len() == text.len() && !text.chars().any(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(cut.len() + 16);
    for c in cut.chars() {
        push(&mut out, c);
    }
    if cut.len() < text.len() {
        out.push('…');
    }
    Cow::Owned(out)
}

/// Text of several lines: keeps line feeds and tabs, escapes other unprintable characters.
#[must_use]
pub fn block(text: &str) -> Cow<'_, str> {
    let stays = |c: char| !is_unprintable(c) || matches!(c, '\n' | '\t');
    if text.chars().all(stays) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if stays(c) { out.push(c) } else { push(&mut out, c) }
    }
    Cow::Owned(out)
}

/// Appends the text of a log line. Keeps tabs and sequences that only set colours, which many
/// services use, and resets colours at the end. Indents further lines, so that none of them
/// resembles a log line. Removes a final line feed.
pub fn append_line(out: &mut String, text: &str) {
    let text = text.strip_suffix('\n').unwrap_or(text);
    if is_plain(text.as_bytes()) {
        return out.push_str(text);
    }
    let (mut rest, mut is_colored) = (text, false);
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '\u{1b}' => color(rest),
            _ => None,
        };
        if let Some(length) = length {
            out.push_str(&rest[..length]);
            is_colored = !matches!(&rest[..length], RESET | "\x1b[m");
            rest = &rest[length..];
            continue;
        }
        match c {
            '\n' => out.push_str(CONTINUATION),
            // Part of a line end.
            '\r' if rest[1..].starts_with('\n') => {}
            '\t' => out.push('\t'),
            c if is_unprintable(c) => push(out, c),
            c => out.push(c),
        }
        rest = &rest[c.len_utf8()..];
    }
    if is_colored {
        out.push_str(RESET);
    }
}

/// Fast check for most lines: printable ASCII, and characters whose first byte starts no
/// unprintable one.
fn is_plain(bytes: &[u8]) -> bool {
    let fine = |byte: &u8| match *byte {
        b'\t' | 0x20..=0x7e => true,
        // First bytes of the characters in is_unprintable().
        0xc2 | 0xd8 | 0xe1 | 0xe2 | 0xef | 0xf3 => false,
        byte => byte >= 0x80,
    };
    bytes.iter().all(fine)
}

/// Length of a sequence at the start of the text that sets colours (ECMA-48 SGR, 7 bit).
fn color(text: &str) -> Option<usize> {
    const PARAMETERS_MAX: usize = 48;
    let parameters = text.strip_prefix("\x1b[")?;
    let length = parameters.find(|c: char| !c.is_ascii_digit() && !matches!(c, ';' | ':'))?;
    (length <= PARAMETERS_MAX && parameters[length..].starts_with('m')).then_some(length + 3)
}

fn push(out: &mut String, c: char) {
    if !is_unprintable(c) {
        return out.push(c);
    }
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c => {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        }
    }
}

/// Truncates a text to a number of bytes, between characters.
fn cut(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(text: &str) -> String {
        let mut out = String::new();
        append_line(&mut out, text);
        out
    }

    #[test]
    fn names_stay_on_one_line_without_terminal_commands() {
        assert!(matches!(shown("web.default ü 日本"), Cow::Borrowed(_)));
        assert_eq!(
            shown("x\nhab-sup(MR): y\x1b[2J\x07\t\r"),
            r"x\nhab-sup(MR): y\u{1b}[2J\u{7}\t\r"
        );
        assert_eq!(shown("a\u{9b}2Jb\u{202e}c\u{2028}d"), r"a\u{9b}2Jb\u{202e}c\u{2028}d");
        let long = shown(&"ü".repeat(SHOWN_BYTES_MAX)).into_owned();
        assert_eq!((long.chars().count(), long.ends_with("ü…")), (513, true));
    }

    #[test]
    fn blocks_keep_their_lines() {
        assert_eq!(block("a\tb\nc\x1b]0;x\x07"), "a\tb\nc\\u{1b}]0;x\\u{7}");
        assert!(matches!(block("a\tb\n"), Cow::Borrowed(_)));
    }

    #[test]
    fn lines_keep_colours_and_nothing_else() {
        assert_eq!(line("plain\ttext ü\n"), "plain\ttext ü");
        assert_eq!(line("\x1b[1;31mred\x1b[0m"), "\x1b[1;31mred\x1b[0m");
        assert_eq!(line("\x1b[8mhidden"), "\x1b[8mhidden\x1b[0m", "ends with the line");
        assert_eq!(line("\x1b[2Jx\x1b]0;t\x07\x1b[1"), r"\u{1b}[2Jx\u{1b}]0;t\u{7}\u{1b}[1");
        assert_eq!(line("a\rhab-sup(MR): b"), r"a\rhab-sup(MR): b");
        assert_eq!(line("a\r\nhab-sup(MR): b\n"), "a\n    hab-sup(MR): b");
    }

    proptest! {
        #[test]
        fn no_text_gets_through(text in "(\\PC|\\pC|[\\x00-\\x1f\\x7f\\x1b\n\u{9b}\u{2028}]|\x1b\\[[0-9;]{0,3}[mJ]){0,40}") {
            prop_assert!(!shown(&text).chars().any(is_unprintable));
            prop_assert!(!block(&text).chars().any(|c| is_unprintable(c) && !matches!(c, '\n' | '\t')));
            let line = line(&text);
            for part in line.split('\n').skip(1) {
                prop_assert!(part.starts_with("    "), "{line:?}");
            }
            let bare: String = line.replace('\n', "");
            let mut rest = bare.as_str();
            while let Some(c) = rest.chars().next() {
                let length = color(rest).unwrap_or(c.len_utf8());
                prop_assert!(length > 1 || !is_unprintable(c) || c == '\t', "{line:?}");
                rest = &rest[length..];
            }
        }

        #[test]
        fn the_quick_look_misses_nothing(text in "\\PC{0,20}|\\pC{0,4}|.{0,20}") {
            let plain = !text.chars().any(|c| is_unprintable(c) && c != '\t');
            prop_assert!(plain || !is_plain(text.as_bytes()));
        }
    }
}
