//! Watching of files: spec directory, `user.toml`, plain directories, the peer file.
//!
//! One thread, so that a file system that hangs never stops the Supervisor. It watches the
//! *directories* of its targets with inotify, or the nearest one that exists, arms itself anew
//! after each event (a watch on a directory that was removed and made again is dead), and
//! compares fingerprints, so that it reports changes and not events. A change is reported when
//! nothing more has changed for a moment: an editor that saves removes, writes and renames, and a
//! file that is gone in between is not gone. Where links lead to a target, the directories of the
//! links are watched too. Every 30 s it looks at all targets anyway: network file systems and bind
//! mounts send no events.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    mem::MaybeUninit,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{ffi::OsStrExt, fs::MetadataExt},
    },
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use roost_pkg::{
    FsRoot,
    stage::{self, StageOptions, Survey},
};
use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::{Timespec, inotify},
    pipe::{PipeFlags, pipe_with},
};

use crate::vital;

/// How often every target is looked at even without an event.
const SAFETY_POLL: Duration = Duration::from_secs(30);
/// A change is reported when nothing has changed for so long,
const QUIET: Duration = Duration::from_millis(200);
/// or after this, when changes do not end.
const QUIET_MAX: Duration = Duration::from_secs(3);
/// Between two looks at everything, however many events come.
const LOOK_PAUSE: Duration = Duration::from_millis(50);
/// Most files of a tree that are looked at; what lies beyond is not watched.
const TREE_ENTRIES_MAX: usize = 10_000;
/// Directories in each other are gone through by recursion.
const STACK_BYTES: usize = 1024 * 1024;
/// Deepest nesting of a tree that is looked at.
const TREE_DEPTH_MAX: usize = 16;

/// What is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// One file: it appears, changes or disappears.
    File(PathBuf),
    /// The files directly inside a directory.
    Directory(PathBuf),
    /// All files below a directory.
    Tree(PathBuf),
    /// What a service in a plain directory consists of.
    Service {
        /// The root with the Supervisor's own files.
        root: FsRoot,
        /// The directory.
        directory: PathBuf,
        /// Files that are no part of it, by device and number.
        leave_out: Vec<(u64, u64)>,
    },
}

impl Target {
    fn path(&self) -> &Path {
        match self {
            Self::File(path) | Self::Directory(path) | Self::Tree(path) => path,
            Self::Service { directory, .. } => directory,
        }
    }

    /// What belongs to the service; of other targets nothing.
    fn survey(&self) -> Survey {
        match self {
            Self::Service { root, directory, leave_out } => {
                let leave_out = leave_out.clone();
                let options = StageOptions { leave_out, ..StageOptions::default() };
                stage::survey(root, directory, &options)
            }
            Self::File(_) | Self::Directory(_) | Self::Tree(_) => Survey::default(),
        }
    }
}

/// Handle of the watching thread; dropping it ends the thread.
#[derive(Debug)]
pub(crate) struct Watcher<K> {
    commands: Commands<K>,
    wake: OwnedFd,
}

/// What the thread is to take up: the newest of each key, so that a file system that hangs does
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
    /// With true the key is reported as soon as it is watched.
    Watch(Vec<Target>, bool),
    Unwatch,
}

impl<K: Ord + Clone + Send + 'static> Watcher<K> {
    /// Starts the thread. `report` is called on it with the key of a target that changed; it
    /// returns false when nobody listens any more.
    ///
    /// # Errors
    /// When the kernel gives no inotify instance (`fs.inotify.max_user_instances`), pipe or
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

    /// Watches targets under a key; replaces what the key stood for. The state of this moment
    /// is the one that later states are compared with; a change of the former targets that was
    /// not reported yet still is.
    pub(crate) fn watch(&self, key: K, targets: Vec<Target>) {
        self.send(key, Command::Watch(targets, false));
    }

    /// As [`Watcher::watch`], and reports the key once as soon as it is watched: for targets that
    /// were read before, since what changed in between would be told by nobody.
    pub(crate) fn watch_and_report(&self, key: K, targets: Vec<Target>) {
        self.send(key, Command::Watch(targets, true));
    }

    /// Ends the watching of a key.
    pub(crate) fn unwatch(&self, key: K) {
        self.send(key, Command::Unwatch);
    }

    fn send(&self, key: K, command: Command) {
        self.commands.add(key, command);
        // A full pipe wakes just as well.
        let _ = rustix::io::write(&self.wake, &[0]);
    }
}

