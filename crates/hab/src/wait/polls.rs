//! Polls of the state of services.

use std::{
    thread,
    time::{Duration, Instant},
};

use roost_ctl::{Answer, Request, ServiceStatus};
use roost_ident::PackageIdent;

use crate::{
    address::CtlAddress,
    context::Context,
    control::{Ended, ask_within, expect_answer},
};

/// Time between two polls.
const PERIOD: Duration = Duration::from_millis(100);
/// Limit of one poll, even when less time is left.
pub(super) const LOOK: Duration = Duration::from_secs(10);

/// Result of one poll.
pub(super) enum Seen {
    There,
    NotYet(String),
}

/// The Supervisor and the service to poll.
pub(super) struct Question<'a> {
    pub(super) context: &'a Context,
    pub(super) remote: &'a CtlAddress,
    pub(super) ident: &'a PackageIdent,
}

impl Question<'_> {
    /// The state of the service; `None` when it is not loaded. Only the name counts, as for the
    /// commands themselves.
    pub(super) fn look(&self, patience: Duration) -> anyhow::Result<Option<ServiceStatus>> {
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

/// The state of all services.
pub(super) fn look_at_all(
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

/// Polls until the state is reached. `see` gets the time limit of a poll.
pub(super) fn until(
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
