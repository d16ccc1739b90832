//! A process managed by the launcher.

use std::{
    io,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::process::{Pid, PidfdFlags, Signal};

use crate::{
    group,
    last_words::LastWords,
    proc::{self, Stat},
    spawn::{Failure, Forked},
    wire::{Kind, Process, Scope, Spawn},
};

/// A process (and its group) with its state.
pub(crate) struct Child {
    pub(crate) entry: Process,
    pub(crate) kind: Kind,
    pub(crate) state: State,
    /// Progress of the launcher's own stop.
    pub(crate) stop: Stop,
    /// Time of KILL in that stop.
    pub(crate) kill_at: Option<Instant>,
    /// The end of its stderr.
    pub(crate) last_words: LastWords,
    /// Signals that the Supervisor sent.
    pub(crate) sent: Sent,
}

/// Signals of the Supervisor to a process that explain its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Sent {
    #[default]
    Nothing,
    /// Its stop has started.
    Asked,
    /// It missed the deadline of its stop.
    Kill,
}

/// Remains of a process of an earlier launcher.
pub(crate) enum Found {
    Nothing,
    /// The process itself, or others of its group.
    Alive(Box<Child>),
    /// A group with its number exists, which may be foreign: process ids have been reused.
    Unsure,
}

/// State of a process.
pub(crate) enum State {
    /// Forked; executes its program only after it is recorded in a table with this number, or after
    /// a limited wait for the disk.
    Held { forked: Box<Forked>, retry: Option<Box<Spawn>>, number: u64, until: Instant },
    /// Its script could not be executed; a replacement is being searched. Nothing of it runs.
    Seeking { spawn: Box<Spawn>, failure: Failure },
    /// Forked; exec is in progress. The request is kept for a second attempt.
    Starting { status: OwnedFd, retry: Option<Box<Spawn>> },
    /// Our own child, not reaped: its id cannot belong to another process.
    Running,
    /// The process ended, others of its group live. Their number stays reserved as long as one
    /// does.
    Lingering,
    /// Child of an earlier launcher. Without the descriptor (kernels before 5.3) only its start
    /// time identifies it.
    Survivor { pidfd: Option<OwnedFd> },
}

/// Clean stop by the launcher itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    No,
    AlreadyExited,
    Asked,
    Killed,
}

impl Stop {
    /// Habitat's words (reference: services §1.6).
    pub(crate) fn text(self) -> &'static str {
        match self {
            Stop::No | Stop::AlreadyExited => "Already Exited",
            Stop::Asked => "Graceful Termination",
            Stop::Killed => "Killed",
        }
    }
}

impl Child {
    /// The remains of a process of an earlier launcher. `unique`: process ids have not been reused
    /// since it was recorded.
    pub(crate) fn survivor(entry: Process, kind: Kind, unique: bool) -> Found {
        let Some(pid) = raw(entry.pid) else {
            return Found::Nothing;
        };
        // opened before checking, so that the checked process cannot change
        let opened = rustix::process::pidfd_open(pid, PidfdFlags::empty());
        let (pidfd, there) = match opened {
            Ok(pidfd) => (Some(pidfd), true),
            Err(rustix::io::Errno::NOSYS) => (None, true),
            Err(_) => (None, false),
        };
        let stat = Stat::of(entry.pid).filter(|_| there);
        let (id, start_ticks) = (entry.pid, entry.start_ticks);
        let alive = |state| {
            let sent = Sent::default();
            Found::Alive(Box::new(Child {
                entry,
                kind,
                state,
                stop: Stop::No,
                kill_at: None,
                last_words: LastWords::default(),
                sent,
            }))
        };
        match stat {
            // another process has its id, so its group was gone before
            Some(stat) if stat.start_ticks != start_ticks => Found::Nothing,
            Some(stat) if !stat.ended => alive(State::Survivor { pidfd }),
            _ if !group::has_living(id) => Found::Nothing,
            // its remaining group; until it is reaped, its id is its own
            Some(_) => alive(State::Lingering),
            None if unique => alive(State::Lingering),
            None => Found::Unsure,
        }
    }

    /// Whether the process id still belongs to the recorded process.
    pub(crate) fn is_same_process(&self) -> bool {
        proc::start_ticks(self.entry.pid) == Some(self.entry.start_ticks)
    }

    /// Whether it is the live process with this name.
    pub(crate) fn holds_name(&self, name: &str) -> bool {
        self.kind == Kind::Service
            && self.entry.name == name
            && !matches!(self.state, State::Lingering)
    }

    /// Whether it is recorded: parts of it may run after the end of this launcher.
    pub(crate) fn is_recorded(&self) -> bool {
        match self.state {
            State::Seeking { .. } => false,
            State::Lingering => self.kind == Kind::Service,
            _ => true,
        }
    }

    /// Lets a held process execute its program.
    pub(crate) fn go(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Running) {
            State::Held { forked, retry, .. } => State::Starting { status: forked.go(), retry },
            other => other,
        };
    }

    /// Records a signal of the Supervisor, for the line about its end.
    pub(crate) fn note_sent(&mut self, signal: i32) {
        let is_late = self.sent == Sent::Asked && signal == libc::SIGKILL;
        self.sent = if is_late { Sent::Kill } else { self.sent.max(Sent::Asked) };
    }

    /// Stops it with its signal and timeout, which `longest` limits.
    pub(crate) fn begin_stop(&mut self, longest: Duration) {
        let asked = self
            .signal(self.entry.shutdown.signal, Scope::Group)
            // not a valid signal on this system
            .or_else(|_| self.signal(libc::SIGTERM, Scope::Group));
        let timeout = Duration::from_millis(self.entry.shutdown.timeout_ms).min(longest);
        self.kill_at = Some(Instant::now() + timeout);
        self.stop = if asked.is_ok() { Stop::Asked } else { Stop::AlreadyExited };
    }

    /// Sends a signal; an error when no process receives it.
    pub(crate) fn signal(&self, signal: i32, scope: Scope) -> io::Result<()> {
        let gone = || io::Error::from_raw_os_error(libc::ESRCH);
        let pid = raw(self.entry.pid).ok_or_else(gone)?;
        let to_group = || group::signal(self.entry.pid, signal);
        let signal = Signal::from_named_raw(signal)
            .ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
        let to_process = || {
            let send = || rustix::process::kill_process(pid, signal);
            group::signal_one(self.entry.pid, send)
        };
        match &self.state {
            State::Held { .. } | State::Starting { .. } | State::Running => {
                // a process that has no group yet, or left it, is signalled alone
                if scope == Scope::Process || to_group().is_err() {
                    to_process()?;
                }
            }
            State::Lingering => match scope {
                Scope::Group => to_group()?,
                Scope::Process => return Err(gone()),
            },
            State::Seeking { .. } => return Err(gone()),
            State::Survivor { pidfd } => {
                if !self.is_same_process() {
                    return Err(gone());
                }
                let leads = rustix::process::getpgid(Some(pid)) == Ok(pid);
                if scope == Scope::Group && leads {
                    to_group()?;
                } else if let Some(pidfd) = pidfd {
                    let send = || rustix::process::pidfd_send_signal(pidfd, signal);
                    group::signal_one(self.entry.pid, send)?;
                } else {
                    to_process()?;
                }
            }
        }
        Ok(())
    }
}

fn raw(pid: u32) -> Option<Pid> {
    Pid::from_raw(pid.cast_signed())
}
