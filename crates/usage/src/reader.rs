//! Figures of all services, in one pass over `/proc`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use procfs::{
    ProcError,
    process::{Process, Stat},
};

use crate::{
    PROCESSES_MAX, Unreadable,
    tree::{self, Relation},
};

/// What the processes of one service use together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processes that can run.
    pub processes: u64,
    /// Their threads.
    pub threads: u64,
    /// CPU time, that of processes that ended included; it never falls while the first process of
    /// the service is the same.
    pub cpu_ms: u64,
    /// Resident memory, shared memory counted in each process.
    pub resident_bytes: u64,
    /// Open descriptors; `None` when they cannot be read of each process.
    pub descriptors: Option<u64>,
    /// Bytes read and written; `None` when they cannot be read of each process.
    pub io: Option<Io>,
    /// The processes, and how many descriptors each has open.
    pub(crate) members: Vec<Member>,
}

/// One process of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) pid: u32,
    pub(crate) descriptors: u64,
}

/// Bytes that passed between a service and disks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Io {
    /// Fetched from disks.
    pub read_bytes: u64,
    /// Sent to disks, or to be sent.
    pub written_bytes: u64,
}

/// The state of all services at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// By the first process of the service. One that is not there ended, or is hidden.
    pub services: BTreeMap<u32, Usage>,
    /// Processes of other users are hidden: figures may be too low.
    pub hides: bool,
}

/// Highest CPU time that was reported of a process.
#[derive(Debug, Clone, Copy)]
struct Reported {
    start_ticks: u64,
    cpu_ms: u64,
}

/// Reads the figures of services.
#[derive(Debug)]
pub struct Reader {
    proc: PathBuf,
    /// By first process. CPU time of a process whose parent does not wait for it is lost with it.
    reported: BTreeMap<u32, Reported>,
}

impl Default for Reader {
    fn default() -> Self {
        Self::of(Path::new("/proc"))
    }
}

/// What one pass keeps of a process.
#[derive(Debug, Clone, Copy)]
struct Found {
    relation: Relation,
    ended: bool,
    threads: u64,
    cpu_ticks: u64,
    pages: u64,
    start_ticks: u64,
}

impl Found {
    fn of(stat: &Stat) -> Option<Self> {
        let number = |number: i32| u32::try_from(number).ok();
        let natural = |number: i64| u64::try_from(number).unwrap_or_default();
        Some(Self {
            relation: Relation {
                pid: number(stat.pid)?,
                parent: number(stat.ppid)?,
                session: number(stat.session)?,
            },
            // The first thread of a program may end before the others: then it looks like a zombie.
            ended: matches!(stat.state, 'Z' | 'X') && stat.num_threads <= 1,
            threads: natural(stat.num_threads),
            cpu_ticks: stat.utime + stat.stime + natural(stat.cutime) + natural(stat.cstime),
            pages: stat.rss,
            start_ticks: stat.starttime,
        })
    }
}

/// Why a file of a process was not read.
#[derive(Debug, PartialEq, Eq)]
enum Lack {
    /// It ended.
    Gone,
    /// Access is denied, or the kernel has no such file.
    Hidden,
}

impl From<ProcError> for Lack {
    fn from(error: ProcError) -> Self {
        // ESRCH: it ended after the file was opened
        match error {
            ProcError::NotFound(_) => Self::Gone,
            ProcError::Io(error, _) if error.raw_os_error() == Some(3) => Self::Gone,
            _ => Self::Hidden,
        }
    }
}

impl Reader {
    /// Reads another directory than `/proc`.
    pub(crate) fn of(proc: &Path) -> Self {
        Self { proc: proc.to_owned(), reported: BTreeMap::new() }
    }

    /// Reads the figures of the services that have these first processes.
    ///
    /// # Errors
    /// When nothing can be known.
    pub fn read(&mut self, roots: &[u32]) -> Result<Reading, Unreadable> {
        if roots.is_empty() {
            return Ok(Reading::default());
        }
        let (found, hides) = self.all()?;
        let relations: Vec<Relation> = found.iter().map(|process| process.relation).collect();
        let of = tree::roots_of(&relations, roots);
        let mut services: BTreeMap<u32, Usage> = BTreeMap::new();
        for (process, root) in found.iter().zip(of) {
            let Some(root) = root else { continue };
            let usage = services.entry(root).or_insert_with(|| Usage {
                descriptors: Some(0),
                io: Some(Io::default()),
                ..Usage::default()
            });
            self.add(usage, process);
        }
        // A zombie alone is not a service that runs.
        services.retain(|_, usage| usage.processes > 0);
        let start = |root: &u32| {
            let process = found.iter().find(|process| process.relation.pid == *root);
            process.map_or(0, |process| process.start_ticks)
        };
        for (root, usage) in &mut services {
            let start_ticks = start(root);
            let former = self.reported.get(root).filter(|it| it.start_ticks == start_ticks);
            usage.cpu_ms = usage.cpu_ms.max(former.map_or(0, |it| it.cpu_ms));
            self.reported.insert(*root, Reported { start_ticks, cpu_ms: usage.cpu_ms });
        }
        self.reported.retain(|root, _| services.contains_key(root));
        Ok(Reading { services, hides })
    }

    /// All processes that can be seen, and whether others are hidden.
    fn all(&self) -> Result<(Vec<Found>, bool), Unreadable> {
        let unreadable = |error: ProcError| Unreadable::Proc(error.to_string());
        let all = procfs::process::all_processes_with_root(&self.proc).map_err(unreadable)?;
        let mut hides =
            Process::new_with_root(self.proc.join("1")).and_then(|first| first.stat()).is_err();
        let mut found = Vec::new();
        for process in all {
            match process.and_then(|process| process.stat()).map_err(Lack::from) {
                Ok(_) if found.len() == PROCESSES_MAX => return Err(Unreadable::TooMany),
                Ok(stat) => found.extend(Found::of(&stat)),
                Err(Lack::Gone) => {}
                Err(Lack::Hidden) => hides = true,
            }
        }
        Ok((found, hides))
    }

