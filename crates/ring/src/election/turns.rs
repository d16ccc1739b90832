//! What became of elections, for the record: the difference between what was recorded of an
//! election last and what is stored now.

use super::{Decision, Elections, Electorate, Surroundings};
use crate::{
    id::MemberId,
    rumor::{Election, ElectionKind, Status},
};

/// Why a member takes part in an election of another term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Its own service in the group started.
    Service,
    /// Another member has started the election.
    Joined,
    /// The leader is dead, or was never heard of.
    LeaderDead(MemberId),
    /// The candidate died before it could finish the election.
    CandidateDead(MemberId),
    /// This member led, and too few of the group are alive.
    QuorumLost,
    /// An operator wants a new election.
    Triggered,
}

/// A step of an election.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Turn {
    Started {
        term: u64,
        reason: Reason,
        /// The leader before.
        former: Option<MemberId>,
    },
    NoQuorum {
        term: u64,
        alive: usize,
        population: usize,
        /// The election of this term has just begun.
        is_new: bool,
        former: Option<MemberId>,
    },
    Finished {
        term: u64,
        leader: MemberId,
        votes: usize,
        /// Since this member has joined it.
        took_us: Option<u64>,
    },
    LeaderChanged {
        term: u64,
        before: Option<MemberId>,
        after: MemberId,
    },
    Conflict {
        term: u64,
        one: MemberId,
        other: MemberId,
    },
}

impl Turn {
    /// The term of the election.
    pub(crate) const fn term(&self) -> u64 {
        match self {
            Self::Started { term, .. }
            | Self::NoQuorum { term, .. }
            | Self::Finished { term, .. }
            | Self::LeaderChanged { term, .. }
            | Self::Conflict { term, .. } => *term,
        }
    }
}

/// What was recorded of an election last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Recorded {
    state: Option<(u64, Status)>,
    /// The last leader.
    leader: Option<MemberId>,
}

/// What a member knows of an election besides the election itself.
#[derive(Debug, Default)]
pub(super) struct Context {
    /// Why it has become a candidate since the last look.
    pub(super) reason: Option<Reason>,
    /// How long the election took since it has joined, in microseconds.
    pub(super) took_us: Option<u64>,
    /// The last term of which two leaders were seen.
    pub(super) disputed: Option<u64>,
}

impl Recorded {
    /// Takes over what is stored. Returns what has become of the election since the last call.
    fn follow(
        &mut self,
        stored: &Election,
        electorate: &Electorate,
        context: Context,
    ) -> Vec<Turn> {
        let Election { term, status, ref member_id, ref votes, .. } = *stored;
        let before = self.state.replace((term, status));
        let was = before.filter(|(known, _)| *known == term).map(|(_, status)| status);
        let mut turns = Vec::new();
        if status == Status::Finished {
            // A result that others bring is no election that this member has seen.
            if was.is_some_and(|was| was != Status::Finished) {
                turns.push(Turn::Finished {
                    term,
                    leader: member_id.clone(),
                    votes: votes.len(),
                    took_us: context.took_us,
                });
            }
            // Between two leaders of one term this member goes back and forth.
            if self.leader.as_ref() != Some(member_id) && context.disputed != Some(term) {
                let before = self.leader.replace(member_id.clone());
                turns.push(Turn::LeaderChanged { term, before, after: member_id.clone() });
            }
            return turns;
        }
        if was.is_none() {
            let reason = context.reason.unwrap_or(Reason::Joined);
            turns.push(Turn::Started { term, reason, former: self.leader.clone() });
        }
        if status == Status::NoQuorum && was != Some(Status::NoQuorum) {
            turns.push(Turn::NoQuorum {
                term,
                alive: electorate.alive.len(),
                population: electorate.population,
                is_new: was.is_none(),
                former: self.leader.clone(),
            });
        }
        turns
    }
}

impl Elections {
    /// Two leaders of one term are known. That is recorded once.
    pub(super) fn dispute(
        &mut self,
        at: &Surroundings<'_>,
        kind: ElectionKind,
        one: &Election,
        other: &Election,
    ) {
        let (group, term) = (&one.group, one.term);
        if at.restoring || !at.takes_part(group) || !self.watch(kind, group).dispute(term) {
            return;
        }
        let (one, other) = (one.member_id.clone(), other.member_id.clone());
        let turn = Turn::Conflict { term, one, other };
        self.decisions.push_back(Decision::Turn { kind, group: group.clone(), turn });
    }

    /// Decides what is recorded of the elections that changed. What the data file held is known and
    /// not new, and elections of groups without a service of this member are those of others.
    pub(crate) fn look_back(&mut self, at: &Surroundings<'_>) {
        for (kind, group) in std::mem::take(&mut self.touched) {
            let Some(stored) = at.rumors.election(kind, &group) else { continue };
            let electorate = at.electorate(&group);
            let is_seen = at.restoring || at.takes_part(&group);
            let (recorded, context) = self.watch(kind, &group).look_back();
            if !is_seen {
                continue;
            }
            let turns = recorded.follow(stored, &electorate, context);
            if !at.restoring {
                let turn = |turn| Decision::Turn { kind, group: group.clone(), turn };
                self.decisions.extend(turns.into_iter().map(turn));
            }
        }
    }
}
