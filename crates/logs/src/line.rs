//! The format of a line.

use std::fmt;

use roost_ident::time::{parse_rfc3339_ms, rfc3339_ms};

/// Longest text of a line in bytes; the writer splits longer lines into parts. Three times the
/// launcher's limit, because each invalid byte becomes the three of U+FFFD.
pub const MAX_TEXT_BYTES: usize = 3 * 64 * 1024;
/// Longest line including everything before the text.
pub(crate) const MAX_LINE_BYTES: usize = MAX_TEXT_BYTES + 64;

/// Which output of a process. The numbers are those of the launcher's messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(i32)]
pub enum Stream {
    /// Standard output.
    #[default]
    Stdout = 1,
    /// Standard error.
    Stderr = 2,
}

impl From<Stream> for i32 {
    fn from(stream: Stream) -> Self {
        stream as Self
    }
}

impl TryFrom<i32> for Stream {
    type Error = ();

    fn try_from(number: i32) -> Result<Self, ()> {
        [Self::Stdout, Self::Stderr].into_iter().find(|it| *it as i32 == number).ok_or(())
    }
}

impl Stream {
    /// Its word in files and options.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }

    /// The stream of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Stdout, Self::Stderr].into_iter().find(|stream| stream.name() == name)
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Kind of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// A whole line of the service, or the last part of one.
    Whole,
    /// A part of a longer line: the next line of the same stream continues it.
    Part,
    /// A line of a hook of the service, or a part of one; the text begins with its name in
    /// brackets.
    Hook,
    /// The launcher started the process of the service.
    Started,
    /// The process of the service ended.
    Exited,
    /// Lines are missing here.
    Lost,
}

impl Tag {
    const ALL: [Self; 6] =
        [Self::Whole, Self::Part, Self::Hook, Self::Started, Self::Exited, Self::Lost];

    fn written(self) -> &'static str {
        match self {
            Self::Whole => "F",
            Self::Part => "P",
            Self::Hook => "F:hook",
            Self::Started => "F:started",
            Self::Exited => "F:exited",
            Self::Lost => "F:lost",
        }
    }

    /// The word of a line that the launcher wrote about the service; `None` for output of the
    /// service itself and of its hooks.
    #[must_use]
    pub fn mark(self) -> Option<&'static str> {
        match self {
            Self::Whole | Self::Part | Self::Hook => None,
            Self::Started => Some("started"),
            Self::Exited => Some("exited"),
            Self::Lost => Some("lost"),
        }
    }
}

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Time when it was read from the process, in milliseconds since 1970.
    pub unix_ms: u64,
    /// Its stream; marks are on [`Stream::Stdout`].
    pub stream: Stream,
    /// Its kind.
    pub tag: Tag,
    /// The text without its line feed.
    pub text: &'a str,
}

impl<'a> Line<'a> {
    /// The hook that printed the line, and what it printed.
    #[must_use]
    pub fn of_hook(&self) -> Option<(&'a str, &'a str)> {
        match self.tag {
            Tag::Hook => self.text.strip_prefix('[')?.split_once("] "),
            _ => None,
        }
    }

    /// Appends the line with its line feed. A line feed within the text becomes a space, as it
    /// would forge a line.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(rfc3339_ms(self.unix_ms).as_bytes());
        for part in [self.stream.name(), self.tag.written()] {
            out.push(b' ');
            out.extend_from_slice(part.as_bytes());
        }
        out.push(b' ');
        let start = out.len();
        out.extend_from_slice(self.text.as_bytes());
        for byte in &mut out[start..] {
            if *byte == b'\n' {
                *byte = b' ';
            }
        }
        out.push(b'\n');
    }

    /// Parses a line without its line feed; `None` when it is damaged.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let line = std::str::from_utf8(bytes).ok()?;
        let mut parts = line.splitn(4, ' ');
        let unix_ms = parse_rfc3339_ms(parts.next()?)?;
        let stream = Stream::from_name(parts.next()?)?;
        let written = parts.next()?;
        let tag = Tag::ALL.into_iter().find(|tag| tag.written() == written)?;
        Some(Self { unix_ms, stream, tag, text: parts.next()? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_is_written_as_kubernetes_writes_it() {
        let mut out = Vec::new();
        let line = Line { unix_ms: 7, stream: Stream::Stderr, tag: Tag::Part, text: "a b" };
        line.write_to(&mut out);
        assert_eq!(out, b"1970-01-01T00:00:00.007Z stderr P a b\n");
    }

    #[test]
    fn damaged_lines_are_not_lines() {
        let line =
            Line { unix_ms: 7, stream: Stream::Stdout, tag: Tag::Hook, text: "[init] [a] b" };
        assert_eq!((line.of_hook(), line.tag.mark()), (Some(("init", "[a] b")), None));
        for text in ["", "x", "1970-01-01T00:00:00.007Z stdout F", "now stdout F x", "\0\0\0"] {
            assert_eq!(Line::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Line::parse(b"1970-01-01T00:00:00.007Z stdout F \xff"), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            unix_ms in 0..253_402_200_000_000u64,
            is_error: bool,
            tag in 0..Tag::ALL.len(),
            text in "[^\n]{0,80}",
        ) {
            let stream = if is_error { Stream::Stderr } else { Stream::Stdout };
            let line = Line { unix_ms, stream, tag: Tag::ALL[tag], text: &text };
            let mut out = Vec::new();
            line.write_to(&mut out);
            prop_assert_eq!(out.pop(), Some(b'\n'));
            prop_assert_eq!(Line::parse(&out), Some(line));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
            let _ = Line::parse(&bytes);
        }
    }
}
