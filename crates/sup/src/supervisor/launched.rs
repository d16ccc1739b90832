//! What the launcher sends, in the words of the fleet.

use std::time::Duration;

use roost_fleet::{FleetEvent, HookOutput};
use roost_ident::Hook;
use roost_launch::wire::{
    Exited, HookEnded, LauncherEvent as Sent, Notice, OutOfReach, SpawnFailed, Spawned,
};

use super::Supervisor;
use crate::{
    inherited::process_end,
    services::{built::Built, hook_run::Ended},
};

impl Supervisor {
    /// An event of the launcher: what hooks print stays here, all else concerns the fleet.
    pub(super) fn launcher_sent(&mut self, event: Sent) {
        match event {
            Sent::Welcome(_) => {}
            Sent::Spawned(Spawned { id, pid, started_unix_ms }) => {
                self.notify_fleet(FleetEvent::Spawned { id, pid, started_unix_ms });
            }
            Sent::SpawnFailed(SpawnFailed { id, errno: _, message }) => match self.hooks.has(id) {
                false => self.notify_fleet(FleetEvent::SpawnFailed { id, message }),
                true => {
                    let ended = self.hooks.not_started(id, message);
                    self.hook_ended(id, ended);
                }
            },
            Sent::Notice(Notice { id, text }) => self.notify_fleet(FleetEvent::Notice { id, text }),
            Sent::Output(output) => self.hooks.printed(&output),
            Sent::HookEnded(HookEnded { id, status }) => {
                let ended = self.hooks.ended(id, status);
                self.hook_ended(id, ended);
            }
            Sent::Exited(Exited { end, group_alive }) => {
                let (id, pid, end) = (end.id, end.pid, process_end(&end));
                self.notify_fleet(FleetEvent::Exited { id, pid, group_alive, end });
            }
            Sent::GroupGone(id) => self.notify_fleet(FleetEvent::GroupGone { id }),
            Sent::OutOfReach(OutOfReach { id, processes }) => {
                self.notify_fleet(FleetEvent::OutOfReach { id, processes });
            }
            Sent::Shutdown(_) => self.notify_fleet(FleetEvent::ShutDown),
            Sent::Restart(()) => self.notify_fleet(FleetEvent::Restart),
        }
    }

    /// Counts the time that a check of `monitor.toml` took, as that of a hook.
    pub(super) fn count_probe(&self, event: &FleetEvent<Built>) {
        let FleetEvent::Probed { service, found, .. } = event else { return };
        let group = self.fleet.service(service).map(|service| service.group().as_str());
        if let Some(group) = group.filter(|group| self.publisher.entries.shows(group)) {
            self.world.metrics.check_took(group, Duration::from_millis(found.duration_ms));
        }
    }

    fn hook_ended(&mut self, id: u64, ended: Option<Ended>) {
        let Some(Ended { hook, group, outcome, started, printed }) = ended else { return };
        self.world.metrics.hook_took(hook, started.elapsed());
        if hook == Hook::HealthCheck && self.publisher.entries.shows(&group) {
            self.world.metrics.check_took(&group, started.elapsed());
        }
        let (stdout, stderr) = printed;
        let output = HookOutput { stdout, stderr };
        self.notify_fleet(FleetEvent::HookEnded { id, outcome, output });
    }
}
