//! Restarts: after failures, with a wait, and intended ones, without (reference: services §9).

use roost_ident::TerminationReason;

use super::Machine;
use crate::{
    account::LastExit,
    effect::{LogKey, Preamble},
    event::Now,
    phase::{After, Phase, Step},
    status::LastProcess,
    text,
    why::ReasonCode,
};

impl Machine {
    pub(super) fn restarts_after_failure(&self) -> bool {
        self.restarting && self.last_process_state.is_some_and(|last| last.reason.is_failure())
    }

    /// A newer release should run (reference: services §13.1).
    pub(super) fn package_updated(&mut self, now: Now, ident: &str) {
        self.note_unreleased(now, None);
        match self.phase {
            Phase::Starting(Step::Building | Step::Installing | Step::Preparing) => {
                self.reconsider();
                self.log_package(ident);
                self.restart(now, TerminationReason::PackageUpdated);
            }
            Phase::Starting(_) | Phase::Running => self.offer(now, None, Some(ident.into())),
            Phase::Waiting(wait) if wait.is_broken() => self.begin(now),
            // The next build uses it.
            Phase::Stopped | Phase::Waiting(_) | Phase::Stopping(_) | Phase::Gone => {
                self.reconsider();
            }
        }
    }

    pub(super) fn log_package(&mut self, ident: &str) {
        let text = format!("Restarting {} with package {ident}", self.spec.ident);
        self.log(Preamble::Sup, LogKey::Mr, text);
    }

    /// Counts a failure and waits for the back-off (reference: services §9).
    pub(super) fn fail(&mut self, now: Now, reason: TerminationReason, pid: Option<u32>) {
        self.mark(now, reason, pid);
        let pause_ms = self.backoff.fail(now.mono_ms, &mut self.rng);
        self.restart_count += 1;
        self.recent.note(now.mono_ms);
        self.not_before_ms = Some(now.mono_ms.saturating_add(pause_ms));
        self.next_restart_at_s =
            (pause_ms > 0).then(|| now.unix_ms.saturating_add(pause_ms) / 1_000);
        let what = match (reason, pid) {
            (TerminationReason::RunHookFailed, Some(_)) => {
                self.crashes.note(now.mono_ms);
                self.note_failure(now, ReasonCode::RunExits, String::new());
                self.account.exit.as_ref().map(LastExit::sentence)
            }
            (TerminationReason::HealthCheckCritical, _) => {
                self.failed().map(|reason| reason.line())
            }
            // The failed hook or process already has its own log line.
            _ => None,
        };
        self.effects.extend(text::failed(what.as_deref(), pause_ms));
        self.enter_stop(now, After::Restart, None);
    }

    /// An intended restart: immediate, and resets failures (reference: services §9).
    pub(super) fn restart(&mut self, now: Now, reason: TerminationReason) {
        let pid = self.process.map(|process| process.pid);
        self.mark(now, reason, pid);
        self.restart_count = 0;
        self.backoff.reset();
        self.push(text::service(text::will_restart(0)));
        self.enter_stop(now, After::Restart, None);
    }

    fn mark(&mut self, now: Now, reason: TerminationReason, pid: Option<u32>) {
        let terminated_at_s = now.unix_ms / 1_000;
        self.last_process_state = Some(LastProcess { pid, reason, terminated_at_s });
        self.restarting = true;
    }
}
