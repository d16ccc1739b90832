//! What the launcher says: processes and hooks that start, print and end.

use roost_ident::Hook;
use roost_launch::wire::{
    self, Exited, HookEnded, LauncherEvent, Notice, OutOfReach, SpawnFailed, Spawned, Status,
};
use roost_service::{
    Event as Told, Excerpt, ExitStatus, Now, Printed, ProcessEnd, excerpt::STDERR_BYTES_MAX,
};

use super::{Supervisor, specs::Inherited};
use crate::{Exit, services::hook_run::Ended};

/// The end of a process as the launcher reports it.
pub(super) fn process_end(ended: &wire::Ended) -> ProcessEnd {
    let status = match ended.status {
        Some(Status::Code(code)) => ExitStatus::Code(code),
        Some(Status::Signal(number)) => ExitStatus::Signal(number),
        None => ExitStatus::Unknown,
    };
    let stderr = Excerpt::last_of(&ended.last_words, STDERR_BYTES_MAX);
    ProcessEnd { status, at_unix_ms: ended.at_unix_ms, stderr }
}

impl Supervisor {
    pub(super) fn launcher_said(&mut self, event: LauncherEvent) {
        match event {
            LauncherEvent::Welcome(_) => {}
            LauncherEvent::Spawned(Spawned { id, pid, started_unix_ms }) => {
                // The time that the next Supervisor will hear, so that it shows the same.
                let now = Now { unix_ms: started_unix_ms, ..self.world.clock.now() };
                let service = self.processes.get(&id).cloned();
                if let Some(managed) = service.and_then(|name| self.services.get_mut(&name)) {
                    managed.pid = Some(pid);
                    managed.machine.handle(now, Told::Spawned { pid });
                    Self::keep_ran(managed);
                    let service = managed.name.clone();
                    self.drive(&service);
                }
            }
            LauncherEvent::SpawnFailed(SpawnFailed { id, errno: _, message }) => {
                if let Some(service) = self.processes.remove(&id) {
                    let failed = match self.forget_process(&service, id) {
                        None => Told::SpawnFailed(message),
                        // Taken back while its start was still under way.
                        Some(pid) => {
                            let at_unix_ms = self.world.clock.now().unix_ms;
                            let last_words = message;
                            let ended =
                                wire::Ended { pid, at_unix_ms, last_words, ..Default::default() };
                            let end = process_end(&ended);
                            Told::Exited { pid, group_alive: false, end }
                        }
                    };
                    self.tell(&service, failed);
                } else if let Some(ended) = self.hooks.not_started(id, message) {
                    self.hook_ended(id, ended);
                }
            }
            LauncherEvent::Notice(Notice { id, text }) => self.notice(id, &text),
            LauncherEvent::Output(output) => self.hooks.printed(&output),
            LauncherEvent::HookEnded(HookEnded { id, status }) => {
                if let Some(ended) = self.hooks.ended(id, status) {
                    self.hook_ended(id, ended);
                }
            }
            LauncherEvent::Exited(Exited { end, group_alive }) => {
                let wire::Ended { id, pid, .. } = end;
                let end = process_end(&end);
                if let Some(service) = self.processes.get(&id).cloned() {
                    if !group_alive {
                        self.processes.remove(&id);
                        self.forget_process(&service, id);
                    }
                    self.tell(&service, Told::Exited { pid, group_alive, end });
                } else if let Some(inherited) = self.inherited_by_id(id) {
                    (inherited.ended, inherited.left) = (Some(end), group_alive);
                }
            }
            LauncherEvent::GroupGone(id) => self.group_gone(id),
            LauncherEvent::OutOfReach(OutOfReach { id, processes }) => {
                self.out_of_reach(id, processes);
            }
            LauncherEvent::Shutdown(_) => {
                self.world.output.sup("Supervisor received shutdown signal from launcher");
                self.shut_down(Exit::Done);
            }
            LauncherEvent::Restart(()) => self.restart(),
        }
    }

    /// Nothing of a process lives any more.
    fn group_gone(&mut self, id: u64) {
        if let Some(service) = self.orphans.gone(id) {
            return self.orphan_gone(&service);
        }
        if let Some(inherited) = self.inherited_left_by_id(id) {
            inherited.left = false;
            return;
        }
        let Some(service) = self.processes.remove(&id) else { return };
        let Some(pid) = self.forget_process(&service, id) else { return };
        self.tell(&service, Told::GroupEnded { pid });
    }

    /// KILL met processes that the launcher may not signal.
    fn out_of_reach(&mut self, id: u64, processes: String) {
        if let Some(group) = self.orphans.out_of_reach(id) {
            let text = format!(
                "Not permitted to kill {processes}. The service does not start before these \
                 processes have ended; root can end them"
            );
            return self.world.output.line(&group, "ST", &text);
        }
        let Some(service) = self.processes.get(&id).cloned() else { return };
        let pid = self.services.get(&service).and_then(|managed| managed.pid);
        if let Some(pid) = pid {
            self.tell(&service, Told::OutOfReach { pid, processes });
        }
    }

    /// Forgets a process; returns the process id its machine knows. A process that was given
    /// up, because nothing ended it, is not the one that the service has now.
    pub(super) fn forget_process(&mut self, service: &str, id: u64) -> Option<u32> {
        let managed = self.services.get_mut(service).filter(|m| m.process == Some(id))?;
        managed.process = None;
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
        let excerpt = Printed::of(&printed.0, &printed.1);
        match hook {
            Hook::Install => self.install_hook_ended(id, &service, &outcome, excerpt),
            Hook::Suitability => self.suitability_ended(id, &service, &outcome, &printed.0),
            Hook::HealthCheck => {
                if let Some(managed) = self.services.get_mut(&service) {
                    managed.health_output = printed;
                }
                self.tell(&service, Told::HookEnded { hook, outcome, printed: excerpt });
            }
            _ => self.tell(&service, Told::HookEnded { hook, outcome, printed: excerpt }),
        }
    }

    /// Without the launcher nothing can be started or waited for: this task ends at once, and
    /// what still runs is stopped after the ports were given up.
    pub(super) fn launcher_gone(&mut self) {
        self.world.output.sup("Supervisor shutting down due to launcher exit");
        self.world.ring.command(roost_ring::Command::LeaveGracefully);
        // An end that waits for the specs, to take these back, waits no longer.
        self.end_waits_until_ms = None;
        let inherited = std::mem::take(&mut self.inherited).into_values();
        let inherited = inherited.filter(Inherited::lives);
        let services = self.services.values();
        self.left =
            services.filter_map(|managed| Some((managed.pid?, managed.shutdown()))).collect();
        self.left.extend(inherited.map(|it| (it.running.pid, it.running.shutdown)));
        self.left.extend(self.orphans.left());
        self.services.clear();
        self.orphans.clear();
        self.course = super::Course::Ending(Exit::Failed);
    }
}
