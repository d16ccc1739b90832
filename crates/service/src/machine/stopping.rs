//! Stopping: stops hooks, signals the process and kills it after the timeout, then runs `post-stop`
//! (reference: services §8).

use roost_ident::{Hook, ShutdownSignal};

use super::Machine;
use crate::{
    account::Crashes,
    effect::{Effect, LogKey, Preamble},
    event::Now,
    phase::{After, Phase, Stop},
    text,
};

/// Default seconds between the signal and KILL.
pub(super) const SHUTDOWN_TIMEOUT_DEFAULT_S: u32 = 8;

/// Wait, after KILL, for the rest of a group without its leader: a process stuck in the kernel must
/// not keep a service down. It has been killed and will not run any more.
pub(super) const KILLED_GROUP_WAIT_MS: u64 = 5_000;

impl Machine {
    /// Signal and seconds to stop the process, unless a command sets another: from the spec, else
    /// from the package.
    #[must_use]
    pub fn shutdown(&self) -> (ShutdownSignal, u32) {
        let plan = self.attempt.plan.as_ref();
        let package_s = plan.and_then(|plan| plan.shutdown_timeout_s);
        let timeout_s = self.spec.shutdown_timeout_s.or(package_s);
        (
            plan.map_or_else(Default::default, |plan| plan.shutdown_signal),
            timeout_s.unwrap_or(SHUTDOWN_TIMEOUT_DEFAULT_S),
        )
    }

    /// Begins a stop, from any phase where something may run or an answer is outstanding.
    pub(super) fn enter_stop(&mut self, now: Now, after: After, timeout_s: Option<u32>) {
        let timeout_s = timeout_s.unwrap_or_else(|| self.shutdown().1);
        self.end_checks(now);
        self.stop_began_unix_ms = now.unix_ms;
        self.attempt.post_run_at_ms = None;
        self.attempt.rebuild_at_ms = None;
        self.attempt.rerender_at_ms = None;
        for hook in self.hooks.end_all() {
            self.push(Effect::EndHook(hook));
        }
        if self.asked.install {
            self.push(Effect::EndHook(Hook::Install));
        }
        let timeout_ms = u64::from(timeout_s) * 1_000;
        self.phase = Phase::Stopping(Stop {
            after,
            timeout_ms,
            kill_at_ms: None,
            killed_at_ms: None,
            out_of_reach: false,
            in_post_stop: false,
        });
        self.terminate(now);
        self.advance_stop(now);
    }

    /// Signals the process, or the rest of its group.
    pub(super) fn terminate(&mut self, now: Now) {
        let (Some(process), Phase::Stopping(mut stop)) = (self.process, self.phase) else {
            return;
        };
        let pid = process.pid;
        let (signal, _) = self.shutdown();
        self.log(Preamble::Group, LogKey::St, format!("Terminating service (PID: {pid})"));
        self.push(Effect::Signal { pid, signal });
        stop.kill_at_ms = Some(now.mono_ms.saturating_add(stop.timeout_ms));
        self.phase = Phase::Stopping(stop);
        self.wake_stopping(now);
    }

    /// A second stop command may shorten the remaining time.
    pub(super) fn hasten(&mut self, now: Now, timeout_s: Option<u32>) {
        let (Some(timeout_s), Phase::Stopping(mut stop)) = (timeout_s, self.phase) else {
            return;
        };
        let timeout_ms = u64::from(timeout_s) * 1_000;
        stop.timeout_ms = stop.timeout_ms.min(timeout_ms);
        let kill_at_ms = now.mono_ms.saturating_add(timeout_ms);
        stop.kill_at_ms = stop.kill_at_ms.map(|at_ms| at_ms.min(kill_at_ms));
        self.phase = Phase::Stopping(stop);
        self.wake_stopping(now);
    }

