//! The loop: waits for events, handles them, writes the output.
//!
//! One thread, one `poll`. The parts of the work are in the modules below: starting processes in
//! `processes`, their output in `outputs`, their ends in `ends`, the Supervisor in `supervising`,
//! the clean shutdown in `stopping`, the tables on disk in `saving`. Other threads do the work that
//! needs a disk ([`crate::disk`]).

mod ends;
mod outputs;
mod processes;
mod saving;
mod stopping;
mod supervising;
mod watchdog;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    time::{Duration, Instant},
};

use roost_logs::Stream;
use rustix::{
    event::{PollFd, PollFlags, Timespec},
    process::Rlimit,
};

use self::saving::Saving;
pub(crate) use self::watchdog::Promise;
use crate::{
    backoff::Backoff,
    child::{Child, State},
    disk::Disk,
    link::Link,
    printer::Printer,
    service_logs::ServiceLogs,
    signals::Signals,
    splitter::Splitter,
    systemd::Systemd,
    table::Loaded,
    wire::{Ended, KeptLines, Kind, LauncherEvent, Remembered, WireStatus},
};

/// Interval of checks whether a group without its first process still lives. Usually a child signal
/// reports its end sooner.
const LINGER_CHECK: Duration = Duration::from_millis(200);
/// Time after which what a start of processes needs is not needed any more.
const SETTLED: Duration = Duration::from_secs(10);

/// Constants over the life of the launcher.
pub(crate) struct Setup {
    /// Arguments of the Supervisor.
    pub(crate) args: Vec<OsString>,
    /// The program of the Supervisor.
    pub(crate) program: PathBuf,
    pub(crate) pid_file: PathBuf,
    /// The tables, to be removed when no process is left.
    pub(crate) tables: Vec<PathBuf>,
    pub(crate) boot_id: String,
    /// Limit of open files at the start.
    pub(crate) open_files: Rlimit,
}

/// State of the launcher.
pub(crate) struct Launcher {
    setup: Setup,
    disk: Disk,
    service_logs: ServiceLogs,
    signals: Signals,
    printer: Printer,
    systemd: Option<Systemd>,
    link: Option<Link>,
    /// The next start of a Supervisor, while there is none.
    start_at: Option<Instant>,
    /// Limit of the wait for killed hooks.
    hooks_until: Instant,
    backoff: Backoff,
    ever_started: bool,
    restart_wanted: bool,
    children: Vec<Child>,
    pipes: Vec<Pipe>,
    hook_ends: Vec<HookEnd>,
    ended: BTreeMap<String, Ended>,
    remembered: BTreeMap<String, Remembered>,
    next_id: u64,
    /// Time of the next check of groups without their first process.
    groups_due: Instant,
    phase: Phase,
    saving: Saving,
    /// When memory that a start needed is returned.
    release_at: Option<Instant>,
}

/// Phase of the launcher.
enum Phase {
    Running,
    /// The Supervisor was asked to stop everything.
    Leaving {
        signal: i32,
        /// How many times.
        asked: u32,
        /// Another Supervisor was started for that, because the first one ended before it had
        /// stopped everything.
        again: bool,
    },
    /// The remaining services are being stopped.
    Stopping {
        code: u8,
        farewell: bool,
    },
    Done {
        code: u8,
    },
}

/// Number of the Supervisor among the ids of processes, which begin with 1.
const SUPERVISOR_PIPE: u64 = 0;

/// One output of a process.
struct Pipe {
    /// Id of the process; [`SUPERVISOR_PIPE`] for the Supervisor.
    id: u64,
    /// `None` once it is closed; removed at the end of the turn.
    fd: Option<OwnedFd>,
    stream: Stream,
    sink: Sink,
}

/// Destination of output.
enum Sink {
    /// Lines to the launcher's own output.
    Service { group: String, splitter: Splitter },
    /// Pieces to the Supervisor, and lines that are kept.
    Hook { kept: Option<(KeptLines, Splitter)> },
    /// Lines of the Supervisor, unchanged to the launcher's own output.
    Supervisor { splitter: Splitter },
}

