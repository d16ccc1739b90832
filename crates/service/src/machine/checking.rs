//! Health checks while the process is up: rounds of the hook and the checks of `monitor.toml`.

use std::{mem, sync::Arc};

use rand::Rng;
use roost_events::Cause;
use roost_ident::{HealthStatus, Hook, TerminationReason};

use super::Machine;
use crate::{
    account::LastCheck,
    checks::{CheckResult, Histories},
    effect::Effect,
    event::{HookOutcome, Now},
    excerpt::Printed,
    health::{Rule, worse},
    monitor::{HOOK_CHECK, Monitor, MonitorRead, ProbeFound},
    phase::Phase,
    spec::Interval,
    text,
    why::ReasonCode,
};

/// What is checked, and what the checks of the round under way have found.
#[derive(Debug, Default)]
pub(super) struct Checking {
    pub(super) monitor: Arc<Monitor>,
    /// The files were read, so the checks of the service are known.
    is_read: bool,
    /// The files cannot be used, and there is no former content.
    is_unusable: bool,
    /// Number of the round; random at first, so that it is not that of another machine.
    round: Option<u64>,
    /// Results of the round by place; the hook has none.
    probes: Vec<Option<ProbeFound>>,
    /// The worst result of the round.
    worst: Option<LastCheck>,
    /// When the round began, on the caller's clock.
    began_ms: u64,
    /// The last results.
    histories: Histories,
}

impl Checking {
    fn note(&mut self, name: &str, check: LastCheck) {
        let LastCheck { status, exit_code, at_unix_ms, duration_ms, .. } = check;
        let output = Some(Arc::clone(&check.printed.output));
        let result = CheckResult { status, exit_code, at_unix_ms, duration_ms, output };
        self.histories.add(name, result);
        let is_worse = |known: &LastCheck| worse(known.status, check.status) != known.status;
        if self.worst.as_ref().is_none_or(is_worse) {
            self.worst = Some(check);
        }
    }
}

impl Machine {
    /// True when something checks the service.
    pub(super) fn has_checks(&self) -> bool {
        self.has_hook(Hook::HealthCheck) || !self.checking.monitor.probes.is_empty()
    }

    /// Starts the health checks; `is_fresh` for a newly started process.
    pub(super) fn begin_health(&mut self, now: Now, is_fresh: bool) {
        if self.has_checks() {
            if is_fresh {
                self.health.begin(now);
            } else {
                self.health.resume(now.mono_ms);
            }
            self.check_health(now);
        } else if self.checking.is_unusable {
            self.end_checks(now);
        } else if is_fresh || self.checking.is_read {
            self.end_probes(now);
            self.health.begin_without_hook(now);
        }
    }

    /// `monitor.toml` was read. Without content that can be used the former one stays in force.
    pub(super) fn take_monitor(&mut self, now: Now, read: Option<&MonitorRead>) {
        let default = MonitorRead { monitor: Some(Arc::default()), fault: None };
        let read = match read {
            Some(read) => read,
            None if self.checking.is_read => return,
            None => &default,
        };
        self.note_unmonitored(now, read.fault.clone());
        let was_unusable = self.checking.is_unusable;
        let is_first = !mem::replace(&mut self.checking.is_read, true);
        let monitor = match &read.monitor {
            Some(monitor) => {
                self.checking.is_unusable = false;
                Arc::clone(monitor)
            }
            None => {
                self.checking.is_unusable |= is_first;
                Arc::clone(&self.checking.monitor)
            }
        };
        // The first file of a process that was taken back decides whether anything checks it.
        let is_settled = !is_first || self.has_checks();
        let is_same = is_settled
            && was_unusable == self.checking.is_unusable
            && *monitor == *self.checking.monitor;
        self.checking.monitor = monitor;
        if !is_same && self.phase == Phase::Running && self.attempt.built {
            self.end_probes(now);
            if self.health.is_checking() && self.has_checks() {
                self.health.restart(now.mono_ms);
                self.check_health(now);
            } else {
                self.begin_health(now, false);
            }
        }
    }

