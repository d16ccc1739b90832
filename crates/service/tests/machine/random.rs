//! Random events in any order: the machine's effects stay consistent, and it always ends.

use std::{collections::BTreeSet, sync::Arc};

use proptest::prelude::*;
use roost_events::Cause;
use roost_ident::{
    BindState, BindingMode, DesiredState, ElectionStatus, HealthStatus, Hook, Topology,
};
use roost_service::{
    BackoffSettings, BindReport, BuildFailure, Effect, HookOutcome, Machine, MachineEvent,
    MonitorRead, Plan, Printed, ProbeFound, RenderFailure, RenderedFile, RenderedKind, Rendering,
    ServiceSpec, Settings, Survivor, monitor::Layer,
};

use crate::support::{Replay, START_MS, group, now, plan, spec};

/// A step of a random caller. Numbers select among the steps possible at that moment.
#[derive(Debug, Clone)]
enum Step {
    Pass(u64),
    Wake,
    Answer { which: usize, choice: u8 },
    Exit { group_alive: bool },
    GroupEnd,
    Tell(Box<MachineEvent>),
}

/// The release that checks find.
const NEWER: &str = "example/web/2/3";

const HOOKS: [Hook; 7] = [
    Hook::Init,
    Hook::Run,
    Hook::PostRun,
    Hook::PostStop,
    Hook::HealthCheck,
    Hook::Reconfigure,
    Hook::FileUpdated,
];

fn specs() -> impl Strategy<Value = ServiceSpec> {
    let down = proptest::bool::weighted(0.2);
    (any::<bool>(), any::<bool>(), any::<bool>(), down, 0..2u32, 0..4u64).prop_map(
        |(leader, bound, relaxed, down, timeout_s, interval_s)| {
            let mut spec = spec("web");
            if leader {
                spec.topology = Topology::Leader;
            }
            if bound {
                spec.binds = vec!["db:pg.default".parse().expect("a bind")];
            }
            if relaxed {
                spec.binding_mode = BindingMode::Relaxed;
            }
            if down {
                spec.desired_state = DesiredState::Down;
            }
            spec.shutdown_timeout_s = (timeout_s > 0).then_some(timeout_s);
            spec.channel = format!("c{interval_s}");
            spec.health_check_interval.secs = interval_s;
            spec
        },
    )
}

fn events() -> impl Strategy<Value = MachineEvent> {
    let binds = |state| {
        MachineEvent::Binds(vec![BindReport {
            name: "db".into(),
            group: "pg.default".into(),
            state,
        }])
    };
    let election = |status, leader: Option<&str>| MachineEvent::Election {
        status,
        leader: leader.map(Into::into),
    };
    prop_oneof![
        1 => specs().prop_map(|spec| MachineEvent::SpecChanged { spec, group: group("web") }),
        2 => Just(MachineEvent::Start),
        1 => proptest::option::of(0..3u32).prop_map(|timeout_s| MachineEvent::Stop { timeout_s }),
        4 => Just(MachineEvent::ContextChanged),
        1 => Just(MachineEvent::FilesChanged),
        4 => Just(binds(BindState::Satisfied)),
        1 => Just(binds(BindState::Inactive)),
        4 => Just(election(ElectionStatus::Finished, Some("abc"))),
        1 => Just(election(ElectionStatus::Finished, None)),
        1 => Just(election(ElectionStatus::InProgress, None)),
        1 => Just(MachineEvent::FilesUpdated(vec!["a".into()])),
        1 => Just(MachineEvent::ReleaseRefused("bad".into())),
        1 => Just(MachineEvent::ReleaseFit),
        1 => Just(MachineEvent::PackageUpdated(NEWER.into())),
        // The end of a foreign process.
        1 => Just(MachineEvent::Exited { pid: 7, group_alive: false, end: crate::support::end() }),
        1 => Just(MachineEvent::GroupEnded { pid: 7 }),
    ]
}