struct Watched {
    targets: Vec<Target>,
    fingerprint: u64,
    change: Option<Change>,
}

/// A change that is not reported yet.
struct Change {
    fingerprint: u64,
    /// Seen first.
    since: Instant,
    /// Seen last to be another one than before.
    last: Instant,
}

impl Change {
    fn due(&self) -> Instant {
        (self.last + QUIET).min(self.since + QUIET_MAX)
    }
}

impl Watched {
    fn has_changed(&self) -> bool {
        fingerprint(&self.targets) != self.fingerprint
    }

    /// Looks at the targets; true when a change is to be reported now. What is taken back before
    /// that is reported all the same: it may have been read in between, for another reason.
    fn is_due(&mut self, now: Instant) -> bool {
        let found = fingerprint(&self.targets);
        if self.change.is_none() && found == self.fingerprint {
            return false;
        }
        let begun = Change { fingerprint: found, since: now, last: now };
        let change = self.change.get_or_insert(begun);
        if change.fingerprint != found {
            change.fingerprint = found;
            change.last = now;
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
    /// Directories that are watched, by inotify's number.
    armed: BTreeMap<i32, PathBuf>,
}

impl<K: Ord + Clone> Thread<K> {
    fn run(mut self, report: impl Fn(K) -> bool) {
        let mut next_safety_poll = Instant::now() + SAFETY_POLL;
        // Events are pending, and when the targets may be looked at again.
        let (mut stale, mut next_look) = (false, Instant::now());
        loop {
            let changes = self.targets.values().filter_map(|watched| watched.change.as_ref());
            let next_due = changes.map(Change::due).chain(stale.then_some(next_look)).min();
            let until = next_due.map_or(next_safety_poll, |due| due.min(next_safety_poll));
            let Some(events) = self.wait(until) else { return };
            stale |= events;
            let is_due = next_due.is_some_and(|due| due <= Instant::now());
            let looks = is_due || stale && next_look <= Instant::now();
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
                (stale, next_look) = (false, Instant::now() + LOOK_PAUSE);
            }
            // Something may have changed between the first look at new targets and their watching.
            stale |= commands;
            if !due.into_iter().all(&report) || (looks || safety) && !self.report_changes(&report) {
                return;
            }
        }
    }

    /// Waits for something to do; true when there were events of the file system, `None` when
    /// the handle is gone.
    fn wait(&self, until: Instant) -> Option<bool> {
        let timeout = until.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        let mut fds =
            [PollFd::new(&self.inotify, PollFlags::IN), PollFd::new(&self.woken, PollFlags::IN)];
        // An interrupted wait is a short one.
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

    /// Reads all pending events; true when one of them can mean a change.
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

    /// A regular file that was just created is still empty: its writer will close it and that
    /// event counts. Links and directories come complete.
    fn is_relevant(&self, wd: i32, flags: inotify::ReadFlags, name: Option<&OsStr>) -> bool {
        if flags != inotify::ReadFlags::CREATE {
            return true;
        }
        let (Some(directory), Some(name)) = (self.armed.get(&wd), name) else { return true };
        fs::symlink_metadata(directory.join(name))
            .map_or(true, |metadata| !metadata.is_file() || metadata.nlink() > 1)
    }

    /// Takes up what was wanted; adds keys to report once they are watched.
    fn take_commands(&mut self, due: &mut Vec<K>) -> bool {
        let commands = std::mem::take(&mut *self.commands.all());
        let any = !commands.is_empty();
        for (key, command) in commands {
            match command {
                Command::Watch(targets, report) => {
                    due.extend(report.then(|| key.clone()));
                    // The old number of what has changed differs from that of the new targets,
                    // so the change is still reported.
                    let fingerprint = match self.targets.get(&key) {
                        Some(known) if known.has_changed() => known.fingerprint,
                        Some(_) | None => fingerprint(&targets),
                    };
                    self.targets.insert(key, Watched { targets, fingerprint, change: None });
                }
                Command::Unwatch => drop(self.targets.remove(&key)),
            }
        }
        any
    }

    /// Makes inotify watch just the directories that the targets need now.
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
        // Adding a watch that exists returns its number; a directory that was replaced gets a
        // new one. Where the limit of watches is reached the safety poll remains.
        let armed: BTreeMap<i32, PathBuf> = wanted
            .into_iter()
            .filter_map(|path| Some((inotify::add_watch(&self.inotify, &path, flags).ok()?, path)))
            .collect();
        for number in self.armed.keys().filter(|number| !armed.contains_key(number)) {
            // Fails for a directory that is gone, whose watch went with it.
            let _ = inotify::remove_watch(&self.inotify, *number);
        }
        self.armed = armed;
    }

    /// Reports each key whose targets are not what they were and do not change any more; false
    /// when nobody listens.
    fn report_changes(&mut self, report: &impl Fn(K) -> bool) -> bool {
        for (key, watched) in &mut self.targets {
            if watched.is_due(Instant::now()) && !report(key.clone()) {
                return false;
            }
        }
        true
    }
}

/// The directories in which a change of the target shows: its parent, or the nearest ancestor
/// that exists; for trees every directory inside; and those that hold links on the way.
fn directories_of(target: &Target, wanted: &mut BTreeSet<PathBuf>) {
    let start = match target {
        Target::File(path) => path.parent().unwrap_or(path),
        Target::Directory(path) | Target::Tree(path) => path,
        Target::Service { .. } => return wanted.extend(target.survey().directories),
    };
    // A link on the way that is switched shows where it lies.
    wanted.extend(stage::above(target.path()));
    if let Some(existing) = start.ancestors().find(|path| path.is_dir()) {
        wanted.insert(existing.to_owned());
    }
    if let Target::Tree(path) = target {
        for entry in tree(path) {
            if entry.1.is_dir() {
                wanted.insert(entry.0);
            }
        }
        // A tree that is replaced as a whole shows in its parent.
        if let Some(parent) = path.parent().filter(|parent| parent.is_dir()) {
            wanted.insert(parent.to_owned());
        }
    }
}

/// A number that differs when a target differs in names, sizes, times or identity of files.
fn fingerprint(targets: &[Target]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for target in targets {
        let path = target.path();
        match target {
            Target::File(_) => hash_file(fs::metadata(path).ok().as_ref(), &mut hasher),
            Target::Directory(_) => {
                // A file that came and went between two looks shows in the time of the directory.
                let times = fs::metadata(path).ok().map(|m| (m.mtime(), m.mtime_nsec()));
                times.hash(&mut hasher);
                let mut names: Vec<_> = fs::read_dir(path)
                    .into_iter()
                    .flatten()
                    .flatten()
                    .map(|e| e.file_name())
                    .collect();
                names.sort();
                for name in names.iter().take(TREE_ENTRIES_MAX) {
                    name.hash(&mut hasher);
                    hash_file(fs::metadata(path.join(name)).ok().as_ref(), &mut hasher);
                }
            }
            Target::Service { .. } => target.survey().fingerprint.hash(&mut hasher),
            Target::Tree(_) => {
                for (path, metadata) in tree(path) {
                    path.hash(&mut hasher);
                    // The time of a directory changes with temporary files of editors.
                    hash_file((!metadata.is_dir()).then_some(&metadata), &mut hasher);
                }
            }
        }
    }
    hasher.finish()
}

/// Of what is no file only that it is there counts: a directory in the place of a file that is
/// removed is a change too.
fn hash_file(metadata: Option<&fs::Metadata>, hasher: &mut DefaultHasher) {
    match metadata {
        Some(m) if m.is_file() || m.is_symlink() => {
            (1, m.mtime(), m.mtime_nsec(), m.len(), m.ino(), m.dev()).hash(hasher);
        }
        Some(m) => (2, m.ino(), m.dev()).hash(hasher),
        None => 0.hash(hasher),
    }
}

/// Everything below a directory, sorted, without hidden files; links are not followed.
fn tree(root: &Path) -> Vec<(PathBuf, fs::Metadata)> {
    let mut found = Vec::new();
    let mut pending = vec![(root.to_owned(), 0)];
    while let Some((directory, depth)) = pending.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            if found.len() >= TREE_ENTRIES_MAX {
                break;
            }
            let hidden = entry.file_name().as_bytes().starts_with(b".");
            let Ok(metadata) = entry.metadata() else { continue };
            if hidden {
                continue;
            }
            if metadata.is_dir() && depth < TREE_DEPTH_MAX {
                pending.push((entry.path(), depth + 1));
            }
            found.push((entry.path(), metadata));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Far longer than any event takes: only a failing test waits this long.
    const PATIENCE: Duration = Duration::from_secs(20);

    struct Fixture {
        root: tempfile::TempDir,
        watcher: Watcher<&'static str>,
        reports: mpsc::Receiver<&'static str>,
    }

    fn fixture() -> Fixture {
        let (sender, reports) = mpsc::channel();
        Fixture {
            root: tempfile::tempdir().unwrap(),
            watcher: Watcher::start(move |key| sender.send(key).is_ok()).unwrap(),
            reports,
        }
    }

    impl Fixture {
        /// Returns when the watcher has taken up everything said so far: it answers for a
        /// file that it was told to watch afterwards.
        fn settle(&self) {
            let probe = self.root.path().join("probe");
            self.watcher.watch("probe", vec![Target::File(probe.clone())]);
            loop {
                fs::write(&probe, format!("{:?}", Instant::now())).unwrap();
                if self.reports.recv_timeout(QUIET * 3) == Ok("probe") {
                    break;
                }
            }
            // A late report of the probe comes before that of the next key.
            self.watcher.unwatch("probe");
            self.watcher.watch_and_report("settled", Vec::new());
            while self.reports.recv_timeout(PATIENCE).unwrap() != "settled" {}
        }

        fn expect(&self, key: &str) {
            assert_eq!(self.reports.recv_timeout(PATIENCE), Ok(key));
        }
    }

    #[test]
    fn a_file_in_directories_that_do_not_exist_yet_is_seen() {
        let fixture = fixture();
        let file = fixture.root.path().join("user/web/config/user.toml");
        fixture.watcher.watch("user", vec![Target::File(file.clone())]);
        fixture.settle();
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "port = 1").unwrap();
        fixture.expect("user");
    }

