//! `--wait`: after a command is accepted, waits until the service reaches its state.
//!
//! A Supervisor answers when it has stored the command, not when it has carried it out, and the old
//! process keeps running in between. There is no subscription, so this module polls the state. A
//! Supervisor of Roost reports whether it has applied the stored command, and whether the process
//! is being stopped. One of Habitat reports neither: its process counts as new when its id has
//! changed since the command.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::{Duration, Instant},
};

use anyhow::bail;
use roost_ctl::{Answer, Request, ServiceStatus};
use roost_ident::{DesiredState, PackageIdent, ProcessState};

use crate::{
    address::CtlAddress,
    context::Context,
    control::{Ended, ask_within, expect_answer, is_away},
};

/// Time between two polls.
const PERIOD: Duration = Duration::from_millis(100);
/// Limit of one poll, even when less time is left.
const LOOK: Duration = Duration::from_secs(10);
/// A process without a health check counts as up after this time: many broken ones fail within a
/// moment.
const STEADY_MS: u64 = 3_000;
/// A process that has passed its check needs less time: a check may pass just before the process
/// ends.
const CHECKED_MS: u64 = 1_000;
/// Failures after which a start counts as failed.
const FAILURES: u64 = 2;
/// Roost's name of the phase in which a process runs and is to continue.
const RUNNING: &str = "running";
/// Roost's name of the phase of a stop in progress.
const STOPPING: &str = "stopping";

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

/// Options of commands that start a service.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct WaitUp {
    /// Wait until the service is ready: healthy if it has a health check, else up for 3 seconds.
    /// Fails as soon as the service has failed twice
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "ready")]
    wait: Option<Goal>,
    /// Seconds to wait
    #[arg(long, default_value_t = 60, requires = "wait")]
    timeout: u64,
}

/// Options of commands that stop a service.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct WaitDown {
    /// Wait until it is done
    #[arg(long)]
    wait: bool,
    /// Seconds to wait
    #[arg(long, default_value_t = 60, requires = "wait")]
    timeout: u64,
}

/// State of the service before a command.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Before {
    /// Its process, if one ran: `(its id, the desired state)`.
    process: Option<(u32, Option<DesiredState>)>,
    /// Its number of failures.
    failures: u64,
}

/// The services that were up before a restart of the Supervisor.
#[derive(Debug, Clone, Default)]
pub(crate) struct UpBefore(BTreeMap<String, u32>);

/// Result of one poll.
enum Seen {
    There,
    NotYet(String),
}

/// The Supervisor and the service to poll.
struct Question<'a> {
    context: &'a Context,
    remote: &'a CtlAddress,
    ident: &'a PackageIdent,
}

impl WaitUp {
    /// The state before the command, if `--wait` needs it.
    pub(crate) fn before(
        &self,
        context: &Context,
        remote: &CtlAddress,
        ident: &PackageIdent,
    ) -> anyhow::Result<Before> {
        if self.wait.is_none() {
            return Ok(Before::default());
        }
        let question = Question { context, remote, ident };
        let status = question.look(Duration::from_secs(self.timeout).max(LOOK))?;
        let failures = status.as_ref().and_then(|status| status.extra.restarts).unwrap_or(0);
        let process = status.and_then(|status| Some((status.pid?, status.desired)));
        Ok(Before { process, failures })
    }

    /// Waits, if requested.
    pub(crate) fn run(
        &self,
        context: &Context,
        remote: &CtlAddress,
        ident: &PackageIdent,
        command: Command,
        before: Before,
    ) -> anyhow::Result<()> {
        let Some(goal) = self.wait else { return Ok(()) };
        let question = Question { context, remote, ident };
        let mut judge = Judge { goal, command, before, pids: BTreeSet::new() };
        until(context, self.timeout, &format!("{ident} is not {}", goal.word()), |left| {
            match question.look(left)? {
                None => Ok(Seen::NotYet("it is not listed yet".into())),
                Some(status) => judge.judge(ident, &status),
            }
        })
    }
}

impl WaitDown {
    /// Waits, if requested, until the service is down or not loaded.
    pub(crate) fn run(
        &self,
        context: &Context,
        remote: &CtlAddress,
        ident: &PackageIdent,
    ) -> anyhow::Result<()> {
        let question = Question { context, remote, ident };
        self.when(context, &format!("{ident} is not down"), |left| {
            let Some(status) = question.look(left)? else { return Ok(Seen::There) };
            let is_stopping = status.extra.phase.as_deref() == Some(STOPPING);
            Ok(if status.extra.pending == Some(true) {
                Seen::NotYet(NOT_TAKEN_IN.into())
            } else if status.state == ProcessState::Up {
                Seen::NotYet("its process runs".into())
            } else if is_stopping {
                Seen::NotYet("it is being stopped".into())
            } else {
                Seen::There
            })
        })
    }

