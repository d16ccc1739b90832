//! From the desired state to the spawned process: build, install, prepare, init, spawn (reference:
//! services §5 and §7).

use roost_ident::{BindState, ElectionStatus, Hook, TerminationReason, Topology};

use super::{Attempt, Machine, Process};
use crate::{
    binds::BindReport,
    effect::{Effect, LogKey, Preamble},
    event::{BuildFailure, Now, Plan},
    excerpt::Printed,
    phase::{Phase, Step, Wait, WaitReason},
    text,
    why::ReasonCode,
};

impl Machine {
    /// Begins an attempt, or waits until it may begin. Nothing runs and no answer is outstanding.
    pub(super) fn begin(&mut self, now: Now) {
        self.adopt_next_spec();
        self.attempt = Attempt::default();
        let due_ms = self.floor_ms().max(self.not_before_ms.unwrap_or(0));
        if due_ms > now.mono_ms {
            self.phase = Phase::Waiting(Wait { until_ms: due_ms, reason: WaitReason::Pause });
            if self.restarts_after_failure() {
                let wait_ms = due_ms - now.mono_ms;
                self.next_restart_at_s = Some(now.unix_ms.saturating_add(wait_ms) / 1_000);
            }
            return;
        }
        self.not_before_ms = None;
        self.next_restart_at_s = None;
        self.last_start_ms = Some(now.mono_ms);
        self.files_changed = false;
        self.phase = Phase::Starting(Step::Building);
        self.ask_build();
    }

    /// Earliest start of the next attempt.
    fn floor_ms(&self) -> u64 {
        let floor_ms = self.settings.start_floor_ms;
        self.last_start_ms.map_or(0, |at_ms| at_ms.saturating_add(floor_ms))
    }

    pub(super) fn built(&mut self, now: Now, plan: Plan) {
        if !std::mem::take(&mut self.asked.build) {
            return;
        }
        match self.phase {
            Phase::Starting(Step::Building) => {
                let installs = plan.installs;
                self.attempt.plan = Some(plan);
                self.attempt.built = true;
                // After a failure the line waits until there is something new to report.
                if self.logged.failure.is_none() {
                    self.log_starting();
                }
                if installs {
                    self.phase = Phase::Starting(Step::Installing);
                    self.asked.install = true;
                    self.push(Effect::RunInstallHooks);
                } else {
                    self.prepare(now);
                }
            }
            Phase::Running => self.built_again(now, plan),
            Phase::Stopping(_) => {
                // A reattached process is being stopped: now post-stop can run.
                self.attempt.plan = Some(plan);
                self.attempt.built = true;
                self.advance_stop(now);
            }
            Phase::Stopped | Phase::Waiting(_) | Phase::Starting(_) | Phase::Gone => {}
        }
    }

    pub(super) fn build_failed(&mut self, now: Now, failure: &BuildFailure) {
        if !std::mem::take(&mut self.asked.build) {
            return;
        }
        match self.phase {
            Phase::Starting(Step::Building) => {
                let mut lines = text::build_failed(&self.spec.ident.to_string(), failure);
                if !self.go_back(now, &lines[0]) {
                    lines[0] = self.give_up_former(&lines[0]);
                    self.log_failure(Preamble::Sup, LogKey::Mr, &lines);
                    self.note_failure(now, code_of(failure), failure.to_string());
                    self.break_down(now, WaitReason::Unbuilt);
                }
            }
            Phase::Running => {
                let lines = text::build_failed(&self.spec.ident.to_string(), failure);
                self.log_failure(Preamble::Sup, LogKey::Mr, &lines);
                self.note_failure(now, code_of(failure), failure.to_string());
                if self.has_checks() {
                    // The service is not checked until it is built, so the last result is
                    // meaningless.
                    self.health.lose(now);
                }
                let pause_ms = self.settings.rebuild_pause_ms;
                let at_ms = if std::mem::take(&mut self.files_changed) {
                    self.floor_ms().max(now.mono_ms)
                } else {
                    now.mono_ms.saturating_add(pause_ms)
                };
                self.attempt.rebuild_at_ms = Some(at_ms);
            }
            Phase::Stopping(_) => self.advance_stop(now),
            Phase::Stopped | Phase::Waiting(_) | Phase::Starting(_) | Phase::Gone => {}
        }
    }

    pub(super) fn installed(&mut self, now: Now) {
        if !std::mem::take(&mut self.asked.install) {
            return;
        }
        self.forget_hook_failure(Hook::Install);
        if self.phase == Phase::Starting(Step::Installing) {
            self.prepare(now);
        } else if self.is_protected() {
            self.candidate_installed(now, Ok(()));
        } else {
            self.advance_stop(now);
        }
    }

