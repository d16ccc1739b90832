//! Candidates to replace what runs: a newer release, or a changed spec.
//!
//! A candidate is read, checked and rendered while the service runs, then its `install` hooks run;
//! only after all of that has succeeded does it replace the running one. Until then a failure is a
//! condition of the service, shown as its reason, and the check is repeated after changes and
//! periodically. When nothing runs, a failed attempt falls back to the former release and spec.

use roost_events::Cause;
use roost_ident::{PackageIdent, ServiceGroup, TerminationReason};

use super::{Attempt, Machine, conditions::Condition};
use crate::{
    effect::Effect,
    event::{Now, Plan},
    phase::{After, Phase, Step},
    spec::{Difference, ServiceSpec},
    text,
};

/// A candidate to replace what runs.
#[derive(Debug)]
pub(super) struct Candidate {
    /// The waiting spec; `None` when only the release differs.
    spec: Option<(ServiceSpec, ServiceGroup)>,
    /// The wanted release; `None` means the newest.
    release: Option<String>,
    stage: Stage,
    /// Something has changed since the check was requested: check again.
    stale: bool,
    /// What it follows from.
    cause: Cause,
}

#[derive(Debug, PartialEq, Eq)]
enum Stage {
    Checking,
    /// The check has succeeded; its `install` hooks run.
    Installing {
        release: String,
    },
    /// It cannot start. Time of the next check.
    Refused {
        retry_at_ms: u64,
    },
}

/// The release and spec that the service last ran.
#[derive(Debug)]
pub(super) struct Former {
    pub(super) release: String,
    /// `None` when another Supervisor ran it.
    spec: Option<(ServiceSpec, ServiceGroup)>,
}

impl Machine {
    /// Sets the release that the service ran under an earlier Supervisor: the fallback when no
    /// newer one can start.
    pub fn know_former(&mut self, release: &str) {
        if self.former.is_none() {
            self.former = Some(Former { release: release.into(), spec: None });
        }
    }

    /// The release that the service last ran.
    #[must_use]
    pub fn former(&self) -> Option<&str> {
        self.former.as_ref().map(|former| former.release.as_str())
    }

