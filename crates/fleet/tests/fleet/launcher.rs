//! A launcher in memory: what lives, what has ended, what is kept.

use std::collections::BTreeMap;

use roost_fleet::{FleetEvent, Held, HeldEnd, Inheritance, Kept, Shutdown};
use roost_service::{Excerpt, ExitStatus, ProcessEnd};

use crate::release::Made;

const SIGKILL: i32 = 9;

/// A group of processes.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) pid: u32,
    pub(crate) started_unix_ms: u64,
    shutdown: Shutdown,
    /// The Supervisor has the message of its start.
    pub(crate) reported: bool,
    /// Its first process lives.
    pub(crate) leads: bool,
    pub(crate) signalled: bool,
    pub(crate) killed_at_ms: Option<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct Launcher {
    next_id: u64,
    next_pid: u32,
    /// Groups of which something lives.
    pub(crate) groups: BTreeMap<u64, Group>,
    ended: BTreeMap<String, HeldEnd>,
    pub(crate) kept: BTreeMap<String, Vec<u8>>,
}

impl Launcher {
    pub(crate) fn spawn(&mut self, id: u64, name: String, shutdown: Shutdown, unix_ms: u64) {
        self.next_id = self.next_id.max(id + 1);
        self.next_pid += 1;
        self.ended.remove(&name);
        let (pid, started_unix_ms) = (1_000 + self.next_pid, unix_ms);
        let group = Group {
            id,
            name,
            pid,
            started_unix_ms,
            shutdown,
            reported: false,
            leads: true,
            signalled: false,
            killed_at_ms: None,
        };
        self.groups.insert(id, group);
    }

    pub(crate) fn used(&mut self, id: u64) {
        self.next_id = self.next_id.max(id + 1);
    }

    pub(crate) fn signal(&mut self, id: u64, signal: i32, now_ms: u64) {
        if let Some(group) = self.groups.get_mut(&id) {
            group.signalled = true;
            if signal == SIGKILL {
                group.killed_at_ms.get_or_insert(now_ms);
            }
        }
    }

    /// The start of a group is reported, or fails.
    pub(crate) fn report(&mut self, id: u64, fails: bool) -> Option<FleetEvent<Made>> {
        let group = self.groups.get_mut(&id).filter(|group| !group.reported)?;
        group.reported = true;
        let (pid, started_unix_ms) = (group.pid, group.started_unix_ms);
        if fails {
            self.groups.remove(&id);
            return Some(FleetEvent::SpawnFailed { id, message: "bad".into() });
        }
        Some(FleetEvent::Spawned { id, pid, started_unix_ms })
    }

    /// The first process of a group ends.
    pub(crate) fn exit(
        &mut self,
        id: u64,
        group_alive: bool,
        unix_ms: u64,
    ) -> Option<FleetEvent<Made>> {
        let group = self.groups.get_mut(&id).filter(|group| group.reported && group.leads)?;
        group.leads = false;
        let (pid, name) = (group.pid, group.name.clone());
        let stderr = Excerpt::last_of("", 10);
        let end = ProcessEnd { status: ExitStatus::Code(1), at_unix_ms: unix_ms, stderr };
        if !group_alive {
            self.groups.remove(&id);
        }
        let ended = HeldEnd { id, group: name.clone(), pid, end: end.clone() };
        self.ended.insert(name, ended);
        Some(FleetEvent::Exited { id, pid, group_alive, end })
    }

    /// The rest of a group ends.
    pub(crate) fn end_group(&mut self, id: u64) -> Option<FleetEvent<Made>> {
        self.groups.get(&id).filter(|group| !group.leads)?;
        self.groups.remove(&id);
        Some(FleetEvent::GroupGone { id })
    }

    pub(crate) fn forget(&mut self, name: &str) {
        self.kept.remove(name);
        self.ended.remove(name);
    }

    /// What the next Supervisor takes over.
    pub(crate) fn inheritance(&mut self) -> Inheritance {
        // What is being started is up by then.
        self.groups.values_mut().for_each(|group| group.reported = true);
        let held = |group: &Group| Held {
            id: group.id,
            group: group.name.clone(),
            pid: group.pid,
            started_unix_ms: group.started_unix_ms,
            shutdown: group.shutdown,
        };
        let (running, survivors): (Vec<&Group>, Vec<&Group>) =
            self.groups.values().partition(|group| group.leads);
        let is_down = |name: &String| !running.iter().any(|group| group.name == *name);
        let kept = self.kept.iter();
        Inheritance {
            next_id: self.next_id,
            running: running.iter().map(|group| held(group)).collect(),
            ended: self.ended.values().filter(|it| is_down(&it.group)).cloned().collect(),
            survivors: survivors.iter().map(|group| held(group)).collect(),
            kept: kept
                .map(|(group, state)| Kept { group: group.clone(), state: state.clone() })
                .collect(),
        }
    }
}
