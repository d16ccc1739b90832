//! State that outlives a Supervisor: kept by the launcher for the next one.

use super::Machine;
use crate::{
    account::Crashes,
    effect::Effect,
    event::Now,
    phase::Phase,
    recent::{Recent, Span},
    remembered::Remembered,
};

impl Machine {
    /// State for the next Supervisor; see [`Effect::Remember`].
    #[must_use]
    pub fn remember(&self) -> Remembered {
        Remembered {
            restart_count: self.restart_count,
            last_process_state: self.last_process_state,
            health: self.health.status(),
            backoff_ms: self.backoff.previous_ms(),
            restarted_at_unix_ms: self.backoff.restarted_at_ms().map(|at_ms| self.unix_of(at_ms)),
            stopping: matches!(self.phase, Phase::Stopping(_)),
            plan: self.attempt.plan.clone(),
            state_entered_unix_ms: Some(self.state_entered_ms),
            health_since_unix_ms: Some(self.health.since_unix_ms()),
            has_passed: self.health.has_passed(),
            streak: self.health.streak(),
            not_before_unix_ms: self.not_before_ms.map(|at_ms| self.unix_of(at_ms)),
            restarting: self.restarting,
            failure: self.failure.clone(),
            crashes_unix_ms: {
                let times_ms = self.crashes.times_ms();
                times_ms.into_iter().map(|at_ms| self.unix_of(at_ms)).collect()
            },
            recent: {
                let unix = |span: Span| Span { since_ms: self.unix_of(span.since_ms), ..span };
                self.recent.spans().map(unix).collect()
            },
            account: self.account.clone(),
        }
    }

    fn unix_of(&self, mono_ms: u64) -> u64 {
        mono_ms.saturating_add(self.unix_minus_mono_ms)
    }

    /// Restores the state of the former Supervisor.
    pub(super) fn recall(&mut self, now: Now, remembered: &Remembered) {
        let mono_of =
            |unix_ms: u64| now.mono_ms.saturating_sub(now.unix_ms.saturating_sub(unix_ms));
        self.restart_count = remembered.restart_count;
        self.last_process_state = remembered.last_process_state;
        let restarted_at_ms = remembered.restarted_at_unix_ms.map(mono_of);
        self.backoff.restore(remembered.backoff_ms, restarted_at_ms);
        if let Some(at_ms) = remembered.state_entered_unix_ms {
            self.state_entered_ms = at_ms.min(now.unix_ms);
        }
        // A time in the future continues a wait; a clock that was set back must not make it longer
        // than the longest back-off.
        self.not_before_ms = remembered.not_before_unix_ms.map(|at_ms| {
            let left_ms = at_ms.saturating_sub(now.unix_ms).min(self.settings.backoff.max_ms);
            now.mono_ms.saturating_add(left_ms)
        });
        self.restarting = remembered.restarting;
        self.failure.clone_from(&remembered.failure);
        let times_ms: Vec<u64> = remembered.crashes_unix_ms.iter().copied().map(mono_of).collect();
        self.crashes = Crashes::new(&times_ms);
        let spans = remembered.recent.iter();
        let spans = spans.map(|span| Span { since_ms: mono_of(span.since_ms), ..*span });
        self.recent = Recent::new(spans, now.mono_ms);
        self.account.clone_from(&remembered.account);
    }

    /// End of every call: reports what has changed, requests what a candidate still needs, and
    /// that changes are remembered.
    pub(super) fn settle(&mut self, now: Now) {
        if self.phase != Phase::Gone {
            self.report_changes(now);
        }
        self.keep();
    }

    /// Requests what a candidate still needs, and that changes are remembered.
    pub(super) fn keep(&mut self) {
        if self.phase == Phase::Gone {
            return;
        }
        self.check_unanswered();
        let remembered = self.remember();
        if self.remembered.as_ref() != Some(&remembered) {
            self.remembered = Some(remembered);
            self.push(Effect::Remember);
        }
    }
}
