//! A caller of the machine on a simulated clock: it answers every effect after a scripted delay,
//! and records the requests.

use std::collections::{BTreeMap, HashSet};

use roost_events::{Cause, Kind, Report, ReportId};
use roost_ident::{HealthStatus, Hook, PackageIdent, ServiceGroup};
use roost_service::{
    Effect, Excerpt, ExitStatus, HookOutcome, Machine, MachineEvent, Now, PhaseName, Plan,
    Preamble, Printed, ProbeFound, ProcessEnd, RenderedFile, RenderedKind, Rendering, ServiceSpec,
    Settings, Status, Survivor,
};

/// Unix time of the beginning.
pub(crate) const EPOCH_MS: u64 = 1_795_362_000_000;
/// Start of the simulated clock; not zero, so that unset times show.
pub(crate) const START_MS: u64 = 100_000;

pub(crate) fn now(mono_ms: u64) -> Now {
    Now { mono_ms, unix_ms: EPOCH_MS + mono_ms - START_MS }
}

pub(crate) fn spec(name: &str) -> ServiceSpec {
    ServiceSpec::new(PackageIdent::new("example", name, None, None))
}

pub(crate) fn group(name: &str) -> ServiceGroup {
    ServiceGroup::new(name, "default", None).expect("fine by construction")
}

pub(crate) fn plan(name: &str, hooks: &[Hook]) -> Plan {
    Plan {
        hooks: hooks.to_vec(),
        user: Some("root".into()),
        group: Some("root".into()),
        ..Plan::bare(&format!("example/{name}/1.0.0/20250101000000"))
    }
}

/// How the simulated world behaves.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) plan: Plan,
    pub(crate) build: Result<(), roost_service::BuildFailure>,
    /// Result of building the former release.
    pub(crate) former: Result<(), roost_service::BuildFailure>,
    /// Result of a check while the process runs.
    pub(crate) check: Result<(), String>,
    pub(crate) install: Result<(), String>,
    /// Renderings in order; after the last, nothing changes.
    pub(crate) renderings: Vec<Rendering>,
    pub(crate) spawn: Result<(), String>,
    /// The process ends by itself after this time.
    pub(crate) runs_ms: Option<u64>,
    /// The process ends this long after a signal; `None`: it ignores signals.
    pub(crate) ends_ms: Option<u64>,
    /// Duration and outcome of hooks; by default a hook succeeds after a millisecond.
    pub(crate) hooks: BTreeMap<Hook, (Option<u64>, HookOutcome)>,
    /// Output of every hook.
    pub(crate) printed: Printed,
    /// Duration and result of checks without a hook.
    pub(crate) probe: (u64, HealthStatus),
    /// End of the process.
    pub(crate) end: ProcessEnd,
}

/// The end of a process that exits with code 1.
pub(crate) fn end() -> ProcessEnd {
    ProcessEnd {
        status: ExitStatus::Code(1),
        at_unix_ms: EPOCH_MS,
        stderr: Excerpt::last_of("cannot bind\n", 100),
    }
}

impl Script {
    pub(crate) fn new(plan: Plan) -> Self {
        Self {
            plan,
            build: Ok(()),
            former: Ok(()),
            check: Ok(()),
            install: Ok(()),
            renderings: Vec::new(),
            spawn: Ok(()),
            runs_ms: None,
            ends_ms: Some(10),
            hooks: BTreeMap::new(),
            printed: Printed::default(),
            probe: (1, HealthStatus::Ok),
            end: end(),
        }
    }
}

pub(crate) struct World {
    pub(crate) machine: Machine,
    pub(crate) script: Script,
    pub(crate) now_ms: u64,
    /// Everything that was reported.
    pub(crate) reports: Vec<Report>,
    replay: Replay,
    /// Other effects but for log lines and `Remember`, with their time.
    pub(crate) effects: Vec<(u64, Effect)>,
    pub(crate) lines: Vec<String>,
    /// The status after each step in which it changed.
    pub(crate) statuses: Vec<Status>,
    name: String,
    queue: BTreeMap<(u64, u64), MachineEvent>,
    sequence: u64,
    next_pid: u32,
    alive: Option<u32>,
}

