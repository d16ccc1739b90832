//! Processes that no service of this fleet stands for: survivors of an earlier launcher, and
//! services whose spec went away while no Supervisor ran. They are stopped, and a service of the
//! same name does not start before they are gone: never two copies.

use std::collections::BTreeMap;

use crate::{
    shutdown::{Left, Shutdown},
    specs::service_of,
};

/// How long the fleet waits after KILL for the rest of a group whose leader is gone, as for the
/// group of a service: a process that no signal can end must neither keep a service down nor keep
/// the Supervisor from ending.
const KILLED_WAIT_MS: u64 = 5_000;

#[derive(Debug)]
struct Orphan {
    group: String,
    pid: u32,
    shutdown: Shutdown,
    /// When to kill it, or once it was killed, when to probe it.
    due_ms: u64,
    killed: bool,
    /// This Supervisor may not signal it, so the fleet waits until it is gone.
    out_of_reach: bool,
}

/// Orphans by the launcher's number.
#[derive(Debug, Default)]
pub(crate) struct Orphans(BTreeMap<u64, Orphan>);

/// What is to be done about an orphan that has had its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Kill it.
    Kill { id: u64 },
    /// See whether its first process has ended; then the rest is given up.
    Probe { id: u64, pid: u32 },
    /// Stop waiting for it.
    GiveUp { id: u64 },
}

impl Orphans {
    /// An orphan was asked to end.
    pub(crate) fn stop(
        &mut self,
        id: u64,
        group: String,
        pid: u32,
        shutdown: Shutdown,
        now_ms: u64,
    ) {
        let due_ms = now_ms.saturating_add(shutdown.timeout_ms);
        let orphan = Orphan { group, pid, shutdown, due_ms, killed: false, out_of_reach: false };
        self.0.insert(id, orphan);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// True when an orphan of the service still lives, whatever group it is of: they share
    /// their directories.
    pub(crate) fn hold(&self, service: &str) -> bool {
        self.0.values().any(|orphan| service_of(&orphan.group) == service)
    }

    /// True when an orphan of this group still lives.
    pub(crate) fn has(&self, group: &str) -> bool {
        self.0.values().any(|orphan| orphan.group == group)
    }

    /// What is still to be stopped.
    pub(crate) fn left(&self) -> impl Iterator<Item = Left> {
        self.0.values().map(|orphan| Left { pid: orphan.pid, shutdown: orphan.shutdown })
    }

    pub(crate) fn next_wake_ms(&self) -> Option<u64> {
        self.0.values().map(|orphan| orphan.due_ms).min()
    }

    /// Notes that a process may not be killed, and returns its group; `None` when it is not one of
    /// these or that was known.
    pub(crate) fn out_of_reach(&mut self, id: u64) -> Option<String> {
        let orphan = self.0.get_mut(&id)?;
        (!std::mem::replace(&mut orphan.out_of_reach, true)).then(|| orphan.group.clone())
    }

    /// Takes a process out that is gone and returns its group; `None` when it was not one of these.
    pub(crate) fn gone(&mut self, id: u64) -> Option<String> {
        self.0.remove(&id).map(|orphan| orphan.group)
    }

    /// What to do about orphans that are due. While the Supervisor ends, orphans out of reach are
    /// given up.
    pub(crate) fn due(&mut self, now_ms: u64, is_ending: bool) -> Vec<Due> {
        let mut due = Vec::new();
        for (&id, orphan) in self.0.iter_mut().filter(|(_, orphan)| orphan.due_ms <= now_ms) {
            orphan.due_ms = now_ms.saturating_add(KILLED_WAIT_MS);
            if !std::mem::replace(&mut orphan.killed, true) {
                due.push(Due::Kill { id });
            } else if is_ending {
                due.push(Due::GiveUp { id });
            } else if !orphan.out_of_reach {
                due.push(Due::Probe { id, pid: orphan.pid });
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> Orphans {
        let mut orphans = Orphans::default();
        let shutdown = Shutdown { signal: 15, timeout_ms: 8_000 };
        orphans.stop(3, "web.default".into(), 42, shutdown, 100);
        orphans
    }

    #[test]
    fn an_orphan_holds_its_service_in_whatever_group_until_it_is_gone() {
        let mut orphans = one();
        assert!(orphans.hold("web") && !orphans.hold("webber"));
        assert_eq!(orphans.gone(4), None);
        assert_eq!(orphans.gone(3).as_deref(), Some("web.default"));
        assert!(orphans.is_empty() && !orphans.hold("web"));
    }

    #[test]
    fn it_is_killed_in_the_end_and_looked_at_until_its_first_process_is_gone() {
        let mut orphans = one();
        assert!(orphans.due(8_099, false).is_empty());
        assert_eq!(orphans.due(8_100, false), [Due::Kill { id: 3 }]);
        assert_eq!(orphans.next_wake_ms(), Some(13_100));
        assert_eq!(orphans.due(13_100, false), [Due::Probe { id: 3, pid: 42 }]);
        assert_eq!(orphans.due(18_100, true), [Due::GiveUp { id: 3 }]);
    }

    #[test]
    fn what_may_not_be_killed_is_waited_for_but_at_an_end() {
        let mut orphans = one();
        assert_eq!(orphans.out_of_reach(3).as_deref(), Some("web.default"));
        assert_eq!(orphans.out_of_reach(3), None, "that is known");
        assert_eq!(orphans.due(8_100, false), [Due::Kill { id: 3 }]);
        assert!(orphans.due(13_100, false).is_empty());
        assert_eq!(orphans.due(18_100, true), [Due::GiveUp { id: 3 }]);
    }
}
