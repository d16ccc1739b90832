//! Output of one hook: split into lines, with the last part kept.

/// Most bytes kept of each stream (64 KiB), from its end.
pub(crate) const KEPT_BYTES_MAX: usize = 64 * 1024;
/// Longer lines are split.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// One stream of a hook.
#[derive(Debug, Default)]
pub(crate) struct Capture {
    /// The start of an incomplete line.
    partial: Vec<u8>,
    kept: String,
    lost_bytes: u64,
}

impl Capture {
    /// Adds a piece of output and returns the lines completed by it, with invalid UTF-8 replaced
    /// and line ends removed.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.partial.extend_from_slice(&bytes[..end]);
            bytes = &bytes[end + 1..];
            lines.extend(self.end_line());
        }
        self.partial.extend_from_slice(bytes);
        if self.partial.len() >= LINE_BYTES_MAX {
            lines.extend(self.end_line());
        }
        lines
    }

    /// The last line, if it has no line end.
    pub(crate) fn finish(&mut self) -> Option<String> {
        if self.partial.is_empty() { None } else { self.end_line() }
    }

    fn end_line(&mut self) -> Option<String> {
        let line = self.partial.strip_suffix(b"\r").unwrap_or(&self.partial);
        let line = String::from_utf8_lossy(line).into_owned();
        self.partial.clear();
        self.kept.push_str(&line);
        self.kept.push('\n');
        self.trim();
        Some(line)
    }

    /// Drops the beginning when there is twice as much as is kept, so that the cost of moving the
    /// rest is amortised.
    fn trim(&mut self) {
        if self.kept.len() > 2 * KEPT_BYTES_MAX {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.kept.len() > KEPT_BYTES_MAX {
            let from = self.kept.ceil_char_boundary(self.kept.len() - KEPT_BYTES_MAX);
            self.lost_bytes += from as u64;
            self.kept.drain(..from);
        }
    }

    /// The kept output, each line ended by a line feed; a first line reports the loss.
    pub(crate) fn into_text(mut self) -> String {
        self.cut();
        if self.lost_bytes > 0 {
            self.kept.insert_str(0, &format!("[{} bytes cut]\n", self.lost_bytes));
        }
        self.kept.shrink_to_fit();
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_do_not_depend_on_the_pieces() {
        let mut capture = Capture::default();
        assert_eq!(capture.push(b"on"), Vec::<String>::new());
        assert_eq!(capture.push(b"e\r\ntwo\n\nth"), ["one", "two", ""]);
        assert_eq!(capture.push(b"re\xffe"), Vec::<String>::new());
        assert_eq!(capture.finish().as_deref(), Some("thre\u{fffd}e"));
        assert_eq!(capture.finish(), None);
        assert_eq!(capture.into_text(), "one\ntwo\n\nthre\u{fffd}e\n");
    }

    #[test]
    fn the_last_part_of_large_output_is_kept_and_the_loss_is_reported() {
        let mut capture = Capture::default();
        for number in 0..100_000 {
            capture.push(format!("line {number} \u{fc}\n").as_bytes());
            assert!(capture.kept.len() <= 2 * KEPT_BYTES_MAX + 32);
        }
        let text = capture.into_text();
        assert!(text.len() < KEPT_BYTES_MAX + 64);
        assert!(text.starts_with('[') && text.contains(" bytes cut]\n"), "{}", &text[..40]);
        assert!(text.ends_with("line 99999 \u{fc}\n"));
    }

    #[test]
    fn an_endless_line_is_split() {
        let mut capture = Capture::default();
        let pieces: usize = (0..64).map(|_| capture.push(&[b'x'; 4096]).len()).sum();
        assert_eq!(pieces, 4);
    }
}