fn rare_events() -> impl Strategy<Value = MachineEvent> {
    prop_oneof![
        proptest::option::of(0..3u32).prop_map(|timeout_s| MachineEvent::Unload { timeout_s }),
        Just(MachineEvent::Shutdown),
        Just(MachineEvent::Detach),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (any::<usize>(), any::<u8>()).prop_map(|(which, choice)| Step::Answer { which, choice }),
        3 => prop_oneof![0..50u64, 0..2_000u64, 0..40_000u64].prop_map(Step::Pass),
        2 => Just(Step::Wake),
        1 => any::<bool>().prop_map(|group_alive| Step::Exit { group_alive }),
        1 => Just(Step::GroupEnd),
        4 => events().prop_map(|event| Step::Tell(Box::new(event))),
    ];
    let rare = rare_events().prop_map(|event| Step::Tell(Box::new(event)));
    (proptest::collection::vec(step, 0..120), proptest::option::weighted(0.3, (rare, 0..120usize)))
        .prop_map(|(mut steps, rare)| {
            if let Some((step, place)) = rare {
                steps.insert(place.min(steps.len()), step);
            }
            steps
        })
}

/// The answers that the machine waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Asked {
    Build,
    Install,
    Render,
    Spawn,
    Hook(Hook),
    Check,
    Probe { round: u64, place: usize },
}

/// The caller: tracks what runs, and checks that each effect is allowed.
struct Model {
    machine: Machine,
    now_ms: u64,
    asked: BTreeSet<Asked>,
    ended: BTreeSet<Asked>,
    process: Option<(u32, u64)>,
    left_behind: Option<u32>,
    next_pid: u32,
    plan: Plan,
    /// Earliest times of the next attempt, init and spawn.
    floors: [u64; 3],
    gone: bool,
    /// The last rendering writes all files or none.
    whole: bool,
    /// The service has run before.
    ran: bool,
    /// The install hooks that run are those of a candidate.
    installs_beside: bool,
    signalled: bool,
    /// When the current process group was killed.
    killed_at_ms: Option<u64>,
    replay: Replay,
}

impl Model {
    fn new(machine: Machine, plan: Plan) -> Self {
        let mut model = Self {
            machine,
            now_ms: START_MS,
            asked: BTreeSet::new(),
            ended: BTreeSet::new(),
            process: None,
            left_behind: None,
            next_pid: 1_000,
            plan,
            floors: [0; 3],
            gone: false,
            whole: false,
            ran: false,
            installs_beside: false,
            signalled: false,
            killed_at_ms: None,
            replay: Replay::default(),
        };
        model.introduce();
        model
    }

    fn introduce(&mut self) {
        self.replay = Replay::default();
        self.machine.introduce(now(self.now_ms), Cause::Unknown);
        self.drain();
    }

    fn tell(&mut self, event: MachineEvent) {
        self.machine.handle(now(self.now_ms), event);
        self.drain();
    }

