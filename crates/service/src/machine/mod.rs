//! One supervised service, from its spec to its end.
//!
//! ```text
//!                          Starting:
//! Stopped ─► Waiting ◄───► Building ─► Installing ─► Preparing ─► Initializing ─► Initialized
//!               ▲                                        │                            │
//!               │◄───────────────────────────────────────┘                            ▼
//!               │                                           Running ◄───────────── Spawning
//!               │                                              │
//!               └──────────── Stopping, then post-stop ◄───────┴── from every step above
//! ```
//!
//! Two rules keep it simple. A stop waits for everything: the process and its group, stopped hooks,
//! and outstanding answers; so nothing late can interfere with the next start, and there are never
//! two copies. And starts have a floor: after an attempt, an `init` or a spawn, the next attempt
//! begins no sooner than [`Settings::start_floor_ms`] later, unless the process ran that long.

mod attempt;
mod candidate;
mod checking;
mod command;
mod conditions;
mod memory;
mod reason;
mod rendering;
mod reporting;
mod restart;
mod running;
mod shown;
mod state;
mod stopping;

pub(crate) use self::reason::lack;

use std::collections::VecDeque;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use roost_ident::{
    BindingMode, DesiredState, ElectionStatus, HealthStatus, Hook, ServiceBind, ServiceGroup,
    Topology,
};

use self::{
    candidate::{Candidate, Former},
    checking::Checking,
    conditions::Conditions,
    reporting::Reporting,
    state::{Asked, Attempt, Logged, Pending, Process},
};
use crate::{
    account::{Account, Crashes},
    backoff::Backoff,
    binds::BindReport,
    effect::{Effect, LogKey, Preamble},
    event::{MachineEvent, Now, Plan, ProcessEnd},
    health::Health,
    hooks::Hooks,
    phase::{After, Phase, Step},
    recent::Recent,
    remembered::{Remembered, Survivor},
    settings::Settings,
    spec::ServiceSpec,
    status::LastProcess,
    text,
    why::Failure,
};

/// One supervised service as a state machine.
#[derive(Debug)]
pub struct Machine {
    group: ServiceGroup,
    spec: ServiceSpec,
    /// The spec that takes effect when the current stop is complete.
    next: Option<(ServiceSpec, ServiceGroup)>,
    settings: Settings,
    rng: ChaCha8Rng,
    phase: Phase,
    attempt: Attempt,
    asked: Asked,
    hooks: Hooks,
    process: Option<Process>,
    state_entered_ms: u64,
    /// Start of the last stop.
    stop_began_unix_ms: u64,
    health: Health,
    checking: Checking,
    backoff: Backoff,
    /// A failed service does not start before this time.
    not_before_ms: Option<u64>,
    /// Start of the last attempt, `init` or spawn, unless its process ran long enough.
    last_start_ms: Option<u64>,
    /// The next attempt counts as a restart, not as a fresh start.
    restarting: bool,
    restart_count: u64,
    last_process_state: Option<LastProcess>,
    next_restart_at_s: Option<u64>,
    binds: Vec<BindReport>,
    election: ElectionStatus,
    leader: Option<String>,
    /// A file that the build reads has changed during the build.
    files_changed: bool,
    /// Why the service is down, as Habitat's documents show it.
    reason: Option<String>,
    /// The last reason why it did not run.
    failure: Option<Failure>,
    crashes: Crashes,
    recent: Recent,
    account: Account,
    /// Candidate to replace the running release or spec, until it has been checked.
    candidate: Option<Candidate>,
    /// The former release and spec.
    former: Option<Former>,
    /// The release whose files are all on disk.
    on_disk: Option<String>,
    /// The release for the next attempt.
    pin: Option<String>,
    conditions: Conditions,
    logged: Logged,
    reporting: Reporting,
    /// Difference between Unix time and the caller's clock, for the remembered state.
    unix_minus_mono_ms: u64,
    /// What was last given to be remembered; `None` when the group has changed since.
    remembered: Option<Remembered>,
    effects: VecDeque<Effect>,
}

impl Machine {
    /// A service with a newly read spec; starts if its desired state is up. `seed` determines
    /// back-off and splay, and names its reports. [`Machine::introduce`] is to follow.
    #[must_use]
    pub fn new(
        now: Now,
        group: ServiceGroup,
        spec: ServiceSpec,
        settings: Settings,
        seed: u64,
    ) -> Self {
        let mut machine = Self::idle(now, group, spec, settings, seed);
        if machine.spec.desired_state == DesiredState::Up {
            machine.begin(now);
        }
        machine.keep();
        machine
    }

