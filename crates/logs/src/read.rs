//! Reading and following.

use std::{
    collections::VecDeque,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use crate::{
    line::{Line, MAX_LINE_BYTES, Stream, Tag},
    sections::{self, Newest, Section},
};

/// Filter of a reader. The default selects all lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Not older, in milliseconds since 1970.
    pub since_ms: Option<u64>,
    /// Not newer, in milliseconds since 1970.
    pub until_ms: Option<u64>,
    /// Of this stream. Marks of the launcher belong to both.
    pub stream: Option<Stream>,
    /// Containing this literal text.
    pub grep: Option<String>,
    /// At most this many, the newest ones.
    pub tail: Option<usize>,
}

impl Selection {
    fn matches(&self, line: &Line<'_>) -> bool {
        self.since_ms.is_none_or(|since| line.unix_ms >= since)
            && self.until_ms.is_none_or(|until| line.unix_ms <= until)
            && self.stream.is_none_or(|stream| line.stream == stream || line.tag.mark().is_some())
            && self.grep.as_ref().is_none_or(|text| line.text.contains(text.as_str()))
    }
}

/// A line and its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Bytes before it since the first line of the service.
    pub position: u64,
    /// The line.
    pub line: Line<'a>,
}

/// Calls `emit` for each selected line on disk, oldest first, until it breaks. Returns the position
/// after the last line read: a [`Follower`] continues there.
///
/// Memory: one line and 8 bytes for each line of `tail`. Skips damaged lines.
///
/// # Errors
/// The error of the system. A service that has never printed anything is not an error.
pub fn read(
    directory: &Path,
    selection: &Selection,
    mut emit: impl FnMut(Record<'_>) -> ControlFlow<()>,
) -> io::Result<u64> {
    let mut sections = sections::open_all(directory)?;
    let from = first_position(&mut sections, selection)?;
    scan(&mut sections, from, |record| match selection.matches(&record.line) {
        true => emit(record),
        false => ControlFlow::Continue(()),
    })
}

/// Position of the first selected line; of the end, or earlier, when there is none.
fn first_position(sections: &mut [Section], selection: &Selection) -> io::Result<u64> {
    let Some(first) = sections.first() else { return Ok(0) };
    let start = first.start;
    let Some(tail) = selection.tail else { return Ok(start) };
    let mut newest = VecDeque::new();
    let end = scan(sections, start, |record| {
        if selection.matches(&record.line) {
            newest.push_back(record.position);
            if newest.len() > tail {
                newest.pop_front();
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok(newest.front().copied().unwrap_or(end))
}

/// Reads appended lines from a position on.
#[derive(Debug)]
pub struct Follower {
    directory: PathBuf,
    selection: Selection,
    position: u64,
    /// The newest file as it was when everything in it had been read.
    seen: Option<Newest>,
}

impl Follower {
    /// Continues at `position`, which [`read`] returned. The `tail` of the selection is ignored
    /// here.
    #[must_use]
    pub fn new(directory: PathBuf, selection: Selection, position: u64) -> Self {
        Self { directory, selection, position, seen: None }
    }

    /// Begins with the lines on disk that are selected, and returns the position after the last of
    /// them.
    ///
    /// # Errors
    /// The error of the system.
    pub fn begin(directory: PathBuf, selection: Selection) -> io::Result<(Self, u64)> {
        let mut sections = sections::open_all(&directory)?;
        let position = first_position(&mut sections, &selection)?;
        let end = sections.last().map_or(position, Section::end);
        Ok((Self::new(directory, selection, position), end))
    }

    /// Position after the last line read.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Calls `emit` for each selected line appended since the last call, until it breaks. Lines
    /// that were removed unread are reported as one of [`Tag::Lost`]. A call without anything new
    /// costs the system one look at the newest file.
    ///
    /// # Errors
    /// The error of the system; the next call tries again.
    pub fn poll(
        &mut self,
        mut emit: impl FnMut(Record<'_>) -> ControlFlow<()>,
    ) -> io::Result<ControlFlow<()>> {
        let newest = sections::newest(&self.directory);
        if newest.is_some() && newest == self.seen {
            return Ok(ControlFlow::Continue(()));
        }
        let mut sections = sections::open_all(&self.directory)?;
        let (Some(first), Some(last)) = (sections.first(), sections.last()) else {
            self.position = 0;
            return Ok(ControlFlow::Continue(()));
        };
        if self.position > last.end() {
            // All files were removed, and positions restarted.
            self.position = last.start;
        }
        if self.position < first.start {
            let text = format!("{} bytes were removed by rotation", first.start - self.position);
            self.position = first.start;
            let line = Line { unix_ms: 0, stream: Stream::Stdout, tag: Tag::Lost, text: &text };
            if emit(Record { position: self.position, line }).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        let mut flow = ControlFlow::Continue(());
        self.position = scan(&mut sections, self.position, |record| {
            if self.selection.matches(&record.line) {
                flow = emit(record);
            }
            flow
        })?;
        self.seen = newest.filter(|_| flow.is_continue());
        Ok(flow)
    }
}

/// Calls `each` for every whole line from a position on, until it breaks; returns the position
/// after the last line. Lines appended in between follow next time.
fn scan(
    sections: &mut [Section],
    from: u64,
    mut each: impl FnMut(Record<'_>) -> ControlFlow<()>,
) -> io::Result<u64> {
    let mut position = from;
    let mut buffer = Vec::new();
    for section in sections.iter_mut().filter(|section| section.end() > from) {
        position = position.max(section.start);
        section.file.seek(SeekFrom::Start(position - section.start))?;
        let mut file = BufReader::new((&section.file).take(section.end() - position));
        let mut is_rest = false;
        loop {
            buffer.clear();
            let count = file.by_ref().take(MAX_LINE_BYTES as u64).read_until(b'\n', &mut buffer)?;
            let is_whole = buffer.last() == Some(&b'\n');
            if !is_whole && count < MAX_LINE_BYTES {
                // The end of the file, or a line that is being written.
                break;
            }
            let line = (is_whole && !is_rest).then(|| Line::parse(&buffer[..count - 1])).flatten();
            // Longer than any valid line: damage, to be skipped up to the next line feed.
            is_rest = !is_whole;
            let record = line.map(|line| Record { position, line });
            position += count as u64;
            if record.is_some_and(|record| each(record).is_break()) {
                return Ok(position);
            }
        }
    }
    Ok(position)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{LogFile, MIN_TOTAL_BYTES};

    fn line(unix_ms: u64, stream: Stream, tag: Tag, text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        Line { unix_ms, stream, tag, text }.write_to(&mut out);
        out
    }

    fn texts(directory: &Path, selection: &Selection) -> Vec<String> {
        let mut texts = Vec::new();
        read(directory, selection, |record| {
            texts.push(record.line.text.to_owned());
            ControlFlow::Continue(())
        })
        .unwrap();
        texts
    }

    /// 1,000 lines over several files, every third one on stderr, one per millisecond.
    fn filled() -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("redis.default");
        let mut log = LogFile::open(&directory, MIN_TOTAL_BYTES).unwrap();
        for number in 0..1_000 {
            let stream = if number % 3 == 0 { Stream::Stderr } else { Stream::Stdout };
            let text = format!("{number} {}", "x".repeat(900));
            log.append(&line(number, stream, Tag::Whole, &text)).unwrap();
        }
        (root, directory)
    }

    fn numbers(texts: &[String]) -> Vec<u64> {
        texts.iter().map(|text| text.split(' ').next().unwrap().parse().unwrap()).collect()
    }

    #[test]
    fn lines_are_selected() {
        let (_root, directory) = filled();
        let all = Selection::default();
        let found = numbers(&texts(&directory, &all));
        assert!(found.len() > 500, "{}", found.len());
        assert_eq!(found, (1_000 - found.len() as u64..1_000).collect::<Vec<_>>());
        let some = Selection {
            since_ms: Some(500),
            until_ms: Some(899),
            stream: Some(Stream::Stderr),
            tail: Some(2),
            ..all.clone()
        };
        assert_eq!(numbers(&texts(&directory, &some)), [894, 897]);
        let with_text = Selection { grep: Some("99".into()), tail: Some(3), ..all.clone() };
        assert_eq!(numbers(&texts(&directory, &with_text)), [997, 998, 999]);
        assert!(texts(&directory, &Selection { tail: Some(0), ..all.clone() }).is_empty());
        assert!(texts(&directory.join("absent"), &all).is_empty());
    }

    #[test]
    fn damage_costs_the_damaged_lines() {
        let dir = tempfile::tempdir().unwrap();
        let good = |text| line(1, Stream::Stdout, Tag::Whole, text);
        let huge = vec![b'z'; 2 * MAX_LINE_BYTES + 5];
        let torn = b"1970-01-01T00:00:00.001Z stdout F to";
        let bytes =
            [&good("a"), &huge[..], b"\n", &good("b"), b"\0\0\n", &good("c"), torn].concat();
        fs::write(dir.path().join("current"), bytes).unwrap();
        assert_eq!(texts(dir.path(), &Selection::default()), ["a", "b", "c"]);
    }

    #[test]
    fn a_follower_sees_every_line_once_over_rotations_or_the_loss() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("redis.default");
        let mut follower = Follower::new(directory.clone(), Selection::default(), 0);
        let mut seen = Vec::new();
        let mut poll = |seen: &mut Vec<(Tag, String)>| {
            let flow = follower.poll(|record| {
                seen.push((record.line.tag, record.line.text.to_owned()));
                ControlFlow::Continue(())
            });
            assert!(flow.unwrap().is_continue());
        };
        poll(&mut seen);
        let mut log = LogFile::open(&directory, MIN_TOTAL_BYTES).unwrap();
        let mut next = 0;
        let mut append = |count: u64| {
            for _ in 0..count {
                let text = format!("{next} {}", "x".repeat(9_000));
                log.append(&line(next, Stream::Stdout, Tag::Whole, &text)).unwrap();
                next += 1;
            }
        };
        for count in [1, 0, 30, 60, 3] {
            append(count);
            poll(&mut seen);
        }
        assert!(seen.iter().all(|(tag, _)| *tag == Tag::Whole));
        let found = numbers(&seen.drain(..).map(|(_, text)| text).collect::<Vec<_>>());
        assert_eq!(found, (0..94).collect::<Vec<_>>());
        append(1_000);
        poll(&mut seen);
        let (tag, text) = seen.remove(0);
        assert_eq!(tag, Tag::Lost);
        assert!(text.ends_with(" bytes were removed by rotation"), "{text}");
        let found = numbers(&seen.drain(..).map(|(_, text)| text).collect::<Vec<_>>());
        assert_eq!(found, (1_094 - found.len() as u64..1_094).collect::<Vec<_>>());
        // A user removes all files.
        fs::remove_dir_all(&directory).unwrap();
        poll(&mut seen);
        let mut log = LogFile::open(&directory, MIN_TOTAL_BYTES).unwrap();
        log.append(&line(1, Stream::Stdout, Tag::Whole, "again")).unwrap();
        poll(&mut seen);
        assert_eq!(seen, [(Tag::Whole, "again".into())]);
    }
}