    /// True while a candidate newer than what runs or starts cannot start.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.candidate.as_ref().is_some_and(Candidate::is_refused)
    }

    /// True while a candidate is being checked.
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        self.candidate.as_ref().is_some_and(|candidate| !candidate.is_refused())
    }

    /// The newest spec, even one that cannot take effect yet.
    #[must_use]
    pub fn newest_spec(&self) -> &ServiceSpec {
        let waiting = self.candidate.as_ref().and_then(|candidate| candidate.spec.as_ref());
        waiting.map_or_else(|| self.spec(), |(spec, _)| spec)
    }

    /// The process is up: its release and spec become the fallback.
    pub(super) fn keep_former(&mut self) {
        let Some(plan) = &self.attempt.plan else { return };
        let release = plan.ident.clone();
        if self.former().is_none_or(|former| *former != release) {
            self.push(Effect::Ran { release: release.clone() });
        }
        self.former = Some(Former { release, spec: Some((self.spec.clone(), self.group.clone())) });
    }

    /// Offers a spec or a release to replace what runs or starts.
    pub(super) fn offer(
        &mut self,
        now: Now,
        spec: Option<(ServiceSpec, ServiceGroup)>,
        release: Option<String>,
    ) {
        let mut candidate = self.candidate.take().unwrap_or(Candidate {
            spec: None,
            release: None,
            stage: Stage::Refused { retry_at_ms: now.mono_ms },
            stale: false,
            cause: Cause::Unknown,
        });
        candidate.cause = self.given_cause().or(candidate.cause);
        if spec.is_some() {
            candidate.spec = spec;
        }
        candidate.release = release;
        self.candidate = Some(candidate);
        self.check_candidate();
    }

    /// The spec in effect is the wanted one again.
    pub(super) fn withdraw_spec(&mut self) {
        let Some(candidate) = &mut self.candidate else { return };
        if candidate.spec.take().is_some() {
            // It is unknown whether the refused candidate included a newer release.
            self.check_candidate();
        }
    }

    /// Only the running release and spec are wanted.
    pub(super) fn drop_candidate(&mut self) {
        self.candidate = None;
        self.conditions.not_replaced = None;
        self.logged.candidate = None;
    }

    /// Requests a check, or another one when one is in progress.
    fn check_candidate(&mut self) {
        let Some(candidate) = &mut self.candidate else { return };
        if self.asked.check || self.asked.install {
            candidate.stale = true;
            return;
        }
        candidate.stale = false;
        candidate.stage = Stage::Checking;
        let (spec, group) =
            candidate.spec.clone().unwrap_or_else(|| (self.spec.clone(), self.group.clone()));
        let release = candidate.release.clone();
        self.asked.check = true;
        self.push(Effect::Check { spec: Box::new(spec), group, release });
    }

    /// Checks a candidate whose last answer came while there was nothing to replace: without this
    /// it would wait forever.
    pub(super) fn check_unanswered(&mut self) {
        let candidate = self.candidate.as_ref();
        let is_waiting = candidate.is_some_and(|candidate| candidate.stage == Stage::Checking);
        if is_waiting && !self.asked.check && !self.asked.install && self.is_protected() {
            self.check_candidate();
        }
    }

    /// A file of a refused candidate may be repaired.
    pub(super) fn check_refused(&mut self) {
        if self.is_refused() {
            self.check_candidate();
        }
    }

    /// Time of the next check of a refused candidate.
    pub(super) fn candidate_wake_ms(&self) -> Option<u64> {
        match self.candidate.as_ref()?.stage {
            Stage::Refused { retry_at_ms } => Some(retry_at_ms),
            Stage::Checking | Stage::Installing { .. } => None,
        }
    }

    pub(super) fn wake_candidate(&mut self, now: Now) {
        if self.candidate_wake_ms().is_some_and(|at_ms| at_ms <= now.mono_ms) {
            self.check_candidate();
        }
    }

    pub(super) fn checked(&mut self, now: Now, result: Result<Plan, String>) {
        if !std::mem::take(&mut self.asked.check) {
            return;
        }
        // Without a candidate, or during a stop, the answer is obsolete: the next attempt takes the
        // newest, or the candidate is checked once more when there is something to replace.
        if !self.is_protected() {
            return;
        }
        let runs = result.as_ref().is_ok_and(|plan| self.runs_from(&plan.ident));
        let Some(candidate) = &mut self.candidate else { return };
        if candidate.stale {
            return self.check_candidate();
        }
        match result {
            Err(error) => self.refuse(now, &error),
            Ok(_) if candidate.spec.is_none() && runs => self.drop_candidate(),
            Ok(plan) if plan.installs => {
                candidate.stage = Stage::Installing { release: plan.ident };
                self.asked.install = true;
                self.push(Effect::RunInstallHooks);
            }
            Ok(plan) => self.accept(now, &plan.ident),
        }
    }

    /// The `install` hooks of a candidate have ended.
    pub(super) fn candidate_installed(&mut self, now: Now, result: Result<(), &str>) {
        let Some(candidate) = &mut self.candidate else { return };
        let Stage::Installing { release } = &candidate.stage else {
            return self.check_candidate();
        };
        let release = release.clone();
        match result {
            _ if candidate.stale => self.check_candidate(),
            Ok(()) => self.accept(now, &release),
            Err(error) => self.refuse(now, error),
        }
    }

    /// True when a failed attempt would cost a process that runs or is about to. Otherwise an
    /// attempt simply begins, and falls back when it fails.
    pub(super) fn is_protected(&self) -> bool {
        match self.phase {
            Phase::Starting(step) => {
                matches!(step, Step::Initializing | Step::Initialized | Step::Spawning)
            }
            Phase::Running => true,
            Phase::Stopped | Phase::Waiting(_) | Phase::Stopping(_) | Phase::Gone => false,
        }
    }

    fn runs_from(&self, release: &str) -> bool {
        self.attempt.plan.as_ref().is_some_and(|plan| plan.ident == release)
    }

    /// The candidate replaces what runs.
    fn accept(&mut self, now: Now, release: &str) {
        let Some(candidate) = self.candidate.take() else { return };
        self.because_of(candidate.cause);
        self.drop_candidate();
        self.pin = Some(release.into());
        match candidate.spec {
            Some(next) => {
                self.next = Some(next);
                self.forget();
                self.enter_stop(now, After::Start, None);
            }
            None => {
                self.log_package(release);
                self.restart(now, TerminationReason::PackageUpdated);
            }
        }
    }

    /// The candidate cannot start: the service keeps running, and the error is its condition.
    fn refuse(&mut self, now: Now, error: &str) {
        let retry_at_ms = now.mono_ms.saturating_add(self.settings.rebuild_pause_ms);
        if let Some(candidate) = &mut self.candidate {
            candidate.stage = Stage::Refused { retry_at_ms };
            let cause = candidate.cause;
            self.because_of(cause);
        }
        let running = self.attempt.plan.as_ref().map(|plan| plan.ident.clone());
        self.report_condition(now, text::not_replaced(error, running.as_deref()));
    }

    fn report_condition(&mut self, now: Now, condition: String) {
        if self.logged.candidate.as_ref() != Some(&condition) {
            self.push(text::service(condition.clone()));
        }
        self.logged.candidate = Some(condition.clone());
        let present = self.conditions.not_replaced.take();
        self.conditions.not_replaced = Some(Condition::after(present.as_ref(), now, condition));
    }

    /// Requests the build of an attempt. Tries the newest of what was never fully checked; does not
    /// retry a refused candidate before something changes.
    pub(super) fn ask_build(&mut self) {
        self.asked.build = true;
        if self.is_refused()
            && let Some(release) = self.former_release()
        {
            self.attempt.former = true;
            self.push(Effect::BuildFormer { release });
            return;
        }
        self.conditions.not_replaced = None;
        if let Some(candidate) = self.candidate.take() {
            self.pin = candidate.release;
            if let Some((spec, group)) = candidate.spec {
                self.replace_spec(spec, group);
            }
        }
        let pin = self.pin.take();
        self.push(Effect::Build { pin });
    }

    /// The fallback release, if the spec allows it.
    fn former_release(&self) -> Option<String> {
        let former = self.former.as_ref()?;
        let fits = former.spec.is_some()
            || former
                .release
                .parse()
                .is_ok_and(|release: PackageIdent| release.satisfies(&self.spec.ident));
        fits.then(|| former.release.clone())
    }

    /// True when the current attempt has a fallback.
    pub(super) fn may_go_back(&self) -> bool {
        !self.attempt.former && self.former_release().is_some()
    }

    /// True when the files on disk belong to the current release: then it can start from them even
    /// if rendering fails.
    pub(super) fn is_on_disk(&self) -> bool {
        let plan = self.attempt.plan.as_ref();
        plan.is_some_and(|plan| self.on_disk.as_ref() == Some(&plan.ident))
    }

    /// The current attempt has failed: begins one with the fallback. False when there is none.
    pub(super) fn go_back(&mut self, now: Now, error: &str) -> bool {
        let Some(release) = self.former_release().filter(|_| !self.attempt.former) else {
            return false;
        };
        let mut spec = None;
        if let Some((ran, group)) = self.former.as_ref().and_then(|former| former.spec.clone()) {
            let differs = ran.difference(&self.spec) == Difference::Restart || group != self.group;
            if differs {
                let desired_state = self.spec.desired_state;
                spec = Some((self.spec.clone(), self.group.clone()));
                self.replace_spec(ServiceSpec { desired_state, ..ran }, group);
            }
        }
        let pause_ms = match std::mem::take(&mut self.files_changed) {
            true => 0,
            false => self.settings.rebuild_pause_ms,
        };
        let stage = Stage::Refused { retry_at_ms: now.mono_ms.saturating_add(pause_ms) };
        self.candidate =
            Some(Candidate { spec, release: None, stage, stale: false, cause: self.given_cause() });
        self.report_condition(now, text::gone_back(error, &release));
        let first_error = Some(error.to_owned());
        self.attempt = Attempt { former: true, first_error, ..Attempt::default() };
        self.phase = Phase::Starting(Step::Building);
        self.asked.build = true;
        self.push(Effect::BuildFormer { release });
        true
    }

    /// The fallback cannot start either: the next attempt uses the newest release again. Returns
    /// the complete reason why the service is down.
    pub(super) fn give_up_former(&mut self, error: &str) -> String {
        if !self.attempt.former {
            return error.into();
        }
        if let Some((spec, group)) = self.candidate.take().and_then(|candidate| candidate.spec) {
            self.replace_spec(spec, group);
        }
        self.conditions.not_replaced = None;
        let release = self.former().unwrap_or_default();
        match &self.attempt.first_error {
            Some(first) => format!("{first}; nor can {release} be started, {error}"),
            None => format!("{release}: {error}"),
        }
    }

    /// The wanted release or spec has changed while nothing runs: the next attempt tries it, even
    /// if it was refused before.
    pub(super) fn reconsider(&mut self) {
        if let Some(candidate) = &mut self.candidate {
            candidate.stage = Stage::Checking;
        }
    }
}

impl Candidate {
    fn is_refused(&self) -> bool {
        matches!(self.stage, Stage::Refused { .. })
    }
}