    fn add(&self, usage: &mut Usage, process: &Found) {
        let pid = process.relation.pid;
        let ticks_per_s = procfs::ticks_per_second().max(1);
        usage.cpu_ms += process.cpu_ticks.saturating_mul(1_000) / ticks_per_s;
        if process.ended {
            return;
        }
        usage.processes += 1;
        usage.threads += process.threads;
        usage.resident_bytes += process.pages.saturating_mul(procfs::page_size());
        let mut member = Member { pid, descriptors: 0 };
        let opened = Process::new_with_root(self.proc.join(pid.to_string()));
        let Ok(opened) = opened else { return usage.members.push(member) };
        match opened.fd_count().map_err(Lack::from) {
            Ok(count) => {
                member.descriptors = count as u64;
                usage.descriptors = usage.descriptors.map(|sum| sum + member.descriptors);
            }
            Err(Lack::Hidden) => usage.descriptors = None,
            Err(Lack::Gone) => {}
        }
        usage.members.push(member);
        match opened.io().map_err(Lack::from) {
            Ok(io) => {
                usage.io = usage.io.map(|sum| Io {
                    read_bytes: sum.read_bytes.saturating_add(io.read_bytes),
                    written_bytes: sum.written_bytes.saturating_add(io.write_bytes),
                });
            }
            Err(Lack::Hidden) => usage.io = None,
            Err(Lack::Gone) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    /// A `/proc` of files, in which each process leads its session.
    struct Proc(TempDir);

    impl Proc {
        fn new() -> Self {
            let proc = Self(tempfile::tempdir().expect("a directory"));
            proc.put(1, 0, 1, 'S', 0, 1);
            proc
        }

        fn put(&self, pid: u32, parent: u32, session: u32, state: char, cpu: u64, start: u64) {
            let directory = self.0.path().join(pid.to_string());
            fs::create_dir_all(&directory).expect("a directory");
            let stat = format!(
                "{pid} (a) b) {state} {parent} {session} {session} 0 -1 0 1 2 3 4 {cpu} 0 0 0 20 0 \
                 1 0 {start} 1000 25 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 \
                 0 0 0 0 0 0 0\n"
            );
            fs::write(directory.join("stat"), stat).expect("a file");
        }

        fn end(&self, pid: u32) {
            fs::remove_dir_all(self.0.path().join(pid.to_string())).expect("a directory");
        }
    }

    #[test]
    fn cpu_time_of_an_orphan_that_ended_stays_and_a_new_process_begins_again() {
        let proc = Proc::new();
        let mut reader = Reader::of(proc.0.path());
        let mut cpu_ms = || {
            let services = reader.read(&[20]).expect("a reading").services;
            services.get(&20).map(|usage| usage.cpu_ms)
        };
        let ticks = |ticks: u64| Some(ticks * 1_000 / procfs::ticks_per_second());
        proc.put(20, 1, 20, 'S', 100, 7);
        proc.put(21, 1, 20, 'S', 400, 8);
        assert_eq!(cpu_ms(), ticks(500));
        proc.end(21);
        proc.put(20, 1, 20, 'S', 101, 7);
        assert_eq!(cpu_ms(), ticks(500), "a counter never falls");
        proc.put(20, 1, 20, 'S', 600, 7);
        assert_eq!(cpu_ms(), ticks(600));
        proc.put(20, 1, 20, 'S', 1, 9);
        assert_eq!(cpu_ms(), ticks(1), "another process with this number");
        proc.end(20);
        assert_eq!(cpu_ms(), None);
    }

    #[test]
    fn a_zombie_counts_by_its_cpu_time_alone() {
        let proc = Proc::new();
        proc.put(20, 1, 20, 'S', 100, 7);
        proc.put(21, 20, 20, 'Z', 400, 8);
        let mut reader = Reader::of(proc.0.path());
        let usage = reader.read(&[20]).expect("a reading").services.remove(&20).expect("it runs");
        assert_eq!((usage.processes, usage.threads), (1, 1));
        assert_eq!(usage.resident_bytes, 25 * procfs::page_size());
        assert_eq!(usage.cpu_ms, 500 * 1_000 / procfs::ticks_per_second());
        proc.put(20, 1, 20, 'Z', 100, 7);
        assert!(reader.read(&[20]).expect("a reading").services.is_empty());
    }

    #[test]
    fn hidden_processes_are_reported() {
        let proc = Proc::new();
        let mut reader = Reader::of(proc.0.path());
        assert!(!reader.read(&[20]).expect("a reading").hides);
        proc.end(1);
        assert!(reader.read(&[20]).expect("a reading").hides);
        let mut nowhere = Reader::of(Path::new("/nowhere"));
        assert!(matches!(nowhere.read(&[20]), Err(Unreadable::Proc(_))));
    }

    #[test]
    fn what_cannot_be_read_is_hidden_and_what_ended_is_gone() {
        assert_eq!(Lack::from(ProcError::PermissionDenied(None)), Lack::Hidden);
        assert_eq!(Lack::from(ProcError::NotFound(None)), Lack::Gone);
        let ended = std::io::Error::from_raw_os_error(3);
        assert_eq!(Lack::from(ProcError::Io(ended, None)), Lack::Gone);
        assert_eq!(Lack::from(ProcError::Other("x".into())), Lack::Hidden);
    }
}
