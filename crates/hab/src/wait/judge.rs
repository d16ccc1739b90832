//! What a status of a service means to a command that waits for its start.

use std::collections::BTreeSet;

use anyhow::bail;
use roost_ctl::ServiceStatus;
use roost_ident::{DesiredState, PackageIdent, ProcessState};

use super::{
    facts::{FAILURES, NOT_APPLIED, RUNNING, STEADY_MS, is_failing, why_not_up},
    polls::Seen,
};

/// A process that has passed its check needs less time: a check may pass just before the process
/// ends.
const CHECKED_MS: u64 = 1_000;

/// The state that a start waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Goal {
    /// Healthy where there is a health check, else up.
    Ready,
    /// The process has been up for three seconds.
    Up,
    /// The process runs and its health check is passed.
    Healthy,
}

impl Goal {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Up => "up",
            Self::Healthy => "healthy",
        }
    }
}

/// Effect of a command on a running process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    /// `svc start`: none, unless it is being stopped.
    Start,
    /// `svc load --force`, `svc update`: may replace it.
    Change,
}

/// State of the service before a command.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Before {
    /// Its process, if one ran.
    process: Option<Process>,
    /// Its number of failures.
    failures: u64,
}

#[derive(Debug, Clone, Copy)]
struct Process {
    pid: u32,
    desired: Option<DesiredState>,
}

impl Before {
    pub(super) fn of(status: &ServiceStatus) -> Self {
        let process = status.pid.map(|pid| Process { pid, desired: status.desired });
        Self { process, failures: status.extra.restarts.unwrap_or(0) }
    }
}

/// Decides from successive polls whether a service has reached its state.
pub(super) struct Judge {
    goal: Goal,
    command: Command,
    before: Before,
    /// Processes seen since the command.
    pids: BTreeSet<u32>,
}

impl Judge {
    pub(super) const fn new(goal: Goal, command: Command, before: Before) -> Self {
        Self { goal, command, before, pids: BTreeSet::new() }
    }

    pub(super) fn judge(
        &mut self,
        ident: &PackageIdent,
        status: &ServiceStatus,
    ) -> anyhow::Result<Seen> {
        let extra = &status.extra;
        if extra.pending == Some(true) {
            return Ok(Seen::unlisted(NOT_APPLIED));
        }
        if extra.pending == Some(false) && status.desired == Some(DesiredState::Down) {
            bail!("{ident} is stopped and stays stopped. `hab svc start {ident}` starts it.");
        }
        self.expect_few_failures(ident, status)?;
        if self.command == Command::Change && is_refused(status) {
            bail!("{ident} was not replaced: {}.", why_not_up(status));
        }
        let is_running = extra.phase.as_deref().is_none_or(|phase| phase == RUNNING);
        if status.state != ProcessState::Up || !is_running {
            return Ok(Seen::until_change(why_not_up(status)));
        }
        if extra.pending.is_none() && self.may_be_replaced(status) {
            return Ok(Seen::unlisted(
                "it has the same process as before, and this Supervisor does not report whether that \
                 will stay",
            ));
        }
        let has_check = extra.has_check == Some(true);
        if self.goal == Goal::Healthy || (self.goal == Goal::Ready && has_check) {
            match extra.health.as_deref().map(str::to_uppercase).as_deref() {
                None => bail!(
                    "This Supervisor does not report the health of services over its control \
                     gateway; use `hab svc check` with its HTTP gateway."
                ),
                Some("OK" | "WARNING") => {}
                Some(health) => {
                    let why = extra.reason.as_ref().map(|reason| format!(", {reason}"));
                    let why = why.unwrap_or_default();
                    return Ok(Seen::until_change(format!("its health is {health}{why}")));
                }
            }
        }
        let is_checked = self.goal != Goal::Up && has_check;
        let needed_ms = if is_checked { CHECKED_MS } else { STEADY_MS };
        // Whole seconds are rounded down on both sides, so one of them may be missing.
        let up_ms = extra.up_ms.unwrap_or(status.elapsed_s.saturating_sub(1) * 1_000);
        Ok(match needed_ms.saturating_sub(up_ms) {
            0 => Seen::There,
            left_ms => Seen::for_ms("its process has only just started", left_ms),
        })
    }

    /// An error from the second failure on.
    fn expect_few_failures(
        &mut self,
        ident: &PackageIdent,
        status: &ServiceStatus,
    ) -> anyhow::Result<()> {
        let failures = match status.extra.restarts {
            Some(restarts) => {
                if restarts < self.before.failures {
                    // The Supervisor has reset its counter.
                    self.before.failures = 0;
                }
                match is_failing(status) {
                    true => restarts,
                    false => restarts - self.before.failures,
                }
            }
            // Habitat does not send the count; each failure has another process.
            None => {
                let before = self.before.process.map(|process| process.pid);
                self.pids.extend(status.pid.filter(|pid| Some(*pid) != before));
                (self.pids.len() as u64).saturating_sub(1)
            }
        };
        if failures >= FAILURES {
            bail!("{ident} does not come up: {}.", why_not_up(status));
        }
        Ok(())
    }

