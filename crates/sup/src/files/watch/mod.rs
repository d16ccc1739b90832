//! Watching of files: spec directory, `user.toml`, plain directories, the peer file.
//!
//! One thread, so that a hanging file system never blocks the Supervisor. It watches the
//! *directories* of its targets with inotify, or the nearest existing one, renews the watches after
//! each event (a watch on a removed directory is dead), and compares fingerprints, so that it
//! reports changes and not events. It reports a change after a quiet moment: an editor that saves
//! removes, writes and renames, and the file between these steps is not gone. Where files were only
//! added, the moment is short. It also watches the
//! directories of links that lead to a target. Every 30 s it checks all targets without an event:
//! network file systems and bind mounts send none.

mod target;

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs, io,
    mem::MaybeUninit,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{ffi::OsStrExt, fs::MetadataExt},
    },
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::{Timespec, inotify},
    pipe::{PipeFlags, pipe_with},
};

pub(crate) use self::target::Target;
use self::target::{Fingerprint, directories_of, fingerprint};
use crate::vital;

/// Interval of checks without an event.
const SAFETY_POLL: Duration = Duration::from_secs(30);
/// A change is reported after this quiet time,
const QUIET: Duration = Duration::from_millis(200);
/// or after this one when it only adds files to a directory: no file can be gone for a moment then,
/// and the watcher checks a new file after its writer has closed it,
const QUIET_ADDED: Duration = Duration::from_millis(5);
/// or after this time when changes continue.
const QUIET_MAX: Duration = Duration::from_secs(3);
/// Least pause between two checks of everything, however many events arrive,
const LOOK_PAUSE: Duration = Duration::from_millis(5);
/// and in times of what the last one took: checks of many files take no more than a tenth of a
/// core.
const LOOK_SHARE: u32 = 10;
/// Nested directories are visited recursively.
const STACK_BYTES: usize = 1024 * 1024;

/// Handle of the watching thread; dropping it ends the thread.
#[derive(Debug)]
pub(crate) struct Watcher<K> {
    commands: Commands<K>,
    wake: OwnedFd,
}

/// Pending commands for the thread: only the newest of each key, so that a hanging file system does
/// not make it grow. There are as many keys as services and directories.
#[derive(Debug)]
struct Commands<K>(Arc<Mutex<BTreeMap<K, Command>>>);

impl<K> Clone for Commands<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Ord> Commands<K> {
    fn all(&self) -> MutexGuard<'_, BTreeMap<K, Command>> {
        // The thread that panicked with the lock held has ended the process.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, key: K, mut command: Command) {
        let mut all = self.all();
        if let (Command::Watch(_, now), Some(Command::Watch(_, before))) =
            (&mut command, all.get(&key))
        {
            *now |= before;
        }
        all.insert(key, command);
    }
}

#[derive(Debug)]
enum Command {
    /// With true the key is reported once it is watched.
    Watch(Vec<Target>, bool),
    Unwatch,
}

impl<K: Ord + Clone + Send + 'static> Watcher<K> {
    /// Starts the thread. It calls `report` with the key of a changed target; `report` returns
    /// false when the receiver is gone.
    ///
    /// # Errors
    /// When the kernel provides no inotify instance (`fs.inotify.max_user_instances`), pipe or
    /// thread.
    pub(crate) fn start(report: impl Fn(K) -> bool + Send + 'static) -> io::Result<Self> {
        let inotify =
            inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
        let (woken, wake) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let commands = Commands(Arc::default());
        let thread = Thread {
            inotify,
            woken,
            commands: commands.clone(),
            targets: BTreeMap::new(),
            armed: BTreeMap::new(),
        };
        vital::spawn_thread("hab-watch", STACK_BYTES, move || thread.run(report))?;
        Ok(Self { commands, wake })
    }

    /// Watches targets under a key; replaces the key's former targets. Later states are compared
    /// with the current one; an unreported change of the former targets is still reported.
    pub(crate) fn watch(&self, key: K, targets: Vec<Target>) {
        self.send(key, Command::Watch(targets, false));
    }

    /// As [`Watcher::watch`], and reports the key once when it is watched: for targets that were
    /// read before, since a change in between would go unnoticed.
    pub(crate) fn watch_and_report(&self, key: K, targets: Vec<Target>) {
        self.send(key, Command::Watch(targets, true));
    }

    /// Stops watching a key.
    pub(crate) fn unwatch(&self, key: K) {
        self.send(key, Command::Unwatch);
    }

    fn send(&self, key: K, command: Command) {
        self.commands.add(key, command);
        // A full pipe wakes the thread too.
        let _ = rustix::io::write(&self.wake, &[0]);
    }
}

