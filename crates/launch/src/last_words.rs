//! The end of a service's stderr: often the reason of its failure.

use std::collections::VecDeque;

use crate::wire::MAX_LAST_WORDS_BYTES;

/// Longer lines are truncated.
const LINE_BYTES: usize = 256;

/// The last lines, at most [`MAX_LAST_WORDS_BYTES`] with their line feeds.
#[derive(Debug, Default)]
pub(crate) struct LastWords {
    lines: VecDeque<String>,
    bytes: usize,
}

impl LastWords {
    /// Adds a line, removing the oldest ones if necessary. Blank lines are left out.
    pub(crate) fn push(&mut self, line: &str) {
        let line = line.trim_end();
        if line.is_empty() {
            return;
        }
        let line = &line[..line.floor_char_boundary(LINE_BYTES)];
        self.bytes += line.len() + 1;
        self.lines.push_back(line.to_owned());
        while self.bytes > MAX_LAST_WORDS_BYTES {
            let oldest = self.lines.pop_front().unwrap_or_default();
            self.bytes -= oldest.len() + 1;
        }
    }

    /// Takes the lines, each ended by a line feed.
    pub(crate) fn take(&mut self) -> String {
        let mut text = String::with_capacity(self.bytes);
        for line in std::mem::take(self).lines {
            text.push_str(&line);
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_within_bounds() {
        let mut words = LastWords::default();
        for number in 0..10_000 {
            words.push(&format!("line {number}"));
            words.push(" ");
        }
        words.push(&"\u{fc}".repeat(1_000));
        words.push("the end");
        let text = words.take();
        assert!(text.len() <= MAX_LAST_WORDS_BYTES, "{}", text.len());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[lines.len() - 3], "line 9999");
        assert_eq!(lines[lines.len() - 2], "\u{fc}".repeat(LINE_BYTES / 2));
        assert_eq!(lines[lines.len() - 1], "the end");
        assert_eq!(words.take(), "");
    }
}
