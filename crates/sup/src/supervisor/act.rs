//! Carries out what the fleet asks for, in order.

use std::{collections::BTreeMap, os::unix::ffi::OsStrExt, path::Path, sync::Arc};

use roost_fleet::{
    Action, Event as FleetEvent, Glance, HookRun, HookSource, Line, Place, RingAction, Stored,
    Watched,
};
use roost_ident::Hook;
use roost_launch::{
    group::process_has_ended,
    wire::{self, Ids, KeptLines, Kind, Request, Scope, SendSignal, Shutdown, Spawn, Variable},
};
use roost_pkg::{followed, user::Credentials};

use super::{
    Supervisor,
    event::{Event, Watch},
};
use crate::{
    files::watch::{Target, Watcher},
    load::own_output,
    services::{built::Built, environment},
    systemd, vital,
};

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
    /// Of a hook: how its lines are kept.
    kept: Option<KeptLines>,
}

impl Supervisor {
    /// Carries out the pending actions of the fleet.
    pub(super) fn act(&mut self) {
        while let Some(action) = self.fleet.poll() {
            self.carry_out(action);
        }
    }

    fn carry_out(&mut self, action: Action<Built>) {
        match action {
            Action::Line(Line { preamble, key, text, at }) => {
                self.world.output.line_at(at, &preamble, key, &text);
            }
            Action::Record(report) => drop(self.record.record(report)),
            Action::Spawn { id, service, group, release, shutdown } => self.start(&Program {
                id,
                kind: Kind::Service,
                name: group,
                service: &service,
                path: &release.svc.run(),
                environment: &release.environment,
                credentials: release.credentials.as_ref(),
                shutdown: Shutdown { signal: shutdown.signal, timeout_ms: shutdown.timeout_ms },
                kept: None,
            }),
            Action::RunHook(run) => self.run_hook(run),
            Action::RunProbe(run) => {
                let events = self.world.events.clone();
                self.probes.run(run, move |event| drop(events.send(Event::Fleet(event))));
            }
            Action::EndProbes { service } => self.probes.end(&service),
            Action::Signal { id, signal } => {
                let scope = Scope::Group.into();
                self.world.launcher.send(&Request::Signal(SendSignal { id, signal, scope }));
            }
            Action::Probe { id, pid } => {
                if process_has_ended(pid) {
                    self.tell(FleetEvent::OrphanEnded { id });
                }
            }
            Action::Remember { group, state } => {
                let kept = wire::Remembered { name: group, bytes: state };
                self.world.launcher.send(&Request::Remember(kept));
            }
            Action::Forget { group } => self.world.launcher.send(&Request::Forget(group)),
            Action::Work(job) => {
                let workshop = Arc::clone(&self.world.workshop);
                self.beside(move || workshop.carry_out(*job));
            }
            Action::Store(stored) => self.store(stored),
            Action::Watch { what, place, report } => self.watch(what, place, report),
            Action::Unwatch(what) => self.watcher_of(&what).unwatch(Watch::Fleet(what)),
            Action::Ring(action) => self.give_to_ring(action),
            Action::LookAround => self.look_again(Glance::Ring),
            Action::Hide { service } => self.publisher.remove(&self.world, &service),
            Action::ShowLast(service) => self.publisher.show(&self.world, &self.fleet, &service),
            Action::Started => self.publisher.begin(),
            Action::Ending => systemd::stopping(),
        }
    }

    /// Runs something slow beside this task; what it returns comes back as an event.
    pub(super) fn beside(&self, work: impl FnOnce() -> Event + Send + 'static) {
        let events = self.world.events.clone();
        // Without a receiver the process is ending.
        vital::spawn_blocking("work for services", move || drop(events.send(work())));
    }

