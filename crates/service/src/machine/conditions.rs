//! Conditions: the service runs, but a newer release, spec, `user.toml` or
//! `monitor.toml` cannot be used.
//!
//! A condition does not affect the running service. It is shown with the other reasons until it is
//! resolved.

use super::Machine;
use crate::{
    event::{Now, RenderFailure},
    excerpt::Excerpt,
    text,
    why::{Reason, ReasonCode},
};

/// One condition.
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) text: String,
    since_unix_ms: u64,
}

impl Condition {
    /// The condition with this text, which began with the present one if there is one.
    pub(super) fn after(present: Option<&Self>, now: Now, text: String) -> Self {
        let since_unix_ms = present.map_or(now.unix_ms, |present| present.since_unix_ms);
        Self { text, since_unix_ms }
    }
}

/// Conditions that outlive an attempt. A failed rendering belongs to the attempt.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    /// Why a newer release or spec does not run.
    pub(super) not_replaced: Option<Condition>,
    /// Why a newer state of the service's directory is not a release.
    unreleased: Option<Condition>,
    /// Why the current `user.toml` is not in use.
    unconfigured: Option<Condition>,
    /// Why the current `monitor.toml` is not in use.
    unmonitored: Option<Condition>,
}

impl Machine {
    /// What cannot be used: release or options, directory, `user.toml`, templates, `monitor.toml`.
    pub(super) fn each_condition(&self) -> [Option<&str>; 5] {
        let Conditions { not_replaced, unreleased, unconfigured, unmonitored } = &self.conditions;
        let unrendered = &self.attempt.unrendered;
        let all = [not_replaced, unreleased, unconfigured, unrendered, unmonitored];
        all.map(|it| it.as_ref().map(|condition| condition.text.as_str()))
    }

    /// What keeps it from running what it should, one reason each.
    pub(super) fn conditions(&self) -> Vec<Reason> {
        let Conditions { not_replaced, unreleased, unconfigured, unmonitored } = &self.conditions;
        let unread = |failure: &RenderFailure| matches!(failure, RenderFailure::Unfinished(_));
        let unrendered = match self.logged.render.iter().any(unread) {
            true => ReasonCode::FilesNotAnswering,
            false => ReasonCode::TemplateError,
        };
        let all = [
            (ReasonCode::NotReplaced, not_replaced),
            (ReasonCode::ConfigError, unreleased),
            (ReasonCode::ConfigError, unconfigured),
            (ReasonCode::ConfigError, unmonitored),
            (unrendered, &self.attempt.unrendered),
        ];
        let present = all.into_iter().filter_map(|(code, it)| Some((code, it.as_ref()?)));
        present
            .map(|(code, Condition { text, since_unix_ms })| Reason {
                code,
                message: text.clone(),
                since_unix_ms: *since_unix_ms,
                evidence: Excerpt::default(),
                also: None,
            })
            .collect()
    }

    /// The conditions in one line.
    pub(super) fn conditions_line(&self) -> Option<String> {
        let all: Vec<String> = self.conditions().into_iter().map(|it| it.message).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// The conditions of an otherwise healthy service, as one reason: the code of the first, the
    /// time since which there is any.
    pub(super) fn condition(&self) -> Option<Reason> {
        let all = self.conditions();
        let since_unix_ms = all.iter().map(|it| it.since_unix_ms).min()?;
        let first = all.into_iter().next()?;
        let message = self.conditions_line()?;
        Some(Reason { message, since_unix_ms, ..first })
    }

    /// A newer state of the directory cannot become a release; `None` when it can.
    pub(super) fn note_unreleased(&mut self, now: Now, error: Option<String>) {
        self.note(now, |all| &mut all.unreleased, error);
    }

    /// The current `user.toml` cannot be used; `None` when it can.
    pub(super) fn note_unconfigured(&mut self, now: Now, error: Option<String>) {
        self.note(now, |all| &mut all.unconfigured, error);
    }

    /// The current `monitor.toml` cannot be used; `None` when it can.
    pub(super) fn note_unmonitored(&mut self, now: Now, error: Option<String>) {
        self.note(now, |all| &mut all.unmonitored, error);
    }

    /// Begins, goes on with or ends a condition; a text is logged once.
    fn note(
        &mut self,
        now: Now,
        place: impl Fn(&mut Conditions) -> &mut Option<Condition>,
        error: Option<String>,
    ) {
        let present = place(&mut self.conditions).take();
        if let Some(error) = &error
            && present.as_ref().is_none_or(|present| present.text != *error)
        {
            self.push(text::service(error.as_str()));
        }
        *place(&mut self.conditions) =
            error.map(|error| Condition::after(present.as_ref(), now, error));
    }
}