    fn wake(&mut self) {
        self.machine.wake(now(self.now_ms));
        self.drain();
        let next_ms = self.machine.next_wake_ms();
        assert!(next_ms.is_none_or(|at_ms| at_ms > self.now_ms), "wakes in a busy loop");
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Pass(ms) => self.now_ms += ms,
            Step::Wake => {
                if let Some(at_ms) = self.machine.next_wake_ms() {
                    self.now_ms = self.now_ms.max(at_ms);
                    self.wake();
                }
            }
            Step::Answer { which, choice } => self.answer(which, choice),
            Step::Exit { group_alive } => self.exit(group_alive),
            Step::GroupEnd => self.end_group(),
            Step::Tell(event) => self.tell(*event),
        }
    }

    fn answer(&mut self, which: usize, choice: u8) {
        let count = self.asked.len().max(1);
        let Some(asked) = self.asked.iter().nth(which % count).copied() else { return };
        self.asked.remove(&asked);
        let was_ended = self.ended.remove(&asked);
        let fails = choice.is_multiple_of(4) || was_ended;
        let event = match asked {
            Asked::Build if fails => MachineEvent::BuildFailed(BuildFailure::Refused("bad".into())),
            Asked::Build => {
                let installs = choice.is_multiple_of(3);
                MachineEvent::Built(Plan { installs, ..self.plan.clone() })
            }
            Asked::Install if fails => {
                MachineEvent::InstallFailed { error: "bad".into(), printed: Printed::default() }
            }
            Asked::Install => MachineEvent::Installed,
            Asked::Render => MachineEvent::Rendered(rendering(choice, self.whole)),
            Asked::Check if fails => MachineEvent::Checked(Err("bad".into())),
            Asked::Check => {
                let installs = choice.is_multiple_of(3);
                MachineEvent::Checked(Ok(Plan {
                    installs,
                    ident: NEWER.into(),
                    ..self.plan.clone()
                }))
            }
            Asked::Spawn if fails => MachineEvent::SpawnFailed("bad".into()),
            Asked::Spawn => {
                self.next_pid += 1;
                self.process = Some((self.next_pid, self.now_ms));
                MachineEvent::Spawned { pid: self.next_pid }
            }
            Asked::Hook(hook) => {
                let outcome = match choice % 4 {
                    _ if was_ended => HookOutcome::Signal(9),
                    0 => HookOutcome::CouldNotRun("bad".into()),
                    1 => HookOutcome::Exit(i32::from(choice)),
                    _ => HookOutcome::Exit(0),
                };
                MachineEvent::HookEnded { hook, outcome, printed: Printed::default() }
            }
            Asked::Probe { round, place } => {
                let status = if fails { HealthStatus::Critical } else { HealthStatus::Ok };
                let found = ProbeFound { status, text: "p".into(), duration_ms: 1 };
                MachineEvent::Probed { round, place, found }
            }
        };
        self.installs_beside |= matches!(event, MachineEvent::Checked(_));
        self.tell(event);
    }

    fn exit(&mut self, group_alive: bool) {
        let Some((pid, since_ms)) = self.process.take() else { return };
        if self.now_ms - since_ms >= 1_000 {
            self.floors = [0; 3];
        }
        if group_alive {
            self.left_behind = Some(pid);
        }
        self.tell(MachineEvent::Exited { pid, group_alive, end: crate::support::end() });
    }

    fn end_group(&mut self) {
        if let Some(pid) = self.left_behind.take() {
            self.tell(MachineEvent::GroupEnded { pid });
        }
    }

    fn nothing_runs(&self) -> bool {
        // A check changes nothing, and the install hooks of a candidate run beside the release that
        // runs or starts: nothing waits for them.
        let is_beside = |asked: &Asked| match asked {
            Asked::Check | Asked::Probe { .. } => true,
            Asked::Install => self.installs_beside,
            _ => false,
        };
        let mut asked = self.asked.iter().filter(|asked| !is_beside(asked));
        self.process.is_none() && !self.is_left_behind() && asked.next().is_none()
    }

    /// True while processes of the group live that the stop waits for.
    fn is_left_behind(&self) -> bool {
        let given_up = self.killed_at_ms.is_some_and(|at_ms| self.now_ms >= at_ms + 5_000);
        self.left_behind.is_some() && !given_up
    }

    /// Checks that starts are a second apart unless the process ran that long.
    fn keep_floor(&mut self, kind: usize) {
        assert!(self.now_ms >= self.floors[kind], "too soon after the last one");
        self.floors[kind] = self.now_ms + 1_000;
    }

    fn ask(&mut self, asked: Asked) {
        assert!(self.asked.insert(asked), "two of {asked:?} outstanding");
    }

    fn drain(&mut self) {
        while let Some(effect) = self.machine.poll() {
            assert!(!self.gone, "{effect:?} after the end");
            match effect {
                Effect::Build { pin } => {
                    let is_new = self.process.is_none();
                    assert!(is_new || pin.is_some(), "a new attempt beside a process");
                    assert!(!self.is_left_behind());
                    if is_new {
                        assert!(self.nothing_runs(), "{:?}", self.asked);
                        self.keep_floor(0);
                    }
                    self.installs_beside = false;
                    self.ask(Asked::Build);
                }
                Effect::RunInstallHooks => self.ask(Asked::Install),
                Effect::BuildFormer { .. } => {
                    assert!(self.nothing_runs(), "{:?}", self.asked);
                    assert!(self.ran, "there is no fallback");
                    self.ask(Asked::Build);
                }
                Effect::Check { .. } => self.ask(Asked::Check),
                Effect::Render { whole } => {
                    self.whole = whole;
                    self.ask(Asked::Render);
                }
                Effect::Ran { .. } => self.ran = true,
                Effect::Spawn => {
                    assert!(self.nothing_runs(), "{:?}", self.asked);
                    self.keep_floor(2);
                    self.signalled = false;
                    self.killed_at_ms = None;
                    self.left_behind = None;
                    self.ask(Asked::Spawn);
                }
                Effect::RunHook(hook) => {
                    assert!(self.plan.has(hook), "{hook} does not exist");
                    match hook {
                        Hook::Init => {
                            assert!(self.nothing_runs());
                            self.keep_floor(1);
                        }
                        Hook::PostStop => assert!(self.nothing_runs()),
                        _ => assert!(self.process.is_some(), "{hook} without a process"),
                    }
                    self.ask(Asked::Hook(hook));
                }
                Effect::EndHook(hook) => {
                    let asked = match hook {
                        Hook::Install => Asked::Install,
                        hook => Asked::Hook(hook),
                    };
                    assert!(self.asked.contains(&asked), "{hook} does not run");
                    assert!(self.ended.insert(asked), "{hook} was already stopped");
                }
                Effect::Signal { pid, .. } => {
                    assert!(self.is_alive(pid));
                    assert!(!self.signalled, "signalled twice");
                    self.signalled = true;
                }
                Effect::Kill { pid } => {
                    assert!(self.is_alive(pid) && self.signalled);
                    self.killed_at_ms = Some(self.now_ms);
                }
                Effect::Stopped => assert!(self.nothing_runs(), "{:?}", self.asked),
                Effect::Gone => self.gone = true,
                Effect::RunProbe { round, place, .. } => {
                    assert!(self.process.is_some(), "a check without a process");
                    let same = |asked: &Asked| matches!(asked, Asked::Probe { place: other, .. } if *other == place);
                    assert!(!self.asked.iter().any(same), "two runs of a check");
                    self.ask(Asked::Probe { round, place });
                }
                Effect::EndProbes => {
                    self.asked.retain(|asked| !matches!(asked, Asked::Probe { .. }));
                }
                Effect::Checked(_)
                | Effect::Announce
                | Effect::StartElection
                | Effect::WritePid(_)
                | Effect::RemovePid
                | Effect::Remember
                | Effect::Log { .. } => {}
                Effect::Record(report) => self.replay.take(&report),
            }
        }
        if self.gone {
            return;
        }
        let status = self.machine.status();
        assert_eq!(status.process.pid, self.process.map(|(pid, _)| pid), "status lies");
        if self.process.is_none() {
            assert_eq!(status.health, HealthStatus::Unknown);
        }
        self.replay.check(&status);
        assert!(self.machine.remember().encode().len() <= 4_096);
    }

    fn is_alive(&self, pid: u32) -> bool {
        self.process.is_some_and(|(alive, _)| alive == pid) || self.left_behind == Some(pid)
    }

    /// Answers and ends everything that the machine waits for, without failures.
    fn work(&mut self, is_done: impl Fn(&Self) -> bool) {
        for _ in 0..2_000 {
            if is_done(self) {
                return;
            }
            if self.signalled && self.process.is_some() {
                self.exit(false);
            } else if self.left_behind.is_some() {
                self.end_group();
            } else if let Some(place) = self.asked.iter().position(|asked| *asked != Asked::Render)
            {
                self.answer(place, 2);
            } else if !self.asked.is_empty() {
                self.answer(0, 255);
            } else {
                self.step(Step::Wake);
            }
        }
        panic!("never done: {:?}", self.machine.status());
    }
}

