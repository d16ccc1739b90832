//! Conditions: the service runs, but a newer release, spec or `user.toml` cannot be used.
//!
//! A condition does not affect the running service. It is shown with the other reasons until it is
//! resolved.

use super::Machine;
use crate::{
    event::Now,
    excerpt::Excerpt,
    text,
    why::{Reason, ReasonCode},
};

/// Conditions that outlive an attempt. A failed rendering belongs to the attempt.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    /// Why a newer release or spec does not run.
    pub(super) not_replaced: Option<String>,
    /// Why a newer state of the service's directory is not a release.
    unreleased: Option<String>,
    /// Why the current `user.toml` is not in use.
    unconfigured: Option<String>,
    /// Start of the first present condition, Unix milliseconds.
    since_unix_ms: u64,
}

impl Machine {
    /// The conditions that keep it from running what it should.
    pub(super) fn conditions(&self) -> Option<String> {
        let Conditions { not_replaced, unreleased, unconfigured, .. } = &self.conditions;
        let all = [not_replaced, unreleased, unconfigured, &self.attempt.unrendered];
        let all: Vec<&str> = all.into_iter().filter_map(Option::as_deref).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// The conditions of an otherwise healthy service, as a reason.
    pub(super) fn condition(&self) -> Option<Reason> {
        let code = match &self.conditions {
            Conditions { not_replaced: Some(_), .. } => ReasonCode::NotReplaced,
            Conditions { unreleased: Some(_), .. } | Conditions { unconfigured: Some(_), .. } => {
                ReasonCode::ConfigError
            }
            _ => ReasonCode::TemplateError,
        };
        let since_unix_ms = self.conditions.since_unix_ms;
        let message = self.conditions()?;
        Some(Reason { code, message, since_unix_ms, evidence: Excerpt::default(), also: None })
    }

    /// A newer state of the directory cannot become a release; `None` when it can.
    pub(super) fn note_unreleased(&mut self, now: Now, error: Option<&str>) {
        self.mark_conditions(now);
        let known = self.conditions.unreleased.as_deref();
        if known != error
            && let Some(error) = error
        {
            self.push(text::service(error));
        }
        self.conditions.unreleased = error.map(Into::into);
    }

    /// The current `user.toml` cannot be used; `None` when it can.
    pub(super) fn note_unconfigured(&mut self, now: Now, error: Option<String>) {
        self.mark_conditions(now);
        if self.conditions.unconfigured != error
            && let Some(error) = &error
        {
            self.push(text::service(error.as_str()));
        }
        self.conditions.unconfigured = error;
    }

    /// Records the start of the first condition; call it before setting one.
    pub(super) fn mark_conditions(&mut self, now: Now) {
        if self.conditions().is_none() {
            self.conditions.since_unix_ms = now.unix_ms;
        }
    }
}
