//! Which hooks run. At most one instance of each; one that was ended counts as running until
//! its end was seen.

use std::collections::BTreeMap;

use roost_ident::Hook;

/// One run.
#[derive(Debug, Clone, Copy)]
struct Run {
    ended: bool,
    /// When it is ended.
    until_ms: u64,
}

/// The running hooks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hooks {
    running: BTreeMap<Hook, Run>,
}

impl Hooks {
    /// Notes a start, and when the hook is late. False when an instance still runs: then it must
    /// not be started.
    pub(crate) fn start(&mut self, hook: Hook, until_ms: u64) -> bool {
        let fresh = !self.running.contains_key(&hook);
        if fresh {
            self.running.insert(hook, Run { ended: false, until_ms });
        }
        fresh
    }

    /// True while an instance runs.
    pub(crate) fn is_running(&self, hook: Hook) -> bool {
        self.running.contains_key(&hook)
    }

    /// Marks one as ended; false when it does not run or was ended before.
    pub(crate) fn end(&mut self, hook: Hook) -> bool {
        self.running.get_mut(&hook).is_some_and(|run| !std::mem::replace(&mut run.ended, true))
    }

    /// Marks all as ended; gives those that were not before.
    pub(crate) fn end_all(&mut self) -> Vec<Hook> {
        self.end_those(|_| true)
    }

    /// Marks those as ended that are late at this time; gives them.
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

    /// When the next one is late.
    pub(crate) fn next_late_ms(&self) -> Option<u64> {
        self.running.values().filter(|run| !run.ended).map(|run| run.until_ms).min()
    }

    /// Notes that an instance is gone; `None` when there was none, else whether it was ended.
    pub(crate) fn finish(&mut self, hook: Hook) -> Option<bool> {
        self.running.remove(&hook).map(|run| run.ended)
    }

    /// True when no hook runs.
    pub(crate) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }
}