    /// Starts the checks that are due.
    pub(super) fn check_health(&mut self, now: Now) {
        if !self.health.is_due(now.mono_ms) {
            return;
        }
        let has_hook = self.has_hook(Hook::HealthCheck);
        if has_hook && !self.run_hook(now, Hook::HealthCheck) {
            return;
        }
        let monitor = Arc::clone(&self.checking.monitor);
        let hook_ms = has_hook.then(|| self.hook_timeout_ms(Hook::HealthCheck));
        self.health.round_started(now.mono_ms, hook_ms, monitor.probes.len());
        self.checking.worst = None;
        self.checking.began_ms = now.mono_ms;
        let hook = has_hook.then_some(HOOK_CHECK).into_iter();
        let others = monitor.probes.iter().map(|probe| probe.name.as_str());
        self.checking.histories.arrange(hook.chain(others));
        self.checking.probes = vec![None; monitor.probes.len()];
        if monitor.probes.is_empty() {
            return;
        }
        let round = match self.checking.round {
            Some(round) => round.wrapping_add(1),
            None => self.rng.random(),
        };
        self.checking.round = Some(round);
        for (place, probe) in monitor.probes.iter().enumerate() {
            self.push(Effect::RunProbe { round, place, probe: Arc::clone(probe) });
        }
    }

    /// Nothing is checked any more.
    pub(super) fn end_checks(&mut self, now: Now) {
        self.end_probes(now);
        self.health.stop(now);
    }

    /// Gives up the checks without a hook that run.
    pub(super) fn end_probes(&mut self, now: Now) {
        if self.health.drop_probes(now.mono_ms) {
            self.push(Effect::EndProbes);
        }
        self.checking.probes.clear();
    }

    pub(super) fn time_out_health(&mut self, now: Now) {
        self.hooks.end(Hook::HealthCheck);
        let reason = self.end_late_hook(Hook::HealthCheck);
        let before = self.health.status();
        // With a limit of its own the service counts as one that does not answer.
        let status = match self.checking.monitor.hook_timeout_ms {
            Some(_) => HealthStatus::Critical,
            None => HealthStatus::Unknown,
        };
        if status == HealthStatus::Critical {
            let printed = Printed::of(&reason, "");
            let at_unix_ms = now.unix_ms;
            let duration_ms = now.mono_ms.saturating_sub(self.checking.began_ms);
            let check = LastCheck { status, exit_code: None, at_unix_ms, duration_ms, printed };
            self.checking.note(HOOK_CHECK, check);
        }
        self.health.time_out(now, status, reason.clone());
        if status == HealthStatus::Unknown && before != status {
            self.push(text::health_changed(before, status, None, &reason));
        }
    }

    /// The hook has ended.
    pub(super) fn check_hook_ended(&mut self, now: Now, outcome: &HookOutcome, printed: Printed) {
        let exit_code = match outcome {
            HookOutcome::Exit(code) => Some(*code),
            HookOutcome::Signal(_) | HookOutcome::CouldNotRun(_) => None,
        };
        let status = exit_code.and_then(HealthStatus::from_exit_code);
        let status = status.unwrap_or(HealthStatus::Unknown);
        let timed_out = self.health.hook_ended(status);
        let at_unix_ms = now.unix_ms;
        let duration_ms = now.mono_ms.saturating_sub(self.checking.began_ms);
        let check = LastCheck { status, exit_code, at_unix_ms, duration_ms, printed };
        // One that exceeded the limit of the file has its result already.
        if !(timed_out && self.checking.monitor.hook_timeout_ms.is_some()) {
            self.checking.note(HOOK_CHECK, check);
        }
        self.finish_checks(now);
    }

