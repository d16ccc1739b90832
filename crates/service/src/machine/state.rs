//! What a machine keeps between events, by how long it counts.

use std::collections::BTreeMap;

use roost_events::Cause;
use roost_ident::{BindState, ElectionStatus, Hook};

use super::conditions::Condition;
use crate::{
    effect::Effect,
    event::{Plan, RenderFailure},
};

/// Outstanding answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Asked {
    pub(super) build: bool,
    pub(super) install: bool,
    pub(super) render: bool,
    pub(super) spawn: bool,
    /// A stop does not wait for a check, as it changes nothing.
    pub(super) check: bool,
}

impl Asked {
    /// True when a stop must wait.
    pub(super) fn any(self) -> bool {
        self.build || self.install || self.render || self.spawn
    }
}

/// The process of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) up_since_ms: u64,
    /// The process has ended, but others of its group are alive.
    pub(super) left_behind: bool,
}

/// Changes on disk that are not yet applied (reference: services §12.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Pending {
    pub(super) init: bool,
    pub(super) run: bool,
    pub(super) post_run: bool,
    pub(super) reconfigure: bool,
    pub(super) config: bool,
}

/// State of one attempt to run the service, from building to the end of its stop.
#[derive(Debug, Default)]
pub(super) struct Attempt {
    /// The built plan; for a reattached process, the remembered one.
    pub(super) plan: Option<Plan>,
    /// The caller holds the built service, so hooks can run.
    pub(super) built: bool,
    /// Hooks are on disk.
    pub(super) rendered: bool,
    /// It uses the former release, because a newer one cannot start.
    pub(super) former: bool,
    /// Error of the failed attempt that this one falls back from.
    pub(super) first_error: Option<String>,
    /// Failures of the last rendering.
    pub(super) unrendered: Option<Condition>,
    /// Template values have changed since the last rendering was requested.
    pub(super) dirty: bool,
    /// What the change of template values that is being rendered follows from.
    pub(super) change: Cause,
    /// Changes that wait for the process or the election.
    pub(super) pending: Pending,
    /// The line `Starting …` was logged.
    pub(super) logged_starting: bool,
    /// The lines after preparation were logged.
    pub(super) logged_prepared: bool,
    /// `Waiting for service binds...` was logged for the present wait.
    pub(super) logged_waiting: bool,
    /// The service rumor was gossiped.
    pub(super) announced: bool,
    /// The election status last acted on.
    pub(super) election: ElectionStatus,
    /// The process was started or reattached.
    pub(super) initialized: bool,
    /// `post-run` failed and runs again at this time.
    pub(super) post_run_at_ms: Option<u64>,
    /// When `post-run` was started last.
    pub(super) post_run_started_ms: u64,
    /// `reconfigure` runs again when it ends.
    pub(super) reconfigure_again: bool,
    /// `file-updated` runs again when it ends.
    pub(super) file_updated_again: bool,
    /// The service of a reattached process could not be built; next try.
    pub(super) rebuild_at_ms: Option<u64>,
    /// A file could not be rendered or written (a full disk); next try.
    pub(super) rerender_at_ms: Option<u64>,
    /// Some configuration files are new, others could not be written. Until they are, the process
    /// gets no signal, so that it never reads a partial change.
    pub(super) half_written: bool,
}

/// Lines already logged, to avoid repetition until something changes.
#[derive(Debug, Default)]
pub(super) struct Logged {
    /// Why the last attempts failed before `init`.
    pub(super) failure: Option<String>,
    pub(super) render: Vec<RenderFailure>,
    /// The last line about a candidate.
    pub(super) candidate: Option<String>,
    pub(super) binds: BTreeMap<String, BindState>,
    pub(super) hooks: BTreeMap<Hook, Vec<Effect>>,
}
