//! The process table on disk: it lets the next launcher find the processes of a killed one.
//!
//! Two files below `<root>/hab/launcher`: `processes` for services, `hooks` for hooks (separate,
//! because hooks start and end all the time). Each is written completely to a temporary file and
//! renamed, before the process in it executes anything. No fsync: the table matters only while the
//! kernel that runs the processes runs, and that kernel sees a renamed file immediately. After a
//! power failure no process is left and the boot id in the file is a different one, so its content
//! is ignored, complete or not.
//!
//! An entry stays until no process of its group can run. When the first process is gone, only the
//! number identifies the group. It is unique as long as process ids have not been reused since: so
//! the table contains the number of processes that the kernel had started when it was written.

use std::{
    io,
    path::{Path, PathBuf},
};

use roost_files::{Durability, replace};

use crate::wire::{MAX_ENTRIES, MAX_NAME_BYTES, Process, Shutdown};

const FIRST_LINE: &str = "roost-processes 3";
/// Without the number of started processes.
const FIRST_LINE_OF_2: &str = "roost-processes 2";
/// Entries without [`Shutdown`].
const FIRST_LINE_OF_1: &str = "roost-processes 1";
/// World-readable, like the list of processes.
const MODE: u32 = 0o644;
/// Largest file that is read: every entry at its longest.
const MAX_FILE_BYTES: u64 = (MAX_ENTRIES * (MAX_NAME_BYTES + 130) + 256) as u64;

/// One of the two files.
#[derive(Debug)]
pub(crate) struct Table {
    path: PathBuf,
}

/// Content of a table of this boot.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) entries: Vec<Process>,
    /// Number of processes that the kernel had started when it was written, if known.
    pub(crate) forks: Option<u64>,
}

/// Result of reading a table at start.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Loaded {
    /// Entries of this boot; empty without a file.
    Entries(Content),
    /// The file was invalid and was set aside; a line for the operator.
    Corrupt(String),
}

impl Table {
    pub(crate) fn new(path: PathBuf) -> Table {
        Table { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces the content by the result of [`format`].
    pub(crate) fn write(&self, text: &str) -> io::Result<()> {
        replace(&self.path, text.as_bytes(), MODE, Durability::Cache)
    }

    /// Reads the table of an earlier launcher. Renames an invalid file to `NAME.corrupt`.
    pub(crate) fn load(&self, boot_id: &str) -> Loaded {
        let problem = match roost_files::read_text(&self.path, MAX_FILE_BYTES) {
            Ok(None) => return Loaded::Entries(Content::default()),
            Err(error) => error.reason(),
            Ok(Some(text)) => match parse(&text, boot_id) {
                Ok(content) => return Loaded::Entries(content),
                Err(problem) => problem,
            },
        };
        let kept = match roost_files::set_aside(&self.path) {
            Ok(aside) => format!("kept as '{}'", aside.display()),
            Err(error) => format!("and cannot be put aside: {error}"),
        };
        Loaded::Corrupt(format!(
            "Process table '{}' is not readable ({problem}); {kept}. Services of an earlier \
             launcher, if any still run, are not known; look for them with `ps`",
            self.path.display()
        ))
    }
}

/// The text of a table.
pub(crate) fn format<'a>(
    boot_id: &str,
    forks: Option<u64>,
    entries: impl Iterator<Item = &'a Process>,
) -> String {
    let forks = forks.map_or_else(|| "unknown".to_owned(), |forks| forks.to_string());
    let mut text = format!("{FIRST_LINE}\nboot {boot_id}\nforks {forks}\n");
    for e in entries {
        let Shutdown { signal, timeout_ms } = e.shutdown;
        let line = format!(
            "{} {} {} {} {signal} {timeout_ms} {}\n",
            e.id, e.pid, e.start_ticks, e.started_unix_ms, e.name
        );
        text.push_str(&line);
    }
    text
}

pub(crate) fn parse(text: &str, boot_id: &str) -> Result<Content, String> {
    let mut lines = text.lines().enumerate();
    let first = lines.next().map(|(_, line)| line);
    let parse_entry = match first {
        Some(FIRST_LINE | FIRST_LINE_OF_2) => parse_entry,
        Some(FIRST_LINE_OF_1) => parse_entry_of_1,
        _ => return Err(format!("line 1 is not \"{FIRST_LINE}\"")),
    };
    let mut field = |name: &str| lines.next().and_then(|(_, line)| line.strip_prefix(name));
    let boot = field("boot ").ok_or("line 2 has no boot id")?;
    let forks = match first {
        Some(FIRST_LINE) => {
            field("forks ").ok_or("line 3 has no number of processes")?.parse().ok()
        }
        _ => None,
    };
    let entries = lines
        .map(|(at, line)| {
            parse_entry(line).ok_or(format!("line {} is not a process entry", at + 1))
        })
        .collect::<Result<Vec<_>, _>>()?;
    if entries.len() > MAX_ENTRIES {
        return Err(format!("more than {MAX_ENTRIES} processes"));
    }
    if boot != boot_id || boot_id.is_empty() {
        return Ok(Content::default());
    }
    Ok(Content { entries, forks })
}

fn parse_entry(line: &str) -> Option<Process> {
    let mut parts = line.splitn(7, ' ');
    let place: Vec<&str> = parts.by_ref().take(4).collect();
    let (signal, timeout_ms) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let entry = parse_entry_of_1(&format!("{} {}", place.join(" "), parts.next()?))?;
    Some(Process { shutdown: Shutdown { signal, timeout_ms }, ..entry })
}

fn parse_entry_of_1(line: &str) -> Option<Process> {
    let mut parts = line.splitn(5, ' ');
    let mut number = || parts.next()?.parse::<u64>().ok();
    let (id, pid, start_ticks, started_unix_ms) = (number()?, number()?, number()?, number()?);
    // 0 and 1 as targets of kill() would mean a whole session or everything
    let pid = u32::try_from(pid).ok().filter(|pid| (2..=i32::MAX as u32).contains(pid))?;
    let name = parts.next().filter(|name| is_name(name))?.to_owned();
    Some(Process { id, pid, start_ticks, started_unix_ms, name, shutdown: Shutdown::default() })
}

/// Names are single lines, so that they fit into the table and into log lines.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use proptest::prelude::*;