/// Combines the end of a hook and the end of its output, which come in any order.
struct HookEnd {
    id: u64,
    /// Number of open pipes.
    open: u8,
    /// Its process ended.
    exit: Option<HookExit>,
}

/// The end of a hook's process.
#[derive(Clone, Copy)]
struct HookExit {
    status: Option<WireStatus>,
    /// Deadline for its pipes to close.
    until: Instant,
}

/// The events of `poll`.
#[derive(Clone, Copy)]
enum Token {
    Signals,
    Link,
    /// Status pipe of a starting process.
    Status(u64),
    /// Descriptor of a survivor.
    Survivor(u64),
    Pipe(usize),
    /// Results of the disk threads.
    Disk,
    /// stdout or stderr accepts bytes again; the flush of each turn writes them.
    Output,
}

/// One millisecond more, so that the deadline has passed at wake-up.
fn time_until(at: Instant, now: Instant) -> Option<Timespec> {
    let left = at.saturating_duration_since(now) + Duration::from_millis(1);
    Timespec::try_from(left).ok()
}

impl Launcher {
    pub(crate) fn new(
        setup: Setup,
        disk: Disk,
        service_logs: ServiceLogs,
        signals: Signals,
        printer: Printer,
    ) -> Launcher {
        let now = Instant::now();
        Launcher {
            setup,
            disk,
            service_logs,
            signals,
            printer,
            systemd: Systemd::from_env(now),
            link: None,
            start_at: Some(now),
            hooks_until: now,
            backoff: Backoff::default(),
            ever_started: false,
            restart_wanted: false,
            children: Vec::new(),
            pipes: Vec::new(),
            hook_ends: Vec::new(),
            ended: BTreeMap::new(),
            remembered: BTreeMap::new(),
            next_id: 1,
            groups_due: now,
            phase: Phase::Running,
            saving: Saving::default(),
            release_at: None,
        }
    }

    /// Runs until the end; returns the exit code.
    pub(crate) fn run(mut self, found: Vec<(Kind, Loaded)>) -> u8 {
        self.adopt_survivors(found);
        loop {
            let now = Instant::now();
            self.on_time(now);
            self.save_when_due(now);
            self.printer.flush();
            if let Some(link) = &mut self.link {
                link.flush();
            }
            if let Phase::Done { code } = self.phase {
                self.remove_files();
                self.read_the_rest();
                self.service_logs.finish();
                self.printer.finish();
                return code;
            }
            for token in self.wait() {
                self.on_ready(token);
            }
            self.pipes.retain(|pipe| pipe.fd.is_some());
        }
    }

    fn on_ready(&mut self, token: Token) {
        match token {
            Token::Signals => self.on_signals(),
            Token::Link => self.on_link(),
            Token::Status(id) => self.on_exec(id),
            Token::Survivor(id) => self.on_survivor_end(id),
            Token::Pipe(at) => self.on_pipe(at),
            Token::Disk => self.on_disk(),
            Token::Output => (),
        }
    }