fn rendering(choice: u8, whole: bool) -> Rendering {
    Rendering { monitor: monitor(choice), ..files(choice, whole) }
}

/// What `monitor.toml` holds: nothing, an error, or a check and a restart.
fn monitor(choice: u8) -> Option<MonitorRead> {
    let text = "[health]\nrestart_after = 2\n[[check]]\nname = \"p\"\ntcp = \"h:1\"\n";
    match choice % 4 {
        0 => None,
        1 => Some(MonitorRead { monitor: None, fault: Some("bad".into()) }),
        2 => Some(MonitorRead { monitor: Some(Arc::default()), fault: None }),
        _ => {
            let monitor = Layer::parse(text).expect("fine").monitor();
            Some(MonitorRead { monitor: Some(Arc::new(monitor)), fault: None })
        }
    }
}

fn files(choice: u8, whole: bool) -> Rendering {
    let file = |kind| Rendering {
        files: vec![RenderedFile { kind, path: "p".into() }],
        ..Rendering::default()
    };
    let refused = |failure| Rendering { refused: true, ..Rendering::failed(failure) };
    match choice {
        0..20 => file(RenderedKind::ConfigModified),
        20..40 => file(RenderedKind::Hook(Hook::Run)),
        40..60 => file(RenderedKind::Hook(Hook::Init)),
        60..80 => file(RenderedKind::Hook(Hook::Reconfigure)),
        80..100 if whole => refused(RenderFailure::Hook(Hook::Run, "bad".into())),
        80..100 => Rendering::failed(RenderFailure::Hook(Hook::Run, "bad".into())),
        100..120 if whole => refused(RenderFailure::Config("bad".into())),
        100..120 => Rendering::failed(RenderFailure::Config("bad".into())),
        _ => Rendering::default(),
    }
}

