//! Processes and hooks that start and end, and orphans.

use roost_service::{
    Excerpt, ExitStatus, HookOutcome, MachineEvent, Now, Printed, ProcessEnd,
    excerpt::STDERR_BYTES_MAX,
};

use super::Fleet;
use crate::{
    action::Action,
    hook::HookOutput,
    orphans::Due,
    processes::{EndedHook, Purpose},
    release::Release,
    service::{HeldBuild, Service},
    shutdown::SIGKILL,
    specs::service_of,
    survivors::Held,
    work::Kind,
};

impl<R: Release> Fleet<R> {
    pub(super) fn spawned(&mut self, id: u64, pid: u32, started_unix_ms: u64) {
        // The time that the next Supervisor will read, so that it shows the same.
        let now = Now { unix_ms: started_unix_ms, ..self.now };
        let Some(name) = self.processes.service(id).map(str::to_owned) else { return };
        let Some(service) = self.services.get_mut(&name) else { return };
        if let Some(process) = &mut service.process {
            process.pid = Some(pid);
        }
        service.machine.handle(now, MachineEvent::Spawned { pid });
        service.keep_ran();
        self.drive(&name);
    }

    pub(super) fn spawn_failed(&mut self, id: u64, message: String) {
        let Some(name) = self.processes.end(id) else { return };
        let failed = match self.forget_process(&name, id) {
            None => MachineEvent::SpawnFailed(message),
            // Taken back while its start was still under way.
            Some(pid) => {
                let stderr = Excerpt::last_of(&message, STDERR_BYTES_MAX);
                let at_unix_ms = self.now.unix_ms;
                let end = ProcessEnd { status: ExitStatus::Unknown, at_unix_ms, stderr };
                MachineEvent::Exited { pid, group_alive: false, end }
            }
        };
        self.tell(&name, failed);
    }

    pub(super) fn exited(&mut self, id: u64, pid: u32, group_alive: bool, end: ProcessEnd) {
        let Some(name) = self.processes.service(id).map(str::to_owned) else {
            self.survivors.end(id, end, group_alive);
            return;
        };
        if !group_alive {
            self.processes.end(id);
            self.forget_process(&name, id);
        }
        self.tell(&name, MachineEvent::Exited { pid, group_alive, end });
    }

    /// Nothing of a process lives any more.
    pub(super) fn group_gone(&mut self, id: u64) {
        if self.orphan_gone(id) {
            return;
        }
        if self.survivors.group_gone(id, self.now.unix_ms) {
            return;
        }
        let Some(name) = self.processes.end(id) else { return };
        let Some(pid) = self.forget_process(&name, id) else { return };
        self.tell(&name, MachineEvent::GroupEnded { pid });
    }

    /// KILL met processes that the launcher may not signal.
    pub(super) fn out_of_reach(&mut self, id: u64, processes: String) {
        if let Some(group) = self.orphans.out_of_reach(id) {
            let text = format!(
                "Not permitted to kill {processes}. The service does not start before these \
                 processes have ended; root can end them"
            );
            return self.actions.line(&group, "ST", text);
        }
        let Some(name) = self.processes.service(id).map(str::to_owned) else { return };
        if let Some(pid) = self.services.get(&name).and_then(Service::pid) {
            self.tell(&name, MachineEvent::OutOfReach { pid, processes });
        }
    }

    /// Forgets a process; returns the process id its machine knows. A process that was given
    /// up, because nothing ended it, is not the one that the service has now.
    fn forget_process(&mut self, name: &str, id: u64) -> Option<u32> {
        let service = self.services.get_mut(name)?;
        service.process.take_if(|process| process.id == id)?.pid
    }

    pub(super) fn notice(&mut self, id: u64, text: &str) {
        let name = self.processes.owner(id).filter(|name| self.services.contains_key(*name));
        if let Some(name) = name.map(str::to_owned) {
            self.say(&name, "SV", text);
        }
    }

    pub(super) fn hook_ended(&mut self, id: u64, outcome: HookOutcome, output: HookOutput) {
        let Some(ended) = self.processes.end_hook(id, outcome) else { return };
        let EndedHook { service: name, purpose, outcome } = ended;
        let printed = Printed::of(&output.stdout, &output.stderr);
        match purpose {
            Purpose::Install { package, path } => {
                self.install_hook_ended(&name, &package, path, &outcome, printed);
            }
            Purpose::Suitability { group, term } => {
                self.suitability_ended(&name, group, term, &outcome, &output.stdout, &printed);
            }
            Purpose::Machine(hook) => {
                if hook == roost_ident::Hook::HealthCheck
                    && let Some(service) = self.services.get_mut(&name)
                {
                    service.hook_output = Some(output);
                }
                self.tell(&name, MachineEvent::HookEnded { hook, outcome, printed });
            }
        }
    }

    /// Begins to stop a process that no service stands for, the way it was started to be stopped.
    pub(super) fn stop_orphan(&mut self, held: Held) {
        let Held { id, group, pid, shutdown, .. } = held;
        self.actions.line(&group, "ST", format!("Terminating service (PID: {pid})"));
        self.actions.signal(id, shutdown.signal);
        self.orphans.stop(id, group, pid, shutdown, self.now.mono_ms);
    }

    /// Kills orphans that had their time, and gives up what even that did not end.
    pub(super) fn look_after_orphans(&mut self) {
        for due in self.orphans.due(self.now.mono_ms, self.course.is_ending()) {
            match due {
                Due::Kill { id } => self.actions.signal(id, SIGKILL),
                Due::Probe { id, pid } => self.actions.push(Action::Probe { id, pid }),
                Due::GiveUp { id } => drop(self.orphan_gone(id)),
            }
        }
    }

    /// An orphan is gone, or is given up; false when the process is not one.
    pub(super) fn orphan_gone(&mut self, id: u64) -> bool {
        let Some(group) = self.orphans.gone(id) else { return false };
        self.forget_end_of(&group);
        self.release_held(service_of(&group));
        true
    }

    /// Makes the launcher forget how an orphan ended: the next Supervisor would take that for the
    /// end of a process of the service that stands for the group by now.
    fn forget_end_of(&mut self, group: &str) {
        let service = self.services.values().find(|it| it.remembered_as.as_str() == group);
        // The end of its own process replaces that of the orphan.
        if service.is_some_and(|service| service.process.is_some()) {
            return;
        }
        let kept = service.map(|service| service.machine.remember());
        let kept = kept.or_else(|| self.survivors.remembered(group).cloned());
        self.actions.push(Action::Forget { group: group.into() });
        if let Some(kept) = kept {
            let state = kept.encode();
            self.actions.push(Action::Remember { group: group.into(), state });
        }
    }

    /// An orphan of a service is gone: the service may start now.
    fn release_held(&mut self, name: &str) {
        let Some(service) = self.services.get_mut(name) else { return };
        match service.held_build.take() {
            Some(held) => {
                self.work.end(name, Kind::Build);
                match held {
                    HeldBuild::Newest { pin } => self.build(name, pin),
                    HeldBuild::Former { release } => self.build_former(name, release),
                }
                self.drive(name);
            }
            // It was refused because of this process, or something else is wrong with it.
            None => self.tell(name, MachineEvent::FilesChanged),
        }
    }
}