impl World {
    pub(crate) fn new(name: &str, script: Script, settings: Settings) -> Self {
        Self::with_spec(spec(name), script, settings)
    }

    pub(crate) fn with_spec(spec: ServiceSpec, script: Script, settings: Settings) -> Self {
        let name = spec.ident.name.clone();
        let machine = Machine::new(now(START_MS), group(&name), spec, settings, 7);
        Self::around(machine, name, script)
    }

    pub(crate) fn adopted(name: &str, script: Script, survivor: Survivor) -> Self {
        Self::adopted_with(spec(name), script, survivor)
    }

    pub(crate) fn adopted_with(spec: ServiceSpec, script: Script, survivor: Survivor) -> Self {
        let (pid, name) = (survivor.pid, spec.ident.name.clone());
        let settings = Settings::default();
        let machine = Machine::adopt(now(START_MS), group(&name), spec, settings, 7, survivor);
        let mut world = Self::around(machine, name, script);
        world.alive = Some(pid);
        world
    }

    fn around(mut machine: Machine, name: String, script: Script) -> Self {
        machine.introduce(now(START_MS), Cause::Unknown);
        let mut world = Self {
            machine,
            script,
            now_ms: START_MS,
            reports: Vec::new(),
            replay: Replay::default(),
            effects: Vec::new(),
            lines: Vec::new(),
            statuses: Vec::new(),
            name,
            queue: BTreeMap::new(),
            sequence: 0,
            next_pid: 1_000,
            alive: None,
        };
        world.drain();
        world
    }

    pub(crate) fn tell(&mut self, event: MachineEvent) {
        if matches!(event, MachineEvent::Exited { .. }) {
            self.alive = None;
        }
        self.machine.handle(now(self.now_ms), event);
        self.drain();
    }

    /// Advances the clock by this many milliseconds.
    pub(crate) fn pass(&mut self, ms: u64) {
        let end_ms = self.now_ms + ms;
        loop {
            let event_ms = self.queue.first_key_value().map(|((at_ms, _), _)| *at_ms);
            let wake_ms = self.machine.next_wake_ms();
            let due_ms = [event_ms, wake_ms].into_iter().flatten().min();
            let Some(due_ms) = due_ms.filter(|due_ms| *due_ms <= end_ms) else { break };
            self.now_ms = self.now_ms.max(due_ms);
            if event_ms.is_some_and(|at_ms| at_ms <= self.now_ms) {
                let (_, event) = self.queue.pop_first().expect("fine by construction");
                if let MachineEvent::Exited { pid, .. } = event {
                    if self.alive != Some(pid) {
                        continue;
                    }
                    self.alive = None;
                }
                self.machine.handle(now(self.now_ms), event);
            } else {
                self.machine.wake(now(self.now_ms));
                let next_ms = self.machine.next_wake_ms();
                assert!(next_ms.is_none_or(|at_ms| at_ms > self.now_ms), "a busy loop");
            }
            self.drain();
        }
        self.now_ms = end_ms;
    }

    fn later(&mut self, ms: u64, event: MachineEvent) {
        self.sequence += 1;
        self.queue.insert((self.now_ms + ms, self.sequence), event);
    }

    fn drain(&mut self) {
        while let Some(effect) = self.machine.poll() {
            self.answer(&effect);
            match effect {
                Effect::Log { preamble, key, text } => {
                    let preamble = match preamble {
                        Preamble::Group => format!("{}.default", self.name),
                        Preamble::Package => self.name.clone(),
                        Preamble::Sup => "hab-sup".into(),
                    };
                    self.lines.push(format!("{preamble}({}): {text}", key.as_str()));
                }
                Effect::Remember => {}
                Effect::Record(report) => {
                    self.replay.take(&report);
                    self.reports.push(report);
                }
                effect => self.effects.push((self.now_ms, effect)),
            }
        }
        let status = self.machine.status();
        self.replay.check(&status);
        if self.statuses.last() != Some(&status) {
            self.statuses.push(status);
        }
    }

