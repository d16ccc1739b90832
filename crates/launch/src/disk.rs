//! Disk access of the launcher in threads: the launcher's loop never waits for a disk.
//!
//! One thread writes the process tables. Of several waiting contents of a table only the newest is
//! written, so a hanging disk costs one copy of each table and has no other effect: processes are
//! started, signalled and reaped as usual. The search for another interpreter of a script reads
//! files anywhere, so each search has its own thread.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::PathBuf,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
    time::{Duration, Instant},
};

use rustix::event::{EventfdFlags, eventfd};

use crate::{shebang::Fallback, table::Table, wire::Kind};

/// Stack size of a thread: they write and read small files.
const STACK_BYTES: usize = 128 * 1024;
/// Time limit at the end for files to be removed.
const REMOVE_PATIENCE: Duration = Duration::from_secs(1);

/// Both tables, each with its own kind of process.
pub(crate) struct Tables {
    pub(crate) services: Table,
    pub(crate) hooks: Table,
}

/// The launcher's end.
pub(crate) struct Disk {
    shared: Arc<Shared>,
    news: Receiver<News>,
    tell: Teller,
}

/// Results of the threads.
pub(crate) enum News {
    /// This content of a table was written, or could not be.
    Written { kind: Kind, number: u64, result: io::Result<()> },
    /// Another way to run the script of this process, or why there is none.
    Found { id: u64, result: Result<Fallback, Option<String>> },
    /// What happened to the lines of a service, for the diagnostic log.
    ServiceLog { text: String },
}

/// Sends results and wakes the loop.
#[derive(Clone)]
pub(crate) struct Teller {
    news: Sender<News>,
    wake: Arc<OwnedFd>,
}

struct Shared {
    work: Mutex<Work>,
    /// A task, or its completion.
    changed: Condvar,
}

#[derive(Default)]
struct Work {
    services: Option<(u64, String)>,
    hooks: Option<(u64, String)>,
    /// Files to remove, as the last task.
    remove: Option<Vec<PathBuf>>,
    removed: bool,
}

