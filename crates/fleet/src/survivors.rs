//! What outlived the former Supervisor: processes that wait for their spec, and what was kept of
//! services that are not loaded yet.

use std::collections::BTreeMap;

use roost_ident::{DesiredState, PackageIdent, ServiceGroup, ShutdownSignal};
use roost_service::{Excerpt, ExitStatus, Plan, ProcessEnd, Remembered, ServiceSpec, Survivor};

use crate::shutdown::{Left, Shutdown};

/// A process that the launcher holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The launcher's number of it.
    pub id: u64,
    /// Its service group.
    pub group: String,
    /// Its process id, which is that of its process group.
    pub pid: u32,
    /// When it was started, Unix milliseconds.
    pub started_unix_ms: u64,
    /// How it is stopped.
    pub shutdown: Shutdown,
}

/// The end of a process of a service that does not run now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldEnd {
    /// The launcher's number of it.
    pub id: u64,
    /// Its service group.
    pub group: String,
    /// The process id it had.
    pub pid: u32,
    /// How it ended.
    pub end: ProcessEnd,
}

/// What was kept of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its service group.
    pub group: String,
    /// What [`crate::Action::Remember`] had.
    pub state: Vec<u8>,
}

/// What the launcher holds when a fleet begins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inheritance {
    /// Smallest number of a process that was never used.
    pub next_id: u64,
    /// Services that live, or whose start is under way.
    pub running: Vec<Held>,
    /// The last end of each service that does not run.
    pub ended: Vec<HeldEnd>,
    /// Processes of an earlier launcher that still live, and groups that outlive their first
    /// process, whose end is in `ended`.
    pub survivors: Vec<Held>,
    /// What was kept of services.
    pub kept: Vec<Kept>,
}

/// A process of the former Supervisor that no service of this one stands for yet.
#[derive(Debug)]
pub(crate) struct Inherited {
    pub(crate) process: Held,
    /// How it has ended meanwhile.
    pub(crate) ended: Option<ProcessEnd>,
    /// It has ended, and others of its group can still run.
    pub(crate) left: bool,
    /// It is of an earlier launcher, which kept nothing of its service: nothing reads its output,
    /// so it is stopped and started again.
    stray: bool,
}

impl Inherited {
    fn new(process: Held) -> Self {
        Self { process, ended: None, left: false, stray: false }
    }

    /// Something of it can still run.
    pub(crate) fn lives(&self) -> bool {
        self.ended.is_none() || self.left
    }

    /// Nothing of it runs, and its stop is not over.
    pub(crate) fn is_gone(&self, remembered: &Remembered) -> bool {
        !self.lives() && (self.stray || remembered.stopping)
    }

    /// Its end, if the former Supervisor did not see it.
    pub(crate) fn unseen_end(&self, remembered: &Remembered) -> Option<ProcessEnd> {
        let end = self.ended.as_ref()?;
        let seen = remembered.account.exit.as_ref();
        let is_seen = seen
            .is_some_and(|exit| (exit.pid, exit.at_unix_ms) == (self.process.pid, end.at_unix_ms));
        (!is_seen).then(|| end.clone())
    }

    /// False when nothing of it runs and nothing is left to be done after it: the former Supervisor
    /// knew of its end, or the user or that Supervisor ended it. Its service goes on without it.
    pub(crate) fn is_to_be_taken_back(&self, spec: &ServiceSpec, remembered: &Remembered) -> bool {
        let pid = self.process.pid;
        let was_wanted = remembered
            .last_process_state
            .is_some_and(|last| last.pid == Some(pid) && !last.reason.is_failure());
        let is_restarted = || spec.desired_state == DesiredState::Up && !was_wanted;
        self.lives()
            || self.is_gone(remembered)
            || (self.unseen_end(remembered).is_some() && is_restarted())
    }

