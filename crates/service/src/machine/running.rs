//! While the process is up: hooks, health, changes of its files.

use roost_ident::{Hook, TerminationReason};

use super::{Machine, Process};
use crate::{
    account::{Crashes, ExitCause, LastExit},
    effect::{Effect, LogKey, Preamble},
    event::{ExitStatus, HookOutcome, Now, Plan, ProcessEnd},
    excerpt::{Excerpt, Printed},
    hooks::Run,
    phase::{After, Phase, Step},
    remembered::Survivor,
    text,
    why::{Failure, ReasonCode},
};

impl Machine {
    /// The process is up.
    pub(super) fn run(&mut self, now: Now) {
        self.phase = Phase::Running;
        self.attempt.initialized = true;
        self.reason = None;
        self.account.check = None;
        // For a running process only its own ends count.
        self.failure = self.failure.take().filter(|it| it.code == ReasonCode::RunExits);
        self.keep_former();
        self.run_post_run(now);
        self.begin_health(now, true);
        self.advance(now);
    }

    /// Reattaches to a process of the former Supervisor (reference: services §1.7).
    pub(super) fn take_back(&mut self, now: Now, survivor: Survivor) {
        let Survivor { pid, started_unix_ms, remembered, is_gone, unseen_end } = survivor;
        let mono_of =
            |unix_ms: u64| now.mono_ms.saturating_sub(now.unix_ms.saturating_sub(unix_ms));
        let does = if is_gone { "Cleaning up after" } else { "Reattaching to" };
        self.log(Preamble::Sup, LogKey::Sr, format!("{does} {}", self.group));
        self.recall(now, &remembered);
        self.not_before_ms = None;
        let health_since_ms = remembered.health_since_unix_ms.unwrap_or(now.unix_ms);
        self.health.restore(remembered.health, health_since_ms, remembered.has_passed);
        if !is_gone {
            self.state_entered_ms = started_unix_ms;
        } else if let Some(end) = unseen_end {
            self.note_unseen_end(pid, end, remembered.stopping);
        }
        let up_since_ms = mono_of(started_unix_ms);
        self.health.restore_streak(up_since_ms, remembered.streak);
        self.last_start_ms = Some(up_since_ms);
        if is_gone {
            self.push(Effect::RemovePid);
        } else {
            self.process = Some(Process { pid, up_since_ms, left_behind: false });
            self.push(Effect::WritePid(pid));
        }
        let pin = remembered.plan.as_ref().map(|plan| plan.ident.clone());
        self.on_disk.clone_from(&pin);
        self.attempt.plan = remembered.plan;
        self.keep_former();
        self.attempt.initialized = true;
        self.attempt.rendered = true;
        self.phase = Phase::Running;
        self.asked.build = true;
        self.push(Effect::Build { pin });
        if self.spec.desired_state == roost_ident::DesiredState::Down {
            self.enter_stop(now, After::Down, None);
        } else if remembered.stopping {
            self.restarting = true;
            self.enter_stop(now, After::Restart, None);
        } else if is_gone {
            self.enter_stop(now, After::Start, None);
        }
    }

    /// The service of a reattached process is built.
    pub(super) fn built_again(&mut self, now: Now, plan: Plan) {
        self.attempt.plan = Some(plan);
        self.attempt.built = true;
        self.attempt.rebuild_at_ms = None;
        self.attempt.dirty = true;
        self.logged.failure = None;
        self.reason = None;
        if !self.crashes.is_loop() {
            self.failure = None;
        }
        self.log(Preamble::Group, LogKey::Ucw, "Watching user.toml");
        self.announce();
        self.begin_health(now, false);
        self.advance(now);
    }

