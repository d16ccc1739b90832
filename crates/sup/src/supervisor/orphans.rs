//! Processes that no service of this Supervisor stands for: survivors of an earlier launcher,
//! and services whose spec went away while no Supervisor ran. They are stopped, and a service
//! of the same group does not start before they are gone: never two copies.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use roost_launch::{
    group::{self, process_has_ended},
    wire::Shutdown,
};
use roost_service::Event as Told;

use super::{Supervisor, effects::SIGKILL, errands::Kind};

const SIGTERM: i32 = 15;
/// So long after KILL the rest of a group whose leader is gone is waited for, as for the group of a
/// service: what nobody can end must not keep a service down, nor this Supervisor from its end.
const KILLED_WAIT_MS: u64 = 5_000;

#[derive(Debug)]
struct Orphan {
    group: String,
    pid: u32,
    shutdown: Shutdown,
    /// When it is killed, and when it is looked at once it was.
    due_ms: u64,
    killed: bool,
    /// It may not be killed: it is waited for until it is gone.
    out_of_reach: bool,
}

/// Orphans by the launcher's number.
#[derive(Debug, Default)]
pub(super) struct Orphans(BTreeMap<u64, Orphan>);

impl Orphans {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// True when an orphan of the service still lives, whatever group it is of: they share
    /// their directories.
    pub(super) fn hold(&self, service: &str) -> bool {
        self.0.values().any(|orphan| service_of(&orphan.group) == service)
    }

    /// What is still to be stopped.
    pub(super) fn left(&self) -> impl Iterator<Item = (u32, Shutdown)> {
        self.0.values().map(|orphan| (orphan.pid, orphan.shutdown))
    }

    pub(super) fn next_wake_ms(&self) -> Option<u64> {
        self.0.values().map(|orphan| orphan.due_ms).min()
    }

    /// Notes that a process may not be killed, and returns its group; `None` when it is none of
    /// these or that was known.
    pub(super) fn out_of_reach(&mut self, id: u64) -> Option<String> {
        let orphan = self.0.get_mut(&id)?;
        (!std::mem::replace(&mut orphan.out_of_reach, true)).then(|| orphan.group.clone())
    }

    /// Takes a process out that is gone and returns its service; `None` when it was none of
    /// these.
    pub(super) fn gone(&mut self, id: u64) -> Option<String> {
        self.0.remove(&id).map(|orphan| service_of(&orphan.group).to_owned())
    }
}

/// The service that a service group is of.
pub(super) fn service_of(group: &str) -> &str {
    group.split_once('.').map_or(group, |(service, _)| service)
}

impl Supervisor {
    /// Begins to stop a process that is nobody's service, the way it was started to be stopped.
    pub(super) fn stop_orphan(&mut self, id: u64, group: String, pid: u32, shutdown: Shutdown) {
        self.world.output.line(&group, "ST", &format!("Terminating service (PID: {pid})"));
        self.signal(id, shutdown.signal);
        let now_ms = self.world.clock.now().mono_ms;
        let due_ms = now_ms.saturating_add(shutdown.timeout_ms);
        let orphan = Orphan { group, pid, shutdown, due_ms, killed: false, out_of_reach: false };
        self.orphans.0.insert(id, orphan);
    }

    /// Kills orphans that had their time, and gives up what even that did not end.
    pub(super) fn kill_late_orphans(&mut self) {
        let now_ms = self.world.clock.now().mono_ms;
        let is_ending = self.is_ending();
        let (mut kill, mut given_up) = (Vec::new(), Vec::new());
        for (id, orphan) in self.orphans.0.iter_mut().filter(|(_, it)| it.due_ms <= now_ms) {
            orphan.due_ms = now_ms.saturating_add(KILLED_WAIT_MS);
            if !std::mem::replace(&mut orphan.killed, true) {
                kill.push(*id);
            } else if is_ending || (!orphan.out_of_reach && process_has_ended(orphan.pid)) {
                given_up.push(*id);
            }
        }
        for id in kill {
            self.signal(id, SIGKILL);
        }
        for id in given_up {
            if let Some(service) = self.orphans.gone(id) {
                self.orphan_gone(&service);
            }
        }
    }

    /// An orphan is gone: its service may start now.
    pub(super) fn orphan_gone(&mut self, service: &str) {
        let Some(mut managed) = self.services.remove(service) else { return };
        let held = managed.held_build.take();
        if let Some(pin) = held.clone() {
            self.errands.end(service, Kind::Build);
            self.build(&mut managed, pin);
        }
        self.services.insert(service.into(), managed);
        match held {
            Some(_) => self.drive(service),
            // It was refused because of this process, or something else is wrong with it.
            None => self.tell(service, Told::FilesChanged),
        }
    }
}

/// Stops process groups without a launcher, which is gone: the signal and the patience of each,
/// then KILL.
pub(crate) fn stop_without_launcher(left: &[(u32, Shutdown)]) {
    let began = Instant::now();
    let mut groups: Vec<(u32, Duration)> = Vec::new();
    for (pid, shutdown) in left {
        let asked = group::signal(*pid, shutdown.signal)
            // No signal of this system.
            .or_else(|_| group::signal(*pid, SIGTERM));
        if asked.is_ok() {
            groups.push((*pid, Duration::from_millis(shutdown.timeout_ms)));
        }
    }
    while !groups.is_empty() {
        groups.retain(|(group, patience)| {
            let lives = group::has_living(*group);
            if lives && began.elapsed() >= *patience {
                // One that is gone is stopped.
                let _ = group::signal(*group, SIGKILL);
                return false;
            }
            lives
        });
        thread::sleep(Duration::from_millis(5));
    }
}