    fn answer(&mut self, effect: &Effect) {
        let script = self.script.clone();
        match effect {
            Effect::Build { .. } => match script.build {
                Ok(()) => self.later(1, MachineEvent::Built(script.plan)),
                Err(failure) => self.later(1, MachineEvent::BuildFailed(failure)),
            },
            Effect::BuildFormer { release } => match script.former {
                Ok(()) => {
                    let plan = Plan { ident: release.clone(), ..script.plan };
                    self.later(1, MachineEvent::Built(plan));
                }
                Err(failure) => self.later(1, MachineEvent::BuildFailed(failure)),
            },
            Effect::Check { release, .. } => {
                let ident = release.clone().unwrap_or(script.plan.ident.clone());
                let checked = script.check.map(|()| Plan { ident, ..script.plan });
                self.later(1, MachineEvent::Checked(checked));
            }
            Effect::RunInstallHooks => match script.install {
                Ok(()) => self.later(1, MachineEvent::Installed),
                Err(error) => {
                    self.later(
                        1,
                        MachineEvent::InstallFailed { error, printed: Printed::default() },
                    );
                }
            },
            Effect::Render { .. } => {
                let rendering = if script.renderings.is_empty() {
                    Rendering::default()
                } else {
                    self.script.renderings.remove(0)
                };
                self.later(1, MachineEvent::Rendered(rendering));
            }
            Effect::RunHook(hook) => {
                let (after_ms, outcome) =
                    script.hooks.get(hook).cloned().unwrap_or((Some(1), HookOutcome::Exit(0)));
                if let Some(after_ms) = after_ms {
                    self.later(
                        after_ms,
                        MachineEvent::HookEnded {
                            hook: *hook,
                            outcome,
                            printed: self.script.printed.clone(),
                        },
                    );
                }
            }
            Effect::EndHook(hook) => {
                // Its own answer does not come any more.
                self.queue.retain(
                    |_, event| !matches!(event, MachineEvent::HookEnded { hook: other, .. } if other == hook),
                );
                self.later(
                    1,
                    MachineEvent::HookEnded {
                        hook: *hook,
                        outcome: HookOutcome::Signal(9),
                        printed: Printed::default(),
                    },
                );
            }
            Effect::Spawn => match script.spawn {
                Ok(()) => {
                    assert_eq!(self.alive, None, "two copies");
                    self.next_pid += 1;
                    let pid = self.next_pid;
                    self.alive = Some(pid);
                    self.later(1, MachineEvent::Spawned { pid });
                    if let Some(runs_ms) = script.runs_ms {
                        self.later(
                            1 + runs_ms,
                            MachineEvent::Exited { pid, group_alive: false, end: script.end },
                        );
                    }
                }
                Err(error) => self.later(1, MachineEvent::SpawnFailed(error)),
            },
            Effect::Signal { pid, .. } => {
                if let Some(ends_ms) = script.ends_ms {
                    self.later(
                        ends_ms,
                        MachineEvent::Exited { pid: *pid, group_alive: false, end: script.end },
                    );
                }
            }
            Effect::Kill { pid } => {
                self.later(
                    1,
                    MachineEvent::Exited { pid: *pid, group_alive: false, end: script.end },
                );
            }
            Effect::RunProbe { round, place, probe } => {
                let (after_ms, status) = script.probe;
                let text = format!("{}: {status}", probe.name);
                let found = ProbeFound { status, text, duration_ms: after_ms };
                let (round, place) = (*round, *place);
                self.later(after_ms, MachineEvent::Probed { round, place, found });
            }
            Effect::Announce
            | Effect::EndProbes
            | Effect::Checked(_)
            | Effect::StartElection
            | Effect::Ran { .. }
            | Effect::WritePid(_)
            | Effect::RemovePid
            | Effect::Remember
            | Effect::Log { .. }
            | Effect::Record(_)
            | Effect::Stopped
            | Effect::Gone => {}
        }
    }

