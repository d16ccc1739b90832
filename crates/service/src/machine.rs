//! One supervised service, from its spec to its end.
//!
//! ```text
//! Stopped ─► Pausing ─► Building ─► Installing ─► Preparing ─► Initializing ─► Initialized
//!               ▲          │ ▲                       │                             │
//!               │          ▼ │                       ▼                             ▼
//!               │         Broken ◄───────────────────┘      Running ◄────────── Spawning
//!               │                                              │
//!               └────────── PostStop ◄── Stopping ◄────────────┴── from every phase above
//! ```
//!
//! Two rules keep it simple. A stop waits for everything: the process and its group, stopped hooks,
//! and outstanding answers; so nothing late can interfere with the next start, and there are never
//! two copies. And starts have a floor: after an attempt, an `init` or a spawn, the next attempt
//! begins no sooner than [`Settings::start_floor_ms`] later, unless the process ran that long.

mod attempt;
mod candidate;
mod command;
mod reason;
mod rendering;
mod restart;
mod running;
mod stopping;

use std::collections::{BTreeMap, VecDeque};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use roost_ident::{
    BindingMode, DesiredState, ElectionStatus, HealthStatus, Hook, ProcessState, ServiceBind,
    ServiceGroup, Topology,
};

use self::candidate::{Candidate, Former};
use crate::{
    account::{Account, Crashes},
    backoff::Backoff,
    binds::{BindReport, BindState},
    effect::{Effect, LogKey, Preamble},
    event::{Event, Now, Plan, ProcessEnd, RenderFailure},
    health::Health,
    hooks::Hooks,
    phase::{After, Phase},
    remembered::{Remembered, Survivor},
    settings::Settings,
    spec::ServiceSpec,
    status::{LastProcess, PhaseName, ProcessStatus, Status},
    text,
    why::Failure,
};

/// Outstanding answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Asked {
    build: bool,
    install: bool,
    render: bool,
    spawn: bool,
    /// A stop does not wait for a check, as it changes nothing.
    check: bool,
}

impl Asked {
    /// True when a stop must wait.
    fn any(self) -> bool {
        self.build || self.install || self.render || self.spawn
    }
}

/// The process of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    pid: u32,
    up_since_ms: u64,
    /// The process has ended, but others of its group are alive.
    left_behind: bool,
}

/// Changes on disk that are not yet applied (reference: services §12.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Pending {
    init: bool,
    run: bool,
    post_run: bool,
    reconfigure: bool,
    config: bool,
}

/// State of one attempt to run the service, from building to the end of its stop.
#[derive(Debug, Default)]
struct Attempt {
    /// The built plan; for a reattached process, the remembered one.
    plan: Option<Plan>,
    /// The caller holds the built service, so hooks can run.
    built: bool,
    /// Hooks are on disk.
    rendered: bool,
    /// It uses the former release, because a newer one cannot start.
    former: bool,
    /// Error of the failed attempt that this one falls back from.
    first_error: Option<String>,
    /// Failures of the last rendering.
    unrendered: Option<String>,
    /// Template values have changed since the last rendering was requested.
    dirty: bool,
    /// Changes that wait for the process or the election.
    pending: Pending,
    /// The line `Starting …` was logged.
    told_starting: bool,
    /// The lines after preparation were logged.
    told_prepared: bool,
    /// `Waiting for service binds...` was logged for the present wait.
    told_waiting: bool,
    /// The service rumor was gossiped.
    announced: bool,
    /// The election status last acted on.
    election: ElectionStatus,
    /// The process was started or reattached.
    initialized: bool,
    /// `post-run` failed and runs again at this time.
    post_run_at_ms: Option<u64>,
    /// When `post-run` was started last.
    post_run_started_ms: u64,
    /// `reconfigure` runs again when it ends.
    reconfigure_again: bool,
    /// `file-updated` runs again when it ends.
    file_updated_again: bool,
    /// The service of a reattached process could not be built; next try.
    rebuild_at_ms: Option<u64>,
    /// A file could not be rendered or written (a full disk); next try.
    rerender_at_ms: Option<u64>,
    /// Some configuration files are new, others could not be written. Until they are, the process
    /// gets no signal, so that it never reads a partial change.
    half_written: bool,
}

