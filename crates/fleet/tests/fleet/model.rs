//! A shell in memory around a fleet, which checks whatever the fleet asks for.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use roost_census::{Census, Closed, Counters, Input, MemberFact, ServiceFact, Update};
use roost_fleet::{
    Action, Config, Fleet, FleetEvent, Glance, HookOutput, InstallReady, Job, Listing, ProbeRun,
    RingAction, Service, Stored, UserLayer, Watched,
};
use roost_ident::{HealthStatus, Hook, MemberHealth, ServiceGroup, SysInfo};
use roost_service::{
    BuildFailure, HookOutcome, MonitorRead, Now, ProbeFound, Rendering, ServiceSpec, Settings,
    monitor::Layer,
};

use crate::{launcher::Launcher, record::Record, release::Made};

const ME: &str = "0123456789abcdef0123456789abcdef";
const START_MS: u64 = 100_000;
const EPOCH_MS: u64 = 1_795_362_000_000;

/// Something that the fleet waits for.
#[derive(Debug)]
enum Asked {
    Job(Box<Job<Made>>),
    Start { id: u64 },
    Hook { id: u64 },
    Probe(ProbeRun),
}

/// A `monitor.toml` with a check, or none.
fn monitor(choice: u8) -> Option<MonitorRead> {
    let text = match choice % 3 {
        0 => return None,
        1 => "",
        _ => "[[check]]\nname = \"p\"\ntcp = \"h:1\"\n",
    };
    let monitor = Layer::parse(text).expect("fine").monitor();
    Some(MonitorRead { monitor: Some(Arc::new(monitor)), fault: None })
}

/// The rumor of a service group, which outlives Supervisors.
#[derive(Debug, Default)]
struct Rumor {
    pkg: String,
    incarnation: u64,
}

/// What a status shows that a restart of the Supervisor does not change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pid: Option<u32>,
    up_since_ms: u64,
    restart_count: u64,
    release: Option<String>,
}

pub(crate) struct Model {
    pub(crate) fleet: Fleet<Made>,
    pub(crate) launcher: Launcher,
    /// The files of the spec directory.
    pub(crate) specs: BTreeMap<String, ServiceSpec>,
    hooks: Vec<Hook>,
    now_ms: u64,
    asked: Vec<Asked>,
    ended_hooks: BTreeSet<u64>,
    /// Services by the watching of their `user.toml`, which goes with them.
    loaded: BTreeSet<String>,
    /// Groups in the ring, as the last rumor of each has it.
    rumors: BTreeMap<String, Rumor>,
    last_wake_ms: u64,
    wakes_at_once: u32,
    started: bool,
    pub(crate) ended: bool,
    pub(crate) record: Record,
    /// Files do not come any more.
    pub(crate) disk_hangs: bool,
}

impl Model {
    pub(crate) fn new(hooks: &[Hook]) -> Self {
        let mut launcher = Launcher::default();
        let fleet = Fleet::new(now(START_MS), config(), launcher.inheritance());
        let mut model = Self {
            fleet,
            launcher,
            specs: BTreeMap::new(),
            hooks: hooks.to_vec(),
            now_ms: START_MS,
            asked: Vec::new(),
            ended_hooks: BTreeSet::new(),
            loaded: BTreeSet::new(),
            rumors: BTreeMap::new(),
            last_wake_ms: 0,
            wakes_at_once: 0,
            started: false,
            ended: false,
            record: Record::default(),
            disk_hangs: false,
        };
        model.drain();
        model
    }

    pub(crate) fn tell(&mut self, event: FleetEvent<Made>) {
        self.fleet.handle(now(self.now_ms), event);
        self.drain();
    }

    /// What a command reads of a service.
    pub(crate) fn read(&self, service: &str) -> Box<Made> {
        Box::new(Made::new(service, 0, &self.hooks, false))
    }

    /// Of each reading under way that a service is to start from: whether a command did it already.
    pub(crate) fn builds(&self) -> Vec<bool> {
        let is_read = |asked: &Asked| match asked {
            Asked::Job(job) => match &**job {
                Job::Build { read, look: false, .. } => Some(read.is_some()),
                _ => None,
            },
            _ => None,
        };
        self.asked.iter().filter_map(is_read).collect()
    }

