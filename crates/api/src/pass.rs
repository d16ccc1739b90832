//! What a request may read once it is admitted (reference: http-api §4).

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use roost_access::{Rules, Scope, Scopes};
use roost_tls::Subject;

/// What an admitted request may read.
#[derive(Debug, Clone)]
pub(crate) struct Pass {
    pub(crate) basis: Basis,
    pub(crate) scopes: Scopes,
}

/// What a pass is based on.
#[derive(Debug, Clone)]
pub(crate) enum Basis {
    /// The token of Habitat, or the absence of all rules: all of Habitat's documents too.
    Habitat,
    /// The client is the owner of the Supervisor, or the resource is open to everyone.
    Given,
    Token {
        digest: [u8; 32],
        name: Arc<str>,
    },
    Certificate {
        subject: Subject,
        until_ms: u64,
    },
}

impl Pass {
    pub(crate) fn habitat() -> Self {
        Self { basis: Basis::Habitat, scopes: Scopes::all_but(Scope::Secrets) }
    }

    /// True when values of configurations are shown that are secrets.
    pub(crate) const fn shows_secrets(&self) -> bool {
        self.scopes.allow(Scope::Secrets)
    }

    /// True when it covers a resource, of `/v1` or of Habitat, that needs this scope.
    pub(crate) fn covers(&self, is_v1: bool, needed: Scope) -> bool {
        // Habitat has no scopes: its documents are shown as they are.
        let as_in_habitat = matches!(self.basis, Basis::Habitat) && !is_v1;
        as_in_habitat || self.scopes.allow(needed)
    }

    /// The client that has it, for messages.
    pub(crate) fn holder(&self) -> String {
        match &self.basis {
            Basis::Habitat => "HAB_SUP_GATEWAY_AUTH_TOKEN".into(),
            Basis::Given => "this client".into(),
            Basis::Token { name, .. } => format!("the token '{name}'"),
            Basis::Certificate { subject, .. } => {
                format!("the certificate '{}'", roost_text::shown(subject.as_str()))
            }
        }
    }

    /// Until when these rules grant it this scope; `None` if they do not.
    pub(crate) fn until_ms(&self, rules: &Rules, needed: Scope, now_ms: u64) -> Option<u64> {
        let (scopes, until_ms) = match &self.basis {
            Basis::Habitat | Basis::Given => (self.scopes, u64::MAX),
            Basis::Token { digest, .. } => {
                let rule = rules.token(digest)?;
                (rule.scopes, rule.expires_ms.unwrap_or(u64::MAX))
            }
            Basis::Certificate { subject, until_ms } => {
                (rules.certificate(subject)?.scopes, *until_ms)
            }
        };
        (scopes.allow(needed) && now_ms < until_ms).then_some(until_ms)
    }
}

pub(crate) fn unix_ms() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}
