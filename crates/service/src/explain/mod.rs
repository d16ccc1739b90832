//! Why a service is as it is: one sentence, the causes from the effect to the root, and remedies.
//!
//! A pure function over facts that were observed. It adds no guess: what is not known is left out.

mod answer;
mod chain;
mod remedies;
#[cfg(test)]
mod tests;

use roost_ident::{MemberHealth, ReasonCode, ServiceGroup};

use crate::{binds::BindReport, excerpt::Excerpt, spec::ServiceSpec, status::Status};

/// Most remedies of an explanation.
const REMEDIES_MAX: usize = 6;

/// Facts about one service.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Its group.
    pub group: &'a ServiceGroup,
    /// Its spec.
    pub spec: &'a ServiceSpec,
    /// Its state.
    pub status: &'a Status,
    /// State of its binds.
    pub binds: &'a [BindReport],
    /// The members with a service in its group that have not departed.
    pub voters: &'a [Voter],
    /// Why a service that is not wanted up could not be read.
    pub unread: Option<&'a str>,
    /// The command that stopped it, and where that came from.
    pub stopped_by: Option<&'a str>,
}

/// A member of the ring with a service in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voter {
    /// Its member id.
    pub member_id: String,
    /// Its host name and address, for people.
    pub name: String,
    /// Its health.
    pub health: MemberHealth,
}

/// Why a service is as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Explanation {
    /// One sentence.
    pub answer: String,
    /// From the effect to the root cause; empty when the service is as it should be.
    pub chain: Vec<Step>,
    /// What to do, the most direct first.
    pub remedies: Vec<Remedy>,
}

/// One cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// For programs.
    pub code: ReasonCode,
    /// For people.
    pub message: String,
    /// Unix milliseconds.
    pub since_unix_ms: u64,
    /// What was observed, besides output.
    pub facts: Vec<String>,
    /// What a process printed.
    pub output: Excerpt,
}

impl Step {
    /// Everything that was observed, line by line; without output when `redact` is true.
    #[must_use]
    pub fn evidence(&self, redact: bool) -> Vec<String> {
        let output = if redact { &[] } else { self.output.lines() };
        self.facts.iter().chain(output).cloned().collect()
    }
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    /// For people.
    pub text: String,
    /// What to type; capitals stand for something to fill in.
    pub command: Option<String>,
}

/// Explains a service. `look_up` returns the facts about another service of the same Supervisor,
/// by its group: a service that waits for one is explained by that one's causes. With `redact`
/// nothing that a process printed is part of the answer.
#[must_use]
pub fn explain<'a>(
    facts: &Facts<'a>,
    look_up: &dyn Fn(&str) -> Option<Facts<'a>>,
    redact: bool,
) -> Explanation {
    let links = chain::links(facts, look_up);
    let answer = answer::sentence(facts, &links, redact);
    let mut remedies: Vec<Remedy> = Vec::new();
    // The root cause first.
    for link in links.iter().rev() {
        for remedy in remedies::of(link) {
            if !remedies.contains(&remedy) {
                remedies.push(remedy);
            }
        }
    }
    remedies.truncate(REMEDIES_MAX);
    Explanation { answer, chain: links.into_iter().map(|link| link.step).collect(), remedies }
}
