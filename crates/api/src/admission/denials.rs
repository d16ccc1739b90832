//! Denied requests: the answer, the figure and the line of each.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::Method;
use roost_access::{Scope, Scopes};
use roost_text::shown;

use crate::{
    client::Client,
    problem::{Code, Problem},
};

/// At most one line in this time, however many requests are denied.
const LINE_PERIOD: Duration = Duration::from_secs(10);

/// Why a request is denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Denied {
    /// It has neither a token nor a certificate that is known.
    NoToken,
    WrongToken,
    /// The token with this name.
    Expired(Arc<str>),
    /// Its client has sent too many wrong tokens.
    TooManyTries,
    Scope {
        needed: Scope,
        holder: String,
        scopes: Scopes,
    },
}

impl Denied {
    /// Labels of all reasons.
    pub(crate) const LABELS: [&str; 5] =
        ["no_token", "wrong_token", "expired_token", "too_many_tries", "missing_scope"];

    /// The label of its metric.
    pub(crate) const fn label(&self) -> &'static str {
        let [none, wrong, expired, tries, scope] = Self::LABELS;
        match self {
            Self::NoToken => none,
            Self::WrongToken => wrong,
            Self::Expired(_) => expired,
            Self::TooManyTries => tries,
            Self::Scope { .. } => scope,
        }
    }

    /// Its answer.
    pub(crate) fn problem(&self) -> Problem {
        let code = match self {
            Self::NoToken | Self::WrongToken | Self::Expired(_) => Code::Unauthorized,
            Self::TooManyTries => Code::TooManyRequests,
            Self::Scope { needed, .. } => {
                let hint = format!(
                    "Use a token with this scope: hab sup token new NAME --scopes {needed} \
                     --expires 90d"
                );
                return Problem::new(Code::Forbidden, self.sentence()).lacking(*needed).hint(hint);
            }
        };
        match self {
            Self::NoToken => code.into(),
            _ => Problem::new(code, self.sentence()),
        }
    }

    fn sentence(&self) -> String {
        match self {
            Self::NoToken => "The request has no token.".into(),
            Self::WrongToken => "The token is not known to this Supervisor.".into(),
            Self::Expired(name) => format!("The token '{name}' has expired."),
            Self::TooManyTries => "This client has sent too many wrong tokens.".into(),
            Self::Scope { needed, holder, scopes } => format!(
                "This needs the scope '{needed}'; {holder} has {}.",
                if scopes.is_empty() { "none".into() } else { scopes.to_string() }
            ),
        }
    }
}

/// The lines about denied requests.
#[derive(Debug, Default)]
pub(crate) struct Denials(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    logged: Option<Instant>,
    /// Not logged since then.
    more: u64,
}

impl Denials {
    /// The line about a denied request, if it is time for one.
    pub(crate) fn line(
        &self,
        denied: &Denied,
        client: &Client,
        method: &Method,
        path: &str,
    ) -> Option<String> {
        let more = self.turn(Instant::now())?;
        let more = match more {
            0 => String::new(),
            more => format!(" ({more} more requests were denied since the last such line)"),
        };
        let (method, path) = (shown(method.as_str()), shown(path));
        let why = denied.sentence();
        Some(format!("The HTTP API denied {method} {path} to {client}: {why}{more}"))
    }

    /// The number of those without a line, when it is time for one.
    fn turn(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.logged.is_some_and(|logged| now.duration_since(logged) < LINE_PERIOD) {
            state.more += 1;
            return None;
        }
        state.logged = Some(now);
        Some(std::mem::take(&mut state.more))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_denied_requests_gives_few_lines_that_count_the_rest() {
        let denials = Denials::default();
        let start = Instant::now();
        let at = |seconds| denials.turn(start + Duration::from_secs(seconds));
        assert_eq!(at(0), Some(0));
        assert!((0..100).all(|_| at(9).is_none()));
        assert_eq!(at(10), Some(100));
        assert_eq!(at(30), Some(0));
    }
}
