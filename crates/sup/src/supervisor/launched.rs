//! What the launcher says: processes and hooks that start, print and end.

use roost_ident::Hook;
use roost_launch::wire::Event as Said;
use roost_service::Event as Told;

use super::{Supervisor, orphans};
use crate::{Exit, services::hook_run::Ended};

impl Supervisor {
    pub(super) fn launcher_said(&mut self, event: Said) {
        match event {
            Said::Welcome(_) => {}
            Said::Spawned { id, pid, .. } => {
                let service = self.processes.get(&id).cloned();
                if let Some(managed) = service.and_then(|name| self.services.get_mut(&name)) {
                    managed.pid = Some(pid);
                    let service = managed.name.clone();
                    self.tell(&service, Told::Spawned { pid });
                }
            }
            Said::SpawnFailed { id, errno: _, message } => {
                if let Some(service) = self.processes.remove(&id) {
                    self.forget_process(&service, id);
                    self.tell(&service, Told::SpawnFailed(message));
                } else if let Some(ended) = self.hooks.not_started(id, message) {
                    self.hook_ended(id, ended);
                }
            }
            Said::Notice { id, text } => self.notice(id, &text),
            Said::Output { id, stream, bytes } => self.hooks.printed(id, stream, &bytes),
            Said::OutputEnd { id } => {
                if let Some(ended) = self.hooks.output_ended(id) {
                    self.hook_ended(id, ended);
                }
            }
            Said::Exited { id, pid, status, .. } => {
                if let Some(service) = self.processes.get(&id).cloned() {
                    self.tell(&service, Told::Exited { pid, group_alive: true });
                } else if let Some(ended) = self.hooks.exited(id, status) {
                    self.hook_ended(id, ended);
                }
            }
            Said::GroupGone { id } => self.group_gone(id),
            Said::Shutdown { .. } => {
                self.world.output.sup("Supervisor received shutdown signal from launcher");
                self.shut_down(Exit::Done);
            }
            Said::Restart => self.restart(),
        }
    }

    /// Nothing of a process lives any more.
    fn group_gone(&mut self, id: u64) {
        if self.orphans.gone(id) {
            return self.orphan_gone();
        }
        let Some(service) = self.processes.remove(&id) else { return };
        let pid = self.forget_process(&service, id);
        if let Some(pid) = pid {
            self.tell(&service, Told::GroupEnded { pid });
        }
    }

    /// Forgets the number of a process; returns the process id its machine knows.
    fn forget_process(&mut self, service: &str, id: u64) -> Option<u32> {
        let managed = self.services.get_mut(service)?;
        if managed.process == Some(id) {
            managed.process = None;
        }
        managed.pid.take()
    }

    fn notice(&self, id: u64, text: &str) {
        let service = self.processes.get(&id).map(String::as_str);
        let service = service.or_else(|| self.hooks.get(id).map(|run| run.service.as_str()));
        if let Some(managed) = service.and_then(|service| self.services.get(service)) {
            self.world.output.line(managed.group().as_str(), "SV", text);
        }
    }

    fn hook_ended(&mut self, id: u64, ended: Ended) {
        let Ended { service, hook, outcome, started, printed } = ended;
        self.world.metrics.hook_took(hook, started.elapsed());
        match hook {
            Hook::Install => self.install_hook_ended(id, &service, &outcome),
            Hook::Suitability => self.suitability_ended(id, &service, &outcome, &printed.0),
            Hook::HealthCheck => {
                if let Some(managed) = self.services.get_mut(&service) {
                    managed.health_output = printed;
                }
                self.tell(&service, Told::HookEnded { hook, outcome });
            }
            _ => self.tell(&service, Told::HookEnded { hook, outcome }),
        }
    }

    /// Without the launcher nothing can be started or waited for: everything is stopped from
    /// here, and this process ends.
    pub(super) fn launcher_gone(&mut self) {
        self.world.output.sup("Supervisor shutting down due to launcher exit");
        self.world.ring.command(roost_ring::Command::LeaveGracefully);
        let pids = self.services.values().filter_map(|managed| managed.pid);
        orphans::stop_without_launcher(&pids.collect::<Vec<_>>());
        self.services.clear();
        self.orphans.clear();
        self.course = super::Course::Ending(Exit::Failed);
    }
}