fn plans() -> impl Strategy<Value = Plan> {
    proptest::sample::subsequence(HOOKS.to_vec(), 0..=HOOKS.len())
        .prop_map(|hooks| plan("web", &hooks))
}

fn settings() -> impl Strategy<Value = Settings> {
    (0..3_000u64, 0..9_000u64).prop_map(|(min_ms, max_ms)| Settings {
        backoff: BackoffSettings { min_ms, max_ms, cooldown_ms: 60_000 },
        ..Settings::default()
    })
}

fn started(spec: ServiceSpec, plan: Plan, settings: Settings, seed: u64, adopted: bool) -> Model {
    if !adopted {
        let machine = Machine::new(now(START_MS), group("web"), spec, settings, seed);
        return Model::new(machine, plan);
    }
    let remembered = roost_service::Remembered {
        plan: Some(plan.clone()),
        stopping: seed.is_multiple_of(5),
        ..roost_service::Remembered::default()
    };
    let started_unix_ms = now(START_MS).unix_ms - 5_000;
    let survivor =
        Survivor { pid: 999, started_unix_ms, remembered, is_gone: false, unseen_end: None };
    let machine = Machine::adopt(now(START_MS), group("web"), spec, settings, seed, survivor);
    // The model must know the process before it looks at the first effects.
    let idle = Machine::new(
        now(START_MS),
        group("web"),
        ServiceSpec { desired_state: DesiredState::Down, ..crate::support::spec("web") },
        settings,
        seed,
    );
    let mut model = Model::new(idle, plan);
    model.machine = machine;
    model.process = Some((999, START_MS - 5_000));
    model.introduce();
    model
}