    /// A check without a hook has ended; one of another round is too late.
    pub(super) fn probed(&mut self, now: Now, round: u64, place: usize, found: &ProbeFound) {
        if self.phase != Phase::Running || self.checking.round != Some(round) {
            return;
        }
        let Some(result @ None) = self.checking.probes.get_mut(place) else { return };
        *result = Some(found.clone());
        self.health.probe_ended(found.status);
        let ProbeFound { status, duration_ms, .. } = *found;
        let (at_unix_ms, printed) = (now.unix_ms, Printed::of(&found.text, ""));
        let check = LastCheck { status, exit_code: None, at_unix_ms, duration_ms, printed };
        let monitor = Arc::clone(&self.checking.monitor);
        let name = monitor.probes.get(place).map_or("", |probe| probe.name.as_str());
        self.checking.note(name, check);
        self.finish_checks(now);
    }

    /// Ends the round if all its checks have ended.
    fn finish_checks(&mut self, now: Now) {
        let (interval, rule) = (self.check_interval(), self.health_rule());
        let before = self.health.status();
        if self.health.finish_round(now, interval, &rule, &mut self.rng).is_none() {
            return;
        }
        let probes = mem::take(&mut self.checking.probes);
        let lines = probes.into_iter().flatten().map(|found| found.text).collect();
        self.push(Effect::Checked(lines));
        let status = self.health.status();
        let worst = self.checking.worst.take();
        if before != status {
            let (exit_code, first) = match &worst {
                Some(check) => (check.exit_code, check.printed.first.as_str()),
                None => (None, ""),
            };
            let line = text::health_changed(before, status, exit_code, first);
            self.push(line);
        }
        self.account.check = worst.map(|check| LastCheck { status, ..check });
        self.report_health(Cause::Unknown);
        if self.health.restarts(&rule) {
            self.because_of_health();
            self.restart_critical(now);
        } else {
            self.check_health(now);
        }
    }

    /// The last results of each check.
    #[must_use]
    pub fn check_histories(&self) -> &Histories {
        &self.checking.histories
    }

    /// When the next checks start, Unix milliseconds; `None` while some run, and when there are
    /// none.
    #[must_use]
    pub fn next_check_unix_ms(&self) -> Option<u64> {
        let at_ms = self.health.next_round_ms().filter(|_| self.phase == Phase::Running)?;
        Some(at_ms.saturating_add(self.unix_minus_mono_ms))
    }

    /// Critical results in a row.
    #[must_use]
    pub fn consecutive_failures(&self) -> u32 {
        self.health.streak().failures
    }

    /// Critical results in a row after which the service is restarted; 0 is never.
    #[must_use]
    pub fn restart_after(&self) -> u32 {
        self.health_rule().restart_after
    }

    /// Time between checks: that of `monitor.toml`, else that of the spec.
    fn check_interval(&self) -> Interval {
        let own_ms = self.checking.monitor.interval_ms;
        own_ms.map_or(self.spec.health_check_interval, |ms| Interval::from_secs(ms / 1_000))
    }

    /// How health results become a status. What the operator asked for counts before the file.
    fn health_rule(&self) -> Rule {
        let rule = self.checking.monitor.rule;
        match self.spec.restart_when_critical {
            0 => rule,
            restart_after => Rule { restart_after, ..rule },
        }
    }

    /// Too many checks in a row were critical: the process is stopped and started again, after the
    /// back-off of a failure.
    fn restart_critical(&mut self, now: Now) {
        let times = self.health.streak().criticals;
        let printed = self.account.check.as_ref().map(|check| check.printed.end().clone());
        self.note_failure(now, ReasonCode::HealthCritical, text::critical(times));
        if let Some(failure) = &mut self.failure {
            failure.printed = printed.unwrap_or_default();
        }
        let pid = self.process.map(|process| process.pid);
        self.fail(now, TerminationReason::HealthCheckCritical, pid);
    }
}
