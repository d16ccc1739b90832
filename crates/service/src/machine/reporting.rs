//! Facts for the record, each made at one place.
//!
//! State and health are compared at the end of every call with what was reported, so that no way
//! into a state can be forgotten. A start or a stop is a chain of facts: each follows from the one
//! before it, and the first one from what the caller names ([`Machine::because`]).

use roost_events::{Cause, Fact, Reports};
use roost_ident::{HealthStatus, Hook, ServiceState};

use super::Machine;
use crate::{
    account::LastExit,
    binds::BindReport,
    effect::Effect,
    event::{HookOutcome, Now},
    excerpt::Printed,
    facts::{self, HealthSource},
    phase::{Phase, Step},
};

/// What was reported, and the causes of what follows.
#[derive(Debug)]
pub(super) struct Reporting {
    reports: Reports,
    /// What the call under way follows from, if the caller knows it.
    cause: Cause,
    /// The last fact of the start or stop under way.
    course: Cause,
    state: Option<ServiceState>,
    health: Option<HealthStatus>,
    /// The last change of health.
    health_fact: Cause,
    /// By what they are about.
    rejected: [Option<String>; 5],
    /// Messages about the last failures of hooks that are started again and again.
    hooks: Vec<(Hook, String)>,
}

impl Reporting {
    pub(super) fn new(part: u64) -> Self {
        Self {
            reports: Reports::of_part(part),
            cause: Cause::Unknown,
            course: Cause::Unknown,
            state: None,
            health: None,
            health_fact: Cause::Unknown,
            rejected: Default::default(),
            hooks: Vec::new(),
        }
    }
}

impl Machine {
    /// Names what the next call follows from.
    pub fn because(&mut self, cause: Cause) -> &mut Self {
        self.reporting.cause = cause;
        self
    }

    /// Reports how a new machine is. To be called once it was made.
    pub fn introduce(&mut self, now: Now, cause: Cause) {
        self.because(cause).settle(now);
    }

    /// What the caller or an earlier call named for the call under way.
    pub(super) fn given_cause(&self) -> Cause {
        self.reporting.cause
    }

    /// What follows now does so from this, unless the caller named something else.
    pub(super) fn because_of(&mut self, cause: Cause) {
        self.reporting.cause = self.reporting.cause.or(cause);
    }

    /// What the call under way follows from: what was named, else the start or stop under way.
    pub(super) fn cause(&self) -> Cause {
        self.reporting.cause.or(self.reporting.course)
    }

    fn report(&mut self, cause: Cause, fact: Fact) -> Cause {
        let (report, next) = self.reporting.reports.report(cause, fact);
        self.push(Effect::Record(report));
        next
    }

    /// Reports a step of the start or stop under way.
    fn report_step(&mut self, fact: Fact) {
        self.reporting.course = self.report(self.cause(), fact);
        self.reporting.cause = Cause::Unknown;
    }

    /// The end of every call.
    pub(super) fn report_changes(&mut self, now: Now) {
        self.report_rejected();
        let step = self.report_state(now);
        self.report_health(step);
        if matches!(self.state(), ServiceState::Up | ServiceState::Down) {
            self.reporting.course = Cause::Unknown;
        }
        self.reporting.cause = Cause::Unknown;
    }

    /// Returns the cause for what follows from another state.
    pub(super) fn report_state(&mut self, now: Now) -> Cause {
        let (before, after) = (self.reporting.state, self.state());
        if before == Some(after) {
            return Cause::Unknown;
        }
        self.reporting.state = Some(after);
        let reason = self.why();
        let fact = facts::state(&self.group, before, after, reason.as_ref());
        let release = self.attempt.plan.as_ref().map(|plan| plan.ident.clone());
        let pause_ms = match self.phase {
            Phase::Waiting(wait) if !wait.is_broken() => {
                Some(wait.until_ms.saturating_sub(now.mono_ms))
            }
            _ => None,
        };
        let fact = fact.with_some("release", release).with_some("starts_in_ms", pause_ms);
        self.report_step(fact);
        self.reporting.course
    }

    /// The service is about to be in another group, where it is a new one for readers.
    pub(super) fn report_leave(&mut self) {
        let Some(before) = self.reporting.state.take() else { return };
        if before != ServiceState::Down {
            let down = ServiceState::Down;
            self.report_step(facts::state(&self.group, Some(before), down, None));
        }
        let health = self.reporting.health.take().unwrap_or_default();
        if health != HealthStatus::Unknown {
            let (after, source) = (HealthStatus::Unknown, HealthSource::Process);
            let fact = facts::health(&self.group, Some(health), after, source);
            self.report(self.cause(), fact);
        }
        self.report_step(facts::unloaded(&self.group));
    }