    pub(super) fn install_failed(&mut self, now: Now, error: &str, printed: &Printed) {
        if !std::mem::take(&mut self.asked.install) {
            return;
        }
        if self.phase == Phase::Starting(Step::Installing) || self.is_protected() {
            self.report_failed_install(error, printed);
        }
        if self.phase == Phase::Starting(Step::Installing) {
            let ident = &self.spec.ident;
            let line = format!("Failed to run install hook for {ident}, {error}");
            if self.go_back(now, &line) {
                return;
            }
            let line = self.give_up_former(&line);
            self.log_failure(Preamble::Sup, LogKey::Mr, &[line]);
            self.note_failure(now, ReasonCode::InstallFailed, error.to_owned());
            if let Some(failure) = &mut self.failure {
                failure.printed = printed.end().clone();
            }
            // Not a counted failure, so the back-off does not grow.
            let pause_ms = self.backoff.first_ms();
            self.not_before_ms = Some(now.mono_ms.saturating_add(pause_ms));
            self.begin(now);
        } else if self.is_protected() {
            self.candidate_installed(now, Err(error));
        } else {
            self.advance_stop(now);
        }
    }

    /// Logs why an attempt failed, unless the last one failed for the same reason.
    fn log_failure(&mut self, preamble: Preamble, key: LogKey, lines: &[String]) {
        let reason = lines.first().cloned().unwrap_or_default();
        if self.logged.failure.as_ref() != Some(&reason) {
            for line in lines {
                self.log(preamble, key, line);
            }
        }
        self.logged.failure = Some(reason.clone());
        self.reason = Some(reason);
    }

    /// The attempt failed; waits for a change.
    pub(super) fn break_down(&mut self, now: Now, reason: WaitReason) {
        if std::mem::take(&mut self.files_changed) {
            self.begin(now);
        } else {
            let until_ms = now.mono_ms.saturating_add(self.settings.rebuild_pause_ms);
            self.phase = Phase::Waiting(Wait { until_ms, reason });
        }
    }

    fn log_starting(&mut self) {
        if std::mem::replace(&mut self.attempt.logged_starting, true) {
            return;
        }
        if let Some(plan) = &self.attempt.plan {
            let text = format!("Starting {} ({})", self.spec.ident, plan.ident);
            self.log(Preamble::Sup, LogKey::Mr, text);
        }
    }

    fn log_prepared(&mut self) {
        if std::mem::replace(&mut self.attempt.logged_prepared, true) {
            return;
        }
        self.log(Preamble::Group, LogKey::Ucw, "Watching user.toml");
        if std::mem::take(&mut self.restarting) {
            self.push(text::service("Restarted"));
        }
    }

    /// The service exists from here on: announces it to the ring and renders its files.
    fn prepare(&mut self, now: Now) {
        self.phase = Phase::Starting(Step::Preparing);
        if self.restarting {
            self.backoff.restarted(now.mono_ms);
        }
        if self.logged.failure.is_none() {
            self.log_prepared();
        }
        self.announce();
        self.attempt.dirty = true;
        self.log_binds();
        self.advance(now);
    }

    /// Announces the service to the ring.
    pub(super) fn announce(&mut self) {
        self.attempt.announced = true;
        self.push(Effect::Announce);
        if self.spec.topology == Topology::Leader {
            self.push(Effect::StartElection);
        }
    }

    /// Continues as far as binds, rendering and election allow.
    pub(super) fn advance(&mut self, now: Now) {
        match self.phase {
            Phase::Starting(Step::Preparing) => {
                if !self.may_initialize() {
                    // The former failure is resolved; the phase shows the current wait.
                    self.reason = None;
                    // The reports come first: they name the missing binds.
                    let is_known =
                        self.spec.binds.iter().all(|bind| self.bind_report(bind).is_some());
                    if is_known && !std::mem::replace(&mut self.attempt.logged_waiting, true) {
                        self.push(text::service("Waiting for service binds..."));
                    }
                    return;
                }
                self.attempt.logged_waiting = false;
                if self.is_rendered() && self.may_act_now() {
                    self.initialize(now);
                }
            }
            Phase::Starting(Step::Initialized) => {
                if self.is_rendered() && self.may_act_now() {
                    self.spawn(now);
                }
            }
            Phase::Running => {
                let is_whole = self.is_rendered() && !self.attempt.half_written;
                if self.attempt.built && is_whole && self.may_act_now() {
                    self.apply_pending(now);
                }
            }
            Phase::Stopped
            | Phase::Waiting(_)
            | Phase::Starting(_)
            | Phase::Stopping(_)
            | Phase::Gone => {}
        }
    }

    /// Stores the election's status and logs a change.
    fn may_act_now(&mut self) -> bool {
        if self.spec.topology == Topology::Leader && self.attempt.election != self.election {
            self.attempt.election = self.election;
            self.push(text::election(self.election, self.leader.as_deref()));
        }
        self.may_act()
    }

    pub(super) fn note_election(
        &mut self,
        now: Now,
        status: ElectionStatus,
        leader: Option<String>,
    ) {
        self.election = match (status, &leader) {
            (ElectionStatus::Finished, None) => ElectionStatus::InProgress,
            (status, _) => status,
        };
        self.leader = leader;
        self.advance(now);
    }

    pub(super) fn note_binds(&mut self, now: Now, reports: Vec<BindReport>) {
        self.binds = reports;
        match self.phase {
            Phase::Starting(Step::Building | Step::Installing) => {}
            Phase::Starting(_) | Phase::Running => {
                self.log_binds();
                self.advance(now);
            }
            Phase::Stopped | Phase::Waiting(_) | Phase::Stopping(_) | Phase::Gone => {}
        }
    }