    #[test]
    fn a_change_before_the_watching_began_is_reported_if_that_is_wanted() {
        let fixture = fixture();
        let file = fixture.root.path().join("default.toml");
        fs::write(&file, "changed since it was read").unwrap();
        fixture.watcher.watch_and_report("tree", vec![Target::File(file)]);
        fixture.expect("tree");
        fixture.settle();
        assert_eq!(fixture.reports.try_recv(), Err(mpsc::TryRecvError::Empty));
    }

    #[test]
    fn a_directory_that_was_removed_and_made_again_is_still_watched() {
        let fixture = fixture();
        let directory = fixture.root.path().join("specs");
        fs::create_dir(&directory).unwrap();
        fixture.watcher.watch("specs", vec![Target::Directory(directory.clone())]);
        fixture.settle();
        fs::write(directory.join("a.spec"), "a").unwrap();
        fixture.expect("specs");
        fs::remove_dir_all(&directory).unwrap();
        fixture.expect("specs");
        fs::create_dir(&directory).unwrap();
        fixture.settle();
        fs::write(directory.join("b.spec"), "b").unwrap();
        fixture.expect("specs");
    }

    #[test]
    fn a_rename_over_a_file_counts_and_an_unrelated_file_does_not() {
        let fixture = fixture();
        let file = fixture.root.path().join("user.toml");
        fs::write(&file, "a").unwrap();
        fixture.watcher.watch("user", vec![Target::File(file.clone())]);
        fixture.settle();
        fs::write(fixture.root.path().join("other"), "x").unwrap();
        fs::write(fixture.root.path().join("new"), "b").unwrap();
        fs::rename(fixture.root.path().join("new"), &file).unwrap();
        fixture.expect("user");
        assert_eq!(fixture.reports.try_recv(), Err(mpsc::TryRecvError::Empty));
    }