    /// The process as the machine of its service takes it back.
    pub(crate) fn survivor(&self, spec: &ServiceSpec, mut remembered: Remembered) -> Survivor {
        let is_gone = self.is_gone(&remembered);
        let unseen_end = self.unseen_end(&remembered);
        let Held { pid, started_unix_ms, shutdown, .. } = self.process;
        if self.stray && self.ended.is_none() {
            // It is stopped the way it was started to be stopped, then its service starts again.
            remembered.stopping = true;
            remembered.plan.get_or_insert_with(|| Plan {
                shutdown_signal: ShutdownSignal::from_number(shutdown.signal).unwrap_or_default(),
                shutdown_timeout_s: u32::try_from(shutdown.timeout_ms / 1_000).ok(),
                ..Plan::bare(&spec.ident.to_string())
            });
        }
        Survivor { pid, started_unix_ms, remembered, is_gone, unseen_end }
    }
}

/// Everything that outlived the former Supervisor and waits for its spec, by service group.
#[derive(Debug, Default)]
pub(crate) struct Survivors {
    inherited: BTreeMap<String, Inherited>,
    remembered: BTreeMap<String, Remembered>,
}

impl Survivors {
    /// Sorts what the launcher holds; returns the processes that have no place in it, because a
    /// younger one of their service lives.
    pub(crate) fn take_over(inheritance: Inheritance) -> (Self, Vec<Held>) {
        let Inheritance { next_id: _, running, ended, survivors, kept } = inheritance;
        // What is kept of anything but a service is for others.
        let is_group = |kept: &Kept| kept.group.parse::<ServiceGroup>().is_ok();
        let kept = kept.into_iter();
        let remembered: BTreeMap<String, Remembered> =
            kept.filter(is_group).map(|kept| (kept.group, remembered(&kept.state))).collect();
        let running = running.into_iter();
        let mut inherited: BTreeMap<String, Inherited> =
            running.map(|held| (held.group.clone(), Inherited::new(held))).collect();
        // A service that ended while no Supervisor watched is taken back too, and ends at once: so
        // its restart is counted like any other.
        for HeldEnd { id, group, pid, end } in ended {
            let stray = !remembered.contains_key(&group);
            let process = Held {
                id,
                group: group.clone(),
                pid,
                started_unix_ms: end.at_unix_ms,
                shutdown: Shutdown::default(),
            };
            let gone = Inherited { ended: Some(end), stray, ..Inherited::new(process) };
            inherited.entry(group).or_insert(gone);
        }
        let mut older = Vec::new();
        for survivor in survivors {
            match inherited.get_mut(&survivor.group) {
                None => {
                    let group = survivor.group.clone();
                    let stray = Inherited { stray: true, ..Inherited::new(survivor) };
                    inherited.insert(group, stray);
                }
                // Its first process has ended, others of its group live.
                Some(known) if known.process.id == survivor.id => {
                    known.left = true;
                    known.process.shutdown = survivor.shutdown;
                }
                Some(_) => older.push(survivor),
            }
        }
        (Self { inherited, remembered }, older)
    }

    /// The process of a service group, which its service now stands for.
    pub(crate) fn take(&mut self, group: &str) -> Option<Inherited> {
        self.inherited.remove(group)
    }

    /// What was kept of a service group, which its service now stands for.
    pub(crate) fn recall(&mut self, group: &str) -> Option<Remembered> {
        self.remembered.remove(group)
    }

    /// What was kept of a service group that waits for its spec.
    pub(crate) fn remembered(&self, group: &str) -> Option<&Remembered> {
        self.remembered.get(group)
    }

    /// True when a process waits for its spec.
    pub(crate) fn has_processes(&self) -> bool {
        !self.inherited.is_empty()
    }