    fn run_hook(&mut self, run: HookRun<Built>) {
        let HookRun { id, service: _, group, hook, label, source } = run;
        match source {
            HookSource::Release(built) => {
                // Checks repeat for as long as a service runs, and their results are kept elsewhere.
                let is_kept = !matches!(hook, Hook::HealthCheck | Hook::Suitability);
                let kept = is_kept.then(|| KeptLines { group: group.clone(), hook: label.clone() });
                self.hooks.begin(id, &group, hook, label, &built.svc);
                self.start(&Program {
                    id,
                    kind: Kind::Hook,
                    name: format!("{group} {hook}"),
                    service: &built.package.ident.name,
                    path: &built.svc.hook(hook),
                    environment: &built.environment,
                    credentials: built.credentials.as_ref(),
                    shutdown: Shutdown::default(),
                    kept,
                });
            }
            HookSource::Install { package, hook: ready } => {
                let kept = Some(KeptLines { group: group.clone(), hook: label.clone() });
                self.hooks.begin(id, &group, hook, label, &ready.svc);
                self.start(&Program {
                    id,
                    kind: Kind::Hook,
                    name: format!("{} install", package.name),
                    service: &package.name,
                    path: &ready.svc.hook(hook),
                    environment: &ready.environment,
                    credentials: ready.credentials.as_ref(),
                    shutdown: Shutdown::default(),
                    kept,
                });
            }
        }
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
            kept: program.kept.clone(),
        }));
    }

    fn store(&self, stored: Stored) {
        let root = &self.world.config.root;
        let (sup, store, small_files) = (root.sup(), &self.world.store, &self.world.small_files);
        match stored {
            Stored::Spec(rewrite) => {
                let (of, bytes) = (rewrite.text.into_bytes(), rewrite.canonical.into_bytes());
                store.reform_later(&rewrite.path, of, bytes, 0o600);
            }
            Stored::Release { service, release } => {
                let path = sup.release_file(&service);
                store.write_later(&path, format!("{release}\n").into_bytes(), 0o644);
            }
            Stored::UserCopy { service, text } => {
                // It may hold secrets.
                store.write_later(&sup.user_copy(&service), text.into_bytes(), 0o600);
            }
            Stored::Unloaded { service } => {
                small_files.remove(sup.release_file(&service));
                small_files.remove(sup.user_copy(&service));
                small_files.remove(sup.monitor_copy(&service));
            }
            Stored::Pid { service, pid } => small_files.pid(root.svc(&service).pid_file(), pid),
            Stored::InstallStatus { package, code } => small_files.install_status(package, code),
            Stored::DirectoryRelease { service, release } => {
                let path = followed::release_file(root, &service);
                store.write_later(&path, format!("{release}\n").into_bytes(), 0o600);
            }
            Stored::NoDirectory { service } => {
                let store = store.clone();
                let paths =
                    [followed::release_file(root, &service), followed::file(root, &service)];
                vital::spawn("followed directories", async move {
                    for path in paths {
                        // It is tried again by the next Supervisor.
                        let _ = store.remove(&path).await;
                    }
                });
            }
        }
    }

    /// The watcher of the Supervisor's own files, or of what lies wherever a user wants.
    fn watcher_of(&self, what: &Watched) -> &Watcher<Watch> {
        match what {
            Watched::Specs | Watched::User(_) | Watched::Monitor(_) => &self.world.watcher,
            Watched::Sources(_) | Watched::Directory(_) => self.world.watcher_of_places(),
        }
    }

    fn watch(&self, what: Watched, place: Place, report: bool) {
        let root = &self.world.config.root;
        let targets = match place {
            Place::Specs => vec![Target::Directory(root.sup().specs())],
            Place::UserToml(service) => vec![Target::File(root.user_toml(&service))],
            Place::Monitor(service) => vec![Target::File(root.user_monitor(&service))],
            Place::Sources(spec) => {
                let package = root.pkgs().join(&spec.ident.origin).join(&spec.ident.name);
                let stand_in = spec.config_from.as_ref().map(|path| Target::Tree(path.into()));
                [Target::Tree(package)].into_iter().chain(stand_in).collect()
            }
            Place::Directory(directory) => {
                let (root, leave_out) = (root.clone(), own_output());
                vec![Target::Service { root, directory, leave_out }]
            }
        };
        let watcher = self.watcher_of(&what);
        match report {
            true => watcher.watch_and_report(Watch::Fleet(what), targets),
            false => watcher.watch(Watch::Fleet(what), targets),
        }
    }

    fn give_to_ring(&self, action: RingAction<Built>) {
        self.world.ring.command(match action {
            RingAction::Announce { group, release, cfg } => {
                let exports = &release.package.exports;
                roost_ring::Command::PublishService(roost_ring::OwnService {
                    group,
                    pkg: release.package.ident.to_string(),
                    cfg: roost_template::exports::rumor_cfg(&cfg, exports).into_bytes().into(),
                    sys: self.world.workshop.sys.addresses.clone(),
                    pkg_incarnation: 0,
                })
            }
            RingAction::StartElection { group } => {
                roost_ring::Command::StartElection { group, suitability: 0 }
            }
            RingAction::Suitability { group, term, value } => {
                roost_ring::Command::Suitability { group, term, value }
            }
            RingAction::Leave => roost_ring::Command::LeaveGracefully,
        });
    }
}