    /// Waits, if requested, until a service is no longer loaded.
    pub(crate) fn run_gone(
        &self,
        context: &Context,
        remote: &CtlAddress,
        ident: &PackageIdent,
    ) -> anyhow::Result<()> {
        let question = Question { context, remote, ident };
        self.when(context, &format!("{ident} is not gone"), |left| {
            Ok(match question.look(left)? {
                Some(_) => Seen::NotYet("it is still listed".into()),
                None => Seen::There,
            })
        })
    }

    /// The services that are up before a restart of the Supervisor, if `--wait` needs them.
    pub(crate) fn up_before(
        &self,
        context: &Context,
        remote: &CtlAddress,
    ) -> anyhow::Result<UpBefore> {
        if !self.wait {
            return Ok(UpBefore::default());
        }
        let (_, statuses) = look_at_all(context, remote, LOOK)?;
        // A crash-looping service was up only by chance.
        let steady = statuses.into_iter().filter(|status| !is_failing(status));
        let up = steady.filter_map(|it| Some((it.group.to_string(), it.pid?)));
        Ok(UpBefore(up.collect()))
    }

    /// Waits, if requested, until the Supervisor answers again and its former services are up.
    pub(crate) fn run_back(
        &self,
        context: &Context,
        remote: &CtlAddress,
        before: &UpBefore,
    ) -> anyhow::Result<()> {
        self.when(context, "the Supervisor is not back", |left| {
            match look_at_all(context, remote, left) {
                Ok((Ended::Answered, statuses)) => are_up(before, &statuses),
                Ok((Ended::Closed, _)) => Ok(Seen::NotYet("it is ending".into())),
                Err(error) if is_away(&error) => Ok(Seen::NotYet("it is away".into())),
                Err(error) => Err(error),
            }
        })
    }

    fn when(
        &self,
        context: &Context,
        what: &str,
        see: impl FnMut(Duration) -> anyhow::Result<Seen>,
    ) -> anyhow::Result<()> {
        if self.wait { until(context, self.timeout, what, see) } else { Ok(()) }
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

const NOT_TAKEN_IN: &str = "the Supervisor has not applied the command yet";

impl Goal {
    const fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Up => "up",
            Self::Healthy => "healthy",
        }
    }
}

/// Decides from successive polls whether a service has reached its state.
struct Judge {
    goal: Goal,
    command: Command,
    before: Before,
    /// Processes seen since the command.
    pids: BTreeSet<u32>,
}

impl Judge {
    fn judge(&mut self, ident: &PackageIdent, status: &ServiceStatus) -> anyhow::Result<Seen> {
        let extra = &status.extra;
        if extra.pending == Some(true) {
            return Ok(Seen::NotYet(NOT_TAKEN_IN.into()));
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
            return Ok(Seen::NotYet(why_not_up(status)));
        }
        if extra.pending.is_none() && self.may_be_replaced(status) {
            return Ok(Seen::NotYet(
                "it has the same process as before, and this Supervisor does not report whether that \
                 will stay"
                    .into(),
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
                    return Ok(Seen::NotYet(format!("its health is {health}{why}")));
                }
            }
        }
        let is_checked = self.goal != Goal::Up && has_check;
        let needed_ms = if is_checked { CHECKED_MS } else { STEADY_MS };
        // Whole seconds are rounded down on both sides, so one of them may be missing.
        let up_ms = extra.up_ms.unwrap_or(status.elapsed_s.saturating_sub(1) * 1_000);
        if up_ms >= needed_ms {
            return Ok(Seen::There);
        }
        Ok(Seen::NotYet("its process has only just started".into()))
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
                let before = self.before.process.map(|(pid, _)| pid);
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
        let Some((pid, desired)) = self.before.process else { return false };
        let stays = self.command == Command::Start && desired != Some(DesiredState::Down);
        status.pid == Some(pid) && !stays
    }
}

/// True when a newer release or spec was requested and cannot start.
fn is_refused(status: &ServiceStatus) -> bool {
    status.state == ProcessState::Up && status.extra.reason_code.as_deref() == Some("not_replaced")
}

/// True when it is currently crash-looping.
fn is_failing(status: &ServiceStatus) -> bool {
    let code = status.extra.reason_code.as_deref();
    matches!(code, Some("run_exits" | "init_failed" | "start_failed"))
}

/// Whether all services are up that were up before.
fn are_up(before: &UpBefore, statuses: &[ServiceStatus]) -> anyhow::Result<Seen> {
    if statuses.iter().any(|status| status.extra.pending == Some(true)) {
        return Ok(Seen::NotYet("it has not read all services yet".into()));
    }
    for (group, pid) in &before.0 {
        let Some(status) = statuses.iter().find(|it| it.group.as_str() == group) else {
            return Ok(Seen::NotYet(format!("{group} is not listed yet")));
        };
        if status.desired == Some(DesiredState::Down) {
            continue;
        }
        if is_failing(status) && status.extra.restarts >= Some(FAILURES) {
            bail!("{group} does not come up: {}.", why_not_up(status));
        }
        if status.state != ProcessState::Up {
            return Ok(Seen::NotYet(format!("{group}: {}", why_not_up(status))));
        }
        let is_steady = status.extra.up_ms.is_none_or(|up_ms| up_ms >= STEADY_MS);
        if status.pid != Some(*pid) && !is_steady {
            return Ok(Seen::NotYet(format!("{group} has only just started")));
        }
    }
    Ok(Seen::There)
}