    /// Logs changes of the binds; a bind satisfied from the start is not a change.
    fn log_binds(&mut self) {
        let reports = self.spec.binds.iter().filter_map(|bind| self.bind_report(bind));
        for report in reports.cloned().collect::<Vec<_>>() {
            let logged = self.logged.binds.insert(report.name.clone(), report.state.clone());
            let is_news = match &logged {
                Some(logged) => *logged != report.state,
                None => report.state != BindState::Satisfied,
            };
            if is_news {
                self.push(text::service(report.line()));
                self.report_bind(&report);
            }
        }
    }

    pub(super) fn note_files(&mut self, now: Now) {
        match self.phase {
            Phase::Waiting(wait) if wait.is_broken() => self.begin(now),
            Phase::Starting(Step::Building | Step::Installing | Step::Preparing) => {
                self.files_changed = true;
            }
            Phase::Starting(Step::Initializing | Step::Initialized | Step::Spawning) => {
                self.check_refused();
            }
            Phase::Running => {
                self.check_refused();
                if self.asked.build {
                    self.files_changed = true;
                } else if self.attempt.rebuild_at_ms.is_some() {
                    self.attempt.rebuild_at_ms = Some(self.floor_ms().max(now.mono_ms));
                }
            }
            Phase::Stopped | Phase::Waiting(_) | Phase::Stopping(_) | Phase::Gone => {}
        }
    }

    fn initialize(&mut self, now: Now) {
        self.log_starting();
        self.log_prepared();
        self.logged.failure = None;
        self.reason = None;
        self.push(text::service("Initializing"));
        self.last_start_ms = Some(now.mono_ms);
        if self.run_hook(now, Hook::Init) {
            self.phase = Phase::Starting(Step::Initializing);
        } else {
            self.phase = Phase::Starting(Step::Initialized);
            self.advance(now);
        }
    }

    fn spawn(&mut self, now: Now) {
        if let Some(plan) = &self.attempt.plan {
            let user = plan.user.as_deref().unwrap_or("<anonymous>");
            let group = plan.group.as_deref().unwrap_or("<anonymous>");
            let starting = format!("Starting service as user={user}, group={group}");
            if let Some(user) = &plan.incapable_user {
                let text = format!(
                    "Current user ({user}) lacks sufficient capabilites to run services as a \
                     different user; running as self!"
                );
                self.log(Preamble::Group, LogKey::Sv, text);
            }
            self.log(Preamble::Group, LogKey::Sv, starting);
        }
        self.last_start_ms = Some(now.mono_ms);
        self.asked.spawn = true;
        self.phase = Phase::Starting(Step::Spawning);
        self.push(Effect::Spawn);
    }

    pub(super) fn spawned(&mut self, now: Now, pid: u32) {
        if !std::mem::take(&mut self.asked.spawn) {
            return;
        }
        self.process = Some(Process { pid, up_since_ms: now.mono_ms, left_behind: false });
        self.state_entered_ms = now.unix_ms;
        self.report_start(pid);
        self.push(Effect::WritePid(pid));
        if self.phase == Phase::Starting(Step::Spawning) {
            self.run(now);
        } else {
            self.terminate(now);
        }
    }

    pub(super) fn spawn_failed(&mut self, now: Now, error: &str) {
        if !std::mem::take(&mut self.asked.spawn) {
            return;
        }
        if self.phase == Phase::Starting(Step::Spawning) {
            let text = format!("Service start failed: {error}");
            self.push(text::service(text.clone()));
            self.reason = Some(text);
            self.note_failure(now, ReasonCode::StartFailed, error.to_owned());
            self.fail(now, TerminationReason::RunHookFailed, None);
        } else {
            self.advance_stop(now);
        }
    }

    /// The spec that waited for the end of the stop takes effect.
    pub(super) fn adopt_next_spec(&mut self) {
        if let Some((spec, group)) = self.next.take() {
            self.replace_spec(spec, group);
        }
    }

    /// `init` has ended.
    pub(super) fn init_ended(&mut self, now: Now, succeeded: bool) {
        if succeeded {
            self.phase = Phase::Starting(Step::Initialized);
            self.advance(now);
        } else {
            self.note_failure(now, ReasonCode::InitFailed, String::new());
            self.fail(now, TerminationReason::InitHookFailed, None);
        }
    }
}

fn code_of(failure: &BuildFailure) -> ReasonCode {
    match failure {
        BuildFailure::NotInstalled(_) => ReasonCode::PackageMissing,
        BuildFailure::NotRunnable(_) => ReasonCode::PackageBroken,
        BuildFailure::Binds(_) | BuildFailure::Refused(_) => ReasonCode::ConfigError,
        BuildFailure::NoUser(_) => ReasonCode::UserMissing,
        BuildFailure::Unread(_) => ReasonCode::FilesNotAnswering,
        BuildFailure::Directory { .. } => ReasonCode::DirectoryError,
    }
}
