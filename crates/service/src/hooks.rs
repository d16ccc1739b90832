//! The running hooks. At most one instance of each; a stopped one counts as running until its end
//! is known.

use std::collections::BTreeMap;

use roost_events::Cause;
use roost_ident::Hook;

/// One run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    /// It was stopped.
    pub(crate) ended: bool,
    /// Its deadline.
    until_ms: u64,
    /// What it was started for.
    pub(crate) cause: Cause,
}

/// The running hooks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hooks {
    running: BTreeMap<Hook, Run>,
}

impl Hooks {
    /// Records a start and its deadline. False when an instance is running: then it must not be
    /// started.
    pub(crate) fn start(&mut self, hook: Hook, until_ms: u64, cause: Cause) -> bool {
        let fresh = !self.running.contains_key(&hook);
        if fresh {
            self.running.insert(hook, Run { ended: false, until_ms, cause });
        }
        fresh
    }

    /// True while an instance runs.
    pub(crate) fn is_running(&self, hook: Hook) -> bool {
        self.running.contains_key(&hook)
    }

    /// Marks one as stopped; false when it is not running or already stopped.
    pub(crate) fn end(&mut self, hook: Hook) -> bool {
        self.running.get_mut(&hook).is_some_and(|run| !std::mem::replace(&mut run.ended, true))
    }

    /// Marks all as stopped; returns those that were not before.
    pub(crate) fn end_all(&mut self) -> Vec<Hook> {
        self.end_those(|_| true)
    }

    /// Marks those past their deadline as stopped, and returns them.
    pub(crate) fn end_late(&mut self, now_ms: u64) -> Vec<Hook> {
        self.end_those(|run| run.until_ms <= now_ms)
    }

    fn end_those(&mut self, is_meant: impl Fn(&Run) -> bool) -> Vec<Hook> {
        let meant = self.running.iter_mut().filter(|(_, run)| !run.ended && is_meant(run));
        meant
            .map(|(hook, run)| {
                run.ended = true;
                *hook
            })
            .collect()
    }

    /// The next deadline.
    pub(crate) fn next_late_ms(&self) -> Option<u64> {
        self.running.values().filter(|run| !run.ended).map(|run| run.until_ms).min()
    }

    /// What the running instance was started for.
    pub(crate) fn cause(&self, hook: Hook) -> Cause {
        self.running.get(&hook).map(|run| run.cause).unwrap_or_default()
    }

    /// Removes an instance that has ended; `None` when there was none.
    pub(crate) fn finish(&mut self, hook: Hook) -> Option<Run> {
        self.running.remove(&hook)
    }

    /// True when no hook runs.
    pub(crate) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }
}