proptest! {
    #[test]
    fn any_order_of_events_ends_sanely(
        spec in specs(), plan in plans(), settings in settings(), seed: u64, adopted: bool,
        steps in steps(),
    ) {
        let mut model = started(spec, plan, settings, seed, adopted);
        for step in steps {
            model.step(step);
        }
        model.tell(MachineEvent::Unload { timeout_s: None });
        model.work(|model| model.gone);
        prop_assert_eq!(model.machine.next_wake_ms(), None);
        model.tell(MachineEvent::Start);
        model.tell(MachineEvent::Shutdown);
        model.wake();
    }

    #[test]
    fn any_order_of_events_leads_to_a_running_service_if_the_world_allows(
        spec in specs(), plan in plans(), settings in settings(), seed: u64, adopted: bool,
        steps in steps(),
    ) {
        let mut model = started(spec, plan, settings, seed, adopted);
        for step in steps {
            model.step(step);
        }
        let mut wanted = crate::support::spec("web");
        wanted.topology = Topology::Leader;
        wanted.binds = vec!["db:pg.default".parse().expect("a bind")];
        let group = group("web");
        model.tell(MachineEvent::SpecChanged { spec: wanted, group });
        // A finished machine, or one whose Supervisor ends, does not come back.
        let ends = |model: &Model| model.gone;
        if !ends(&model) {
            model.work(|model| {
                ends(model) || model.asked.is_empty() && model.machine.next_wake_ms().is_none()
                    || model.machine.status().phase == roost_service::PhaseName::WaitingForBinds
                    || model.process.is_some() && !model.signalled
            });
            model.tell(MachineEvent::Election {
                status: ElectionStatus::Finished,
                leader: Some("abc".into()),
            });
            model.tell(MachineEvent::Binds(vec![BindReport {
                name: "db".into(),
                group: "pg.default".into(),
                state: BindState::Satisfied,
            }]));
            model.work(|model| {
                ends(model)
                    || model.process.is_some()
                        && !model.signalled
                        && model.machine.status().initialized
            });
        }
    }

    /// A candidate that cannot start never affects the running process.
    #[test]
    fn a_process_is_never_stopped_for_what_cannot_start(
        plan in plans(), settings in settings(), seed: u64, adopted: bool,
        steps in proptest::collection::vec(news(), 0..60),
    ) {
        let mut model = started(crate::support::spec("web"), plan, settings, seed, adopted);
        model.work(|model| {
            model.process.is_some() && model.machine.status().initialized
                && !model.asked.contains(&Asked::Build)
        });
        let process = model.process;
        for step in steps {
            match step {
                Step::Answer { which, .. } => {
                    let count = model.asked.len().max(1);
                    match model.asked.iter().nth(which % count).copied() {
                        Some(Asked::Check) => {
                            model.asked.remove(&Asked::Check);
                            model.tell(MachineEvent::Checked(Err("bad".into())));
                        }
                        // The files below the process do not change.
                        Some(Asked::Render) => model.answer(which, if model.whole { 90 } else { 255 }),
                        Some(_) => model.answer(which, 2),
                        None => {}
                    }
                }
                step => model.step(step),
            }
            prop_assert!(!model.signalled, "it was signalled");
            prop_assert_eq!(model.process, process);
        }
    }
}

/// Events that may bring a new release, and all others that are not a stop command.
fn news() -> impl Strategy<Value = Step> {
    let up = specs().prop_map(|spec| {
        let spec =
            ServiceSpec { desired_state: DesiredState::Up, topology: Topology::Standalone, ..spec };
        MachineEvent::SpecChanged { spec, group: group("web") }
    });
    let events = prop_oneof![
        3 => up,
        3 => Just(MachineEvent::PackageUpdated(NEWER.into())),
        1 => Just(MachineEvent::ReleaseRefused("bad".into())),
        2 => Just(MachineEvent::ContextChanged),
        2 => Just(MachineEvent::FilesChanged),
        1 => Just(MachineEvent::FilesUpdated(vec!["a".into()])),
        1 => Just(MachineEvent::Binds(vec![BindReport {
            name: "db".into(),
            group: "pg.default".into(),
            state: BindState::Inactive,
        }])),
    ];
    prop_oneof![
        4 => events.prop_map(|event| Step::Tell(Box::new(event))),
        4 => any::<usize>().prop_map(|which| Step::Answer { which, choice: 0 }),
        2 => prop_oneof![0..50u64, 0..40_000u64].prop_map(Step::Pass),
        2 => Just(Step::Wake),
    ]
}
