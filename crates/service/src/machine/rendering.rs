//! Rendered files: when to render, and how changes affect a running process (reference: services
//! §12, templates §7).

use roost_ident::{Hook, TerminationReason};

use super::{Machine, Pending, conditions::Condition};
use crate::{
    effect::Effect,
    event::{Now, RenderFailure, RenderedFile, RenderedKind, Rendering},
    phase::{Phase, Step, WaitReason},
    text,
    why::ReasonCode,
};

impl Machine {
    pub(super) fn note_context(&mut self, now: Now) {
        self.attempt.change = self.given_cause().or(self.attempt.change);
        match self.phase {
            Phase::Starting(Step::Preparing | Step::Initialized) | Phase::Running => {
                self.attempt.dirty = true;
                self.check_refused();
                self.advance(now);
            }
            // Rendered after init has ended or the process is up, so that files do not change while
            // either starts.
            Phase::Starting(Step::Initializing | Step::Spawning) => {
                self.attempt.dirty = true;
                self.check_refused();
            }
            Phase::Waiting(wait) if wait.reason == WaitReason::Unrendered => self.begin(now),
            // A rendering follows anyway, or none is wanted.
            Phase::Starting(Step::Building | Step::Installing)
            | Phase::Stopped
            | Phase::Waiting(_)
            | Phase::Stopping(_)
            | Phase::Gone => {}
        }
    }

    pub(super) fn rendered(&mut self, now: Now, rendering: &Rendering) {
        if !std::mem::take(&mut self.asked.render) {
            return;
        }
        self.because_of(self.attempt.change);
        self.log_rendering(rendering);
        self.note_on_disk(rendering);
        self.take_monitor(now, rendering.monitor.as_ref());
        let present = self.attempt.unrendered.take();
        self.attempt.unrendered = (!rendering.failures.is_empty())
            .then(|| text::unrendered(&rendering.failures))
            .map(|text| Condition::after(present.as_ref(), now, text));
        let again_ms = now.mono_ms.saturating_add(self.settings.rebuild_pause_ms);
        self.attempt.rerender_at_ms = (!rendering.failures.is_empty()).then_some(again_ms);
        match self.phase {
            Phase::Starting(Step::Preparing) => {
                if rendering.refused {
                    return self.start_unrendered(now);
                }
                let fatal = rendering.failures.iter().find(|failure| match failure {
                    RenderFailure::Hook(hook, _) => matches!(hook, Hook::Init | Hook::Run),
                    RenderFailure::RunFile(_) | RenderFailure::Unfinished(_) => true,
                    RenderFailure::Config(_) => false,
                });
                if let Some(failure) = fatal {
                    // The files on disk belong to another release or are missing: do not run them.
                    let reason = self.give_up_former(&failure.to_string());
                    self.logged.failure = Some(reason.clone());
                    let code = match failure {
                        RenderFailure::Unfinished(_) => ReasonCode::FilesNotAnswering,
                        _ => ReasonCode::TemplateError,
                    };
                    self.note_failure(now, code, reason.clone());
                    self.reason = Some(reason);
                    self.break_down(now, WaitReason::Unrendered);
                } else {
                    self.attempt.rendered = true;
                    self.advance(now);
                }
            }
            Phase::Starting(Step::Initialized) => {
                // The process has not started and will read the other changes; only init has run.
                self.attempt.pending.init |= changes(&rendering.files).init;
                // It must not start while files are being written: request it again.
                let is_unfinished =
                    |failure: &RenderFailure| matches!(failure, RenderFailure::Unfinished(_));
                self.attempt.dirty |= rendering.failures.iter().any(is_unfinished);
                self.advance(now);
            }
            Phase::Running => {
                let changes = changes(&rendering.files);
                let pending = &mut self.attempt.pending;
                pending.init |= changes.init;
                pending.run |= changes.run;
                pending.post_run |= changes.post_run;
                pending.reconfigure |= changes.reconfigure;
                pending.config |= changes.config;
                let is_config =
                    |failure: &RenderFailure| matches!(failure, RenderFailure::Config(_));
                self.attempt.half_written =
                    pending.config && rendering.failures.iter().any(is_config);
                self.advance(now);
            }
            Phase::Stopping(_) => self.advance_stop(now),
            Phase::Stopped | Phase::Waiting(_) | Phase::Starting(_) | Phase::Gone => {}
        }
    }

