//! A process in the launcher's care.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal};

use crate::last_words::LastWords;
use crate::proc::Stat;
use crate::spawn::{Failure, Forked};
use crate::wire::{Kind, Process, Scope, Spawn};
use crate::{group, proc};

/// A process (and its group) with what is known of it.
pub(crate) struct Child {
    pub(crate) entry: Process,
    pub(crate) kind: Kind,
    pub(crate) state: State,
    /// How the launcher's own stop of it went so far.
    pub(crate) stop: Stop,
    /// When that stop gets to KILL.
    pub(crate) kill_at: Option<Instant>,
    /// The end of what it printed to stderr.
    pub(crate) last_words: LastWords,
    /// What the Supervisor sent it.
    pub(crate) sent: Sent,
}

/// Signals of the Supervisor to a process, as far as they explain its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Sent {
    #[default]
    Nothing,
    /// Its stop began.
    Asked,
    /// It did not end in time.
    Kill,
}

/// What is left of a process of an earlier launcher.
pub(crate) enum Found {
    Nothing,
    /// The process itself, or others of its group.
    Alive(Box<Child>),
    /// There is a group of its number, which may be of somebody else: process ids have begun anew.
    Unsure,
}

/// Where in its life it is.
pub(crate) enum State {
    /// Forked; executes nothing before it is on record, in a table of this number, but does not
    /// wait longer than that for a disk.
    Held { forked: Box<Forked>, retry: Option<Box<Spawn>>, number: u64, until: Instant },
    /// Its script could not be executed; another way is looked for. Nothing of it runs.
    Seeking { spawn: Box<Spawn>, failure: Failure },
    /// Forked; exec is under way. The request is kept for a second attempt.
    Starting { status: OwnedFd, retry: Option<Box<Spawn>> },
    /// Our own child, not reaped: its id cannot mean another process.
    Running,
    /// The process ended, others of its group live. Their number stays taken as long as one does.
    Lingering,
    /// Child of an earlier launcher. Without the descriptor (kernels before 5.3) it is looked
    /// after by its start time alone.
    Survivor { pidfd: Option<OwnedFd> },
}

/// Orderly end by the launcher itself.
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
    /// What is left of a process of an earlier launcher. `unique`: process ids have not begun anew
    /// since it was recorded.
    pub(crate) fn survivor(entry: Process, kind: Kind, unique: bool) -> Found {
        let Some(pid) = raw(entry.pid) else {
            return Found::Nothing;
        };
        // opened before looking: what is looked at cannot change any more
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
            // somebody else has its id, so its group was gone before
            Some(stat) if stat.start_ticks != start_ticks => Found::Nothing,
            Some(stat) if !stat.ended => alive(State::Survivor { pidfd }),
            _ if !group::has_living(id) => Found::Nothing,
            // what it left behind; while it is not collected, its id is its own
            Some(_) => alive(State::Lingering),
            None if unique => alive(State::Lingering),
            None => Found::Unsure,
        }
    }

    /// Whether the process id still means the recorded process.
    pub(crate) fn is_same_process(&self) -> bool {
        proc::start_ticks(self.entry.pid) == Some(self.entry.start_ticks)
    }

    /// Whether it counts as the one live process of its name.
    pub(crate) fn holds_name(&self, name: &str) -> bool {
        self.kind == Kind::Service
            && self.entry.name == name
            && !matches!(self.state, State::Lingering)
    }

    /// Whether it is on record: something of it may run after the end of this launcher.
    pub(crate) fn is_recorded(&self) -> bool {
        match self.state {
            State::Seeking { .. } => false,
            State::Lingering => self.kind == Kind::Service,
            _ => true,
        }
    }

    /// Lets a process that was held execute its program.
    pub(crate) fn go(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Running) {
            State::Held { forked, retry, .. } => State::Starting { status: forked.go(), retry },
            other => other,
        };
    }

    /// Notes a signal of the Supervisor, for the line about its end.
    pub(crate) fn note_sent(&mut self, signal: i32) {
        let is_late = self.sent == Sent::Asked && signal == libc::SIGKILL;
        self.sent = if is_late { Sent::Kill } else { self.sent.max(Sent::Asked) };
    }

    /// Asks it to end, as it wants to be asked, but kills it after that time at the latest.
    pub(crate) fn begin_stop(&mut self, longest: Duration) {
        let asked = self
            .signal(self.entry.shutdown.signal, Scope::Group)
            // no signal of this system
            .or_else(|_| self.signal(libc::SIGTERM, Scope::Group));
        let timeout = Duration::from_millis(self.entry.shutdown.timeout_ms).min(longest);
        self.kill_at = Some(Instant::now() + timeout);
        self.stop = if asked.is_ok() { Stop::Asked } else { Stop::AlreadyExited };
    }

    /// Sends a signal; an error when there is nobody to get it.
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
                // one that has no group of its own yet, or left it, is signalled alone
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
