//! Carries out what the fleet asks for, in order.

use std::sync::Arc;

use roost_fleet::{Action, FleetEvent, Glance, HookRun, Line, Place, Stored, Watched};
use roost_launch::{
    group::process_has_ended,
    wire::{self, Request, Scope, SendSignal, Spawn},
};
use roost_pkg::followed;

use super::{
    Supervisor,
    event::{Event, Watch},
};
use crate::{
    files::{places::targets, watch::Watcher},
    ring,
    services::{built::Built, spawning},
    systemd, vital,
};

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
            Action::Record(report) => {
                if let Some(stream) = &self.world.event_stream {
                    stream.reported(&report, &self.fleet);
                }
                self.record.record(report);
            }
            Action::Checked { service } => {
                let stream = self.world.event_stream.as_ref();
                if let (Some(stream), Some(service)) = (stream, self.fleet.service(&service)) {
                    stream.checked(service, self.world.clock.now().unix_ms);
                }
            }
            Action::Spawn { id, service, group, release, shutdown } => {
                self.start(spawning::service(id, &service, group, &release, shutdown));
            }
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
                    self.notify_fleet(FleetEvent::OrphanEnded { id });
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
            Action::Ring(action) => {
                let addresses = &self.world.workshop.sys.addresses;
                self.world.ring.command(ring::command(action, addresses));
            }
            Action::LookAround => self.look_again(Glance::Ring),
            Action::Hide { service } => self.publisher.entries.remove(&service),
            Action::ShowLast(service) => self.publisher.entries.show(&self.fleet, &service),
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
        self.hooks.begin(run.id, &run.group, run.hook, run.label.clone(), spawning::paths(&run));
        self.start(spawning::hook(run));
    }

    fn start(&self, spawn: Spawn) {
        self.world.launcher.send(&Request::Spawn(spawn));
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
        let targets = targets(&self.world.config.root, place);
        let watcher = self.watcher_of(&what);
        match report {
            true => watcher.watch_and_report(Watch::Fleet(what), targets),
            false => watcher.watch(Watch::Fleet(what), targets),
        }
    }
}
