//! Polls of the state of services.

use std::time::{Duration, Instant};

use roost_ctl::{Answer, Request, ServiceStatus};
use roost_ident::PackageIdent;

use super::changes::{Changes, PERIOD};
use crate::{
    address::CtlAddress,
    context::Context,
    control::{Ended, ask_within, expect_answer},
};

/// Limit of one poll, even when less time is left.
pub(super) const LOOK: Duration = Duration::from_secs(10);

/// Longest time between two polls: the list of services does not show everything.
const REFRESH: Duration = Duration::from_secs(1);

/// Result of one poll.
pub(super) enum Seen {
    There,
    NotYet {
        why: String,
        /// The next poll follows a change, and comes after this time without one.
        within: Duration,
    },
}

impl Seen {
    /// The list of services shows when this changes.
    pub(super) fn until_change(why: impl Into<String>) -> Self {
        Self::NotYet { why: why.into(), within: REFRESH }
    }

    /// The list of services may not show when this changes.
    pub(super) fn unlisted(why: impl Into<String>) -> Self {
        Self::NotYet { why: why.into(), within: PERIOD }
    }

    /// This ends when the time is over.
    pub(super) fn for_ms(why: impl Into<String>, left_ms: u64) -> Self {
        let within = Duration::from_millis(left_ms).min(REFRESH);
        Self::NotYet { why: why.into(), within }
    }
}

/// The Supervisor and the service to poll.
pub(super) struct Question<'a> {
    pub(super) context: &'a Context,
    pub(super) remote: &'a CtlAddress,
    pub(super) ident: &'a PackageIdent,
}

impl Question<'_> {
    pub(super) fn changes(&self) -> Changes {
        Changes::of(self.context, self.remote, Some(self.ident))
    }

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

/// Polls after each change until the state is reached. `see` gets the time limit of a poll.
pub(super) fn until(
    context: &Context,
    mut changes: Changes,
    timeout_s: u64,
    what: &str,
    mut see: impl FnMut(Duration) -> anyhow::Result<Seen>,
) -> anyhow::Result<()> {
    let timeout = Duration::from_secs(timeout_s);
    let start = Instant::now();
    let result = loop {
        changes.mark();
        match see(timeout.saturating_sub(start.elapsed()).max(LOOK)) {
            Ok(Seen::There) => break Ok(()),
            Err(error) => break Err(error),
            Ok(Seen::NotYet { why, .. }) if start.elapsed() >= timeout => {
                break Err(anyhow::anyhow!("{what} after {timeout_s} seconds: {why}."));
            }
            Ok(Seen::NotYet { why, within }) => {
                let text = format!("waiting, {} s: {why}", start.elapsed().as_secs());
                context.ui.progress(&text);
                changes.wait(within.min(timeout.saturating_sub(start.elapsed())));
            }
        }
    };
    context.ui.end_progress();
    result
}