    pub(super) fn wake_running(&mut self, now: Now) {
        let is_due = |at_ms: Option<u64>| at_ms.is_some_and(|at_ms| at_ms <= now.mono_ms);
        if is_due(self.attempt.post_run_at_ms) {
            self.run_post_run(now);
        }
        if is_due(self.attempt.rebuild_at_ms) {
            self.attempt.rebuild_at_ms = None;
            self.asked.build = true;
            let pin = self.attempt.plan.as_ref().map(|plan| plan.ident.clone());
            self.last_start_ms = Some(now.mono_ms);
            self.push(Effect::Build { pin });
        }
        if is_due(self.attempt.rerender_at_ms) {
            self.attempt.rerender_at_ms = None;
            self.attempt.dirty = true;
            self.advance(now);
            if self.phase != Phase::Running {
                return;
            }
        }
        if is_due(self.crashes.over_at_ms()) {
            self.be_steady();
        }
        self.check_health(now);
        if self.health.is_overdue(now.mono_ms) {
            self.time_out_health(now);
        }
        self.end_late_hooks(now);
        self.wake_candidate(now);
    }

    /// It has run long enough since its last unexpected end.
    fn be_steady(&mut self) {
        self.crashes = Crashes::default();
        let is_over = |failure: &Failure| failure.code == ReasonCode::RunExits;
        if self.failure.as_ref().is_some_and(is_over) {
            self.failure = None;
        }
    }

    fn run_post_run(&mut self, now: Now) {
        self.attempt.post_run_at_ms = None;
        self.attempt.post_run_started_ms = now.mono_ms;
        self.run_hook(now, Hook::PostRun);
    }

    /// Stops hooks that exceed their time limit, so that they block nothing.
    pub(super) fn end_late_hooks(&mut self, now: Now) {
        for hook in self.hooks.end_late(now.mono_ms) {
            let reason = self.end_late_hook(hook);
            if hook == Hook::Init {
                self.reason = Some(reason);
            }
        }
    }

    /// Stops one; returns its log line.
    pub(super) fn end_late_hook(&mut self, hook: Hook) -> String {
        self.push(Effect::EndHook(hook));
        self.report_late_hook(hook);
        let reason = text::too_long(hook, self.hook_timeout_ms(hook));
        self.log_hook(hook, vec![text::line(Preamble::Package, LogKey::Hk, reason.clone())]);
        reason
    }

    /// Logs lines about a hook unless they equal those of its last end.
    fn log_hook(&mut self, hook: Hook, lines: Vec<Effect>) {
        if self.logged.hooks.get(&hook) != Some(&lines) {
            self.effects.extend(lines.iter().cloned());
            self.logged.hooks.insert(hook, lines);
        }
    }

    pub(super) fn hook_ended(
        &mut self,
        now: Now,
        hook: Hook,
        outcome: &HookOutcome,
        printed: Printed,
    ) {
        let Some(Run { ended: was_ended, cause, .. }) = self.hooks.finish(hook) else { return };
        // The outcome of a hook stopped along with its service is meaningless.
        let timed_out =
            was_ended && matches!(self.phase, Phase::Stopping(stop) if stop.in_post_stop);
        if hook != Hook::HealthCheck && (!was_ended || timed_out) {
            self.account.hook_ended(hook, outcome, timed_out, &printed, now.unix_ms);
        }
        if !was_ended {
            self.report_hook_end(hook, cause, outcome, &printed);
        }
        match self.phase {
            Phase::Starting(Step::Initializing) => {
                if hook == Hook::Init {
                    if !was_ended {
                        self.effects.extend(text::hook_ended(hook, outcome));
                    }
                    self.init_ended(now, *outcome == HookOutcome::Exit(0));
                }
            }
            Phase::Running if hook == Hook::HealthCheck => {
                if !was_ended {
                    self.log_hook(hook, text::hook_ended(hook, outcome));
                }
                self.check_hook_ended(now, outcome, printed);
            }
            Phase::Running => self.hook_ended_beside(now, hook, outcome, was_ended),
            Phase::Stopping(stop) if stop.in_post_stop => {
                if !was_ended {
                    self.effects.extend(text::hook_ended(hook, outcome));
                }
                self.finish_stop(now, stop.after);
            }
            Phase::Stopping(_) => self.advance_stop(now),
            // No hook runs in these phases.
            Phase::Stopped | Phase::Waiting(_) | Phase::Starting(_) | Phase::Gone => {}
        }
    }

