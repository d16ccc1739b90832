//! What the probes of the HTTP gateway check. Whatever is checked keeps the facts here itself; a
//! probe only reads them, so that it answers although the Supervisor's task hangs.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use roost_api::documents::{
    probe::{Check, CheckName},
    supervisor::ConditionStatus::{self, Fail, Ok, Warn},
};
use roost_ident::time::rfc3339_ms;
use roost_ring::{Health, View};
use tokio::sync::watch;

use crate::{
    clock::{self, Clock},
    conditions::{Conditions, Kind},
};

/// The Supervisor's task has something to do at least every ten seconds. After this time without a
/// turn it counts as hanging.
const TURN_MS_MAX: u64 = 30_000;

/// The facts. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct SelfChecks(Arc<Facts>);

#[derive(Debug)]
struct Facts {
    clock: Clock,
    conditions: Conditions,
    /// Peers were given.
    has_peers: bool,
    /// When the Supervisor's task ended its last turn, on its own clock; 0 before the first.
    turned_ms: AtomicU64,
    launcher_gone: OnceLock<()>,
    control_open: OnceLock<()>,
    view: OnceLock<watch::Receiver<Arc<View>>>,
    /// What each check found last, and since when.
    since: Mutex<BTreeMap<CheckName, (ConditionStatus, u64)>>,
}

/// How something is, and why.
struct Found(ConditionStatus, String);

impl SelfChecks {
    pub(crate) fn new(clock: Clock, conditions: Conditions, has_peers: bool) -> Self {
        Self(Arc::new(Facts {
            clock,
            conditions,
            has_peers,
            turned_ms: AtomicU64::new(0),
            launcher_gone: OnceLock::new(),
            control_open: OnceLock::new(),
            view: OnceLock::new(),
            since: Mutex::default(),
        }))
    }

    /// The Supervisor's task ended a turn.
    pub(crate) fn turned(&self) {
        self.0.turned_ms.store(self.0.clock.now().mono_ms.max(1), Ordering::Relaxed);
    }

    /// The launcher is gone.
    pub(crate) fn launcher_gone(&self) {
        let _ = self.0.launcher_gone.set(());
    }

    /// The control gateway accepts connections.
    pub(crate) fn control_open(&self) {
        let _ = self.0.control_open.set(());
    }

    /// The ring runs.
    pub(crate) fn ring_runs(&self, view: watch::Receiver<Arc<View>>) {
        let _ = self.0.view.set(view);
    }

    /// All checks at this moment; `specs_read` when every spec was read.
    pub(crate) fn checks(&self, specs_read: bool) -> Vec<Check> {
        let now_ms = self.0.clock.now().mono_ms;
        let specs = match specs_read {
            true => Found(Ok, "every spec was read".into()),
            false => Found(Fail, "not every spec has been read".into()),
        };
        let conditions = &self.0.conditions;
        let condition = |kind, status, fine: &str| {
            let mut messages = conditions.messages(kind).into_iter();
            messages.next().map_or_else(|| Found(Ok, fine.into()), |line| Found(status, line))
        };
        let disk = match condition(Kind::DiskHangs, Fail, "state files are written") {
            Found(Ok, fine) => condition(Kind::DiskLow, Warn, &fine),
            hangs => hangs,
        };
        let found = [
            (CheckName::EventLoop, self.event_loop(now_ms)),
            (CheckName::Launcher, self.launcher()),
            (CheckName::Gossip, self.gossip()),
            (CheckName::Control, self.control()),
            (CheckName::Specs, specs),
            (CheckName::RingJoined, self.ring_joined()),
            (CheckName::Journal, condition(Kind::JournalLossy, Warn, "no event was lost")),
            (CheckName::Disk, disk),
        ];
        let unix_ms = clock::unix_ms();
        let mut since = self.0.since.lock().unwrap_or_else(PoisonError::into_inner);
        let check = |(name, Found(status, detail))| {
            let known = since.entry(name).or_insert((status, unix_ms));
            if known.0 != status {
                *known = (status, unix_ms);
            }
            Check { name, status, since: rfc3339_ms(known.1), detail }
        };
        found.into_iter().map(check).collect()
    }

    fn event_loop(&self, now_ms: u64) -> Found {
        let turned_ms = self.0.turned_ms.load(Ordering::Relaxed);
        let idle_ms = now_ms.saturating_sub(turned_ms);
        match turned_ms {
            0 => Found(Ok, "events are not handled before the start is complete".into()),
            _ if idle_ms > TURN_MS_MAX => {
                Found(Fail, format!("no event was handled for {} seconds", idle_ms / 1_000))
            }
            _ => Found(Ok, "events are handled".into()),
        }
    }

