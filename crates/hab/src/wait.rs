//! `--wait`: after a command was taken, look until the service is where it shall be.
//!
//! A Supervisor answers when it has stored what is wanted, not when it is done, and the process
//! from before runs on meanwhile. There is no message to subscribe to, so this asks for the state
//! again and again. A Supervisor of Roost tells whether it has taken in what it has stored, and
//! whether the process is being stopped. One of Habitat tells neither: there a process counts as
//! new when it has another id than before the command.

use std::{
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

/// Time between two looks.
const PERIOD: Duration = Duration::from_millis(100);
/// A look may take this long, however little time is left.
const LOOK: Duration = Duration::from_secs(10);
/// A process that is said to be up for this long did not end as soon as it was started. Seconds
/// are cut on both sides, so that less would not even be one.
const STEADY_S: u64 = 2;
/// How a Supervisor of Roost calls the phase in which a process runs and shall go on.
const RUNNING: &str = "running";
/// How it calls the phase of an end under way.
const STOPPING: &str = "stopping";

/// What a start can be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Goal {
    /// The process runs.
    Up,
    /// The process runs and its health check is passed.
    Healthy,
}

/// Options of commands that start something.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct WaitUp {
    /// Wait until the service is up, or healthy
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "up")]
    wait: Option<Goal>,
    /// Seconds to wait
    #[arg(long, default_value_t = 60, requires = "wait")]
    timeout: u64,
}

/// Options of commands that end something.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct WaitDown {
    /// Wait until it is done
    #[arg(long)]
    wait: bool,
    /// Seconds to wait
    #[arg(long, default_value_t = 60, requires = "wait")]
    timeout: u64,
}

/// The process that ran before a command, if one did: `(its id, whether it was wanted)`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Before(Option<(u32, Option<DesiredState>)>);

/// One look.
enum Seen {
    There,
    NotYet(String),
}

/// Whom to ask, about what.
struct Question<'a> {
    context: &'a Context,
    remote: &'a CtlAddress,
    ident: &'a PackageIdent,
}

impl WaitUp {
    /// What runs before the command, if that matters.
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
        Ok(Before(status.and_then(|status| Some((status.pid?, status.desired)))))
    }

    /// Waits, if asked to.
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
        let mut judge = Judge { goal, command, before, seen_pid: None };
        until(context, self.timeout, &format!("{ident} is not {}", goal.word()), |left| {
            match question.look(left)? {
                None => Ok(Seen::NotYet("it is not there yet".into())),
                Some(status) => judge.judge(ident, &status),
            }
        })
    }
}

impl WaitDown {
    /// Waits, if asked to, until the service is down or not loaded.
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

    /// Waits, if asked to, until a service is not loaded any more.
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

    /// Waits, if asked to, until the Supervisor answers again.
    pub(crate) fn run_back(&self, context: &Context, remote: &CtlAddress) -> anyhow::Result<()> {
        let request = Request::Status { ident: None };
        self.when(context, "the Supervisor is not back", |left| {
            match ask_within(context, remote, &request, Some(left), |_| Ok(())) {
                Ok(Ended::Answered) => Ok(Seen::There),
                Ok(Ended::Closed) => Ok(Seen::NotYet("it is ending".into())),
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

/// What a command does to a process that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    /// `svc start`: nothing, unless it is being stopped.
    Start,
    /// `svc load --force`, `svc update`: may put another in its place.
    Change,
}

const NOT_TAKEN_IN: &str = "the Supervisor has not taken it in yet";

impl Goal {
    const fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Healthy => "healthy",
        }
    }
}

/// Whether a service is where it shall be, look after look.
struct Judge {
    goal: Goal,
    command: Command,
    before: Before,
    /// The process of the look before.
    seen_pid: Option<u32>,
}

impl Judge {
    fn judge(&mut self, ident: &PackageIdent, status: &ServiceStatus) -> anyhow::Result<Seen> {
        let extra = &status.extra;
        let seen_pid = std::mem::replace(&mut self.seen_pid, status.pid);
        if extra.pending == Some(true) {
            return Ok(Seen::NotYet(NOT_TAKEN_IN.into()));
        }
        if extra.pending == Some(false) && status.desired == Some(DesiredState::Down) {
            bail!("{ident} is stopped and stays so. `hab svc start {ident}` starts it.");
        }
        let is_running = extra.phase.as_deref().is_none_or(|phase| phase == RUNNING);
        if status.state != ProcessState::Up || !is_running {
            return Ok(Seen::NotYet(why_not_up(status)));
        }
        if extra.pending.is_none() && self.may_be_replaced(status) {
            return Ok(Seen::NotYet(
                "it has the same process as before, and this Supervisor does not tell whether that \
                 will stay"
                    .into(),
            ));
        }
        if self.goal == Goal::Healthy {
            match extra.health.as_deref().map(str::to_uppercase).as_deref() {
                None => bail!(
                    "This Supervisor does not tell the health of services over its control \
                     gateway; use `hab svc check` with its HTTP gateway."
                ),
                Some("OK" | "WARNING") => {}
                Some(health) => return Ok(Seen::NotYet(format!("its health is {health}"))),
            }
        }
        // What ends as soon as it is started was never up.
        if status.elapsed_s >= STEADY_S || (seen_pid.is_some() && seen_pid == status.pid) {
            return Ok(Seen::There);
        }
        Ok(Seen::NotYet("its process has only just started".into()))
    }

    /// True when the process is that from before the command and perhaps not the last.
    fn may_be_replaced(&self, status: &ServiceStatus) -> bool {
        let Some((pid, desired)) = self.before.0 else { return false };
        let stays = self.command == Command::Start && desired != Some(DesiredState::Down);
        status.pid == Some(pid) && !stays
    }
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

/// Looks until it is there. `see` gets the time that a look may take.
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
