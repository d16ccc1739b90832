//! What the state machines ask for, carried out in order.

use std::{collections::BTreeMap, os::unix::ffi::OsStrExt, path::Path, time::Instant};

use roost_ident::Hook;
use roost_launch::wire::{self, Ids, Kind, Request, Scope, SendSignal, Shutdown, Spawn, Variable};
use roost_pkg::user::Credentials;
use roost_service::{
    BuildFailure, Effect, Event as Told, HookOutcome, LogKey, PhaseName, Preamble, Printed,
    RenderFailure, Rendering, ServiceSpec,
};

use super::{Supervisor, errands::Kind as Errand, event::Event, managed::Managed};
use crate::{
    services::{
        built::{Blueprint, Built, Purpose},
        environment,
        install::{self, InstallHook},
        rendering,
    },
    supervisor::event::Watch,
    vital::guarded,
};

pub(super) const SIGKILL: i32 = 9;

/// A process to start.
struct Program<'a> {
    id: u64,
    kind: Kind,
    name: String,
    /// Name of the service, or of the package of an install hook.
    service: &'a str,
    path: &'a Path,
    environment: &'a BTreeMap<String, String>,
    credentials: Option<&'a Credentials>,
    shutdown: Shutdown,
}

impl Supervisor {
    /// Does everything that a service's machine asks for now.
    pub(super) fn drive(&mut self, service: &str) {
        let Some(mut managed) = self.services.remove(service) else { return };
        let began = Instant::now();
        self.touched.insert(service.into());
        let mut gone = false;
        self.give_up_unbegun(&mut managed);
        while let Some(effect) = managed.machine.poll() {
            gone |= effect == Effect::Gone;
            self.carry_out(&mut managed, effect);
        }
        if gone {
            self.forget(&managed);
        } else {
            self.services.insert(service.into(), managed);
        }
        self.world.metrics.event_took("service", began.elapsed());
    }

    fn carry_out(&mut self, managed: &mut Managed, effect: Effect) {
        match effect {
            Effect::Build { pin } => self.build(managed, pin),
            Effect::BuildFormer { release } => self.build_former(managed, release),
            Effect::Check { spec, group, release } => self.check(managed, *spec, group, release),
            Effect::RunInstallHooks => {
                let beside = managed.machine.status().phase != PhaseName::Installing;
                let package = if beside { &managed.candidate } else { &managed.built };
                let outstanding = package.as_ref().map(|built| built.installs.clone());
                managed.installs = outstanding.unwrap_or_default().into();
                self.next_install_hook(managed);
            }
            Effect::Render { whole } => {
                managed.render_waits = true;
                managed.render_whole = whole;
                self.render(managed);
            }
            Effect::RunHook(hook) => self.run_hook(managed, hook),
            Effect::EndHook(hook) => {
                if hook == Hook::Install {
                    managed.installs.clear();
                }
                if let Some(id) = self.hooks.find(&managed.name, hook) {
                    self.signal(id, SIGKILL);
                }
            }
            Effect::Spawn => self.spawn(managed),
            Effect::Signal { pid: _, signal } => {
                if let Some(id) = managed.process {
                    self.signal(id, signal.number());
                }
            }
            Effect::Kill { pid: _ } => {
                if let Some(id) = managed.process {
                    self.signal(id, SIGKILL);
                }
            }
            Effect::Announce => self.announce(managed),
            Effect::StartElection => {
                let group = managed.group().to_string();
                let command = roost_ring::Command::StartElection { group, suitability: 0 };
                self.world.ring.command(command);
            }
            Effect::Ran { release } => self.keep_release(managed, &release),
            Effect::WritePid(pid) => self.keep_pid(managed, Some(pid)),
            Effect::RemovePid => self.keep_pid(managed, None),
            Effect::Remember => {
                let bytes = managed.machine.remember().encode();
                let name = managed.group().to_string();
                self.world.launcher.send(&Request::Remember(wire::Remembered { name, bytes }));
            }
            Effect::Log { preamble, key, text } => self.log(managed, preamble, key, &text),
            Effect::Stopped => {
                managed.announced = false;
                managed.candidate = None;
            }
            Effect::Health { .. } | Effect::Gone => {}
        }
    }

    fn log(&self, managed: &Managed, preamble: Preamble, key: LogKey, text: &str) {
        let preamble = match preamble {
            // Habitat spells it as the package's name in some lines.
            Preamble::Group | Preamble::Package => managed.group().as_str(),
            Preamble::Sup => "hab-sup",
        };
        self.world.output.line(preamble, key.as_str(), text);
    }

    /// Prints a line about a service, with its service group in front.
    pub(super) fn say(&self, service: &str, key: &str, text: &str) {
        let managed = self.services.get(service);
        let preamble = managed.map_or(service, |managed| managed.group().as_str());
        self.world.output.line(preamble, key, text);
    }

    pub(super) fn blueprint(&self, spec: &ServiceSpec) -> Blueprint {
        Blueprint {
            root: self.world.config.root.clone(),
            spec: spec.clone(),
            pin: None,
            exact: false,
            directory: self.directory_of(&spec.ident.name),
            interpreter: self.world.config.interpreter.clone(),
            prepare: true,
            purpose: Purpose::Run,
        }
    }