    /// A service that the former Supervisor managed and that has no process: its shown state and
    /// its wait for the next start continue. `ended` is the end of a process that the former
    /// Supervisor may have missed.
    #[must_use]
    pub fn resume(
        now: Now,
        group: ServiceGroup,
        spec: ServiceSpec,
        settings: Settings,
        seed: u64,
        remembered: &Remembered,
        ended: Option<(u32, ProcessEnd)>,
    ) -> Self {
        let mut machine = Self::idle(now, group, spec, settings, seed);
        machine.recall(now, remembered);
        if remembered.health == HealthStatus::Unknown {
            let since_ms = remembered.health_since_unix_ms.unwrap_or(0);
            machine.health.restore(HealthStatus::Unknown, since_ms, true);
        }
        if let Some((pid, end)) = ended {
            machine.note_unseen_end(pid, end, remembered.stopping);
        }
        if machine.spec.desired_state == DesiredState::Up {
            machine.begin(now);
        }
        machine.keep();
        machine
    }

    /// A service whose process outlived the former Supervisor. The process is neither started nor
    /// initialized again; its health check restarts. The service is built for its records, from the
    /// release that the process was started from.
    #[must_use]
    pub fn adopt(
        now: Now,
        group: ServiceGroup,
        spec: ServiceSpec,
        settings: Settings,
        seed: u64,
        survivor: Survivor,
    ) -> Self {
        let mut machine = Self::idle(now, group, spec, settings, seed);
        machine.take_back(now, survivor);
        machine.keep();
        machine
    }

    fn idle(
        now: Now,
        group: ServiceGroup,
        spec: ServiceSpec,
        settings: Settings,
        seed: u64,
    ) -> Self {
        Self {
            group,
            spec,
            next: None,
            settings,
            rng: ChaCha8Rng::seed_from_u64(seed),
            phase: Phase::Stopped,
            attempt: Attempt::default(),
            asked: Asked::default(),
            hooks: Hooks::default(),
            process: None,
            state_entered_ms: now.unix_ms,
            stop_began_unix_ms: now.unix_ms,
            health: Health::default(),
            checking: Checking::default(),
            backoff: Backoff::new(settings.backoff),
            not_before_ms: None,
            last_start_ms: None,
            restarting: false,
            restart_count: 0,
            last_process_state: None,
            next_restart_at_s: None,
            binds: Vec::new(),
            election: ElectionStatus::None,
            leader: None,
            files_changed: false,
            reason: None,
            failure: None,
            crashes: Crashes::default(),
            recent: Recent::default(),
            account: Account::default(),
            candidate: None,
            former: None,
            on_disk: None,
            pin: None,
            conditions: Conditions::default(),
            logged: Logged::default(),
            reporting: Reporting::new(seed),
            unix_minus_mono_ms: now.unix_ms.saturating_sub(now.mono_ms),
            remembered: Some(Remembered::default()),
            effects: VecDeque::new(),
        }
    }

    /// Handles an event. Draw effects with [`Machine::poll`] afterwards.
    pub fn handle(&mut self, now: Now, event: MachineEvent) {
        if self.phase == Phase::Gone {
            return;
        }
        match event {
            MachineEvent::SpecChanged { spec, group } => self.change_spec(now, spec, group),
            MachineEvent::Start => self.start(now),
            MachineEvent::Stop { timeout_s } => self.stop(now, After::Down, timeout_s),
            MachineEvent::Unload { timeout_s } => self.stop(now, After::Unload, timeout_s),
            MachineEvent::Shutdown => self.stop(now, After::Shutdown, None),
            MachineEvent::Detach => self.detach(now),
            MachineEvent::Built(plan) => self.built(now, plan),
            MachineEvent::BuildFailed(failure) => self.build_failed(now, &failure),
            MachineEvent::Checked(result) => self.checked(now, result),
            MachineEvent::ReleaseRefused(error) => self.note_unreleased(now, Some(error)),
            MachineEvent::ReleaseFit => self.note_unreleased(now, None),
            MachineEvent::UserConfig { refused } => self.note_unconfigured(now, refused),
            MachineEvent::FilesChanged => self.note_files(now),
            MachineEvent::Installed => self.installed(now),
            MachineEvent::InstallFailed { error, printed } => {
                self.install_failed(now, &error, &printed);
            }
            MachineEvent::ContextChanged => self.note_context(now),
            MachineEvent::Rendered(rendering) => self.rendered(now, &rendering),
            MachineEvent::Binds(reports) => self.note_binds(now, reports),
            MachineEvent::Election { status, leader } => self.note_election(now, status, leader),
            MachineEvent::Spawned { pid } => self.spawned(now, pid),
            MachineEvent::SpawnFailed(error) => self.spawn_failed(now, &error),
            MachineEvent::Exited { pid, group_alive, end } => {
                self.exited(now, pid, group_alive, end);
            }
            MachineEvent::OutOfReach { pid, processes } => self.out_of_reach(pid, &processes),
            MachineEvent::GroupEnded { pid } => self.group_ended(now, pid),
            MachineEvent::HookEnded { hook, outcome, printed } => {
                self.hook_ended(now, hook, &outcome, printed);
            }
            MachineEvent::Probed { round, place, found } => self.probed(now, round, place, &found),
            MachineEvent::FilesUpdated(names) => self.files_updated(now, &names),
            MachineEvent::PackageUpdated(ident) => self.package_updated(now, &ident),
        }
        self.settle(now);
    }

