//! Processes that no service of this Supervisor stands for: survivors of an earlier launcher,
//! and services whose spec went away while no Supervisor ran. They are stopped, and a service
//! of the same group does not start before they are gone: never two copies.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use roost_service::Event as Told;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

use super::{Supervisor, effects::SIGKILL, errands::Kind, specs::remembered};

/// Time between the request to end and KILL where nothing is known of their own.
const PATIENCE_MS: u64 = 8_000;
const SIGTERM: i32 = 15;

#[derive(Debug)]
struct Orphan {
    group: String,
    pid: u32,
    kill_at_ms: Option<u64>,
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

    pub(super) fn pids(&self) -> impl Iterator<Item = u32> {
        self.0.values().map(|orphan| orphan.pid)
    }

    pub(super) fn next_wake_ms(&self) -> Option<u64> {
        self.0.values().filter_map(|orphan| orphan.kill_at_ms).min()
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
    /// Begins to stop a process that is nobody's service, the way its package wants if that was
    /// remembered.
    pub(super) fn stop_orphan(&mut self, id: u64, group: String, pid: u32, state: &[u8]) {
        let plan = remembered(state).plan;
        let signal = plan.as_ref().map_or(SIGTERM, |plan| plan.shutdown_signal.number());
        let timeout_s = plan.and_then(|plan| plan.shutdown_timeout_s);
        let patience_ms = timeout_s.map_or(PATIENCE_MS, |timeout_s| u64::from(timeout_s) * 1_000);
        self.world.output.line(&group, "ST", &format!("Terminating service (PID: {pid})"));
        self.signal(id, signal);
        let kill_at_ms = Some(self.world.clock.now().mono_ms.saturating_add(patience_ms));
        self.orphans.0.insert(id, Orphan { group, pid, kill_at_ms });
    }

    pub(super) fn kill_late_orphans(&mut self) {
        let now = self.world.clock.now();
        let late = |orphan: &&mut Orphan| orphan.kill_at_ms.is_some_and(|at| at <= now.mono_ms);
        let mut kill = Vec::new();
        for (id, orphan) in &mut self.orphans.0 {
            if late(&orphan) {
                orphan.kill_at_ms = None;
                kill.push(*id);
            }
        }
        for id in kill {
            self.signal(id, SIGKILL);
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

/// Stops process groups without a launcher, which is gone: TERM, some patience, KILL.
pub(crate) fn stop_without_launcher(pids: &[u32]) {
    let groups: Vec<Pid> =
        pids.iter().filter_map(|pid| Pid::from_raw(i32::try_from(*pid).ok()?)).collect();
    for group in &groups {
        // One that is gone is stopped.
        let _ = kill_process_group(*group, Signal::TERM);
    }
    let deadline = Instant::now() + Duration::from_millis(PATIENCE_MS);
    while groups.iter().any(|group| test_kill_process_group(*group).is_ok()) {
        if Instant::now() >= deadline {
            for group in &groups {
                let _ = kill_process_group(*group, Signal::KILL);
            }
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
}