    /// Waits for the next event, at most until the next deadline.
    fn wait(&self) -> Vec<Token> {
        let mut tokens = Vec::with_capacity(self.pipes.len() + 4);
        let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(self.pipes.len() + 4);
        let mut add = |token, fd, flags| {
            tokens.push(token);
            fds.push(PollFd::from_borrowed_fd(fd, flags));
        };
        // requests before signals: requests of a Supervisor precede its end
        if let Some((fd, reads, writes)) = self.link.as_ref().and_then(Link::interest) {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, reads);
            flags.set(PollFlags::OUT, writes);
            add(Token::Link, fd, flags);
        }
        for child in &self.children {
            let id = child.entry.id;
            match &child.state {
                State::Starting { status, .. } => {
                    add(Token::Status(id), status.as_fd(), PollFlags::IN);
                }
                State::Survivor { pidfd: Some(pidfd) } => {
                    add(Token::Survivor(id), pidfd.as_fd(), PollFlags::IN);
                }
                _ => (),
            }
        }
        for (at, pipe) in self.pipes.iter().enumerate() {
            if let Some(fd) = &pipe.fd
                && self.may_read(pipe)
            {
                add(Token::Pipe(at), fd.as_fd(), PollFlags::IN);
            }
        }
        for (fd, flags) in self.printer.pending() {
            add(Token::Output, fd, flags);
        }
        add(Token::Disk, self.disk.as_fd(), PollFlags::IN);
        add(Token::Signals, self.signals.as_fd(), PollFlags::IN);
        let timeout = self.timeout();
        if rustix::event::poll(&mut fds, timeout.as_ref()).is_err() {
            return Vec::new();
        }
        tokens
            .iter()
            .zip(&fds)
            .filter(|(_, fd)| !fd.revents().is_empty())
            .map(|(token, _)| *token)
            .collect()
    }

    /// Time to the next deadline; `None` when there is none.
    fn timeout(&self) -> Option<Timespec> {
        let now = Instant::now();
        let start = self
            .start_at
            .filter(|_| self.link.is_none())
            .map(|at| if self.has_hooks() { at.max(self.hooks_until) } else { at });
        let stop = self.children.iter().filter_map(|child| child.kill_at).min();
        let looked_after = |child: &Child| {
            matches!(child.state, State::Lingering | State::Survivor { pidfd: None })
        };
        let linger = self.children.iter().any(looked_after).then_some(self.groups_due);
        let link = self.link.as_ref().and_then(|link| link.kill_at);
        let promise = self.link.as_ref().and_then(|link| link.promise.as_ref());
        let promise = promise.map(Promise::deadline);
        let beat = self.systemd.as_ref().and_then(Systemd::deadline);
        let hooks = self.hook_ends.iter().filter_map(|end| end.exit).map(|exit| exit.until).min();
        let held = self.held_until();
        let save = self.saving.due(now);
        let (printer, logs) = (self.printer.deadline(), self.service_logs.deadline());
        let due = [start, stop, linger, link, promise, beat, hooks, held, save, printer, logs];
        let due = due.into_iter().chain([self.release_at]);
        due.flatten().min().and_then(|at| time_until(at, now))
    }

    /// Waits until the outputs accept more, at most until this time.
    fn wait_for_outputs(&self, end: Instant) {
        let mut fds: Vec<PollFd<'_>> =
            vec![PollFd::from_borrowed_fd(self.disk.as_fd(), PollFlags::IN)];
        fds.extend(self.printer.pending().map(|(fd, flags)| PollFd::from_borrowed_fd(fd, flags)));
        let due = [self.printer.deadline(), self.service_logs.deadline(), Some(end)];
        let left = due.into_iter().flatten().min().and_then(|at| time_until(at, Instant::now()));
        // an interrupted wait is repeated by the caller
        let _ = rustix::event::poll(&mut fds, left.as_ref());
    }

    /// Performs due actions.
    fn on_time(&mut self, now: Instant) {
        self.printer.on_time(now);
        if let Some(systemd) = &mut self.systemd {
            systemd.on_time(now);
        }
        self.check_groups(now);
        self.release_late(now);
        self.end_hook_outputs(now);
        self.check_link(now);
        self.check_promise(now);
        self.check_stopping(now);
        self.start_if_due(now);
        if self.release_at.is_some_and(|at| now >= at) {
            self.release_at = None;
            crate::release_heap();
            crate::release_program();
        }
    }

    /// Returns memory once what starts now has started. Only after the start of a Supervisor, not
    /// after that of each process: what the launcher does when a process ends should be in memory
    /// when the disk is not.
    fn release_memory_soon(&mut self) {
        self.release_at.get_or_insert_with(|| Instant::now() + SETTLED);
    }

    fn on_signals(&mut self) {
        while let Some(signal) = self.signals.next() {
            match signal {
                libc::SIGCHLD => self.reap(),
                libc::SIGHUP => self.restart_supervisor(),
                libc::SIGINT | libc::SIGTERM => self.leave(signal),
                _ => (),
            }
        }
    }

    fn has_hooks(&self) -> bool {
        self.children.iter().any(|child| child.kind == Kind::Hook)
    }

    /// Sends an event to the Supervisor; without one that sent Hello, the state for its Welcome is
    /// kept.
    fn tell(&mut self, event: &LauncherEvent) {
        if let Some(link) = &mut self.link
            && link.greeted
        {
            link.send(event);
        }
    }
}