    /// Performs due actions. Call it at [`Machine::next_wake_ms`]; an earlier call is harmless.
    pub fn wake(&mut self, now: Now) {
        self.recent.forget(now.mono_ms);
        match self.phase {
            Phase::Waiting(wait) => {
                if wait.until_ms <= now.mono_ms {
                    self.begin(now);
                }
            }
            Phase::Running => self.wake_running(now),
            Phase::Starting(Step::Initializing) => self.end_late_hooks(now),
            Phase::Stopping(stop) if stop.in_post_stop => self.end_late_hooks(now),
            Phase::Stopping(_) => self.wake_stopping(now),
            Phase::Stopped | Phase::Starting(_) | Phase::Gone => {}
        }
        self.settle(now);
    }

    /// Time when [`Machine::wake`] is due, on the clock of [`Now::mono_ms`].
    #[must_use]
    pub fn next_wake_ms(&self) -> Option<u64> {
        let recent = self.recent.next_ms().filter(|_| self.phase != Phase::Gone);
        self.phase_wake_ms().into_iter().chain(recent).min()
    }

    fn phase_wake_ms(&self) -> Option<u64> {
        match self.phase {
            Phase::Waiting(wait) => Some(wait.until_ms),
            Phase::Running => {
                let attempt = &self.attempt;
                let times = [attempt.post_run_at_ms, attempt.rebuild_at_ms, attempt.rerender_at_ms];
                let own = [
                    self.health.next_wake_ms(),
                    self.crashes.over_at_ms(),
                    self.hooks.next_late_ms(),
                    self.candidate_wake_ms(),
                ];
                times.into_iter().chain(own).flatten().min()
            }
            Phase::Starting(Step::Initializing) => self.hooks.next_late_ms(),
            Phase::Stopping(stop) if stop.in_post_stop => self.hooks.next_late_ms(),
            Phase::Stopping(_) => self.stop_wake_ms(),
            Phase::Stopped | Phase::Starting(_) | Phase::Gone => None,
        }
    }

    /// The next effect to carry out.
    pub fn poll(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// The current group: that of the process while there is one.
    #[must_use]
    pub fn group(&self) -> &ServiceGroup {
        &self.group
    }

    /// The newest spec, which may not have taken effect yet.
    #[must_use]
    pub fn spec(&self) -> &ServiceSpec {
        self.next.as_ref().map_or(&self.spec, |(spec, _)| spec)
    }

    /// The release in use.
    #[must_use]
    pub fn plan(&self) -> Option<&Plan> {
        self.attempt.plan.as_ref()
    }

    /// True while `install` hooks are due: of the starting release, or of a checked candidate.
    #[must_use]
    pub fn is_installing(&self) -> bool {
        self.asked.install && !matches!(self.phase, Phase::Stopping(_))
    }

    fn push(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    fn log(&mut self, preamble: Preamble, key: LogKey, text: impl Into<String>) {
        self.push(text::line(preamble, key, text));
    }

    fn has_hook(&self, hook: Hook) -> bool {
        self.attempt.plan.as_ref().is_some_and(|plan| plan.has(hook))
    }

    /// The longest run of a hook: what the package states, else the Supervisor's setting.
    fn hook_timeout_ms(&self, hook: Hook) -> u64 {
        if let (Hook::HealthCheck, Some(ms)) = (hook, self.checking.monitor.hook_timeout_ms) {
            return ms;
        }
        let plan = self.attempt.plan.as_ref();
        let own = plan.and_then(|plan| plan.hook_timeouts_ms.get(&hook)).copied();
        own.unwrap_or_else(|| self.settings.hook_timeouts.ms(hook))
    }

    /// Starts a hook of the package; false when it does not exist, or an instance is running.
    fn run_hook(&mut self, now: Now, hook: Hook) -> bool {
        let until_ms = now.mono_ms.saturating_add(self.hook_timeout_ms(hook));
        let cause = self.cause();
        let starts = self.has_hook(hook) && self.hooks.start(hook, until_ms, cause);
        if starts {
            self.push(Effect::RunHook(hook));
        }
        starts
    }

    /// The last report of a bind, as mapped by the spec.
    fn bind_report(&self, bind: &ServiceBind) -> Option<&BindReport> {
        self.binds
            .iter()
            .find(|report| report.name == bind.name && report.group == bind.group.as_str())
    }

    /// True when all binds of a strict service are satisfied.
    fn may_initialize(&self) -> bool {
        match self.spec.binding_mode {
            BindingMode::Relaxed => true,
            BindingMode::Strict => self
                .spec
                .binds
                .iter()
                .all(|bind| self.bind_report(bind).is_some_and(BindReport::is_satisfied)),
        }
    }

    /// True when binds of a strict service are known not to be satisfied.
    fn lacks_binds(&self) -> bool {
        !self.may_initialize() && self.spec.binds.iter().all(|it| self.bind_report(it).is_some())
    }

    /// True when the group allows its members to act (reference: services §11.3).
    fn may_act(&self) -> bool {
        match self.spec.topology {
            Topology::Standalone => true,
            Topology::Leader => self.election == ElectionStatus::Finished,
        }
    }
}