/// Lines already logged, to avoid repetition until something changes.
#[derive(Debug, Default)]
struct Told {
    /// Why the last attempts failed before `init`.
    failure: Option<String>,
    render: Vec<RenderFailure>,
    /// The last line about a candidate.
    candidate: Option<String>,
    binds: BTreeMap<String, BindState>,
    hooks: BTreeMap<Hook, Vec<Effect>>,
}

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
    health: Health,
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
    account: Account,
    /// Candidate to replace the running release or spec, until it has been checked.
    candidate: Option<Candidate>,
    /// The former release and spec.
    former: Option<Former>,
    /// The release whose files are all on disk.
    on_disk: Option<String>,
    /// The release for the next attempt.
    pin: Option<String>,
    /// Why a newer candidate does not run.
    condition: Option<String>,
    /// Why a newer state of the service's directory is not a release.
    unreleased: Option<String>,
    /// Start of one of these two conditions, or of a failed rendering, Unix milliseconds.
    condition_since_ms: u64,
    told: Told,
    /// Difference between Unix time and the caller's clock, for the remembered state.
    unix_minus_mono_ms: u64,
    remembered: Remembered,
    effects: VecDeque<Effect>,
}

impl Machine {
    /// A service with a newly read spec; starts if its desired state is up. `seed` determines
    /// back-off and splay.
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
        machine.settle();
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
        machine.settle();
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
        machine.settle();
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
            health: Health::default(),
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
            account: Account::default(),
            candidate: None,
            former: None,
            on_disk: None,
            pin: None,
            condition: None,
            unreleased: None,
            condition_since_ms: 0,
            told: Told::default(),
            unix_minus_mono_ms: now.unix_ms.saturating_sub(now.mono_ms),
            remembered: Remembered::default(),
            effects: VecDeque::new(),
        }
    }

    /// Handles an event. Draw effects with [`Machine::poll`] afterwards.
    pub fn handle(&mut self, now: Now, event: Event) {
        if self.phase == Phase::Gone {
            return;
        }
        match event {
            Event::SpecChanged { spec, group } => self.change_spec(now, spec, group),
            Event::Start => self.start(now),
            Event::Stop { timeout_s } => self.stop(now, After::Down, timeout_s),
            Event::Unload { timeout_s } => self.stop(now, After::Unload, timeout_s),
            Event::Shutdown => self.stop(now, After::Shutdown, None),
            Event::Detach => self.detach(),
            Event::Built(plan) => self.built(now, plan),
            Event::BuildFailed(failure) => self.build_failed(now, &failure),
            Event::Checked(result) => self.checked(now, result),
            Event::ReleaseRefused(error) => self.note_unreleased(now, Some(&error)),
            Event::ReleaseFit => self.note_unreleased(now, None),
            Event::FilesChanged => self.note_files(now),
            Event::Installed => self.installed(now),
            Event::InstallFailed { error, printed } => self.install_failed(now, &error, &printed),
            Event::ContextChanged => self.note_context(now),
            Event::Rendered(rendering) => self.rendered(now, &rendering),
            Event::Binds(reports) => self.note_binds(now, reports),
            Event::Election { status, leader } => self.note_election(now, status, leader),
            Event::Spawned { pid } => self.spawned(now, pid),
            Event::SpawnFailed(error) => self.spawn_failed(now, &error),
            Event::Exited { pid, group_alive, end } => self.exited(now, pid, group_alive, end),
            Event::OutOfReach { pid, processes } => self.out_of_reach(pid, &processes),
            Event::GroupEnded { pid } => self.group_ended(now, pid),
            Event::HookEnded { hook, outcome, printed } => {
                self.hook_ended(now, hook, &outcome, printed);
            }
            Event::FilesUpdated(names) => self.files_updated(now, &names),
            Event::PackageUpdated(ident) => self.package_updated(now, &ident),
        }
        self.settle();
    }

    /// Performs due actions. Call it at [`Machine::next_wake_ms`]; an earlier call is harmless.
    pub fn wake(&mut self, now: Now) {
        match self.phase {
            Phase::Pausing { until_ms: at_ms } | Phase::Broken { retry_at_ms: at_ms, .. } => {
                if at_ms <= now.mono_ms {
                    self.begin(now);
                }
            }
            Phase::Running => self.wake_running(now),
            Phase::Initializing | Phase::PostStop { .. } => self.end_late_hooks(now),
            Phase::Stopping(_) => self.wake_stopping(now),
            Phase::Stopped
            | Phase::Building
            | Phase::Installing
            | Phase::Preparing
            | Phase::Initialized
            | Phase::Spawning
            | Phase::Gone => {}
        }
        self.settle();
    }

    /// Time when [`Machine::wake`] is due, on the clock of [`Now::mono_ms`].
    #[must_use]
    pub fn next_wake_ms(&self) -> Option<u64> {
        match self.phase {
            Phase::Pausing { until_ms: at_ms } | Phase::Broken { retry_at_ms: at_ms, .. } => {
                Some(at_ms)
            }
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
            Phase::Stopping(_) => self.stop_wake_ms(),
            Phase::Initializing | Phase::PostStop { .. } => self.hooks.next_late_ms(),
            Phase::Stopped
            | Phase::Building
            | Phase::Installing
            | Phase::Preparing
            | Phase::Initialized
            | Phase::Spawning
            | Phase::Gone => None,
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

    /// State for documents and the status table.
    #[must_use]
    pub fn status(&self) -> Status {
        let up = self.process.filter(|process| !process.left_behind);
        Status {
            desired_state: self.spec().desired_state,
            process: ProcessStatus {
                state: if up.is_some() { ProcessState::Up } else { ProcessState::Down },
                pid: up.map(|process| process.pid),
                state_entered_s: self.state_entered_ms / 1_000,
                state_entered_ms: self.state_entered_ms,
            },
            health: self.health.status(),
            reason: self.shown_reason(),
            why: self.why(),
            state: self.state(),
            health_since_unix_ms: self.health.since_unix_ms(),
            has_check: self.has_hook(Hook::HealthCheck),
            account: self.account.clone(),
            initialized: self.attempt.initialized && up.is_some(),
            last_election_status: self.attempt.election,
            last_process_state: self.last_process_state,
            next_restart_at_s: self.next_restart_at_s,
            restart_count: self.restart_count,
            release: self.plan().map(|plan| plan.ident.clone()),
            phase: self.phase_name(),
        }
    }

    /// Why the service is down; else the conditions that keep it from running what it should; else
    /// why its health is unknown.
    fn shown_reason(&self) -> Option<String> {
        let health = || self.health.reason().map(Into::into);
        self.reason.clone().or_else(|| self.conditions()).or_else(health)
    }

    /// The conditions that keep it from running what it should.
    fn conditions(&self) -> Option<String> {
        let conditions = [&self.condition, &self.unreleased, &self.attempt.unrendered];
        let conditions: Vec<&str> = conditions.into_iter().filter_map(Option::as_deref).collect();
        (!conditions.is_empty()).then(|| conditions.join("; "))
    }

    /// True while `install` hooks are due: of the starting release, or of a checked candidate.
    #[must_use]
    pub fn is_installing(&self) -> bool {
        self.asked.install && !matches!(self.phase, Phase::Stopping(_))
    }

    fn phase_name(&self) -> PhaseName {
        match self.phase {
            Phase::Stopped => PhaseName::Stopped,
            Phase::Pausing { .. } => PhaseName::Waiting,
            Phase::Building => PhaseName::Building,
            Phase::Broken { .. } => PhaseName::Broken,
            Phase::Installing => PhaseName::Installing,
            Phase::Preparing if !self.may_initialize() => PhaseName::WaitingForBinds,
            Phase::Preparing | Phase::Initialized if self.asked.render => PhaseName::Rendering,
            Phase::Preparing | Phase::Initialized => PhaseName::WaitingForElection,
            Phase::Initializing => PhaseName::Initializing,
            Phase::Spawning => PhaseName::Starting,
            Phase::Running => PhaseName::Running,
            Phase::Stopping(_) | Phase::PostStop { .. } => PhaseName::Stopping,
            Phase::Gone => PhaseName::Gone,
        }
    }

    /// State for the next Supervisor; see [`Effect::Remember`].
    #[must_use]
    pub fn remember(&self) -> Remembered {
        Remembered {
            restart_count: self.restart_count,
            last_process_state: self.last_process_state,
            health: self.health.status(),
            backoff_ms: self.backoff.previous_ms(),
            restarted_at_unix_ms: self.backoff.restarted_at_ms().map(|at_ms| self.unix_of(at_ms)),
            stopping: matches!(self.phase, Phase::Stopping(_) | Phase::PostStop { .. }),
            plan: self.attempt.plan.clone(),
            state_entered_unix_ms: Some(self.state_entered_ms),
            health_since_unix_ms: Some(self.health.since_unix_ms()),
            has_passed: self.health.has_passed(),
            not_before_unix_ms: self.not_before_ms.map(|at_ms| self.unix_of(at_ms)),
            restarting: self.restarting,
            failure: self.failure.clone(),
            crashes_unix_ms: {
                let times_ms = self.crashes.times_ms();
                times_ms.into_iter().map(|at_ms| self.unix_of(at_ms)).collect()
            },
            account: self.account.clone(),
        }
    }

    fn unix_of(&self, mono_ms: u64) -> u64 {
        mono_ms.saturating_add(self.unix_minus_mono_ms)
    }

    /// Restores the state of the former Supervisor.
    fn recall(&mut self, now: Now, remembered: &Remembered) {
        let mono_of =
            |unix_ms: u64| now.mono_ms.saturating_sub(now.unix_ms.saturating_sub(unix_ms));
        self.restart_count = remembered.restart_count;
        self.last_process_state = remembered.last_process_state;
        let restarted_at_ms = remembered.restarted_at_unix_ms.map(mono_of);
        self.backoff.restore(remembered.backoff_ms, restarted_at_ms);
        if let Some(at_ms) = remembered.state_entered_unix_ms {
            self.state_entered_ms = at_ms.min(now.unix_ms);
        }
        // A time in the future continues a wait; a clock that was set back must not make it longer
        // than the longest back-off.
        self.not_before_ms = remembered.not_before_unix_ms.map(|at_ms| {
            let left_ms = at_ms.saturating_sub(now.unix_ms).min(self.settings.backoff.max_ms);
            now.mono_ms.saturating_add(left_ms)
        });
        self.restarting = remembered.restarting;
        self.failure.clone_from(&remembered.failure);
        let times_ms: Vec<u64> = remembered.crashes_unix_ms.iter().copied().map(mono_of).collect();
        self.crashes = Crashes::new(&times_ms);
        self.account.clone_from(&remembered.account);
    }

    /// End of every call: requests that changes are remembered.
    fn settle(&mut self) {
        if self.phase == Phase::Gone {
            return;
        }
        let remembered = self.remember();
        if remembered != self.remembered {
            self.remembered = remembered;
            self.push(Effect::Remember);
        }
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

    /// Starts a hook of the package; false when it does not exist, or an instance is running.
    fn run_hook(&mut self, now: Now, hook: Hook) -> bool {
        let until_ms = now.mono_ms.saturating_add(self.settings.hook_timeouts.ms(hook));
        let starts = self.has_hook(hook) && self.hooks.start(hook, until_ms);
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

    /// True when the group allows its members to act (reference: services §11.3).
    fn may_act(&self) -> bool {
        match self.spec.topology {
            Topology::Standalone => true,
            Topology::Leader => self.election == ElectionStatus::Finished,
        }
    }
}
