//! `--wait`: after a command was taken, look until the service is where it shall be.
//!
//! A Supervisor answers when it has stored what is wanted, not when it is done. There is no
//! message to subscribe to, so this asks for the state again and again.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::bail;
use roost_ctl::{Answer, Request, ServiceStatus, reply::ErrorCode};
use roost_ident::{PackageIdent, ProcessState};

use crate::{
    address::CtlAddress,
    context::Context,
    control::{Ended, ask, is_away, refusal_code},
};

/// Time between two looks.
const PERIOD: Duration = Duration::from_millis(100);

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

/// One look.
enum Seen {
    There,
    NotYet(String),
}

impl WaitUp {
    /// Waits, if asked to.
    pub(crate) fn run(
        &self,
        context: &Context,
        remote: &CtlAddress,
        ident: &PackageIdent,
    ) -> anyhow::Result<()> {
        let Some(goal) = self.wait else { return Ok(()) };
        let by_name = PackageIdent::new(&ident.origin, &ident.name, None, None);
        until(self.timeout, &format!("{ident} is not {}", goal.word()), || {
            let Some(status) = look(context, remote, &by_name)? else {
                return Ok(Seen::NotYet("it is not there yet".into()));
            };
            goal.judge(&status)
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
        self.when(&format!("{ident} is not down"), || {
            Ok(match look(context, remote, ident)? {
                Some(status) if status.state == ProcessState::Up => {
                    Seen::NotYet("its process runs".into())
                }
                _ => Seen::There,
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
        self.when(&format!("{ident} is not gone"), || {
            Ok(match look(context, remote, ident)? {
                Some(_) => Seen::NotYet("it is still listed".into()),
                None => Seen::There,
            })
        })
    }

    /// Waits, if asked to, until the Supervisor answers again.
    pub(crate) fn run_back(&self, context: &Context, remote: &CtlAddress) -> anyhow::Result<()> {
        self.when("the Supervisor is not back", || {
            match ask(context, remote, &Request::Status { ident: None }, |_| Ok(())) {
                Ok(Ended::Answered) => Ok(Seen::There),
                Ok(Ended::Closed) => Ok(Seen::NotYet("it is ending".into())),
                Err(error) if is_away(&error) => Ok(Seen::NotYet("it is away".into())),
                Err(error) => Err(error),
            }
        })
    }

    fn when(&self, what: &str, see: impl FnMut() -> anyhow::Result<Seen>) -> anyhow::Result<()> {
        if self.wait { until(self.timeout, what, see) } else { Ok(()) }
    }
}

impl Goal {
    const fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Healthy => "healthy",
        }
    }

    fn judge(self, status: &ServiceStatus) -> anyhow::Result<Seen> {
        if status.state != ProcessState::Up {
            let reason = status.extra.reason.clone();
            return Ok(Seen::NotYet(reason.unwrap_or_else(|| "its process does not run".into())));
        }
        if self == Self::Up {
            return Ok(Seen::There);
        }
        match status.extra.health.as_deref().map(str::to_uppercase).as_deref() {
            None => bail!(
                "This Supervisor does not tell the health of services over its control gateway; \
                 use `hab svc check` with its HTTP gateway."
            ),
            Some("OK" | "WARNING") => Ok(Seen::There),
            Some(health) => Ok(Seen::NotYet(format!("its health is {health}"))),
        }
    }
}

fn until(
    timeout_s: u64,
    what: &str,
    mut see: impl FnMut() -> anyhow::Result<Seen>,
) -> anyhow::Result<()> {
    let start = Instant::now();
    loop {
        match see()? {
            Seen::There => return Ok(()),
            Seen::NotYet(why) if start.elapsed().as_secs() >= timeout_s => {
                bail!("{what} after {timeout_s} seconds: {why}.")
            }
            Seen::NotYet(_) => thread::sleep(PERIOD),
        }
    }
}

/// The state of the service; `None` when it is not loaded.
fn look(
    context: &Context,
    remote: &CtlAddress,
    ident: &PackageIdent,
) -> anyhow::Result<Option<ServiceStatus>> {
    let mut found = None;
    let request = Request::Status { ident: Some(ident.clone()) };
    let asked = ask(context, remote, &request, |answer| {
        if let Answer::Status(status) = answer {
            found = Some(*status);
        }
        Ok(())
    });
    match asked {
        Ok(_) => Ok(found),
        Err(error) if refusal_code(&error) == Some(ErrorCode::NotFound as i32) => Ok(None),
        Err(error) => Err(error),
    }
}