    /// Groups of processes that wait for their spec.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &String> {
        self.inherited.keys()
    }

    /// True when something of the process of a group lives.
    pub(crate) fn lives(&self, group: &str) -> bool {
        self.inherited.get(group).is_some_and(Inherited::lives)
    }

    /// Releases that services ran from.
    pub(crate) fn releases(&self) -> impl Iterator<Item = &str> {
        let plans = self.remembered.values().filter_map(|known| known.plan.as_ref());
        plans.map(|plan| plan.ident.as_str())
    }

    /// A process has ended that waits for its spec; false when it is not one of these.
    pub(crate) fn end(&mut self, id: u64, end: ProcessEnd, group_alive: bool) -> bool {
        let mut all = self.inherited.values_mut();
        let ended = all.find(|it| it.process.id == id && it.ended.is_none());
        let Some(inherited) = ended else { return false };
        (inherited.ended, inherited.left) = (Some(end), group_alive);
        true
    }

    /// Nothing of a process lives any more; false when it is not one of these. Its end may not have
    /// been reported, if it was forgotten with a service that was unloaded.
    pub(crate) fn group_gone(&mut self, id: u64, unix_ms: u64) -> bool {
        let mut all = self.inherited.values_mut();
        let Some(inherited) = all.find(|it| it.process.id == id && it.lives()) else {
            return false;
        };
        inherited.left = false;
        inherited.ended.get_or_insert_with(|| ProcessEnd {
            status: ExitStatus::Unknown,
            at_unix_ms: unix_ms,
            stderr: Excerpt::default(),
        });
        true
    }

    /// Groups of processes whose spec is gone.
    pub(crate) fn unwanted(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
        self.inherited.keys().filter(|group| !is_wanted(group)).cloned().collect()
    }

    /// True when the process of a group is to be taken back with this spec.
    pub(crate) fn is_due(&self, group: &str, spec: &ServiceSpec) -> bool {
        let known = self.remembered.get(group);
        let inherited = self.inherited.get(group).zip(known);
        inherited.is_some_and(|(inherited, known)| inherited.is_to_be_taken_back(spec, known))
    }

    /// The release that a group ran from.
    pub(crate) fn release(&self, group: &str) -> Option<PackageIdent> {
        self.remembered.get(group)?.plan.as_ref()?.ident.parse().ok()
    }

    /// Groups that something was kept of and no service is wanted in.
    pub(crate) fn abandoned(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
        self.remembered.keys().filter(|group| !is_wanted(group)).cloned().collect()
    }

    /// Takes out what still runs.
    pub(crate) fn take_all(&mut self) -> Vec<Held> {
        let all = std::mem::take(&mut self.inherited).into_values();
        all.filter(Inherited::lives).map(|inherited| inherited.process).collect()
    }

    /// Takes out what the launcher can no longer stop.
    pub(crate) fn take_left(&mut self) -> Vec<Left> {
        let all = self.take_all().into_iter();
        all.map(|held| Left { pid: held.pid, shutdown: held.shutdown }).collect()
    }
}

