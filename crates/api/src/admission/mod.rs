//! What a request may read, and why it is denied (reference: http-api §4). Nothing is allowed that
//! no rule allows.

mod denials;
mod tries;

use std::sync::Arc;

use http::HeaderMap;
use roost_access::{Rules, Scope, Scopes, digest_of};
use tokio::sync::watch;

pub(crate) use self::denials::{Denials, Denied};
use self::tries::Tries;
use crate::{
    client::Client,
    lease::{self, Lease},
    pass::{Basis, Pass, unix_ms},
    resource::{Gives, Resource, is_probe},
    token::{self, Token},
};

/// Decides about requests.
#[derive(Debug)]
pub(crate) struct Admission {
    token: Option<Token>,
    rules: Option<watch::Receiver<Arc<Rules>>>,
    probes_public: bool,
    redact: bool,
    /// There while there are tokens to guess.
    tries: Option<Tries>,
}

impl Admission {
    pub(crate) fn new(
        token: Option<Token>,
        rules: Option<watch::Receiver<Arc<Rules>>>,
        probes_public: bool,
        redact: bool,
    ) -> Self {
        let tries = (token.is_some() || rules.is_some()).then(Tries::default);
        Self { token, rules, probes_public, redact, tries }
    }

    /// True when there are requests that it denies.
    pub(crate) const fn can_deny(&self) -> bool {
        self.tries.is_some()
    }

    /// Who may do what a request asks for, from its connection and its headers.
    pub(crate) fn admit(
        &self,
        client: &Client,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<Pass, Denied> {
        if client.peer.owns_the_supervisor() {
            return Ok(Pass { basis: Basis::Given, scopes: Scopes::all() });
        }
        if self.probes_public && is_probe(path) {
            return Ok(Pass { basis: Basis::Given, scopes: [Scope::Probe].into_iter().collect() });
        }
        let Some(tries) = &self.tries else { return Ok(Pass::habitat()) };
        let rules = self.rules.as_ref().map(|rules| Arc::clone(&rules.borrow()));
        let rules = rules.as_deref();
        let now_ms = unix_ms();
        if let Some(presented) = token::presented(headers) {
            if !tries.may_try(client.peer) {
                return Err(Denied::TooManyTries);
            }
            let found = self.by_token(rules, presented, now_ms);
            if matches!(found, Err(Denied::WrongToken)) {
                tries.count_wrong(client.peer);
            }
            return found;
        }
        let owner = client.certificate.as_ref();
        let owner = owner.filter(|owner| now_ms <= owner.until_ms);
        let rule = owner.and_then(|owner| Some((owner, rules?.certificate(&owner.subject)?)));
        match rule {
            None => Err(Denied::NoToken),
            Some((owner, rule)) => {
                let (subject, until_ms) = (owner.subject.clone(), owner.until_ms);
                let basis = Basis::Certificate { subject, until_ms };
                Ok(Pass { basis, scopes: rule.scopes })
            }
        }
    }

    fn by_token(
        &self,
        rules: Option<&Rules>,
        presented: &str,
        now_ms: u64,
    ) -> Result<Pass, Denied> {
        if self.token.as_ref().is_some_and(|token| token.is(presented)) {
            return Ok(Pass::habitat());
        }
        let rule = rules.and_then(|rules| rules.token(&digest_of(presented)?));
        match rule {
            None => Err(Denied::WrongToken),
            Some(rule) if rule.has_expired(now_ms) => Err(Denied::Expired(Arc::clone(&rule.name))),
            Some(rule) => {
                let (digest, name) = (rule.digest, Arc::clone(&rule.name));
                Ok(Pass { basis: Basis::Token { digest, name }, scopes: rule.scopes })
            }
        }
    }

    /// The scope that a resource needs; `None` where redaction hides it.
    pub(crate) fn needed(&self, gives: Gives) -> Option<Scope> {
        gives.scope(self.redact)
    }

    /// Denies a resource that the pass does not cover.
    pub(crate) fn check(&self, pass: &Pass, resource: &Resource) -> Result<(), Denied> {
        match self.needed(resource.gives) {
            Some(needed) if !pass.covers(resource.is_v1(), needed) => {
                Err(Denied::Scope { needed, holder: pass.holder(), scopes: pass.scopes })
            }
            _ => Ok(()),
        }
    }

    /// What ends a pass for a resource before its answer has ended; `None` where nothing does.
    pub(crate) fn lease(&self, pass: &Pass, gives: Gives) -> Option<Lease> {
        let (rules, needed) = (self.rules.clone()?, self.needed(gives)?);
        match pass.basis {
            Basis::Habitat | Basis::Given => None,
            Basis::Token { .. } | Basis::Certificate { .. } => {
                Some(lease::of(pass.clone(), rules, needed))
            }
        }
    }
}