/// The state of all services.
fn look_at_all(
    context: &Context,
    remote: &CtlAddress,
    patience: Duration,
) -> anyhow::Result<(Ended, Vec<ServiceStatus>)> {
    let mut statuses = Vec::new();
    let request = Request::Status { ident: None };
    let ended = ask_within(context, remote, &request, Some(patience), |answer| {
        if let Answer::Status(status) = answer {
            statuses.push(*status);
        }
        Ok(())
    })?;
    Ok((ended, statuses))
}

fn why_not_up(status: &ServiceStatus) -> String {
    let extra = &status.extra;
    let mut text = match (&extra.reason, &extra.phase) {
        (Some(reason), _) => reason.clone(),
        (None, Some(phase)) if status.state == ProcessState::Down => {
            format!("its process does not run (phase {phase})")
        }
        (None, Some(phase)) => format!("its process is {phase}"),
        (None, None) => "its process does not run".into(),
    };
    if let Some(restarts) = extra.restarts.filter(|restarts| *restarts > 0) {
        text.push_str(&format!(", restarts after failures: {restarts}"));
    }
    text
}

/// Polls until the state is reached. `see` gets the time limit of a poll.
fn until(
    context: &Context,
    timeout_s: u64,
    what: &str,
    mut see: impl FnMut(Duration) -> anyhow::Result<Seen>,
) -> anyhow::Result<()> {
    let timeout = Duration::from_secs(timeout_s);
    let start = Instant::now();
    let result = loop {
        match see(timeout.saturating_sub(start.elapsed()).max(LOOK)) {
            Ok(Seen::There) => break Ok(()),
            Err(error) => break Err(error),
            Ok(Seen::NotYet(why)) if start.elapsed() >= timeout => {
                break Err(anyhow::anyhow!("{what} after {timeout_s} seconds: {why}."));
            }
            Ok(Seen::NotYet(why)) => {
                let text = format!("waiting, {} s: {why}", start.elapsed().as_secs());
                context.ui.progress(&text);
                thread::sleep(PERIOD);
            }
        }
    };
    context.ui.end_progress();
    result
}

impl Question<'_> {
    /// The state of the service; `None` when it is not loaded. Only the name counts, as for the
    /// commands themselves.
    fn look(&self, patience: Duration) -> anyhow::Result<Option<ServiceStatus>> {
        let mut found = None;
        let request = Request::Status { ident: None };
        let ended = ask_within(self.context, self.remote, &request, Some(patience), |answer| {
            if let Answer::Status(status) = answer
                && status.ident.name == self.ident.name
            {
                found = Some(*status);
            }
            Ok(())
        })?;
        expect_answer(ended)?;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use roost_ctl::reply::StatusExtra;

    use super::*;

    fn status(change: impl FnOnce(&mut ServiceStatus)) -> ServiceStatus {
        let mut status = ServiceStatus {
            ident: "acme/web".parse().expect("an identifier"),
            group: "web.default".parse().expect("a group"),
            desired: Some(DesiredState::Up),
            state: ProcessState::Up,
            elapsed_s: 0,
            pid: Some(7),
            extra: StatusExtra {
                health: Some("OK".into()),
                restarts: Some(0),
                phase: Some(RUNNING.into()),
                pending: Some(false),
                has_check: Some(false),
                up_ms: Some(500),
                ..StatusExtra::default()
            },
        };
        change(&mut status);
        status
    }

    fn judge(goal: Goal, before: Before, statuses: &[ServiceStatus]) -> Result<bool, String> {
        let command = Command::Change;
        let mut judge = Judge { goal, command, before, pids: BTreeSet::new() };
        let ident = "acme/web".parse().expect("an identifier");
        let mut seen = Ok(false);
        for status in statuses {
            seen = match judge.judge(&ident, status) {
                Ok(Seen::There) => Ok(true),
                Ok(Seen::NotYet(_)) => Ok(false),
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

    #[test]
    fn after_a_restart_of_the_supervisor_former_services_are_up() {
        let before = UpBefore([("web.default".to_owned(), 7)].into());
        let is = |statuses: &[ServiceStatus]| match are_up(&before, statuses) {
            Ok(Seen::There) => Some(true),
            Ok(Seen::NotYet(_)) => Some(false),
            Err(_) => None,
        };
        assert_eq!(is(&[]), Some(false));
        assert_eq!(is(&[status(|_| {})]), Some(true), "the same process");
        assert_eq!(is(&[status(|it| it.pid = Some(8))]), Some(false), "another one");
        assert_eq!(is(&[status(|it| it.extra.pending = Some(true))]), Some(false));
    }
}