    pub(super) fn wake_stopping(&mut self, now: Now) {
        let (Some(process), Phase::Stopping(mut stop)) = (self.process, self.phase) else {
            return;
        };
        if self.stop_wake_ms().is_none_or(|at_ms| at_ms > now.mono_ms) {
            return;
        }
        if stop.killed_at_ms.is_some() {
            return self.leave_behind(now, process.pid);
        }
        stop.killed_at_ms = Some(now.mono_ms);
        self.phase = Phase::Stopping(stop);
        let (signal, _) = self.shutdown();
        let text = format!(
            "Service has not ended within {} secs of {} (PID: {}); killing it",
            text::seconds(stop.timeout_ms),
            signal.as_str(),
            process.pid
        );
        self.log(Preamble::Group, LogKey::St, text);
        self.push(Effect::Kill { pid: process.pid });
    }

    /// Time of the next step of a stop: KILL, or the end of the wait for the rest of the group.
    pub(super) fn stop_wake_ms(&self) -> Option<u64> {
        let (Phase::Stopping(stop), Some(process)) = (self.phase, self.process) else {
            return None;
        };
        let gives_up = match stop.out_of_reach {
            true => stop.after == After::Shutdown,
            false => process.left_behind,
        };
        match stop.killed_at_ms {
            None => stop.kill_at_ms,
            Some(at_ms) => gives_up.then(|| at_ms.saturating_add(KILLED_GROUP_WAIT_MS)),
        }
    }

    /// KILL failed for processes, for lack of permission.
    pub(super) fn out_of_reach(&mut self, pid: u32, processes: &str) {
        let is_ours = self.process.is_some_and(|process| process.pid == pid);
        let Phase::Stopping(stop) = &mut self.phase else { return };
        if !is_ours || std::mem::replace(&mut stop.out_of_reach, true) {
            return;
        }
        let text = format!(
            "Not permitted to kill {processes}. The service stays in its stop until these \
             processes have ended; root can end them"
        );
        self.log(Preamble::Group, LogKey::St, text.clone());
        self.reason = Some(text);
    }

    /// Stops waiting for processes that survived KILL.
    fn leave_behind(&mut self, now: Now, pid: u32) {
        self.process = None;
        let text = format!("Not waiting any longer for what is left of process group {pid}");
        self.log(Preamble::Group, LogKey::St, text);
        self.advance_stop(now);
    }

    pub(super) fn log_terminated(&mut self, pid: u32, stop: Stop) {
        let text = if stop.killed_at_ms.is_some() {
            format!("Service killed (PID: {pid})")
        } else {
            format!("Service gracefully terminated (PID: {pid})")
        };
        self.log(Preamble::Group, LogKey::St, text);
    }

    /// Continues when nothing runs any more and no answer is outstanding.
    pub(super) fn advance_stop(&mut self, now: Now) {
        let Phase::Stopping(stop) = self.phase else { return };
        if self.process.is_some() || self.asked.any() || !self.hooks.is_empty() {
            return;
        }
        let can_run_hooks = self.attempt.built && self.attempt.rendered;
        if can_run_hooks && self.run_hook(now, Hook::PostStop) {
            self.phase = Phase::Stopping(Stop { in_post_stop: true, ..stop });
        } else {
            self.finish_stop(now, stop.after);
        }
    }

    /// The stop is complete.
    pub(super) fn finish_stop(&mut self, now: Now, after: After) {
        self.push(Effect::Stopped);
        match after {
            After::Down => self.rest(),
            After::Unload | After::Shutdown => {
                self.phase = Phase::Gone;
                self.report_changes(now);
                self.push(Effect::Gone);
            }
            After::Start | After::Restart => self.begin(now),
        }
    }

    /// Nothing runs and the service is not wanted.
    pub(super) fn rest(&mut self) {
        self.adopt_next_spec();
        self.forget();
        self.drop_candidate();
        self.pin = None;
        self.attempt = super::Attempt::default();
        self.phase = Phase::Stopped;
    }

    /// Resets restarts and failures: the next start counts as the first.
    pub(super) fn forget(&mut self) {
        self.restarting = false;
        self.restart_count = 0;
        self.last_process_state = None;
        self.next_restart_at_s = None;
        self.not_before_ms = None;
        self.backoff.reset();
        self.reason = None;
        self.failure = None;
        self.crashes = Crashes::default();
        self.logged = super::Logged::default();
    }
}
