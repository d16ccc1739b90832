//! The clean shutdown: first the Supervisor stops its services, then the launcher stops the rest
//! (reference: services §1.6).
//!
//! The Supervisor owns the stop signals, timeouts and hooks of services, so it has no time limit
//! here, and if it ends before they are stopped, another one is started for that. If it hangs,
//! `watchdog` detects that after a minute; the third TERM (or INT) to the launcher kills it and
//! leaves the services to the launcher, which then waits only briefly for them. The second one has
//! no effect.

use std::time::{Duration, Instant};

use super::{Launcher, Phase, supervising::kill};
use crate::{
    child::{State, Stop},
    group,
    wire::{Kind, LauncherEvent, Scope},
};

/// Longest time between signal and KILL of a service that the launcher itself stops, whatever its
/// own timeout.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(u32::MAX as u64);
/// The same after a repeated signal to the launcher.
const FORCED_TIMEOUT: Duration = Duration::from_secs(8);
/// After KILL, a process that the kernel does not let die is waited for so long.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a Supervisor that is still starting has to send its Hello when everything is to end.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// So many requests to end mean that the Supervisor hangs.
const REQUESTS_TO_FORCE: u32 = 3;

impl Launcher {
    /// TERM or INT.
    pub(super) fn leave(&mut self, signal: i32) {
        match &mut self.phase {
            Phase::Running => {
                self.phase = Phase::Leaving { signal, asked: 1, again: false };
                match &mut self.link {
                    None => self.leave_without_supervisor(),
                    Some(link) if link.greeted => self.tell(&LauncherEvent::Shutdown(signal)),
                    // the answer to its Hello contains it
                    Some(link) => link.kill_at = Some(Instant::now() + HELLO_TIMEOUT),
                }
            }
            Phase::Leaving { asked, .. } => {
                *asked += 1;
                if *asked != REQUESTS_TO_FORCE {
                    return;
                }
                match &self.link {
                    None => self.leave_without_supervisor(),
                    Some(link) => {
                        self.printer.own(
                            "Killing the Supervisor, which has not ended; stopping services now",
                        );
                        kill(link);
                    }
                }
            }
            Phase::Stopping { .. } => self.hurry(),
            Phase::Done { .. } => (),
        }
    }

    /// Everything is to end and there is no Supervisor. Another one is started, which knows how to
    /// stop each service, unless no service runs, that was tried before, or the operator repeated
    /// the signal.
    pub(super) fn leave_without_supervisor(&mut self) {
        let runs = self
            .children
            .iter()
            .any(|child| child.kind == Kind::Service && !matches!(child.state, State::Lingering));
        match &mut self.phase {
            Phase::Leaving { asked, again: again @ false, .. }
                if runs && self.ever_started && *asked < REQUESTS_TO_FORCE =>
            {
                *again = true;
                self.start_at = Some(Instant::now());
                self.printer.own("Starting the Supervisor once more to stop what still runs");
            }
            _ => self.stop_services(0, true),
        }
    }

    /// A Supervisor that is started while everything is to end must send its Hello soon: one that
    /// cannot start must not hold up the end.
    pub(super) fn limit_start(&mut self) {
        if let (Phase::Leaving { .. }, Some(link)) = (&self.phase, &mut self.link) {
            link.kill_at = Some(Instant::now() + HELLO_TIMEOUT);
        }
    }

    /// Stops what is left; then the launcher ends with this code.
    pub(super) fn stop_services(&mut self, code: u8, farewell: bool) {
        let longest = match self.phase {
            Phase::Leaving { asked, .. } if asked >= REQUESTS_TO_FORCE => FORCED_TIMEOUT,
            _ => LONGEST_TIMEOUT,
        };
        self.start_at = None;
        self.phase = Phase::Stopping { code, farewell };
        self.kill_hooks();
        // these do not run, and will not
        self.children.retain(|child| !matches!(child.state, State::Seeking { .. }));
        for child in &mut self.children {
            match child.kind {
                Kind::Service => {
                    self.printer.about(&child.entry.name, "Stopping...");
                    child.begin_stop(longest);
                }
                Kind::Hook => child.kill_at = Some(Instant::now() + KILL_TIMEOUT),
            }
        }
    }

    /// Another signal arrived while services are being stopped: they get only the short time.
    fn hurry(&mut self) {
        let latest = Instant::now() + FORCED_TIMEOUT;
        for child in &mut self.children {
            child.kill_at = child.kill_at.map(|at| at.min(latest));
        }
    }

    /// Kills services that missed the deadline, and ends when none is left.
    pub(super) fn check_stopping(&mut self, now: Instant) {
        let Phase::Stopping { code, farewell } = &self.phase else { return };
        let mut waits = false;
        for child in &mut self.children {
            if child.kill_at.is_some_and(|at| now >= at) {
                let was_killed = child.stop == Stop::Killed;
                child.kill_at = (!was_killed).then(|| now + KILL_TIMEOUT);
                // it may already be gone
                let _ = child.signal(libc::SIGKILL, Scope::Group);
                child.stop = Stop::Killed;
            }
            waits |= child.kill_at.is_some();
        }
        if !waits {
            for child in &self.children {
                let left = group::out_of_reach(child.entry.pid);
                let left: Vec<String> = left.iter().map(ToString::to_string).collect();
                let text = if left.is_empty() {
                    format!("Still running as PID {}, not to be killed", child.entry.pid)
                } else {
                    format!("Still running, not permitted to be killed: {}", left.join(", "))
                };
                self.printer.about(&child.entry.name, &text);
            }
            if *farewell {
                self.printer.own("Hasta la vista, services.");
            } else if *code != 0 {
                let text = format!("Launcher exiting with code {code}");
                self.printer.log_error(&text);
            }
            self.phase = Phase::Done { code: *code };
        }
    }
}