    pub(crate) fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
    }

    pub(crate) fn wake(&mut self) {
        if let Some(at_ms) = self.fleet.next_wake_ms() {
            self.now_ms = self.now_ms.max(at_ms);
            self.fleet.wake(now(self.now_ms));
            self.drain();
            // What was given up may be tried again at once, and is refused then.
            self.wakes_at_once =
                if at_ms == self.last_wake_ms { self.wakes_at_once + 1 } else { 0 };
            self.last_wake_ms = at_ms;
            assert!(self.wakes_at_once < 10, "wakes again and again");
        }
    }

    /// A new Supervisor takes over, after an orderly end of the former one or without.
    pub(crate) fn replace(&mut self) {
        // Hooks end with the Supervisor that started them; nothing else of it answers any more.
        (self.asked, self.loaded) = (Vec::new(), BTreeSet::new());
        (self.started, self.ended) = (false, false);
        self.record.begin_again();
        self.fleet = Fleet::new(now(self.now_ms), config(), self.launcher.inheritance());
        self.drain();
        self.see(Glance::Ring);
    }

    pub(crate) fn see(&mut self, glance: Glance) {
        // What comes while the fleet reads is looked at after that.
        if glance == Glance::Ring && self.fleet.is_reading_ring() {
            return;
        }
        self.look(glance);
    }

    fn look(&mut self, glance: Glance) {
        let rumors = &self.rumors;
        self.fleet.see(now(self.now_ms), glance, |census| update(census, rumors));
        self.drain();
    }

    /// Answers something that the fleet waits for. Choices that are multiples of 5 are failures.
    pub(crate) fn answer(&mut self, which: usize, choice: u8) {
        let count = self.asked.len().max(1);
        let place = which % count;
        let is_possible = |asked: &Asked| !(self.disk_hangs && matches!(asked, Asked::Job(_)));
        if !self.asked.get(place).is_some_and(is_possible) {
            return;
        }
        let fails = choice.is_multiple_of(5);
        match self.asked.remove(place) {
            Asked::Start { id } => {
                if let Some(event) = self.launcher.report(id, fails) {
                    self.tell(event);
                }
            }
            Asked::Hook { id } => {
                let outcome = match (self.ended_hooks.remove(&id), choice % 5) {
                    (true, _) => HookOutcome::Signal(9),
                    (false, 0) => HookOutcome::CouldNotRun("bad".into()),
                    (false, 1) => HookOutcome::Exit(1),
                    (false, _) => HookOutcome::Exit(0),
                };
                let output = HookOutput { stdout: "7\n".into(), stderr: String::new() };
                self.tell(FleetEvent::HookEnded { id, outcome, output });
            }
            Asked::Probe(ProbeRun { service, round, place, .. }) => {
                let status = if fails { HealthStatus::Critical } else { HealthStatus::Ok };
                let found = ProbeFound { status, text: "p".into(), duration_ms: 1 };
                self.tell(FleetEvent::Probed { service, round, place, found });
            }
            Asked::Job(job) => self.answer_job(*job, choice),
        }
    }

    fn answer_job(&mut self, job: Job<Made>, choice: u8) {
        let fails = choice.is_multiple_of(5);
        let release = u32::from(choice % 3);
        let installs = choice.is_multiple_of(7);
        let made = |service: &str, pin: Option<&String>| {
            // A pinned release is still there.
            let pinned = pin.and_then(|pin| pin.chars().last()?.to_digit(10));
            Made::new(service, pinned.unwrap_or(release), &self.hooks, installs)
        };
        let event = match job {
            Job::ReadSpecs { known: _ } if fails => FleetEvent::Specs(None),
            Job::ReadSpecs { known: _ } => {
                let specs = self.specs.clone();
                FleetEvent::Specs(Some(Listing { specs, ..Listing::default() }))
            }
            Job::Build { blueprint, read, look } => {
                let service = blueprint.spec.ident.name;
                let result = match (fails, read) {
                    (true, _) => Err(BuildFailure::Refused("bad".into())),
                    (false, Some(read)) => Ok(read),
                    (false, None) => Ok(Box::new(made(&service, blueprint.pin.as_ref()))),
                };
                FleetEvent::Built { service, result, look }
            }
            Job::BuildFormer { blueprint, ran, .. } => {
                let service = blueprint.spec.ident.name;
                let result = match (fails, ran) {
                    (false, Some(ran)) => Ok(Box::new((*ran).clone())),
                    _ => Err(BuildFailure::Refused("bad".into())),
                };
                FleetEvent::Built { service, result, look: false }
            }
            Job::Check { blueprint } => {
                let service = blueprint.spec.ident.name;
                let release = made(&service, blueprint.pin.as_ref());
                let result = if fails { Err("bad".into()) } else { Ok(Box::new(release)) };
                FleetEvent::CandidateBuilt { service, result }
            }
            Job::ReadForCandidate { service, release, contents } => {
                contents.iter().for_each(|content| content.read());
                FleetEvent::CandidateBuilt { service, result: Ok(release) }
            }
            Job::CheckRendering { service, release, .. } => {
                let result = if fails { Err("bad".into()) } else { Ok(release) };
                FleetEvent::CandidateChecked { service, result }
            }
            Job::Render { service, .. } => {
                let rendering = Rendering { monitor: monitor(choice), ..Rendering::default() };
                FleetEvent::Rendered { service, rendering }
            }
            Job::PrepareInstall { service, package } => {
                let (path, hook) = ("/".into(), Box::new(()));
                let (timeout_ms, changes) = (None, Vec::new());
                let ready = InstallReady { package, path, timeout_ms, changes, hook };
                let result = if fails { Err("bad".into()) } else { Ok(ready) };
                FleetEvent::InstallReady { service, result }
            }
            Job::ReadUserLayer { service } => {
                let layer = UserLayer { table: None, to_keep: None };
                let result = if fails { Err("bad".into()) } else { Ok(layer) };
                FleetEvent::UserLayer { service, result }
            }
            Job::WriteFiles { service, initial, .. } => {
                let (files, failed) = (Vec::new(), BTreeMap::new());
                FleetEvent::FilesWritten { service, files, failed, initial }
            }
            Job::Stage { followed, .. } => FleetEvent::Staged {
                service: followed.service,
                directory: followed.path,
                result: Err("bad".into()),
            },
            Job::ReadContents(contents) => {
                contents.iter().for_each(|content| content.read());
                return self.see(Glance::Contents);
            }
        };
        self.tell(event);
    }

    pub(crate) fn exit(&mut self, which: usize, group_alive: bool) {
        if let Some(id) = self.nth_group(which) {
            self.end_process(id, group_alive);
        }
    }

    /// A first process ends; nothing of its group living is reported after that in any case.
    fn end_process(&mut self, id: u64, group_alive: bool) {
        let event = self.launcher.exit(id, group_alive, now(self.now_ms).unix_ms);
        let Some(event) = event else { return };
        self.tell(event);
        if !group_alive {
            self.tell(FleetEvent::GroupGone { id });
        }
    }

    pub(crate) fn end_group(&mut self, which: usize) {
        let event = self.nth_group(which).and_then(|id| self.launcher.end_group(id));
        if let Some(event) = event {
            self.tell(event);
        }
    }

    fn nth_group(&self, which: usize) -> Option<u64> {
        let count = self.launcher.groups.len().max(1);
        self.launcher.groups.keys().nth(which % count).copied()
    }

    /// Time passes in a world that works: answers come, what was signalled ends.
    pub(crate) fn work(&mut self, is_done: impl Fn(&Self) -> bool) {
        for _ in 0..2_000 {
            if is_done(self) {
                return;
            }
            self.see(Glance::Ring);
            let signalled = self.launcher.groups.values().find(|group| group.signalled);
            let left = self.launcher.groups.values().find(|group| !group.leads);
            let can_answer = |asked: &Asked| !(self.disk_hangs && matches!(asked, Asked::Job(_)));
            let asked = self.asked.iter().position(can_answer);
            if let Some(place) = asked {
                self.answer(place, 4);
            } else if let Some(id) = left.map(|group| group.id) {
                let event = self.launcher.end_group(id);
                event.into_iter().for_each(|event| self.tell(event));
            } else if let Some(id) = signalled.map(|group| group.id) {
                self.end_process(id, false);
            } else {
                // What was refused is tried again when a file of it changes.
                for name in self.specs.keys().cloned().collect::<Vec<_>>() {
                    self.tell(FleetEvent::Changed(Watched::Sources(name)));
                }
                self.wake();
            }
        }
        let services: Vec<_> = self.fleet.services().map(Service::status).collect();
        panic!(
            "never done: {services:#?}\n{:?}\n{:?}\n{:?} {} {:?}\n{:?}",
            self.asked,
            self.launcher,
            self.rumors,
            self.fleet.is_reading_ring(),
            self.fleet.next_wake_ms(),
            self.fleet.census().groups().collect::<Vec<_>>()
        );
    }

    /// True when nothing is under way, and each service is as its spec wants it.
    pub(crate) fn is_as_wanted(&self) -> bool {
        let is_up = |service: &Service<Made>| service.status().process.pid.is_some();
        let is_right = |service: &Service<Made>| {
            self.specs.get(service.name()).is_some_and(|spec| {
                let wanted = spec.desired_state == roost_ident::DesiredState::Up;
                service.spec() == spec && is_up(service) == wanted && !service.is_undecided()
            })
        };
        let count = self.fleet.services().count();
        self.started
            && self.asked.is_empty()
            && count == self.specs.len()
            && self.fleet.services().all(is_right)
            && self.launcher.groups.values().all(|group| !group.signalled)
    }

    /// What is shown of each service.
    pub(crate) fn shown(&self) -> BTreeMap<String, Shown> {
        let shown = |service: &Service<Made>| {
            let status = service.status();
            let shown = Shown {
                pid: status.process.pid,
                up_since_ms: status.process.state_entered_ms,
                restart_count: status.restart_count,
                release: status.release,
            };
            (service.name().to_owned(), shown)
        };
        self.fleet.services().map(shown).collect()
    }

    fn drain(&mut self) {
        while let Some(action) = self.fleet.poll() {
            self.check(&action);
            self.carry_out(action);
        }
        self.ended = self.fleet.finished().is_some();
        for service in self.fleet.services() {
            assert!(self.loaded.contains(service.name()), "it is shown and was not loaded");
            self.record.check(service.group().as_str(), &service.status());
        }
    }

    /// What may never be asked for.
    fn check(&self, action: &Action<Made>) {
        assert!(!self.ended || matches!(action, Action::Line(_)), "{action:?} after the end");
        let service = match action {
            Action::Spawn { id: _, service, group: _, .. } => {
                let of_service = self
                    .launcher
                    .groups
                    .values()
                    .filter(|group| group.name.split('.').next() == Some(service.as_str()));
                for group in of_service {
                    let given_up = group.killed_at_ms.is_some_and(|at| self.now_ms >= at + 5_000);
                    assert!(!group.leads && given_up, "a second process beside {group:?}");
                }
                service
            }
            Action::RunHook(run) => &run.service,
            Action::RunProbe(run) => &run.service,
            Action::Work(job) => match &**job {
                Job::Render { service, .. }
                | Job::PrepareInstall { service, .. }
                | Job::WriteFiles { service, .. }
                | Job::CheckRendering { service, .. }
                | Job::ReadForCandidate { service, .. } => service,
                Job::Build { blueprint, .. }
                | Job::Check { blueprint }
                | Job::BuildFormer { blueprint, .. } => &blueprint.spec.ident.name,
                _ => return,
            },
            Action::Store(Stored::Pid { service, .. } | Stored::Release { service, .. })
            | Action::Checked { service } => service,
            _ => return,
        };
        assert!(self.loaded.contains(service), "{action:?} for a service that is gone");
    }

    fn carry_out(&mut self, action: Action<Made>) {
        match action {
            Action::Spawn { id, group, shutdown, .. } => {
                self.launcher.spawn(id, group, shutdown, now(self.now_ms).unix_ms);
                self.asked.push(Asked::Start { id });
            }
            Action::RunHook(run) => {
                self.launcher.used(run.id);
                self.asked.push(Asked::Hook { id: run.id });
            }
            Action::RunProbe(run) => self.asked.push(Asked::Probe(run)),
            Action::EndProbes { service } => {
                let is_it =
                    |asked: &Asked| matches!(asked, Asked::Probe(run) if run.service == service);
                self.asked.retain(|asked| !is_it(asked));
            }
            Action::Signal { id, signal } => {
                let is_it =
                    |asked: &Asked| matches!(asked, Asked::Hook { id: it, .. } if *it == id);
                if self.asked.iter().any(is_it) {
                    self.ended_hooks.insert(id);
                }
                self.launcher.signal(id, signal, self.now_ms);
            }
            Action::Probe { id, .. } => {
                let leads = self.launcher.groups.get(&id).is_some_and(|group| group.leads);
                if !leads {
                    self.tell(FleetEvent::OrphanEnded { id });
                }
            }
            Action::Remember { group, state } => drop(self.launcher.kept.insert(group, state)),
            Action::Forget { group } => self.launcher.forget(&group),
            Action::Work(job) => self.asked.push(Asked::Job(job)),
            Action::Watch { what: Watched::User(service), .. } => {
                assert!(self.loaded.insert(service), "it is loaded twice");
            }
            Action::Unwatch(Watched::User(service)) => {
                assert!(self.loaded.remove(&service), "it was not loaded");
            }
            Action::Ring(RingAction::Announce { group, release, .. }) => {
                use roost_fleet::Release;
                let rumor = self.rumors.entry(group).or_default();
                rumor.pkg = release.ident().to_string();
                rumor.incarnation += 1;
            }
            Action::LookAround => self.look(Glance::Ring),
            Action::Started => {
                assert!(!self.started, "it starts once");
                self.started = true;
            }
            Action::Record(report) => self.record.take(&report),
            Action::Line(_)
            | Action::Store(_)
            | Action::Watch { .. }
            | Action::Unwatch(_)
            | Action::Ring(_)
            | Action::Checked { .. }
            | Action::Hide { .. }
            | Action::ShowLast(_)
            | Action::Ending => {}
        }
    }
}

