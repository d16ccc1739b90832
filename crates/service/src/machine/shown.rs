//! What documents and the status table show.

use roost_ident::ProcessState;

use super::Machine;
use crate::{
    phase::{Phase, Step},
    status::{PhaseName, ProcessStatus, ServiceState, Status},
    why::ReasonCode,
};

impl Machine {
    /// State for documents and the status table.
    #[must_use]
    pub fn status(&self) -> Status {
        let up = self.process.filter(|process| !process.left_behind);
        Status {
            desired_state: self.spec().desired_state,
            process: ProcessStatus {
                state: if up.is_some() { ProcessState::Up } else { ProcessState::Down },
                pid: up.map(|process| process.pid),
                state_entered_s: self.state_entered_ms / 1_000,
                state_entered_ms: self.state_entered_ms,
            },
            health: self.health.status(),
            reason: self.shown_reason(),
            why: self.why(),
            cause: self.main_reason(),
            conditions: self.conditions(),
            state: self.state(),
            health_since_unix_ms: self.health.since_unix_ms(),
            has_check: self.has_checks(),
            account: self.account.clone(),
            initialized: self.attempt.initialized && up.is_some(),
            last_election_status: self.attempt.election,
            last_process_state: self.last_process_state,
            next_restart_at_s: self.next_restart_at_s,
            restart_count: self.restart_count,
            restarts_last_hour: self.recent.count(),
            backoff_ms: self.backoff.previous_ms(),
            release: self.plan().map(|plan| plan.ident.clone()),
            phase: self.phase_name(),
        }
    }

    /// Why the service is down; else the conditions that keep it from running what it should, and
    /// why its health is unknown.
    fn shown_reason(&self) -> Option<String> {
        if self.reason.is_some() {
            return self.reason.clone();
        }
        let health = self.health.reason().map(Into::into);
        let reasons: Vec<String> = self.conditions_line().into_iter().chain(health).collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    /// True while it waits for others: binds, a leader.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.state() == ServiceState::Blocked
    }

    fn phase_name(&self) -> PhaseName {
        match self.phase {
            Phase::Stopped => PhaseName::Stopped,
            Phase::Waiting(wait) if wait.is_broken() => PhaseName::Broken,
            Phase::Waiting(_) => PhaseName::Waiting,
            Phase::Starting(step) => match step {
                Step::Building => PhaseName::Building,
                Step::Installing => PhaseName::Installing,
                Step::Preparing if !self.may_initialize() => PhaseName::WaitingForBinds,
                Step::Preparing | Step::Initialized if self.asked.render => PhaseName::Rendering,
                Step::Preparing | Step::Initialized => PhaseName::WaitingForElection,
                Step::Initializing => PhaseName::Initializing,
                Step::Spawning => PhaseName::Starting,
            },
            Phase::Running => PhaseName::Running,
            Phase::Stopping(_) => PhaseName::Stopping,
            Phase::Gone => PhaseName::Gone,
        }
    }

    /// The state for machines.
    pub(super) fn state(&self) -> ServiceState {
        // A retry counts as a start once it has come further than what failed before.
        let retried = self.logged.failure.is_some().then_some(self.failure.as_ref()).flatten();
        match self.phase {
            Phase::Stopped | Phase::Gone => ServiceState::Down,
            Phase::Waiting(wait) if wait.is_broken() => ServiceState::Failed,
            Phase::Starting(Step::Preparing) if self.lacks_binds() => ServiceState::Blocked,
            Phase::Waiting(_)
            | Phase::Starting(Step::Building | Step::Installing | Step::Preparing)
                if retried.is_some() =>
            {
                match retried.map(|failure| failure.code) {
                    // These hooks are run again after a pause, other starts after a change.
                    Some(ReasonCode::InstallFailed) => ServiceState::BackingOff,
                    _ => ServiceState::Failed,
                }
            }
            Phase::Waiting(_) if self.failure.is_some() => ServiceState::BackingOff,
            Phase::Starting(Step::Preparing | Step::Initialized)
                if !self.asked.render && !self.may_act() =>
            {
                ServiceState::Blocked
            }
            Phase::Waiting(_) | Phase::Starting(_) => ServiceState::Starting,
            Phase::Running => ServiceState::Up,
            Phase::Stopping(_) => ServiceState::Stopping,
        }
    }
}