/// What the former Supervisor kept of a service; nothing when it cannot be understood.
fn remembered(state: &[u8]) -> Remembered {
    Remembered::decode(state).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERM: Shutdown = Shutdown { signal: 15, timeout_ms: 9_000 };

    fn held(id: u64, pid: u32) -> Held {
        Held { id, group: "web.default".into(), pid, started_unix_ms: 5, shutdown: TERM }
    }

    fn end() -> ProcessEnd {
        let stderr = Excerpt::last_of("", 10);
        ProcessEnd { status: ExitStatus::Code(1), at_unix_ms: 9, stderr }
    }

    fn ended(id: u64) -> HeldEnd {
        HeldEnd { id, group: "web.default".into(), pid: 42, end: end() }
    }

    fn spec() -> ServiceSpec {
        ServiceSpec::new(PackageIdent::new("acme", "web", None, None))
    }

    fn kept() -> Kept {
        let state = Remembered::default().encode();
        Kept { group: "web.default".into(), state }
    }

    #[test]
    fn of_two_processes_of_a_service_the_older_one_is_stopped() {
        let (running, survivors) = (vec![held(7, 42)], vec![held(3, 41)]);
        let inheritance = Inheritance { running, survivors, ..Inheritance::default() };
        let (mut survivors, older) = Survivors::take_over(inheritance);
        assert_eq!(older, [held(3, 41)]);
        assert!(survivors.lives("web.default"));
        assert_eq!(survivors.take("web.default").map(|it| it.process), Some(held(7, 42)));
        assert!(!survivors.has_processes());
    }

    #[test]
    fn a_group_that_outlives_its_first_process_lives() {
        let (ended, survivors) = (vec![ended(7)], vec![held(7, 42)]);
        let kept = vec![kept()];
        let inheritance = Inheritance { ended, survivors, kept, ..Inheritance::default() };
        let (mut survivors, older) = Survivors::take_over(inheritance);
        assert!(older.is_empty() && survivors.lives("web.default"));
        assert!(survivors.group_gone(7, 0) && !survivors.group_gone(7, 0));
        assert!(!survivors.lives("web.default"));
        let inherited = survivors.take("web.default").expect("it waits");
        assert_eq!(inherited.process.shutdown, TERM, "as it was started to be stopped");
        assert!(inherited.is_to_be_taken_back(&spec(), &Remembered::default()));
        let down = ServiceSpec { desired_state: DesiredState::Down, ..spec() };
        assert!(!inherited.is_to_be_taken_back(&down, &Remembered::default()));
    }

    #[test]
    fn a_group_is_gone_also_when_the_end_of_its_first_process_was_forgotten() {
        let inheritance = Inheritance { survivors: vec![held(7, 42)], ..Inheritance::default() };
        let (mut survivors, _) = Survivors::take_over(inheritance);
        assert!(survivors.lives("web.default"));
        assert!(survivors.group_gone(7, 9));
        assert!(!survivors.lives("web.default"));
    }

    #[test]
    fn a_process_of_an_earlier_launcher_is_stopped_as_it_was_started_to_be_stopped() {
        let inheritance = Inheritance { survivors: vec![held(3, 41)], ..Inheritance::default() };
        let (mut survivors, _) = Survivors::take_over(inheritance);
        let inherited = survivors.take("web.default").expect("it waits");
        let survivor = inherited.survivor(&spec(), Remembered::default());
        assert!(survivor.remembered.stopping && !survivor.is_gone);
        assert_eq!(survivor.remembered.plan.and_then(|plan| plan.shutdown_timeout_s), Some(9));
    }

    #[test]
    fn an_end_is_noted_once_and_what_nothing_lives_of_is_not_stopped() {
        let inheritance = Inheritance { running: vec![held(7, 42)], ..Inheritance::default() };
        let (mut survivors, _) = Survivors::take_over(inheritance);
        assert!(!survivors.end(8, end(), false));
        assert!(survivors.end(7, end(), false));
        assert!(!survivors.end(7, end(), false));
        assert!(survivors.take_all().is_empty());
    }

    #[test]
    fn what_is_kept_of_no_service_is_never_abandoned() {
        let kept = vec![kept(), Kept { group: "hab-sup".into(), state: b"loaded".to_vec() }];
        let (survivors, _) = Survivors::take_over(Inheritance { kept, ..Inheritance::default() });
        assert_eq!(survivors.abandoned(|_| false), ["web.default"]);
        assert!(survivors.abandoned(|_| true).is_empty());
    }

    #[test]
    fn what_cannot_be_understood_is_as_good_as_nothing() {
        let kept = vec![Kept { group: "web.default".into(), state: vec![0xff, 0] }];
        let (mut survivors, _) =
            Survivors::take_over(Inheritance { kept, ..Inheritance::default() });
        assert_eq!(survivors.recall("web.default"), Some(Remembered::default()));
        assert_eq!(survivors.recall("web.default"), None);
    }
}