    /// Records which release the files on disk belong to.
    fn note_on_disk(&mut self, rendering: &Rendering) {
        let release = self.attempt.plan.as_ref().map(|plan| plan.ident.clone());
        if rendering.failures.is_empty() {
            self.on_disk = release;
        } else if !rendering.refused && (!rendering.files.is_empty() || self.on_disk != release) {
            // Files of this release mixed with others, or incomplete.
            self.on_disk = None;
        }
    }

    /// A template failed, so nothing was written. Starts from the files on disk if they belong to
    /// the same release (only a value or a file has changed), else from the fallback.
    fn start_unrendered(&mut self, now: Now) {
        let reason = self.attempt.unrendered.as_ref();
        let reason = reason.map_or_else(String::new, |condition| condition.text.clone());
        if self.is_on_disk() {
            self.attempt.rendered = true;
            self.advance(now);
        } else if !self.go_back(now, &reason) {
            let reason = self.give_up_former(&reason);
            self.logged.failure = Some(reason.clone());
            self.note_failure(now, ReasonCode::TemplateError, reason.clone());
            self.reason = Some(reason);
            self.break_down(now, WaitReason::Unrendered);
        }
    }

    fn log_rendering(&mut self, rendering: &Rendering) {
        let is_hook = |file: &&RenderedFile| matches!(file.kind, RenderedKind::Hook(_));
        for file in rendering.files.iter().filter(is_hook) {
            self.push(text::rendered(file));
        }
        if rendering.files.iter().any(|file| is_hook(&file)) {
            self.push(text::service("Hooks recompiled"));
        }
        for file in rendering.files.iter().filter(|file| !is_hook(file)) {
            self.push(text::rendered(file));
        }
        for failure in &rendering.failures {
            if !self.logged.render.contains(failure) {
                self.push(text::service(failure.to_string()));
            }
        }
        self.logged.render.clone_from(&rendering.failures);
    }

    /// True when files match templates and context; otherwise requests a rendering.
    pub(super) fn is_rendered(&mut self) -> bool {
        if self.attempt.dirty && !self.asked.render {
            self.attempt.dirty = false;
            self.asked.render = true;
            let is_safe = self.phase != Phase::Starting(Step::Preparing);
            let whole = is_safe || self.may_go_back() || self.is_on_disk();
            self.push(Effect::Render { whole });
        }
        !self.asked.render
    }

    /// Applies changed files: the first matching rule (reference: services §12.2).
    pub(super) fn apply_pending(&mut self, now: Now) {
        let change = std::mem::take(&mut self.attempt.change);
        self.because_of(change);
        let Pending { init, run, post_run, reconfigure, config } =
            std::mem::take(&mut self.attempt.pending);
        let has_reconfigure = self.has_hook(Hook::Reconfigure);
        if init {
            self.restart(now, TerminationReason::InitHookUpdated);
        } else if run {
            self.restart(now, TerminationReason::RunHookUpdated);
        } else if post_run {
            self.restart(now, TerminationReason::PostRunHookUpdated);
        } else if config && !has_reconfigure {
            self.restart(now, TerminationReason::AppConfigUpdated);
        } else if (config || reconfigure) && !self.run_hook(now, Hook::Reconfigure) {
            self.attempt.reconfigure_again = has_reconfigure;
        }
    }
}

/// The effect of written files on a running process.
fn changes(files: &[RenderedFile]) -> Pending {
    let mut changes = Pending::default();
    for file in files {
        match file.kind {
            RenderedKind::Hook(Hook::Init) => changes.init = true,
            RenderedKind::Hook(Hook::Run) => changes.run = true,
            RenderedKind::Hook(Hook::PostRun) => changes.post_run = true,
            RenderedKind::Hook(Hook::Reconfigure) => changes.reconfigure = true,
            RenderedKind::ConfigModified | RenderedKind::ConfigCreated => changes.config = true,
            // These take effect at their next run.
            RenderedKind::Hook(
                Hook::Install
                | Hook::Uninstall
                | Hook::PostStop
                | Hook::HealthCheck
                | Hook::FileUpdated
                | Hook::Suitability,
            ) => {}
        }
    }
    changes
}