    /// Reads a service, as soon as nothing of an earlier run of it lives; one that was taken back
    /// runs already.
    pub(super) fn build(&mut self, managed: &mut Managed, pin: Option<String>) {
        if !self.begin_errand(&managed.name, Errand::Build) {
            return self.refuse_unread(managed);
        }
        if managed.process.is_none() && self.orphans.hold(&managed.name) {
            managed.held_build = Some(pin);
            return;
        }
        // What a directory is now counts, not which of its releases sorts last.
        let pin = pin.or_else(|| self.directory_release(&managed.name).map(ToString::to_string));
        let purpose = if managed.is_unloaded { Purpose::End } else { Purpose::Run };
        let blueprint = Blueprint { pin, purpose, ..self.blueprint(managed.spec()) };
        let service = managed.name.clone();
        self.beside(move || {
            let result = guarded(|| blueprint.build().map(Box::new))
                .unwrap_or_else(|bug| Err(BuildFailure::Refused(bug)));
            Event::Built { service, result, look: false }
        });
    }

    /// Renders as soon as the census has this service: templates see it as `svc.me`.
    pub(super) fn render(&mut self, managed: &mut Managed) {
        let Some(built) = managed.built.clone() else { return };
        let Some(context) = self.context(managed) else { return };
        if !self.begin_errand(&managed.name, Errand::Render) {
            // Never two that write the same files: it begins when the one before it has ended.
            return;
        }
        managed.render_waits = false;
        managed.seen = Some((self.sight(managed), managed.cfg_revision));
        let (service, whole) = (managed.name.clone(), managed.render_whole);
        self.beside(move || {
            let rendering = guarded(|| rendering::render(&built, &context, whole))
                .unwrap_or_else(|bug| Rendering::failed(RenderFailure::Config(bug)));
            Event::Rendered { service, rendering }
        });
    }

    pub(super) fn begin_errand(&mut self, service: &str, kind: Errand) -> bool {
        self.errands.begin(service, kind, self.world.clock.now().mono_ms)
    }

    fn run_hook(&mut self, managed: &mut Managed, hook: Hook) {
        let now = self.world.clock.now();
        let Some(built) = managed.built.clone() else {
            let outcome = HookOutcome::CouldNotRun("the service is not read yet".into());
            let printed = Printed::default();
            return managed.machine.handle(now, Told::HookEnded { hook, outcome, printed });
        };
        let owner = managed.group().to_string();
        let id = self.new_id();
        let label = hook.to_string();
        self.hooks.begin(id, (&managed.name, &owner), hook, label, &built.svc);
        self.start_hook(id, &owner, hook, &built);
    }

    pub(super) fn start_hook(&self, id: u64, owner: &str, hook: Hook, built: &Built) {
        let program = Program {
            id,
            kind: Kind::Hook,
            name: format!("{owner} {hook}"),
            service: &built.package.ident.name,
            path: &built.svc.hook(hook),
            environment: &built.environment,
            credentials: built.credentials.as_ref(),
            shutdown: Shutdown::default(),
        };
        self.start(&program);
    }

    fn spawn(&mut self, managed: &mut Managed) {
        let now = self.world.clock.now();
        let Some(built) = managed.built.clone() else {
            let reason = "the service is not read yet".into();
            return managed.machine.handle(now, Told::SpawnFailed(reason));
        };
        let id = self.new_id();
        managed.process = Some(id);
        self.processes.insert(id, managed.name.clone());
        self.start(&Program {
            id,
            kind: Kind::Service,
            name: managed.group().to_string(),
            service: &managed.name,
            path: &built.svc.run(),
            environment: &built.environment,
            credentials: built.credentials.as_ref(),
            shutdown: managed.shutdown(),
        });
    }

    fn start(&self, program: &Program<'_>) {
        let environment = environment::complete(program.service, program.environment);
        self.world.launcher.send(&Request::Spawn(Spawn {
            id: program.id,
            kind: program.kind.into(),
            name: program.name.clone(),
            program: program.path.as_os_str().as_bytes().to_vec(),
            args: Vec::new(),
            env: environment.into_iter().map(Variable::from).collect(),
            user: program.credentials.map(|credentials| Ids {
                uid: credentials.uid,
                gid: credentials.gid,
                groups: credentials.groups.clone(),
            }),
            shutdown: program.shutdown,
        }));
    }

    pub(super) fn signal(&self, id: u64, signal: i32) {
        let scope = Scope::Group.into();
        self.world.launcher.send(&Request::Signal(SendSignal { id, signal, scope }));
    }

    /// Publishes the service rumor: the release, its exports, this machine.
    pub(super) fn announce(&self, managed: &mut Managed) {
        let Some(built) = &managed.built else { return };
        managed.announced = true;
        let exports = &built.package.exports;
        let cfg = roost_template::exports::rumor_cfg(&managed.cfg.table(), exports);
        self.world.ring.command(roost_ring::Command::PublishService(roost_ring::OwnService {
            group: managed.group().to_string(),
            pkg: built.package.ident.to_string(),
            cfg: cfg.into_bytes().into(),
            sys: self.world.ring_sys.clone(),
            pkg_incarnation: 0,
        }));
    }

