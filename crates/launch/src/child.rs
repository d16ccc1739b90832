//! A process in the launcher's care.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal};

use crate::last_words::LastWords;
use crate::table::Entry;
use crate::wire::{Kind, Scope, Spawn};
use crate::{group, proc};

/// A process (and its group) with what is known of it.
pub(crate) struct Child {
    pub(crate) entry: Entry,
    pub(crate) kind: Kind,
    pub(crate) state: State,
    /// How the launcher's own stop of it went so far.
    pub(crate) stop: Stop,
    /// When that stop gets to KILL.
    pub(crate) kill_at: Option<Instant>,
    /// The end of what it printed to stderr.
    pub(crate) last_words: LastWords,
}

/// Where in its life it is.
pub(crate) enum State {
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
    /// A process of an earlier launcher, if it is still that process.
    pub(crate) fn survivor(entry: Entry, kind: Kind) -> Option<Child> {
        let pid = raw(entry.pid)?;
        // opened before looking: what is looked at cannot change any more
        let pidfd = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => Some(pidfd),
            Err(rustix::io::Errno::NOSYS) => None,
            Err(_) => return None,
        };
        let state = State::Survivor { pidfd };
        let child = Child {
            entry,
            kind,
            state,
            stop: Stop::No,
            kill_at: None,
            last_words: LastWords::default(),
        };
        child.is_same_process().then_some(child)
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
            State::Starting { .. } | State::Running => {
                // one that has no group of its own yet, or left it, is signalled alone
                if scope == Scope::Process || to_group().is_err() {
                    to_process()?;
                }
            }
            State::Lingering => match scope {
                Scope::Group => to_group()?,
                Scope::Process => return Err(gone()),
            },
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