    /// True when the process predates the command and may still be replaced.
    fn may_be_replaced(&self, status: &ServiceStatus) -> bool {
        let Some(Process { pid, desired }) = self.before.process else { return false };
        let stays = self.command == Command::Start && desired != Some(DesiredState::Down);
        status.pid == Some(pid) && !stays
    }
}

/// True when a newer release or spec was requested and cannot start.
fn is_refused(status: &ServiceStatus) -> bool {
    status.state == ProcessState::Up && status.extra.reason_code.as_deref() == Some("not_replaced")
}

#[cfg(test)]
mod tests {
    use roost_ctl::reply::StatusExtra;

    use super::{super::samples::status, *};

    fn judge(goal: Goal, before: Before, statuses: &[ServiceStatus]) -> Result<bool, String> {
        let command = Command::Change;
        let mut judge = Judge::new(goal, command, before);
        let ident = "acme/web".parse().expect("an identifier");
        let mut seen = Ok(false);
        for status in statuses {
            seen = match judge.judge(&ident, status) {
                Ok(Seen::There) => Ok(true),
                Ok(Seen::NotYet { .. }) => Ok(false),
                Err(error) => return Err(error.to_string()),
            };
        }
        seen
    }

    #[test]
    fn without_a_check_a_service_is_ready_after_three_seconds() {
        let up = |up_ms| status(|it| it.extra.up_ms = Some(up_ms));
        for goal in [Goal::Ready, Goal::Up, Goal::Healthy] {
            assert_eq!(judge(goal, Before::default(), &[up(2_999)]), Ok(false));
            assert_eq!(judge(goal, Before::default(), &[up(3_000)]), Ok(true));
        }
    }

    #[test]
    fn with_a_check_a_service_is_ready_when_it_passes() {
        let checked = |health: &str, up_ms| {
            status(|it| {
                it.extra.has_check = Some(true);
                it.extra.health = Some(health.into());
                it.extra.up_ms = Some(up_ms);
            })
        };
        let is = |goal, status| judge(goal, Before::default(), &[status]);
        assert_eq!(is(Goal::Ready, checked("UNKNOWN", 60_000)), Ok(false));
        assert_eq!(is(Goal::Ready, checked("OK", 999)), Ok(false));
        assert_eq!(is(Goal::Ready, checked("OK", 1_000)), Ok(true));
        assert_eq!(is(Goal::Up, checked("CRITICAL", 3_000)), Ok(true));
    }

    #[test]
    fn the_second_failure_ends_the_waiting_with_the_reason() {
        let failing = |restarts| {
            status(|it| {
                (it.state, it.pid) = (ProcessState::Down, None);
                it.extra.restarts = Some(restarts);
                it.extra.reason_code = Some("run_exits".into());
                it.extra.reason = Some("the process exited with code 1 after 0.3 s".into());
            })
        };
        assert_eq!(judge(Goal::Ready, Before::default(), &[failing(1)]), Ok(false));
        let error = judge(Goal::Ready, Before::default(), &[failing(1), failing(2)]);
        assert!(error.is_err_and(|text| text.contains("exited with code 1 after 0.3 s")));
        let before = Before { process: None, failures: 5 };
        let calm = status(|it| (it.extra.restarts, it.extra.up_ms) = (Some(5), Some(9_000)));
        assert_eq!(judge(Goal::Ready, before, &[calm]), Ok(true), "those are over");
        let counted = |restarts| {
            status(|it| (it.state, it.extra.restarts) = (ProcessState::Down, Some(restarts)))
        };
        assert_eq!(judge(Goal::Ready, before, &[counted(6)]), Ok(false));
        assert!(judge(Goal::Ready, before, &[counted(6), counted(7)]).is_err());
        assert!(judge(Goal::Ready, before, &[counted(0), counted(2)]).is_err(), "counter reset");
    }

    #[test]
    fn processes_of_a_foreign_supervisor_are_counted() {
        let foreign = |pid| status(|it| (it.pid, it.extra) = (Some(pid), StatusExtra::default()));
        let seen = [foreign(1), foreign(1), foreign(2), foreign(2)];
        assert_eq!(judge(Goal::Ready, Before::default(), &seen), Ok(false));
        let seen = [foreign(1), foreign(2), foreign(3)];
        assert!(judge(Goal::Ready, Before::default(), &seen).is_err());
    }
}
