//! Why the service is not healthy, from its phase and the last events.

use roost_ident::{BindState, DesiredState, ElectionStatus, HealthStatus};

use super::Machine;
use crate::{
    account::{ExitCause, HookFailure, LastExit},
    binds::BindReport,
    event::{Now, ProcessEnd},
    excerpt::Excerpt,
    phase::{After, Phase},
    status::ServiceState,
    why::{Failure, Reason, ReasonCode},
};

impl Machine {
    /// Why it is not healthy; `None` when it is, or when it starts without a failure. Names the
    /// conditions beside every other reason.
    pub(super) fn why(&self) -> Option<Reason> {
        if self.phase == Phase::Gone {
            return None;
        }
        let Some(reason) = self.main_reason() else { return self.condition() };
        let also = self.conditions_line().filter(|also| !reason.message.contains(also.as_str()));
        Some(Reason { also, ..reason })
    }

    /// The same without the conditions.
    pub(super) fn main_reason(&self) -> Option<Reason> {
        match self.phase {
            Phase::Stopped => Some(self.stopped()),
            Phase::Gone => None,
            Phase::Stopping(stop) => self.stopping(stop.after),
            Phase::Running => self.why_not_well(),
            Phase::Starting(_) if self.state() == ServiceState::Blocked => Some(self.blocked()),
            Phase::Waiting(_) | Phase::Starting(_) => self.failed(),
        }
    }

    /// Remembers why the service did not run; the first of several of a kind counts.
    pub(super) fn note_failure(&mut self, now: Now, code: ReasonCode, message: String) {
        let before = self.failure.as_ref().filter(|failure| failure.code == code);
        let since_unix_ms = before.map_or(now.unix_ms, |failure| failure.since_unix_ms);
        let printed = Excerpt::default();
        self.failure = Some(Failure { code, message, since_unix_ms, printed });
    }

    /// A process ended while no Supervisor ran, or before the Supervisor could record it.
    pub(super) fn note_unseen_end(&mut self, pid: u32, end: ProcessEnd, stopping: bool) {
        let ProcessEnd { status, at_unix_ms, stderr } = end;
        let was_wanted = self.spec.desired_state == DesiredState::Up && !stopping;
        let cause = if was_wanted { ExitCause::Unexpected } else { ExitCause::Stopped };
        let ran_ms = at_unix_ms.saturating_sub(self.state_entered_ms);
        let exit = LastExit { pid, status, at_unix_ms, ran_ms, cause, stderr };
        self.report_exit(&exit);
        self.account.exit = Some(exit);
        self.state_entered_ms = at_unix_ms;
    }

    fn since_state(&self, code: ReasonCode, message: String) -> Reason {
        let since_unix_ms = self.state_entered_ms;
        Reason { code, message, since_unix_ms, evidence: Excerpt::default(), also: None }
    }

    fn stopped(&self) -> Reason {
        let (message, ident) = (self.account.stopped(None), &self.spec.ident);
        let hint = format!("; 'hab svc start {}/{}' starts it", ident.origin, ident.name);
        self.since_state(ReasonCode::DesiredDown, message + &hint)
    }

    fn stopping(&self, after: After) -> Option<Reason> {
        match after {
            After::Restart => self.failed(),
            After::Start => None,
            After::Down | After::Unload | After::Shutdown => {
                let reason = self.since_state(ReasonCode::Stopping, "it is being stopped".into());
                Some(Reason { since_unix_ms: self.stop_began_unix_ms, ..reason })
            }
        }
    }

    fn blocked(&self) -> Reason {
        if self.may_initialize() {
            return match self.election {
                ElectionStatus::NoQuorum => self.since_state(
                    ReasonCode::NoQuorum,
                    "too few members of its group are alive to elect a leader".into(),
                ),
                _ => self.since_state(
                    ReasonCode::ElectionInProgress,
                    "it waits for its group to elect a leader".into(),
                ),
            };
        }
        let lacking: Vec<(ReasonCode, String)> = self
            .spec
            .binds
            .iter()
            .filter_map(|bind| match self.bind_report(bind) {
                Some(report) if report.is_satisfied() => None,
                Some(report) => Some(lack(report)),
                None => {
                    let text = format!("bind '{}' waits for {}", bind.name, bind.group);
                    Some((ReasonCode::WaitingForBinds, text))
                }
            })
            .collect();
        let code = lacking.first().map_or(ReasonCode::WaitingForBinds, |(code, _)| *code);
        let texts: Vec<String> = lacking.into_iter().map(|(_, text)| text).collect();
        self.since_state(code, texts.join("; "))
    }

    /// The last failure with its output.
    pub(super) fn failed(&self) -> Option<Reason> {
        let Failure { code, message, since_unix_ms, printed } = self.failure.clone()?;
        let (message, evidence) = match code {
            ReasonCode::RunExits => {
                let exit = self.account.exit.as_ref()?;
                (exit.sentence(), exit.stderr.clone())
            }
            ReasonCode::InitFailed => {
                let hook = self.account.hook.as_ref()?;
                (HookFailure::sentence(hook), hook.printed.clone())
            }
            _ => (message, printed),
        };
        Some(Reason { code, message, since_unix_ms, evidence, also: None })
    }

    /// While the process runs: a crash loop, a condition, or bad health.
    fn why_not_well(&self) -> Option<Reason> {
        if (self.crashes.is_loop() || self.attempt.rebuild_at_ms.is_some())
            && let Some(reason) = self.failed()
        {
            return Some(reason);
        }
        let since_unix_ms = self.health.since_unix_ms();
        let reason = |code, message, evidence| {
            Some(Reason { code, message, since_unix_ms, evidence, also: None })
        };
        if let Some(text) = self.health.reason() {
            return reason(ReasonCode::HealthTimeout, text.to_owned(), Excerpt::default());
        }
        let check = self.account.check.as_ref();
        let evidence = check.map(|check| check.printed.end().clone()).unwrap_or_default();
        let code = check.and_then(|check| check.exit_code);
        let with_code = |text: &str| match code {
            Some(code) => format!("{text} (exit code {code})"),
            None => text.to_owned(),
        };
        match (self.health.status(), check) {
            (HealthStatus::Critical, _) => reason(
                ReasonCode::HealthCritical,
                with_code("the last health check was critical"),
                evidence,
            ),
            (HealthStatus::Unknown, Some(_)) => reason(
                ReasonCode::HealthUnknown,
                with_code("the last health check gave no result"),
                evidence,
            ),
            _ => None,
        }
    }
}

/// Why a bind is not satisfied.
pub(crate) fn lack(report: &BindReport) -> (ReasonCode, String) {
    let BindReport { name, group, state } = report;
    let start = format!("bind '{name}' waits for {group}, which");
    match state {
        BindState::Satisfied | BindState::Absent => {
            (ReasonCode::WaitingForBinds, format!("{start} is not in the ring"))
        }
        BindState::Inactive => {
            (ReasonCode::WaitingForBinds, format!("{start} has no member that is alive"))
        }
        BindState::MissingExports(fields) => {
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            (ReasonCode::BindFieldMissing, format!("{start} does not export {}", fields.join(", ")))
        }
    }
}
