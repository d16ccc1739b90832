//! Conditions: the service runs, and something newer of what it is made of cannot be used.
//!
//! A condition costs the service nothing. It is shown beside whatever else is the matter until it is
//! mended.

use super::Machine;
use crate::{
    event::Now,
    excerpt::Excerpt,
    text,
    why::{Reason, ReasonCode},
};

/// Those that outlive an attempt. A rendering that failed is one of the attempt's.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    /// Why something newer than that which runs does not.
    pub(super) not_replaced: Option<String>,
    /// Why a newer state of what the service is made of is not even a release.
    unreleased: Option<String>,
    /// Why `user.toml` as it is now is not in force.
    unconfigured: Option<String>,
    /// Of the first of those that are, Unix milliseconds.
    since_unix_ms: u64,
}

impl Machine {
    /// All that keep it from running what it should.
    pub(super) fn conditions(&self) -> Option<String> {
        let Conditions { not_replaced, unreleased, unconfigured, .. } = &self.conditions;
        let all = [not_replaced, unreleased, unconfigured, &self.attempt.unrendered];
        let all: Vec<&str> = all.into_iter().filter_map(Option::as_deref).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// The conditions of a service that is well otherwise, as the reason why it is not as it should
    /// be.
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

    /// A newer state of what the service is made of cannot become a release; `None` when it can.
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

    /// `user.toml` cannot be used as it is now; `None` when it can.
    pub(super) fn note_unconfigured(&mut self, now: Now, error: Option<String>) {
        self.mark_conditions(now);
        if self.conditions.unconfigured != error
            && let Some(error) = &error
        {
            self.push(text::service(error.as_str()));
        }
        self.conditions.unconfigured = error;
    }

    /// Notes when the first condition came; to be called before one is set.
    pub(super) fn mark_conditions(&mut self, now: Now) {
        if self.conditions().is_none() {
            self.conditions.since_unix_ms = now.unix_ms;
        }
    }
}