struct Watched {
    targets: Vec<Target>,
    fingerprint: Fingerprint,
    change: Option<Change>,
}

/// An unreported change.
struct Change {
    fingerprint: Fingerprint,
    /// Time without a further change after which it is reported.
    quiet: Duration,
    /// First detection.
    since: Instant,
    /// Last detection of a further change.
    last: Instant,
}

impl Change {
    fn due(&self) -> Instant {
        (self.last + self.quiet).min(self.since + QUIET_MAX)
    }
}

impl Watched {
    fn has_changed(&self) -> bool {
        fingerprint(&self.targets) != self.fingerprint
    }

    /// Checks the targets; true when a change is to be reported now. A change that is reverted
    /// before is still reported: the file may have been read in between for another reason.
    fn is_due(&mut self, now: Instant) -> bool {
        let found = fingerprint(&self.targets);
        if self.change.is_none() && found == self.fingerprint {
            return false;
        }
        let quiet = if found.only_adds_to(&self.fingerprint) { QUIET_ADDED } else { QUIET };
        let change = self.change.get_or_insert_with(|| Change {
            fingerprint: found.clone(),
            quiet,
            since: now,
            last: now,
        });
        if change.fingerprint != found {
            change.fingerprint = found.clone();
            change.last = now;
            // What was changed or gone in between takes its time.
            change.quiet = change.quiet.max(quiet);
        }
        if change.due() > now {
            return false;
        }
        self.change = None;
        self.fingerprint = found;
        true
    }
}

struct Thread<K> {
    inotify: OwnedFd,
    woken: OwnedFd,
    commands: Commands<K>,
    targets: BTreeMap<K, Watched>,
    /// Watched directories by inotify's number.
    armed: BTreeMap<i32, PathBuf>,
}

impl<K: Ord + Clone> Thread<K> {
    fn run(mut self, report: impl Fn(K) -> bool) {
        let mut next_safety_poll = Instant::now() + SAFETY_POLL;
        // Whether events are pending, and when the targets may be checked again.
        let (mut stale, mut next_look) = (false, Instant::now());
        loop {
            let changes = self.targets.values().filter_map(|watched| watched.change.as_ref());
            let next_due = changes.map(Change::due).chain(stale.then_some(next_look)).min();
            let until = next_due.map_or(next_safety_poll, |due| due.min(next_safety_poll));
            let Some(events) = self.wait(until) else { return };
            stale |= events;
            let is_due = next_due.is_some_and(|due| due <= Instant::now());
            let began = Instant::now();
            let looks = is_due || stale && next_look <= began;
            let mut due = Vec::new();
            let commands = self.take_commands(&mut due);
            let safety = Instant::now() >= next_safety_poll;
            if safety {
                next_safety_poll = Instant::now() + SAFETY_POLL;
            }
            if looks || commands || safety {
                self.arm();
            }
            if looks || safety {
                stale = false;
            }
            // New targets may have changed between their first check and the start of watching.
            stale |= commands;
            if !due.into_iter().all(&report) || (looks || safety) && !self.report_changes(&report) {
                return;
            }
            if looks || safety {
                next_look = Instant::now() + (began.elapsed() * LOOK_SHARE).max(LOOK_PAUSE);
            }
        }
    }