    /// A hook has ended while the process runs.
    fn hook_ended_beside(&mut self, now: Now, hook: Hook, outcome: &HookOutcome, was_ended: bool) {
        if !was_ended {
            self.log_hook(hook, text::hook_ended(hook, outcome));
        }
        match hook {
            Hook::PostRun => {
                if *outcome != HookOutcome::Exit(0) {
                    let at_ms = self.attempt.post_run_started_ms + self.settings.start_floor_ms;
                    self.attempt.post_run_at_ms = Some(at_ms.max(now.mono_ms));
                }
            }
            Hook::Reconfigure => {
                self.health.restart(now.mono_ms);
                if std::mem::take(&mut self.attempt.reconfigure_again) {
                    self.run_hook(now, Hook::Reconfigure);
                }
                self.check_health(now);
            }
            Hook::FileUpdated => {
                if std::mem::take(&mut self.attempt.file_updated_again) {
                    self.run_hook(now, Hook::FileUpdated);
                }
            }
            // These do not run while the process is up, or are not started by the machine.
            Hook::Install
            | Hook::Uninstall
            | Hook::Init
            | Hook::Run
            | Hook::PostStop
            | Hook::HealthCheck
            | Hook::Suitability => {}
        }
    }

    /// Gossiped files were written (reference: services §12.3).
    pub(super) fn files_updated(&mut self, now: Now, names: &[String]) {
        for name in names {
            self.push(text::service(format!("Service file updated, {name}")));
        }
        let runs = self.phase == Phase::Running && self.attempt.built;
        if runs && !names.is_empty() && !self.run_hook(now, Hook::FileUpdated) {
            self.attempt.file_updated_again = self.hooks.is_running(Hook::FileUpdated);
        }
    }

    /// The process has ended, or left others of its group behind.
    pub(super) fn exited(&mut self, now: Now, pid: u32, group_alive: bool, end: ProcessEnd) {
        let Some(process) = self.process.filter(|process| process.pid == pid) else { return };
        if process.left_behind {
            return;
        }
        let ran_ms = now.mono_ms.saturating_sub(process.up_since_ms);
        if ran_ms >= self.settings.start_floor_ms {
            // This also holds while a reattached process was being built again.
            self.last_start_ms = None;
        }
        self.process = group_alive.then_some(Process { left_behind: true, ..process });
        self.state_entered_ms = now.unix_ms;
        self.push(Effect::RemovePid);
        let cause = match self.phase {
            Phase::Stopping(stop) if stop.killed_at_ms.is_some() => {
                ExitCause::StopTimeout { after_ms: stop.timeout_ms }
            }
            Phase::Stopping(_) => ExitCause::Stopped,
            _ => ExitCause::Unexpected,
        };
        let ProcessEnd { status, at_unix_ms, stderr } = end;
        let exit = LastExit { pid, status, at_unix_ms, ran_ms, cause, stderr };
        self.report_exit(&exit);
        self.account.exit = Some(exit);
        match self.phase {
            Phase::Running => self.fail(now, TerminationReason::RunHookFailed, Some(pid)),
            Phase::Stopping(stop) => {
                if !group_alive {
                    self.log_terminated(pid, stop);
                    self.advance_stop(now);
                }
            }
            // There is no process in these phases.
            Phase::Stopped | Phase::Waiting(_) | Phase::Starting(_) | Phase::Gone => {}
        }
    }

    /// The last process of the group has ended.
    pub(super) fn group_ended(&mut self, now: Now, pid: u32) {
        let Some(process) = self.process.filter(|process| process.pid == pid) else { return };
        if !process.left_behind {
            // Its own end was forgotten with a service that was unloaded: nothing of it is left.
            let (status, at_unix_ms) = (ExitStatus::Unknown, now.unix_ms);
            let end = ProcessEnd { status, at_unix_ms, stderr: Excerpt::default() };
            return self.exited(now, pid, false, end);
        }
        self.process = None;
        if let Phase::Stopping(stop) = self.phase {
            self.log_terminated(pid, stop);
            self.advance_stop(now);
        }
    }
}
