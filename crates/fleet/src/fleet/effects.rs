//! What the machine of a service asks for, turned into actions in order.

use roost_events::Cause;
use roost_ident::Hook;
use roost_service::{
    BuildFailure, Effect, HookOutcome, LogKey, MachineEvent, PhaseName, Preamble, Printed,
    Rendering,
};

use super::Fleet;
use crate::{
    action::{Action, RingAction, SUPERVISOR},
    hook::{HookRun, HookSource, ProbeRun},
    processes::Purpose,
    release::Release,
    service::{Process, WantedRendering},
    shutdown::SIGKILL,
    stored::Stored,
    watched::Watched,
    work::Kind,
};

impl<R: Release> Fleet<R> {
    /// Carries out the pending effects of a service's machine.
    pub(super) fn drive(&mut self, name: &str) {
        if !self.services.contains_key(name) {
            return;
        }
        self.touched.insert(name.into());
        self.groups_changed = true;
        self.give_up_unbegun(name);
        while let Some(effect) = self.services.get_mut(name).and_then(|it| it.machine.poll()) {
            self.carry_out(name, effect);
        }
    }

    fn carry_out(&mut self, name: &str, effect: Effect) {
        match effect {
            Effect::Build { pin } => self.build(name, pin),
            Effect::BuildFormer { release } => self.build_former(name, release),
            Effect::Check { spec, group, release } => self.check(name, *spec, group, release),
            Effect::RunInstallHooks => self.begin_installs(name),
            Effect::Render { whole } => self.want_rendering(name, whole),
            Effect::RunHook(hook) => self.run_hook(name, hook),
            Effect::EndHook(hook) => self.end_hook(name, hook),
            Effect::RunProbe { round, place, probe } => {
                let run = ProbeRun { service: name.into(), round, place, probe };
                self.actions.push(Action::RunProbe(run));
            }
            Effect::EndProbes => self.actions.push(Action::EndProbes { service: name.into() }),
            Effect::Checked(lines) => self.show_checks(name, lines),
            Effect::Spawn => self.spawn(name),
            Effect::Signal { pid: _, signal } => self.signal_process(name, signal.number()),
            Effect::Kill { pid: _ } => self.signal_process(name, SIGKILL),
            Effect::Announce => self.announce(name),
            Effect::StartElection => {
                if let Some(service) = self.services.get(name) {
                    let group = service.group().to_string();
                    self.actions.ring(RingAction::StartElection { group });
                }
            }
            Effect::Ran { release } => {
                self.actions.store(Stored::Release { service: name.into(), release });
            }
            Effect::WritePid(pid) => {
                self.actions.store(Stored::Pid { service: name.into(), pid: Some(pid) });
            }
            Effect::RemovePid => {
                self.actions.store(Stored::Pid { service: name.into(), pid: None });
            }
            Effect::Remember => {
                if let Some(service) = self.services.get_mut(name) {
                    let group = service.group().clone();
                    let state = service.machine.remember().encode();
                    let former = std::mem::replace(&mut service.remembered_as, group.clone());
                    if former != group {
                        self.actions.push(Action::Forget { group: former.to_string() });
                    }
                    self.actions.push(Action::Remember { group: group.to_string(), state });
                }
            }
            Effect::Record(report) => {
                if let Some(service) = self.services.get_mut(name) {
                    service.last_fact = Cause::Report(report.id);
                }
                self.actions.push(Action::Record(report));
            }
            Effect::Log { preamble, key, text } => self.log(name, preamble, key, text),
            Effect::Stopped => {
                if let Some(service) = self.services.get_mut(name) {
                    service.announced = false;
                    service.candidate = None;
                }
            }
            Effect::Gone => self.forget(name),
        }
    }

    fn log(&mut self, name: &str, preamble: Preamble, key: LogKey, text: String) {
        match preamble {
            // Habitat spells it as the package's name in some lines.
            Preamble::Group | Preamble::Package => self.say(name, key.as_str(), text),
            Preamble::Sup => self.actions.line(SUPERVISOR, key.as_str(), text),
        }
    }

    fn want_rendering(&mut self, name: &str, whole: bool) {
        if let Some(service) = self.services.get_mut(name) {
            service.rendering = Some(WantedRendering { whole });
            self.render(name);
        }
    }