    /// Keeps what a service runs from for the next start of a Supervisor.
    fn keep_release(&self, managed: &Managed, release: &str) {
        let path = self.world.config.root.sup().release_file(&managed.name);
        self.world.store.write_later(&path, format!("{release}\n").into_bytes(), 0o644);
    }

    /// Keeps the last `user.toml` that could be used.
    pub(super) fn keep_user_toml(&self, service: &str, text: Option<String>) {
        if let Some(text) = text {
            let path = self.world.config.root.sup().user_copy(service);
            // it may hold secrets
            self.world.store.write_later(&path, text.into_bytes(), 0o600);
        }
    }

    fn keep_pid(&self, managed: &Managed, pid: Option<u32>) {
        let path = self.world.config.root.svc(&managed.name).pid_file();
        self.world.small_files.pid(path, pid);
    }

    /// Renders and runs the next outstanding install hook.
    pub(super) fn next_install_hook(&mut self, managed: &mut Managed) {
        let Some(package) = managed.installs.pop_front() else {
            return managed.machine.handle(self.world.clock.now(), Told::Installed);
        };
        if !self.begin_errand(&managed.name, Errand::Install) {
            return self.refuse_install(managed);
        }
        let service = managed.name.clone();
        let root = self.world.config.root.clone();
        let interpreter = self.world.config.interpreter.clone();
        self.beside(move || {
            let prepare = || install::prepare(&root, &package, &interpreter).map(Box::new);
            let result = guarded(prepare).unwrap_or_else(Err);
            Event::InstallReady { service, result }
        });
    }

    pub(super) fn run_install_hook(
        &mut self,
        service: &str,
        result: Result<Box<InstallHook>, String>,
    ) {
        if !self.errands.end(service, Errand::Install) {
            return self.ended_late(service, Errand::Install);
        }
        let installs = |managed: &Managed| managed.machine.is_installing();
        match result {
            Err(error) => self.tell(service, install_failed(error)),
            Ok(_) if !self.services.get(service).is_some_and(installs) => {
                self.tell(service, install_failed("the service is being stopped".into()));
            }
            Ok(hook) => {
                let id = self.new_id();
                let package = hook.package.clone();
                for (key, line) in &hook.lines {
                    self.say(service, key, line);
                }
                let program = hook.svc.hook(Hook::Install);
                let group = self.services.get(service).map(|it| it.group().to_string());
                let group = group.unwrap_or_else(|| service.into());
                let label = install::label(service, &package);
                self.hooks.begin(id, (service, &group), Hook::Install, label, &hook.svc);
                self.start(&Program {
                    id,
                    kind: Kind::Hook,
                    name: format!("{} install", package.name),
                    service: &package.name,
                    path: &program,
                    environment: &hook.environment,
                    credentials: hook.credentials.as_ref(),
                    shutdown: Shutdown::default(),
                });
                self.limit_hook(id, Hook::Install, hook.timeouts_s.get(&Hook::Install).copied());
                self.installing.insert(id, (package, hook.package_path));
            }
        }
    }

    /// An install hook ended: its status is kept with the package, then the next one runs.
    pub(super) fn install_hook_ended(
        &mut self,
        id: u64,
        service: &str,
        outcome: &HookOutcome,
        printed: Printed,
    ) {
        let Some((package, path)) = self.installing.remove(&id) else { return };
        if let HookOutcome::Exit(code) = outcome {
            self.world.small_files.install_status(path, *code);
        }
        if let Some(line) = install::failure(outcome) {
            let line = match package.name == service {
                true => line,
                false => format!("{}/{}: {line}", package.origin, package.name),
            };
            self.say(service, "HK", &line);
            return self.tell(service, Told::InstallFailed { error: line, printed });
        }
        if let Some(mut managed) = self.services.remove(service) {
            self.next_install_hook(&mut managed);
            self.services.insert(service.into(), managed);
            self.drive(service);
        }
    }

    /// A machine is done: nothing of the service runs any more, or it was let go.
    fn forget(&mut self, managed: &Managed) {
        self.world.watcher.unwatch(Watch::User(managed.name.clone()));
        if managed.sources_watched {
            self.world.watcher_of_places().unwatch(Watch::Sources(managed.name.clone()));
        }
        if self.is_ending() {
            // Its last state stays visible until the process ends.
            self.publisher.show(&self.world, managed);
        } else {
            let name = managed.group().to_string();
            self.world.launcher.send(&Request::Forget(name));
            let sup = self.world.config.root.sup();
            self.world.small_files.remove(sup.release_file(&managed.name));
            self.world.small_files.remove(sup.user_copy(&managed.name));
            self.publisher.remove(&managed.name);
        }
        if let Some(id) = managed.process {
            self.processes.remove(&id);
        }
    }
}

pub(super) fn install_failed(error: String) -> Told {
    Told::InstallFailed { error, printed: Printed::default() }
}