impl Disk {
    /// Starts the writing thread.
    pub(crate) fn start(tables: Tables) -> io::Result<Disk> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let (sender, news) = mpsc::channel();
        let tell = Teller { news: sender, wake: Arc::new(wake) };
        let shared = Arc::new(Shared { work: Mutex::default(), changed: Condvar::new() });
        let (theirs, teller) = (Arc::clone(&shared), tell.clone());
        spawn("tables", move || theirs.serve(&tables, &teller))?;
        Ok(Disk { shared, news, tell })
    }

    /// Writes a table in the background. Numbers increase; a written one implies all before it.
    pub(crate) fn write(&self, kind: Kind, number: u64, text: String) {
        let mut work = self.shared.lock();
        match kind {
            Kind::Service => work.services = Some((number, text)),
            Kind::Hook => work.hooks = Some((number, text)),
        }
        self.shared.changed.notify_all();
    }

    /// Runs a search in the background.
    pub(crate) fn find(
        &self,
        id: u64,
        search: impl FnOnce() -> Result<Fallback, Option<String>> + Send + 'static,
    ) {
        let tell = self.tell.clone();
        let thread = spawn("search", move || tell.tell(News::Found { id, result: search() }));
        if let Err(error) = thread {
            self.tell.tell(News::Found { id, result: Err(Some(error.to_string())) });
        }
    }

    /// For other threads with disk access.
    pub(crate) fn teller(&self) -> Teller {
        self.tell.clone()
    }

    /// The results so far.
    pub(crate) fn news(&self) -> Vec<News> {
        let mut count = [0; 8];
        // an empty counter is fine
        let _ = rustix::io::read(&*self.tell.wake, &mut count);
        self.news.try_iter().collect()
    }

    /// Removes files after all waiting tasks, as far as the disk answers.
    pub(crate) fn remove(&self, paths: Vec<PathBuf>) {
        let end = Instant::now() + REMOVE_PATIENCE;
        let mut work = self.shared.lock();
        work.remove = Some(paths);
        self.shared.changed.notify_all();
        while !work.removed {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.shared.changed.wait_timeout(work, left);
            work = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl AsFd for Disk {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.tell.wake.as_fd()
    }
}

impl Teller {
    pub(crate) fn tell(&self, news: News) {
        // without a receiver the process is ending
        let _ = self.news.send(news);
        self.wake();
    }

    /// Wakes the loop without a result.
    pub(crate) fn wake(&self) {
        // a full counter wakes the loop too
        let _ = rustix::io::write(&*self.wake, &1_u64.to_ne_bytes());
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Work> {
        // the content is consistent whenever it is unlocked
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, tables: &Tables, tell: &Teller) {
        let mut work = self.lock();
        loop {
            let next = work.services.take().map(|next| (Kind::Service, next));
            let next = next.or_else(|| work.hooks.take().map(|next| (Kind::Hook, next)));
            if let Some((kind, (number, text))) = next {
                drop(work);
                let table = match kind {
                    Kind::Service => &tables.services,
                    Kind::Hook => &tables.hooks,
                };
                let result = table.write(&text);
                tell.tell(News::Written { kind, number, result });
                work = self.lock();
            } else if let Some(paths) = work.remove.take() {
                drop(work);
                for path in paths {
                    // a missing file counts as removed, and an old table is harmless
                    let _ = std::fs::remove_file(path);
                }
                work = self.lock();
                work.removed = true;
                self.changed.notify_all();
            } else {
                work = self.changed.wait(work).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

/// Starts a thread of the launcher with a small stack.
pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = std::thread::Builder::new().name(format!("hab-{name}"));
    thread.stack_size(STACK_BYTES).spawn(work).map(|_| ())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(40);

    fn disk(dir: &std::path::Path) -> Disk {
        let services = Table::new(dir.join("processes"));
        Disk::start(Tables { services, hooks: Table::new(dir.join("hooks")) }).expect("a thread")
    }

    fn next(disk: &Disk) -> News {
        disk.news.recv_timeout(PATIENCE).expect("news")
    }

    #[test]
    fn the_newest_content_is_written_and_told() {
        let dir = tempfile::tempdir().expect("a directory");
        let disk = disk(dir.path());
        {
            // nothing is written while this is held
            let mut work = disk.shared.lock();
            work.services = Some((1, "one".into()));
            work.services = Some((2, "two".into()));
        }
        disk.write(Kind::Hook, 3, "hook".into());
        let mut written = Vec::new();
        while written.len() < 2 {
            let News::Written { kind, number, result } = next(&disk) else { panic!("not asked") };
            result.expect("written");
            written.push((kind, number));
        }
        assert_eq!(written, [(Kind::Service, 2), (Kind::Hook, 3)]);
        assert_eq!(fs::read(dir.path().join("processes")).expect("there"), b"two");
        assert_eq!(fs::read(dir.path().join("hooks")).expect("there"), b"hook");
        disk.remove(vec![dir.path().join("processes"), dir.path().join("hooks")]);
        assert_eq!(fs::read_dir(dir.path()).expect("there").count(), 0);
    }

    #[test]
    fn a_failure_is_told_and_the_loop_is_woken() {
        let dir = tempfile::tempdir().expect("a directory");
        let disk = disk(&dir.path().join("missing"));
        disk.write(Kind::Service, 1, "one".into());
        let mut fds = [rustix::event::PollFd::new(&disk, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut fds, None).expect("woken");
        let news = disk.news();
        assert!(matches!(news[..], [News::Written { number: 1, result: Err(_), .. }]));
        disk.find(7, || Err(Some("no".into())));
        assert!(matches!(next(&disk), News::Found { id: 7, result: Err(Some(_)) }));
    }

    /// A table that is a pipe without a reader simulates a hanging disk.
    #[test]
    fn a_search_does_not_wait_for_a_table_that_cannot_be_written() {
        let dir = tempfile::tempdir().expect("a directory");
        let disk = disk(dir.path());
        let (started, hold) = mpsc::channel::<()>();
        disk.find(1, move || {
            let _ = hold.recv();
            Err(None)
        });
        disk.find(2, || Err(None));
        disk.write(Kind::Service, 1, "one".into());
        assert!(matches!(next(&disk), News::Found { id: 2, .. } | News::Written { .. }));
        assert!(matches!(next(&disk), News::Found { id: 2, .. } | News::Written { .. }));
        drop(started);
        assert!(matches!(next(&disk), News::Found { id: 1, .. }));
    }
}