    /// Waits for work; true when there were file system events, `None` when the handle is gone.
    fn wait(&self, until: Instant) -> Option<bool> {
        let timeout = until.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        let mut fds =
            [PollFd::new(&self.inotify, PollFlags::IN), PollFd::new(&self.woken, PollFlags::IN)];
        // An interrupted wait counts as a short one.
        let _ = poll(&mut fds, Some(&timeout));
        let woken = fds[1].revents();
        if woken.contains(PollFlags::IN) {
            let mut scratch = [0; 64];
            while rustix::io::read(&self.woken, &mut scratch).is_ok_and(|n| n == scratch.len()) {}
        } else if woken.contains(PollFlags::HUP) {
            return None;
        }
        Some(self.drain_events())
    }

    /// Reads all pending events; true when one of them may mean a change.
    fn drain_events(&self) -> bool {
        let mut relevant = false;
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(self.inotify.as_fd(), &mut buffer);
        while let Ok(event) = reader.next() {
            relevant |= self.is_relevant(
                event.wd(),
                event.events(),
                event.file_name().map(|name| OsStr::from_bytes(name.to_bytes())),
            );
        }
        relevant
    }

    /// A newly created regular file is still empty: the event of its writer closing it counts.
    /// Links and directories are complete when created.
    fn is_relevant(&self, wd: i32, flags: inotify::ReadFlags, name: Option<&OsStr>) -> bool {
        if flags != inotify::ReadFlags::CREATE {
            return true;
        }
        let (Some(directory), Some(name)) = (self.armed.get(&wd), name) else { return true };
        fs::symlink_metadata(directory.join(name))
            .map_or(true, |metadata| !metadata.is_file() || metadata.nlink() > 1)
    }

    /// Executes pending commands; adds keys to report once they are watched.
    fn take_commands(&mut self, due: &mut Vec<K>) -> bool {
        let commands = std::mem::take(&mut *self.commands.all());
        let any = !commands.is_empty();
        for (key, command) in commands {
            match command {
                Command::Watch(targets, report) => {
                    due.extend(report.then(|| key.clone()));
                    // The old fingerprint of a changed key differs from that of the new targets, so
                    // the change is still reported.
                    let fingerprint = match self.targets.get(&key) {
                        Some(known) if known.has_changed() => known.fingerprint.clone(),
                        Some(_) | None => fingerprint(&targets),
                    };
                    self.targets.insert(key, Watched { targets, fingerprint, change: None });
                }
                Command::Unwatch => drop(self.targets.remove(&key)),
            }
        }
        any
    }

    /// Makes inotify watch exactly the directories that the targets need now.
    fn arm(&mut self) {
        let mut wanted = BTreeSet::new();
        for target in self.targets.values().flat_map(|watched| &watched.targets) {
            directories_of(target, &mut wanted);
        }
        use inotify::WatchFlags as Flag;
        let flags = Flag::CLOSE_WRITE
            | Flag::CREATE
            | Flag::DELETE
            | Flag::DELETE_SELF
            | Flag::MOVED_FROM
            | Flag::MOVED_TO
            | Flag::MOVE_SELF
            | Flag::ATTRIB
            | Flag::ONLYDIR;
        // Adding an existing watch returns its number; a replaced directory gets a new one. When
        // the limit of watches is reached, the regular check remains.
        let armed: BTreeMap<i32, PathBuf> = wanted
            .into_iter()
            .filter_map(|path| Some((inotify::add_watch(&self.inotify, &path, flags).ok()?, path)))
            .collect();
        for number in self.armed.keys().filter(|number| !armed.contains_key(number)) {
            // Fails for a removed directory, whose watch is gone too.
            let _ = inotify::remove_watch(&self.inotify, *number);
        }
        self.armed = armed;
    }

    /// Reports each key whose targets have changed and are quiet; false when the receiver is gone.
    fn report_changes(&mut self, report: &impl Fn(K) -> bool) -> bool {
        for (key, watched) in &mut self.targets {
            if watched.is_due(Instant::now()) && !report(key.clone()) {
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests;
