//! `--wait`: after a command is accepted, waits until the service reaches its state.
//!
//! A Supervisor answers when it has stored the command, not when it has carried it out, and the old
//! process keeps running in between. The control gateway has no subscription, so this module polls
//! the state there: whenever the list of services changes, where the HTTP gateway of the Supervisor
//! has a socket on this machine, else ten times a second. A Supervisor of Roost reports whether it
//! has applied the stored command, and whether the process is being stopped. One of Habitat reports
//! neither: its process counts as new when its id has changed since the command.

use std::time::Duration;

use roost_ident::{PackageIdent, ProcessState};

pub(crate) use self::judge::{Before, Command};
use self::{
    back::{UpBefore, are_up},
    changes::Changes,
    facts::{NOT_APPLIED, STOPPING},
    judge::{Goal, Judge},
    polls::{LOOK, Question, Seen, look_at_all, until},
};
use crate::{
    address::CtlAddress,
    context::Context,
    control::{Ended, is_away},
};

mod back;
mod changes;
mod facts;
mod judge;
mod polls;
#[cfg(test)]
mod samples;

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
        Ok(status.map(|status| Before::of(&status)).unwrap_or_default())
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
        let mut judge = Judge::new(goal, command, before);
        let what = format!("{ident} is not {}", goal.word());
        until(context, question.changes(), self.timeout, &what, |left| {
            match question.look(left)? {
                None => Ok(Seen::until_change("it is not listed yet")),
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
        self.when(context, question.changes(), &format!("{ident} is not down"), |left| {
            let Some(status) = question.look(left)? else { return Ok(Seen::There) };
            let is_stopping = status.extra.phase.as_deref() == Some(STOPPING);
            Ok(if status.extra.pending == Some(true) {
                Seen::unlisted(NOT_APPLIED)
            } else if status.state == ProcessState::Up {
                Seen::until_change("its process runs")
            } else if is_stopping {
                Seen::until_change("it is being stopped")
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
        self.when(context, question.changes(), &format!("{ident} is not gone"), |left| {
            Ok(match question.look(left)? {
                Some(_) => Seen::until_change("it is still listed"),
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
        Ok(UpBefore::of(&statuses))
    }

    /// Waits, if requested, until the Supervisor answers again and its former services are up.
    pub(crate) fn run_back(
        &self,
        context: &Context,
        remote: &CtlAddress,
        before: &UpBefore,
    ) -> anyhow::Result<()> {
        self.when(
            context,
            Changes::of(context, remote, None),
            "the Supervisor is not back",
            |left| match look_at_all(context, remote, left) {
                Ok((Ended::Answered, statuses)) => are_up(before, &statuses),
                Ok((Ended::Closed, _)) => Ok(Seen::unlisted("it is ending")),
                Err(error) if is_away(&error) => Ok(Seen::unlisted("it is away")),
                Err(error) => Err(error),
            },
        )
    }

    fn when(
        &self,
        context: &Context,
        changes: Changes,
        what: &str,
        see: impl FnMut(Duration) -> anyhow::Result<Seen>,
    ) -> anyhow::Result<()> {
        if self.wait { until(context, changes, self.timeout, what, see) } else { Ok(()) }
    }
}
