//! Splits the output of a service into lines.

use roost_logs::Tag;

/// Longest line; longer ones are split.
pub(crate) const MAX_LINE_BYTES: usize = 64 * 1024;

/// The bytes after the last line feed.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    partial: Vec<u8>,
}

impl Splitter {
    /// Passes every line completed by `bytes`, without its LF or CR LF, invalid UTF-8 replaced, as
    /// [`Tag::Whole`]; the parts of a split one before the last as [`Tag::Part`].
    pub(crate) fn push(&mut self, mut bytes: &[u8], mut line: impl FnMut(Tag, &str)) {
        while let Some(at) = bytes.iter().position(|b| *b == b'\n') {
            self.extend(&bytes[..at], &mut line);
            bytes = &bytes[at + 1..];
            self.finish(Tag::Whole, &mut line);
        }
        self.extend(bytes, &mut line);
    }

    /// Passes the last line if it has no line feed.
    pub(crate) fn end(&mut self, mut line: impl FnMut(Tag, &str)) {
        if !self.partial.is_empty() {
            self.finish(Tag::Whole, &mut line);
        }
    }

    fn extend(&mut self, mut bytes: &[u8], line: &mut impl FnMut(Tag, &str)) {
        while self.partial.len() + bytes.len() > MAX_LINE_BYTES {
            let (now, rest) = bytes.split_at(MAX_LINE_BYTES - self.partial.len());
            self.partial.extend_from_slice(now);
            // split before a character rather than within it
            let cut = whole_characters(&self.partial);
            let carried = self.partial.split_off(cut);
            self.finish(Tag::Part, line);
            self.partial = carried;
            bytes = rest;
        }
        self.partial.extend_from_slice(bytes);
    }

    fn finish(&mut self, tag: Tag, line: &mut impl FnMut(Tag, &str)) {
        let whole = std::mem::take(&mut self.partial);
        let text = whole.strip_suffix(b"\r").unwrap_or(&whole);
        line(tag, &String::from_utf8_lossy(text));
        // keep the capacity of a usual line, free that of a huge one
        if whole.capacity() <= 512 {
            self.partial = whole;
            self.partial.clear();
        }
    }
}

/// Length without a truncated character at the end.
fn whole_characters(bytes: &[u8]) -> usize {
    let tail = bytes.len().saturating_sub(3);
    for at in (tail..bytes.len()).rev() {
        let needed = match bytes[at] {
            0b1111_0000.. => 4,
            0b1110_0000.. => 3,
            0b1100_0000.. => 2,
            0b1000_0000.. => continue,
            _ => 1,
        };
        return if at + needed > bytes.len() { at } else { bytes.len() };
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(pieces: &[&[u8]]) -> Vec<String> {
        let mut splitter = Splitter::default();
        let mut lines = Vec::new();
        let mut tags = Vec::new();
        let mut add = |tag, line: &str| {
            tags.push(tag);
            lines.push(line.to_owned());
        };
        for piece in pieces {
            splitter.push(piece, &mut add);
        }
        splitter.end(add);
        assert!(tags.iter().all(|tag| [Tag::Whole, Tag::Part].contains(tag)));
        assert!(tags.last().is_none_or(|tag| *tag == Tag::Whole));
        lines
    }

    #[test]
    fn lines_lose_their_ends_and_keep_everything_else() {
        assert_eq!(split(&[b"a\nb\r\n\nc\rd\n"]), ["a", "b", "", "c\rd"]);
        assert_eq!(split(&[b"no line feed"]), ["no line feed"]);
        assert_eq!(split(&[b"a\r", b"\nb"]), ["a", "b"]);
        assert_eq!(split(&[b"bad \xff\n"]), ["bad \u{fffd}"]);
        assert_eq!(split(&[b"\xc3", b"\xa9\n"]), ["é"]);
        assert!(split(&[b""]).is_empty());
    }

    #[test]
    fn a_huge_line_is_broken_at_the_limit_between_characters() {
        let text = "é".repeat(MAX_LINE_BYTES); // twice the limit in bytes
        let shifted = format!("a{text}");
        let lines = split(&[shifted.as_bytes(), b"\n"]);
        assert_eq!(lines.concat(), shifted);
        assert!(lines.iter().all(|line| line.len() <= MAX_LINE_BYTES));
        assert_eq!(lines.len(), 3);
        let mut tags = Vec::new();
        Splitter::default().push(&[shifted.as_bytes(), b"\n"].concat(), |tag, _| tags.push(tag));
        assert_eq!(tags, [Tag::Part, Tag::Part, Tag::Whole]);
    }

    proptest! {
        #[test]
        fn how_the_bytes_arrive_does_not_matter(
            bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..300),
            size in 1..40_usize,
        ) {
            let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
            prop_assert_eq!(split(&pieces), split(&[&bytes]));
        }
    }
}