    #[test]
    fn what_is_no_file_and_goes_away_is_a_change() {
        let fixture = fixture();
        let file = fixture.root.path().join("user.toml");
        fs::create_dir(&file).unwrap();
        fixture.watcher.watch("user", vec![Target::File(file.clone())]);
        fixture.settle();
        fs::remove_dir(&file).unwrap();
        fixture.expect("user");
    }

    #[test]
    fn a_change_that_was_not_reported_yet_outlives_a_new_watch_of_its_key() {
        let root = tempfile::tempdir().unwrap();
        let commands = Commands(Arc::default());
        let (woken, _wake) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let inotify = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
        let (targets, armed) = (BTreeMap::new(), BTreeMap::new());
        let mut thread = Thread { inotify, woken, commands: commands.clone(), targets, armed };
        let watch = || {
            let targets = vec![Target::Directory(root.path().into())];
            commands.add("directory", Command::Watch(targets, false));
        };
        watch();
        assert!(thread.take_commands(&mut Vec::new()));
        fs::write(root.path().join("file"), "new").unwrap();
        watch();
        assert!(thread.take_commands(&mut Vec::new()));
        let (sender, reports) = mpsc::channel();
        let report = |thread: &mut Thread<&'static str>| {
            thread.report_changes(&|key| sender.send(key).is_ok());
        };
        report(&mut thread);
        assert!(reports.try_recv().is_err(), "more may follow");
        std::thread::sleep(QUIET);
        report(&mut thread);
        assert_eq!(reports.try_recv(), Ok("directory"));
        report(&mut thread);
        assert!(reports.try_recv().is_err(), "reported once");
    }

    #[test]
    fn what_is_taken_back_before_it_is_reported_is_reported() {
        let fixture = fixture();
        let directory = fixture.root.path().join("specs");
        let file = fixture.root.path().join("user.toml");
        fs::create_dir(&directory).unwrap();
        fs::write(&file, "a").unwrap();
        let (kept, place) = (fixture.root.path().join("kept"), file.clone());
        fixture.watcher.watch("specs", vec![Target::Directory(directory.clone())]);
        fixture.settle();
        fs::write(directory.join("a.spec"), "a").unwrap();
        fs::remove_file(directory.join("a.spec")).unwrap();
        fixture.expect("specs");

        // The very same file is back: nothing of it differs.
        let mut watched = Watched {
            targets: vec![Target::File(place)],
            fingerprint: fingerprint(&[Target::File(file.clone())]),
            change: None,
        };
        fs::rename(&file, &kept).unwrap();
        assert!(!watched.is_due(Instant::now()), "more may follow");
        fs::rename(&kept, &file).unwrap();
        let later = Instant::now() + QUIET;
        assert!(!watched.is_due(later), "it has just changed again");
        assert!(watched.is_due(later + QUIET));
        assert!(!watched.is_due(later + QUIET * 2), "once");
    }

    #[test]
    fn of_each_key_the_newest_wish_waits_and_no_report_is_forgotten() {
        let commands = Commands(Arc::default());
        for _ in 0..100 {
            commands.add("a", Command::Watch(Vec::new(), true));
            commands.add("a", Command::Watch(vec![Target::File("f".into())], false));
            commands.add("b", Command::Watch(Vec::new(), false));
            commands.add("b", Command::Unwatch);
        }
        let all = commands.all();
        assert!(matches!(&all["a"], Command::Watch(targets, true) if targets.len() == 1));
        assert!(matches!(all["b"], Command::Unwatch));
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn a_tree_sees_files_in_new_directories() {
        let fixture = fixture();
        let tree = fixture.root.path().join("service");
        fs::create_dir_all(tree.join("hooks")).unwrap();
        fixture.watcher.watch("tree", vec![Target::Tree(tree.clone())]);
        fixture.settle();
        fs::create_dir(tree.join("config")).unwrap();
        fixture.expect("tree");
        fs::write(tree.join("config/app.conf"), "x").unwrap();
        fixture.expect("tree");
    }

    #[test]
    fn a_save_of_an_editor_is_one_change() {
        let fixture = fixture();
        let file = fixture.root.path().join("user.toml");
        fs::write(&file, "a").unwrap();
        fixture.watcher.watch("user", vec![Target::File(file.clone())]);
        fixture.settle();
        fs::rename(&file, fixture.root.path().join("user.toml~")).unwrap();
        fs::write(&file, "").unwrap();
        fs::write(&file, "b").unwrap();
        let new = fixture.root.path().join("new");
        fs::write(&new, "bc").unwrap();
        fs::rename(&new, &file).unwrap();
        fixture.expect("user");
        fixture.settle();
        assert_eq!(fixture.reports.try_recv(), Err(mpsc::TryRecvError::Empty), "once");
    }

    #[test]
    fn a_link_on_the_way_that_is_switched_is_a_change() {
        use std::os::unix::fs::symlink;
        let fixture = fixture();
        let at = |path: &str| fixture.root.path().join(path);
        for (release, content) in [("1", "one"), ("2", "other")] {
            fs::create_dir_all(at("releases").join(release)).unwrap();
            fs::write(at("releases").join(release).join("user.toml"), content).unwrap();
        }
        symlink("releases/1", at("current")).unwrap();
        fs::create_dir(at("config")).unwrap();
        symlink("../current/user.toml", at("config/user.toml")).unwrap();
        fixture.watcher.watch("user", vec![Target::File(at("config/user.toml"))]);
        fixture.settle();
        symlink("releases/2", at("next")).unwrap();
        fs::rename(at("next"), at("current")).unwrap();
        fixture.expect("user");
    }
}
