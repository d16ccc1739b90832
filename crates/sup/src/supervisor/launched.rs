//! What the launcher sends, in the words of the fleet.

use std::time::Duration;

use roost_fleet::{Event as FleetEvent, Held, HeldEnd, HookOutput, Inheritance, Kept, Shutdown};
use roost_ident::Hook;
use roost_launch::wire::{
    self, Exited, HookEnded, LauncherEvent as Sent, Notice, OutOfReach, SpawnFailed, Spawned,
    Status,
};
use roost_service::{Excerpt, ExitStatus, ProcessEnd, excerpt::STDERR_BYTES_MAX};

use super::Supervisor;
use crate::services::{built::Built, hook_run::Ended};

impl Supervisor {
    /// An event of the launcher: what hooks print stays here, all else concerns the fleet.
    pub(super) fn launcher_sent(&mut self, event: Sent) {
        match event {
            Sent::Welcome(_) => {}
            Sent::Spawned(Spawned { id, pid, started_unix_ms }) => {
                self.tell(FleetEvent::Spawned { id, pid, started_unix_ms });
            }
            Sent::SpawnFailed(SpawnFailed { id, errno: _, message }) => match self.hooks.has(id) {
                false => self.tell(FleetEvent::SpawnFailed { id, message }),
                true => {
                    let ended = self.hooks.not_started(id, message);
                    self.hook_ended(id, ended);
                }
            },
            Sent::Notice(Notice { id, text }) => self.tell(FleetEvent::Notice { id, text }),
            Sent::Output(output) => self.hooks.printed(&output),
            Sent::HookEnded(HookEnded { id, status }) => {
                let ended = self.hooks.ended(id, status);
                self.hook_ended(id, ended);
            }
            Sent::Exited(Exited { end, group_alive }) => {
                let (id, pid, end) = (end.id, end.pid, process_end(&end));
                self.tell(FleetEvent::Exited { id, pid, group_alive, end });
            }
            Sent::GroupGone(id) => self.tell(FleetEvent::GroupGone { id }),
            Sent::OutOfReach(OutOfReach { id, processes }) => {
                self.tell(FleetEvent::OutOfReach { id, processes });
            }
            Sent::Shutdown(_) => self.tell(FleetEvent::ShutDown),
            Sent::Restart(()) => self.tell(FleetEvent::Restart),
        }
    }

    /// Counts the time that a check of `monitor.toml` took, as that of a hook.
    pub(super) fn count_probe(&self, event: &FleetEvent<Built>) {
        let FleetEvent::Probed { service, found, .. } = event else { return };
        let group = self.fleet.service(service).map(|service| service.group().as_str());
        if let Some(group) = group.filter(|group| self.publisher.shows(group)) {
            self.world.metrics.check_took(group, Duration::from_millis(found.duration_ms));
        }
    }

    fn hook_ended(&mut self, id: u64, ended: Option<Ended>) {
        let Some(Ended { hook, group, outcome, started, printed }) = ended else { return };
        self.world.metrics.hook_took(hook, started.elapsed());
        if hook == Hook::HealthCheck && self.publisher.shows(&group) {
            self.world.metrics.check_took(&group, started.elapsed());
        }
        let (stdout, stderr) = printed;
        let output = HookOutput { stdout, stderr };
        self.tell(FleetEvent::HookEnded { id, outcome, output });
    }
}

/// What the launcher holds when a Supervisor begins.
pub(super) fn inheritance(welcome: &wire::Welcome) -> Inheritance {
    let ended = welcome.ended.iter().map(|ended| HeldEnd {
        id: ended.id,
        group: ended.name.clone(),
        pid: ended.pid,
        end: process_end(ended),
    });
    let kept = welcome
        .remembered
        .iter()
        .map(|kept| Kept { group: kept.name.clone(), state: kept.bytes.clone() });
    Inheritance {
        next_id: welcome.next_id,
        running: welcome.running.iter().map(held).collect(),
        ended: ended.collect(),
        survivors: welcome.survivors.iter().map(held).collect(),
        kept: kept.collect(),
    }
}

fn held(process: &wire::Process) -> Held {
    let wire::Shutdown { signal, timeout_ms } = process.shutdown;
    Held {
        id: process.id,
        group: process.name.clone(),
        pid: process.pid,
        started_unix_ms: process.started_unix_ms,
        shutdown: Shutdown { signal, timeout_ms },
    }
}

fn process_end(ended: &wire::Ended) -> ProcessEnd {
    let status = match ended.status {
        Some(Status::Code(code)) => ExitStatus::Code(code),
        Some(Status::Signal(number)) => ExitStatus::Signal(number),
        None => ExitStatus::Unknown,
    };
    let stderr = Excerpt::last_of(&ended.last_words, STDERR_BYTES_MAX);
    ProcessEnd { status, at_unix_ms: ended.at_unix_ms, stderr }
}