    /// Reports a change of health, unless it was reported. It follows from a step of a start or
    /// stop, or from nothing in the record.
    pub(super) fn report_health(&mut self, step: Cause) {
        let (before, after) = (self.reporting.health, self.health.status());
        self.reporting.health = Some(after);
        if before.unwrap_or_default() == after {
            return;
        }
        let runs = self.phase == Phase::Running;
        let check = self.account.check.as_ref().filter(|check| runs && check.status == after);
        let source = match (self.health.reason(), check) {
            (Some(text), _) => HealthSource::NoResult(text),
            (None, Some(check)) => HealthSource::Check(check),
            (None, None) => HealthSource::Process,
        };
        let fact = facts::health(&self.group, before, after, source);
        self.reporting.health_fact = self.report(step, fact);
    }

    /// What follows now does so from the last change of health.
    pub(super) fn because_of_health(&mut self) {
        self.because_of(self.reporting.health_fact);
    }

    fn report_rejected(&mut self) {
        const WHAT: [&str; 5] =
            ["release_or_options", "directory", "user_toml", "templates", "monitor_toml"];
        let mut now = self.each_condition().map(|text| text.map(str::to_owned));
        if !self.is_protected() {
            // A start that fails in its templates is reported as such.
            now[3] = None;
        }
        let before = std::mem::replace(&mut self.reporting.rejected, now.clone());
        for ((what, now), before) in WHAT.into_iter().zip(now).zip(before) {
            if let Some(error) = now.filter(|error| before.as_ref() != Some(error)) {
                let fact = facts::rejected(&self.group, what, &error);
                self.report(self.reporting.cause, fact);
            }
        }
    }

    pub(super) fn report_start(&mut self, pid: u32) {
        self.report_step(facts::process_started(&self.group, pid));
    }

    /// An end that was not asked for follows from nothing in the record.
    pub(super) fn report_exit(&mut self, exit: &LastExit) {
        if !matches!(self.phase, Phase::Stopping(_)) {
            self.reporting.course = Cause::Unknown;
        }
        self.report_step(facts::process_exited(&self.group, exit));
    }

    /// Reports the end of a hook, if it failed.
    pub(super) fn report_hook_end(
        &mut self,
        hook: Hook,
        cause: Cause,
        outcome: &HookOutcome,
        printed: &Printed,
    ) {
        let succeeded = match (hook, outcome) {
            (Hook::HealthCheck, HookOutcome::Exit(code)) => {
                HealthStatus::from_exit_code(*code).is_some()
            }
            (_, outcome) => *outcome == HookOutcome::Exit(0),
        };
        if succeeded {
            self.forget_hook_failure(hook);
        } else {
            let fact = facts::hook_failed(&self.group, hook, outcome, printed.end());
            self.report_hook(hook, cause, fact);
        }
    }

    /// A hook succeeded: its next failure is news.
    pub(super) fn forget_hook_failure(&mut self, hook: Hook) {
        self.reporting.hooks.retain(|(known, _)| *known != hook);
    }

    /// Reports that a hook is stopped at its time limit.
    pub(super) fn report_late_hook(&mut self, hook: Hook) {
        let limit_ms = self.hook_timeout_ms(hook);
        let fact = facts::hook_timed_out(&self.group, hook, limit_ms);
        self.report_hook(hook, self.hooks.cause(hook), fact);
    }

    /// Reports that the install hooks did not succeed.
    pub(super) fn report_failed_install(&mut self, error: &str, printed: &Printed) {
        let fact = facts::install_failed(&self.group, error, printed.end());
        self.report_hook(Hook::Install, self.cause(), fact);
    }

    fn report_hook(&mut self, hook: Hook, cause: Cause, fact: Fact) {
        if is_repeated(hook) {
            let known = self.reporting.hooks.iter_mut().find(|(known, _)| *known == hook);
            match known {
                Some((_, message)) if *message == fact.message => return,
                Some((_, message)) => message.clone_from(&fact.message),
                None => self.reporting.hooks.push((hook, fact.message.clone())),
            }
        }
        let next = self.report(cause, fact);
        // What ended the attempt is its last step.
        if matches!(self.phase, Phase::Starting(Step::Initializing | Step::Installing)) {
            self.reporting.course = next;
        }
    }

    /// Reports another state of a bind: what happens next follows from it.
    pub(super) fn report_bind(&mut self, bind: &BindReport) {
        let fact = facts::bind(&self.group, bind);
        self.reporting.cause = self.report(self.reporting.cause, fact);
    }
}

/// Hooks that start by themselves again after a failure: the same failure is reported once.
fn is_repeated(hook: Hook) -> bool {
    matches!(hook, Hook::Install | Hook::HealthCheck | Hook::PostRun)
}
