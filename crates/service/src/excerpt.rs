//! The retained part of a process's output: a few lines that are safe to show.

use std::sync::Arc;

use roost_text::is_unprintable;

/// Lines of an excerpt.
pub const EXCERPT_LINES_MAX: usize = 8;
/// Bytes of an excerpt of one stream of a hook.
pub const HOOK_BYTES_MAX: usize = 512;
/// Bytes of an excerpt of a process's stderr.
pub const STDERR_BYTES_MAX: usize = 1_024;
/// Bytes of the whole output of a hook.
pub const OUTPUT_BYTES_MAX: usize = 4_096;
/// Bytes of one line.
const LINE_BYTES_MAX: usize = 200;

/// The last lines of an output, without blank lines and control characters, each cut to a length
/// that fits a screen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Excerpt(Vec<String>);

impl Excerpt {
    /// The last lines of a text, at most [`EXCERPT_LINES_MAX`] and `bytes_max` bytes including line
    /// feeds.
    #[must_use]
    pub fn last_of(text: &str, bytes_max: usize) -> Self {
        let mut lines = Vec::new();
        let mut bytes = 0;
        for line in text.lines().rev().map(one_line).filter(|line| !line.is_empty()) {
            bytes += line.len() + 1;
            if bytes > bytes_max || lines.len() == EXCERPT_LINES_MAX {
                break;
            }
            lines.push(line);
        }
        lines.reverse();
        Self(lines)
    }

    /// The lines, the oldest first.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.0
    }

    /// The last line.
    #[must_use]
    pub fn last(&self) -> Option<&str> {
        self.0.last().map(String::as_str)
    }

    /// True when there are no lines.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The lines, each ended by a line feed.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.iter().map(|line| format!("{line}\n")).collect()
    }
}

/// Output of a hook.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Printed {
    /// The first line of stdout, or of stderr if stdout is empty.
    pub first: String,
    /// The end of stdout.
    pub stdout: Excerpt,
    /// The end of stderr.
    pub stderr: Excerpt,
    /// The end of both, stdout first.
    pub output: Arc<str>,
}

impl Printed {
    /// From both outputs.
    #[must_use]
    pub fn of(stdout: &str, stderr: &str) -> Self {
        let mut lines = stdout.lines().chain(stderr.lines()).map(one_line);
        Self {
            first: lines.find(|line| !line.is_empty()).unwrap_or_default(),
            stdout: Excerpt::last_of(stdout, HOOK_BYTES_MAX),
            stderr: Excerpt::last_of(stderr, HOOK_BYTES_MAX),
            output: end_of_both(stdout, stderr).into(),
        }
    }

    /// The end of stderr, where error messages go; of stdout when stderr is empty.
    #[must_use]
    pub fn end(&self) -> &Excerpt {
        if self.stderr.is_empty() { &self.stdout } else { &self.stderr }
    }
}

/// The end of two outputs, at most [`OUTPUT_BYTES_MAX`] together.
fn end_of_both(stdout: &str, stderr: &str) -> String {
    let second = end_of(stderr, OUTPUT_BYTES_MAX / 2);
    let first = end_of(stdout, OUTPUT_BYTES_MAX - second.len());
    format!("{first}{second}")
}

fn end_of(text: &str, bytes_max: usize) -> &str {
    let begin = text.ceil_char_boundary(text.len().saturating_sub(bytes_max));
    &text[begin..]
}

/// Foreign text as one line: removes colours, escapes unprintable characters, and cuts long text.
#[must_use]
pub fn one_line(text: &str) -> String {
    let text = without_colors(text.trim());
    let mut line = String::new();
    for c in text.chars() {
        let escaped = is_unprintable(c).then(|| c.escape_default());
        let needed = escaped.as_ref().map_or(c.len_utf8(), ExactSizeIterator::len);
        if line.len() + needed > LINE_BYTES_MAX - '…'.len_utf8() {
            line.push('…');
            break;
        }
        match escaped {
            Some(escaped) => line.extend(escaped),
            None => line.push(c),
        }
    }
    line
}

/// Removes the sequences that set colours (`ESC [ 1 ; 31 m`).
fn without_colors(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        match rest.strip_prefix('m') {
            Some(rest) => plain.push_str(rest),
            None => {
                plain.push_str("\u{1b}[");
                plain.push_str(part);
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_lines_are_kept_and_blank_ones_are_not() {
        let text: String = (0..50).map(|number| format!("line {number}\n\n")).collect();
        let excerpt = Excerpt::last_of(&text, 1_000);
        assert_eq!(excerpt.lines().len(), EXCERPT_LINES_MAX);
        assert_eq!(excerpt.last(), Some("line 49"));
        assert_eq!(Excerpt::last_of(&text, 17).lines(), ["line 48", "line 49"]);
        assert!(Excerpt::last_of(" \n\t\n", 100).is_empty());
    }

    #[test]
    fn the_first_line_comes_from_stdout_and_the_end_from_stderr() {
        let printed = Printed::of("\nfine\nmore\n", "a warning\n");
        assert_eq!((printed.first.as_str(), printed.end().last()), ("fine", Some("a warning")));
        let printed = Printed::of("", "broken\n");
        assert_eq!(printed.first, "broken");
        assert_eq!(Printed::of("only\n", "").end().last(), Some("only"));
    }

    #[test]
    fn the_whole_output_is_bounded_at_its_beginning() {
        let printed = Printed::of(&"é".repeat(9_000), &"x".repeat(9_000));
        assert_eq!(printed.output.len(), OUTPUT_BYTES_MAX);
        assert!(printed.output.starts_with('é') && printed.output.ends_with('x'));
        assert_eq!(&*Printed::of("a\n", "b").output, "a\nb");
    }

    #[test]
    fn escapes_of_terminals_are_shown_as_text() {
        assert_eq!(one_line("a\u{1b}[2Jred\rb\u{9b}"), "a\\u{1b}[2Jred\\rb\\u{9b}");
        assert_eq!(one_line("\u{1b}[1;31merror\u{1b}[0m: no"), "error: no");
    }

    proptest! {
        #[test]
        fn an_excerpt_is_bounded_and_without_control_characters(text in "(.|[\x00-\x1f]|é{30}){0,200}") {
            let excerpt = Excerpt::last_of(&text, HOOK_BYTES_MAX);
            prop_assert!(excerpt.text().len() <= HOOK_BYTES_MAX);
            let is_fine =
                |line: &String| line.len() <= LINE_BYTES_MAX && !line.contains(char::is_control);
            prop_assert!(excerpt.lines().iter().all(is_fine));
            prop_assert_eq!(Excerpt::last_of(&excerpt.text(), HOOK_BYTES_MAX), excerpt);
        }
    }
}