    fn launcher(&self) -> Found {
        match self.0.launcher_gone.get() {
            None => Found(Ok, "connected".into()),
            Some(()) => Found(Fail, "the launcher is gone".into()),
        }
    }

    fn gossip(&self) -> Found {
        match self.0.view.get() {
            // The ring cannot end unnoticed: the process would end with it.
            Some(_) => Found(Ok, "the ring runs".into()),
            None => Found(Fail, "the ring has not started".into()),
        }
    }

    fn control(&self) -> Found {
        match self.0.control_open.get() {
            Some(()) => Found(Ok, "the control gateway is open".into()),
            None => Found(Fail, "the control gateway is not open yet".into()),
        }
    }

    fn ring_joined(&self) -> Found {
        if !self.0.has_peers {
            return Found(Ok, "no peers are given".into());
        }
        let alive = self.0.view.get().map_or(0, |view| {
            let view = view.borrow();
            let others = view.members.iter().filter(|listed| listed.member.id != view.id);
            others.filter(|listed| listed.health == Health::Alive).count()
        });
        match alive {
            0 => Found(Warn, "peers are given, and no other member is alive".into()),
            count => Found(Ok, format!("{count} other members are alive")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use roost_launch::line::Style;

    use super::*;
    use crate::{metrics::Metrics, output::Output};

    fn self_checks(has_peers: bool) -> SelfChecks {
        let metrics = Metrics::new(prometheus::Registry::new());
        let conditions =
            Conditions::new(&Output::start(Style::default()).expect("a thread"), &metrics);
        SelfChecks::new(Clock::start(), conditions, has_peers)
    }

    fn status(self_checks: &SelfChecks, name: CheckName) -> ConditionStatus {
        let checks = self_checks.checks(true);
        checks.iter().find(|check| check.name == name).expect("a check").status
    }

    #[test]
    fn a_task_that_hangs_in_a_turn_fails_until_it_goes_on() {
        let self_checks = self_checks(false);
        let now_ms = self_checks.0.clock.now().mono_ms;
        assert_eq!(
            self_checks.event_loop(now_ms + 10 * TURN_MS_MAX).0,
            Ok,
            "before the first turn"
        );
        let (go_on, gate) = mpsc::channel::<()>();
        let (turns, turned) = mpsc::channel();
        let task = self_checks.clone();
        let hanging = thread::spawn(move || {
            loop {
                task.turned();
                turns.send(()).expect("a test");
                if gate.recv().is_err() {
                    return;
                }
            }
        });
        turned.recv().expect("the first turn");
        let now_ms = self_checks.0.clock.now().mono_ms;
        assert_eq!(self_checks.event_loop(now_ms).0, Ok);
        // Time passes, and the task is stuck in its second turn.
        let later_ms = now_ms + TURN_MS_MAX + 2_000;
        let Found(found, why) = self_checks.event_loop(later_ms);
        assert_eq!(found, Fail);
        assert!(why.starts_with("no event was handled for 3"), "{why}");
        go_on.send(()).expect("the task");
        turned.recv().expect("the second turn");
        assert_eq!(self_checks.event_loop(self_checks.0.clock.now().mono_ms).0, Ok);
        drop(go_on);
        hanging.join().expect("no panic");
    }

    #[test]
    fn each_check_follows_its_fact() {
        let self_checks = self_checks(true);
        assert_eq!(status(&self_checks, CheckName::Control), Fail);
        self_checks.control_open();
        assert_eq!(status(&self_checks, CheckName::Control), Ok);
        assert_eq!(status(&self_checks, CheckName::Gossip), Fail);
        assert_eq!(status(&self_checks, CheckName::RingJoined), Warn);
        assert_eq!(status(&self_checks, CheckName::Launcher), Ok);
        self_checks.launcher_gone();
        assert_eq!(status(&self_checks, CheckName::Launcher), Fail);
        assert_eq!(status(&self_checks, CheckName::Disk), Ok);
        let conditions = &self_checks.0.conditions;
        conditions.note(Kind::DiskLow, "state files", "low");
        assert_eq!(status(&self_checks, CheckName::Disk), Warn);
        conditions.note(Kind::DiskHangs, "state files", "hangs");
        assert_eq!(status(&self_checks, CheckName::Disk), Fail);
        conditions.note(Kind::JournalLossy, "journal", "lost");
        assert_eq!(status(&self_checks, CheckName::Journal), Warn);
        assert!(
            self_checks.checks(false).iter().any(|check| check.detail.contains("not every spec"))
        );
    }
}