    fn entry() -> impl Strategy<Value = Process> {
        let name = "[a-z][a-z. @\\[\\]é-]{0,30}";
        let shutdown =
            any::<(i32, u64)>().prop_map(|(signal, timeout_ms)| Shutdown { signal, timeout_ms });
        (any::<u64>(), 2..=i32::MAX as u32, any::<u64>(), any::<u64>(), name, shutdown).prop_map(
            |(id, pid, start_ticks, started_unix_ms, name, shutdown)| Process {
                id,
                pid,
                start_ticks,
                started_unix_ms,
                name,
                shutdown,
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(entries in prop::collection::vec(entry(), 0..8)) {
            let dir = tempfile::tempdir().expect("temporary directory");
            let table = Table::new(dir.path().join("processes"));
            for forks in [None, Some(7)] {
                table.write(&format("boot-1", forks, entries.iter())).expect("written");
                let content = Content { entries: entries.clone(), forks };
                prop_assert_eq!(table.load("boot-1"), Loaded::Entries(content));
                prop_assert_eq!(table.load("boot-2"), Loaded::Entries(Content::default()));
                prop_assert_eq!(table.load(""), Loaded::Entries(Content::default()));
            }
        }

        #[test]
        fn any_text_is_read_without_panic(text in ".{0,200}") {
            let _ = parse(&text, "boot-1");
            let _ = parse(&format!("{FIRST_LINE}\nboot boot-1\n{text}"), "boot-1");
            let _ = parse(&format!("{FIRST_LINE}\nboot boot-1\nforks 1\n{text}"), "boot-1");
        }
    }

    #[test]
    fn tables_of_older_versions_are_read() {
        for text in [
            "roost-processes 1\nboot b\n1 2 3 4 a.b\n",
            "roost-processes 2\nboot b\n1 2 3 4 15 8000 a.b\n",
        ] {
            let Content { entries, forks } = parse(text, "b").expect("a table");
            assert_eq!(entries[0].name, "a.b");
            assert_eq!(entries[0].shutdown, Shutdown::default());
            assert_eq!(forks, None);
        }
    }

    #[test]
    fn an_invalid_file_is_set_aside_and_reported() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("processes");
        let table = Table::new(path.clone());
        for bad in [
            &b"\xff\xfe"[..],
            b"",
            b"roost-processes 1\nboot b\n1 2 3\n",
            b"roost-processes 3\nboot b\n1 2 3 4 15 8000 a.b\n",
            b"roost-processes 1\nboot b\n1 0 3 4 a.b\n",
            b"roost-processes 1\nboot b\n1 1 3 4 a.b\n",
            b"roost-processes 1\nboot b\n1 4294967295 3 4 a.b\n",
        ] {
            fs::write(&path, bad).expect("written");
            let Loaded::Corrupt(line) = table.load("b") else {
                panic!("{bad:?} was accepted");
            };
            assert!(line.contains("processes.corrupt"), "{line}");
            assert!(!path.exists());
            assert_eq!(fs::read(dir.path().join("processes.corrupt")).expect("kept"), bad);
        }
        assert_eq!(table.load("b"), Loaded::Entries(Content::default()));
    }
}
