//! Facts about elections.

use roost_events::{Fact, Kind, Severity};

use super::members::Who;
use crate::{
    election::{Reason, Turn},
    rumor::ElectionKind,
};

/// The type of the event of a step. `None` when it is not recorded: who leads an update is nothing
/// that others rely on.
pub(crate) const fn kind_of(kind: ElectionKind, turn: &Turn) -> Option<Kind> {
    match (turn, kind) {
        (Turn::Started { .. }, _) => Some(Kind::ElectionStarted),
        (Turn::NoQuorum { .. }, _) => Some(Kind::ElectionNoQuorum),
        (Turn::Finished { .. }, _) => Some(Kind::ElectionFinished),
        (Turn::LeaderChanged { .. }, ElectionKind::Leader) => Some(Kind::LeaderChanged),
        (Turn::Conflict { .. }, ElectionKind::Leader) => Some(Kind::LeaderConflict),
        (_, ElectionKind::Update) => None,
    }
}

/// A step of an election of a group. `who` describes a member.
pub(crate) fn turn(
    group: &str,
    kind: ElectionKind,
    turn: &Turn,
    who: impl Fn(&crate::id::MemberId) -> Who,
) -> Fact {
    let (elects, what) = match kind {
        ElectionKind::Leader => ("leader", "the election"),
        ElectionKind::Update => ("update", "the election for an update"),
    };
    let fact = match turn {
        Turn::Started { term, reason, .. } => started(group, what, *term, reason, who),
        Turn::NoQuorum { term, alive, population, former, .. } => {
            let needed = population / 2 + 1;
            let message = format!(
                "{group}: {what} of term {term} waits: {alive} of {population} members of the \
                 group are alive, and it needs {needed}"
            );
            let severity = match former {
                Some(_) => Severity::Error,
                None => Severity::Warning,
            };
            Fact::new(Kind::ElectionNoQuorum, message)
                .severity(severity)
                .with("term", *term)
                .with("alive", *alive)
                .with("population", *population)
                .with("needed", needed)
        }
        Turn::Finished { term, leader, votes, took_us } => {
            let leader = who(leader);
            let message =
                format!("{group}: {what} of term {term} elected member {}", leader.text());
            with_leader(Fact::new(Kind::ElectionFinished, message), &leader)
                .with("term", *term)
                .with("votes", *votes)
                .with_some("took_ms", took_us.map(|us| us / 1000))
        }
        Turn::LeaderChanged { term, before, after } => {
            let (former, leader) = (before.as_ref().map(&who), who(after));
            let mut message = format!("{group}: the leader is member {} now", leader.text());
            if let Some(former) = &former {
                message.push_str(&format!("; it was member {}", former.text()));
            }
            let fact = Fact::new(Kind::LeaderChanged, message)
                .change(former.as_ref().map(|it| it.id.as_str()), &leader.id)
                .with("term", *term);
            with_leader(fact, &leader)
        }
        Turn::Conflict { term, one, other } => {
            let (one, other) = (who(one), who(other));
            let message = format!(
                "{group} has two leaders of term {term}, member {} and member {}: parts of the \
                 ring could not reach each other when they were elected",
                one.text(),
                other.text()
            );
            Fact::new(Kind::LeaderConflict, message)
                .with("term", *term)
                .with("leaders", vec![one.id, other.id])
        }
    };
    match turn {
        Turn::LeaderChanged { .. } | Turn::Conflict { .. } => fact.of(group),
        _ => fact.of(group).with("elects", elects),
    }
}

fn started(
    group: &str,
    what: &str,
    term: u64,
    reason: &Reason,
    who: impl Fn(&crate::id::MemberId) -> Who,
) -> Fact {
    let (word, why, dead) = match reason {
        Reason::Service => ("service_started", "the service here started".to_owned(), None),
        Reason::Joined => ("joined", "another member has started it".to_owned(), None),
        Reason::LeaderDead(id) => {
            let dead = who(id);
            ("leader_dead", format!("the leader, member {}, is gone", dead.text()), Some(dead))
        }
        Reason::CandidateDead(id) => {
            let dead = who(id);
            let why = format!("the candidate, member {}, is gone", dead.text());
            ("candidate_dead", why, Some(dead))
        }
        Reason::QuorumLost => {
            let why = "too few members of the group are alive for the leader, this member";
            ("quorum_lost", why.to_owned(), None)
        }
        Reason::Triggered => ("triggered", "an operator has asked for it".to_owned(), None),
    };
    let fact =
        Fact::new(Kind::ElectionStarted, format!("{group}: {what} of term {term} began: {why}"));
    fact.with("term", term)
        .with("reason", word)
        .with_some("member", dead.as_ref().map(|dead| dead.id.as_str()))
        .with_some("address", dead.and_then(|dead| dead.address).map(|it| it.to_string()))
}

fn with_leader(fact: Fact, leader: &Who) -> Fact {
    fact.with("leader", leader.id.as_str())
        .with_some("address", leader.address.map(|address| address.to_string()))
        .with_some("hostname", leader.hostname.as_deref())
        .with("is_self", leader.is_self)
}