    /// Times of the matching effects, relative to the beginning.
    pub(crate) fn times(&self, is_wanted: impl Fn(&Effect) -> bool) -> Vec<u64> {
        self.effects
            .iter()
            .filter(|(_, effect)| is_wanted(effect))
            .map(|(at_ms, _)| at_ms - START_MS)
            .collect()
    }

    /// Positions of the matching effects among all effects.
    pub(crate) fn places(&self, is_wanted: impl Fn(&Effect) -> bool) -> Vec<usize> {
        let effects = self.effects.iter().enumerate();
        effects.filter(|(_, (_, effect))| is_wanted(effect)).map(|(place, _)| place).collect()
    }
}

/// What a reader of the record knows of a service.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    state: Option<String>,
    health: Option<String>,
    process: Option<u64>,
    known: HashSet<ReportId>,
}

impl Replay {
    pub(crate) fn take(&mut self, report: &Report) {
        let fact = &report.fact;
        assert!(fact.service.is_some(), "{fact:?}");
        if let Cause::Report(id) = report.cause {
            assert!(self.known.contains(&id), "the cause of {fact:?} was not reported before it");
        }
        assert!(self.known.insert(report.id), "{report:?} has the name of another one");
        let pid = fact.data.get("pid").and_then(serde_json::Value::as_u64);
        match fact.kind {
            Kind::ProcessStarted => {
                assert_eq!(self.process, None, "two processes without an end between them");
                self.process = pid;
            }
            Kind::ProcessExited => {
                assert!(self.process.is_none_or(|process| Some(process) == pid), "{fact:?}");
                self.process = None;
            }
            Kind::HealthChanged => {
                let known = self.health.get_or_insert_with(|| "unknown".into());
                assert!(fact.before.as_ref().is_none_or(|before| before == known), "{fact:?}");
                self.health.clone_from(&fact.after);
            }
            // It is in another group from now on.
            Kind::ServiceUnloaded => (self.state, self.health) = (None, None),
            kind if kind.as_str().starts_with("service.") => {
                assert_eq!(fact.before, self.state, "{fact:?}");
                assert_eq!(kind.as_str().strip_prefix("service."), fact.after.as_deref());
                assert!(can_change(fact.before.as_deref(), fact.after.as_deref()), "{fact:?}");
                self.state.clone_from(&fact.after);
            }
            _ => {}
        }
    }

    /// The record shows what the documents show.
    pub(crate) fn check(&self, status: &Status) {
        if status.phase == PhaseName::Gone {
            return;
        }
        assert_eq!(self.state.as_deref(), Some(status.state.as_str()));
        let health = self.health.as_deref().unwrap_or("unknown");
        assert_eq!(health, status.health.as_str().to_ascii_lowercase());
        if let (Some(process), Some(pid)) = (self.process, status.process.pid) {
            assert_eq!(process, u64::from(pid));
        }
    }
}

/// The changes of a service's state that there are.
fn can_change(before: Option<&str>, after: Option<&str>) -> bool {
    let (Some(before), Some(after)) = (before, after) else { return after.is_some() };
    match before {
        // It may be back before its document is made again.
        "up" => ["stopping", "down", "starting", "backing_off", "failed"].contains(&after),
        "stopping" => ["down", "starting", "backing_off", "failed"].contains(&after),
        "down" => ["starting"].contains(&after),
        "starting" => before != after,
        "backing_off" | "blocked" | "failed" => before != after && after != "up",
        _ => false,
    }
}

pub(crate) fn world(hooks: &[Hook], change: impl FnOnce(&mut Script)) -> World {
    let mut script = Script::new(plan("web", hooks));
    change(&mut script);
    World::new("web", script, Settings::default())
}

pub(crate) fn rendering(kind: RenderedKind) -> Rendering {
    Rendering {
        files: vec![RenderedFile { kind, path: "/hab/svc/web/x".into() }],
        ..Rendering::default()
    }
}

pub(crate) fn is_build(effect: &Effect) -> bool {
    matches!(effect, Effect::Build { .. })
}

pub(crate) fn has_line(world: &World, line: &str) -> usize {
    world.lines.iter().filter(|ours| *ours == line).count()
}
