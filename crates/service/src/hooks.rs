//! Which hooks run. At most one instance of each; one that was ended counts as running until
//! its end was seen.

use std::collections::BTreeMap;

use roost_ident::Hook;

/// The running hooks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hooks {
    /// True for those that were ended.
    running: BTreeMap<Hook, bool>,
}

impl Hooks {
    /// Notes a start. False when an instance still runs: then it must not be started.
    pub(crate) fn start(&mut self, hook: Hook) -> bool {
        let fresh = !self.running.contains_key(&hook);
        if fresh {
            self.running.insert(hook, false);
        }
        fresh
    }

    /// True while an instance runs.
    pub(crate) fn is_running(&self, hook: Hook) -> bool {
        self.running.contains_key(&hook)
    }

    /// True while an instance runs that was ended.
    pub(crate) fn is_ended(&self, hook: Hook) -> bool {
        self.running.get(&hook) == Some(&true)
    }

    /// Marks one as ended; false when it does not run or was ended before.
    pub(crate) fn end(&mut self, hook: Hook) -> bool {
        self.running.get_mut(&hook).is_some_and(|ended| !std::mem::replace(ended, true))
    }

    /// Marks all as ended; gives those that were not before.
    pub(crate) fn end_all(&mut self) -> Vec<Hook> {
        let fresh = self.running.iter_mut().filter(|(_, ended)| !**ended);
        fresh
            .map(|(hook, ended)| {
                *ended = true;
                *hook
            })
            .collect()
    }

    /// Notes that an instance is gone; `None` when there was none, else whether it was ended.
    pub(crate) fn finish(&mut self, hook: Hook) -> Option<bool> {
        self.running.remove(&hook)
    }

    /// True when no hook runs.
    pub(crate) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }
}