    fn run_hook(&mut self, name: &str, hook: Hook) {
        let Some(service) = self.services.get_mut(name) else { return };
        let Some(built) = service.built.clone() else {
            let outcome = HookOutcome::CouldNotRun("the service is not read yet".into());
            let printed = Printed::default();
            return service
                .machine
                .handle(self.now, MachineEvent::HookEnded { hook, outcome, printed });
        };
        let group = service.group().to_string();
        let id = self.processes.begin_hook(name, Purpose::Machine(hook), self.now.mono_ms, None);
        self.actions.push(Action::RunHook(HookRun {
            id,
            service: name.into(),
            group,
            hook,
            label: hook.to_string(),
            source: HookSource::Release(built),
        }));
    }

    fn end_hook(&mut self, name: &str, hook: Hook) {
        if hook == Hook::Install
            && let Some(service) = self.services.get_mut(name)
        {
            service.installs.clear();
        }
        if let Some(id) = self.processes.find_hook(name, hook) {
            self.actions.signal(id, SIGKILL);
        }
    }

    fn spawn(&mut self, name: &str) {
        let Some(service) = self.services.get_mut(name) else { return };
        let Some(release) = service.built.clone() else {
            let reason = "the service is not read yet".into();
            return service.machine.handle(self.now, MachineEvent::SpawnFailed(reason));
        };
        let id = self.processes.begin(name);
        service.process = Some(Process { id, pid: None });
        self.actions.push(Action::Spawn {
            id,
            service: name.into(),
            group: service.group().to_string(),
            release,
            shutdown: service.shutdown(),
        });
    }

    fn signal_process(&mut self, name: &str, signal: i32) {
        if let Some(process) = self.services.get(name).and_then(|service| service.process) {
            self.actions.signal(process.id, signal);
        }
    }

    /// Publishes the service rumor.
    fn announce(&mut self, name: &str) {
        let Some(service) = self.services.get_mut(name) else { return };
        let Some(release) = service.built.clone() else { return };
        service.announced = true;
        let (group, cfg) = (service.group().to_string(), service.cfg().clone());
        self.actions.ring(RingAction::Announce { group, release, cfg });
    }

    /// All checks of a service have ended: the output of its hook is shown with what the others
    /// found.
    fn show_checks(&mut self, name: &str, lines: Vec<String>) {
        let Some(service) = self.services.get_mut(name) else { return };
        let mut output = service.hook_output.take().unwrap_or_default();
        for line in lines {
            output.stdout.push_str(&line);
            output.stdout.push('\n');
        }
        service.health_output = output;
        self.actions.push(Action::Checked { service: name.into() });
    }

    /// Publishes the rumor of a running service again, because what it exports or how it is
    /// updated may be different.
    pub(super) fn announce_again(&mut self, name: &str) {
        if self.services.get(name).is_some_and(|service| service.announced) {
            self.announce(name);
        }
    }

    /// A stop waits for every answer, and what did not even begin would be answered late or,
    /// once the ring is left, never.
    fn give_up_unbegun(&mut self, name: &str) {
        let Some(service) = self.services.get_mut(name) else { return };
        if service.machine.status().phase != PhaseName::Stopping {
            return;
        }
        if service.rendering.take().is_some() {
            service.machine.handle(self.now, MachineEvent::Rendered(Rendering::default()));
        }
        if service.held_build.take().is_some() {
            self.work.end(name, Kind::Build);
            let failure = BuildFailure::Refused("the service is being stopped".into());
            service.machine.handle(self.now, MachineEvent::BuildFailed(failure));
        }
    }

    /// A machine is done: nothing of the service runs any more, or it was let go.
    fn forget(&mut self, name: &str) {
        let Some(service) = self.services.remove(name) else { return };
        if !self.is_ending() {
            self.record_unload(&service);
        }
        self.actions.push(Action::Unwatch(Watched::User(name.into())));
        self.actions.push(Action::Unwatch(Watched::Monitor(name.into())));
        if service.sources_watched {
            self.actions.push(Action::Unwatch(Watched::Sources(name.into())));
        }
        if let Some(process) = service.process {
            self.processes.end(process.id);
        }
        if self.is_ending() {
            self.actions.push(Action::ShowLast(Box::new(service)));
        } else {
            self.actions.push(Action::Forget { group: service.group().to_string() });
            self.actions.store(Stored::Unloaded { service: name.into() });
            self.actions.push(Action::Hide { service: name.into() });
        }
    }
}