fn now(mono_ms: u64) -> Now {
    Now { mono_ms, unix_ms: EPOCH_MS + mono_ms - START_MS }
}

fn config() -> Config {
    Config {
        specs: "/hab/sup/default/specs".into(),
        organization: None,
        member_id: ME.into(),
        settings: Settings::default(),
        seed: 7,
    }
}

fn update(census: &mut Census, rumors: &BTreeMap<String, Rumor>) -> Update {
    let rumors: Vec<(ServiceGroup, &Rumor)> =
        rumors.iter().map(|(group, rumor)| (group.parse().expect("a group"), rumor)).collect();
    let me = MemberFact {
        member_id: ME,
        address: "127.0.0.1",
        gossip_port: 9638,
        health: MemberHealth::Alive,
    };
    let sys = SysInfo::default();
    let changes = rumors.iter().map(|(_, rumor)| rumor.incarnation).sum();
    let input = Input {
        services: rumors.iter().map(|(group, rumor)| fact(group, rumor, &sys)).collect(),
        members: vec![me],
        counters: Counters { service: changes, ..Counters::default() },
        ..Input::default()
    };
    census.update(&input, &mut |_| Err(Closed::Later))
}

fn fact<'a>(group: &'a ServiceGroup, rumor: &'a Rumor, sys: &'a SysInfo) -> ServiceFact<'a> {
    ServiceFact {
        member_id: ME,
        group,
        incarnation: rumor.incarnation,
        pkg_incarnation: 0,
        pkg: &rumor.pkg,
        cfg: b"",
        sys,
    }
}
