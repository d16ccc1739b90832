//! The leader of a group: the fields of an election, and how two views of it merge.
//! [`crate::election`] implements participation.

use std::{borrow::Cow, ops::Deref};

use super::kind::{Merge, RumorKind, RumorType};
use crate::{
    dropped::Dropped,
    id::MemberId,
    names::{group_name, member_id},
};

/// Wire form (reference: ring §3.2), for both kinds of elections.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ElectionWire {
    #[prost(string, optional, tag = "1")]
    pub(crate) member_id: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(crate) service_group: Option<String>,
    #[prost(uint64, optional, tag = "3")]
    pub(crate) term: Option<u64>,
    #[prost(uint64, optional, tag = "4")]
    pub(crate) suitability: Option<u64>,
    #[prost(int32, optional, tag = "5")]
    pub(crate) status: Option<i32>,
    #[prost(string, repeated, tag = "6")]
    pub(crate) votes: Vec<String>,
}

/// The second level key of every election.
pub const ELECTION_ID: &str = "election";

/// What a group elects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ElectionKind {
    /// Its leader.
    Leader,
    /// The member that leads a rolling update.
    Update,
}

impl ElectionKind {
    pub(crate) const ALL: [Self; 2] = [Self::Leader, Self::Update];
}

/// Status of an election.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Votes are being collected.
    Running = 1,
    /// Too few members of the group are alive.
    NoQuorum = 2,
    /// The candidate is the leader.
    Finished = 3,
}

/// One election of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Election {
    /// The leading candidate, or the leader once it is finished.
    pub member_id: MemberId,
    /// The group, not validated.
    pub group: String,
    /// Number of the election, raised with each new one.
    pub term: u64,
    /// Suitability of the candidate.
    pub suitability: u64,
    /// Status of the election.
    pub status: Status,
    /// The voters, in the order of arrival.
    pub votes: Vec<MemberId>,
}

impl Election {
    /// Merges `incoming` into this one and returns whether the result is to be spread (reference:
    /// ring §10.4). True also in some cases without a change: the candidate can finish only when
    /// others echo its election.
    pub fn merge(&mut self, incoming: Self) -> bool {
        if *self == incoming {
            return false;
        }
        let replace = if incoming.term >= self.term && incoming.status == Status::Finished {
            *self = incoming;
            return true;
        } else if incoming.term == self.term && self.status == Status::Finished {
            false
        } else if self.term > incoming.term {
            return true;
        } else if self.suitability != incoming.suitability {
            incoming.suitability > self.suitability
        } else {
            incoming.member_id > self.member_id
        };
        if replace {
            let mine = std::mem::replace(self, incoming);
            self.take_votes(mine.votes);
        } else {
            self.take_votes(incoming.votes);
        }
        true
    }

    /// True when both are finished in one term, with different leaders.
    #[must_use]
    pub fn contradicts(&self, other: &Self) -> bool {
        self.term == other.term
            && self.status == Status::Finished
            && other.status == Status::Finished
            && self.member_id != other.member_id
    }

    /// True when both are equal, in whatever order the votes arrived.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        let whole = |election: &Self| {
            (election.term, election.suitability, election.status, election.votes.len())
        };
        self.member_id == other.member_id
            && self.group == other.group
            && whole(self) == whole(other)
            && self.votes.iter().all(|vote| other.votes.contains(vote))
    }

    fn take_votes(&mut self, votes: Vec<MemberId>) {
        for vote in votes {
            if !self.votes.contains(&vote) {
                self.votes.push(vote);
            }
        }
    }
}

impl RumorType for Election {
    const KIND: RumorKind = RumorKind::Election;
    type Wire = ElectionWire;

    fn key(&self) -> &str {
        &self.group
    }

    fn id(&self) -> Cow<'_, str> {
        ELECTION_ID.into()
    }

    fn merged(&self, incoming: Self) -> Merge<Self> {
        let mut merged = self.clone();
        if merged.merge(incoming) { Merge::News(merged) } else { Merge::Known }
    }

    fn weight(&self) -> usize {
        let allocated = self.votes.iter().map(MemberId::allocated_bytes).sum::<usize>();
        self.votes.len() * size_of::<MemberId>() + allocated
    }

    fn sender(&self) -> String {
        self.member_id.to_string()
    }

    fn to_wire(&self) -> ElectionWire {
        ElectionWire {
            member_id: Some(self.member_id.to_string()),
            service_group: Some(self.group.clone()),
            term: Some(self.term),
            suitability: Some(self.suitability),
            status: Some(self.status as i32),
            votes: self.votes.iter().map(ToString::to_string).collect(),
        }
    }

    /// The candidate is who the envelope names, not who the election names (reference: ring §3.4).
    fn from_wire(from_id: String, wire: ElectionWire) -> Result<Self, Dropped> {
        if wire.votes.len() > crate::limits::VOTES_MAX {
            return Err(Dropped::TooManyVotes);
        }
        Ok(Self {
            member_id: member_id(Some(from_id), "from-id")?,
            group: group_name(wire.service_group)?,
            term: wire.term.unwrap_or_default(),
            suitability: wire.suitability.unwrap_or_default(),
            status: match wire.status {
                Some(2) => Status::NoQuorum,
                Some(3) => Status::Finished,
                _ => Status::Running,
            },
            votes: wire
                .votes
                .into_iter()
                .map(|vote| member_id(Some(vote), "votes"))
                .collect::<Result<_, _>>()?,
        })
    }
}

/// An election of the member that leads a rolling update: the same fields and rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElectionUpdate(pub Election);

impl Deref for ElectionUpdate {
    type Target = Election;

    fn deref(&self) -> &Election {
        &self.0
    }
}

impl From<Election> for ElectionUpdate {
    fn from(election: Election) -> Self {
        Self(election)
    }
}

impl AsRef<Election> for ElectionUpdate {
    fn as_ref(&self) -> &Election {
        self
    }
}

impl AsRef<Self> for Election {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl RumorType for ElectionUpdate {
    const KIND: RumorKind = RumorKind::ElectionUpdate;
    type Wire = ElectionWire;

    fn key(&self) -> &str {
        self.0.key()
    }

    fn id(&self) -> Cow<'_, str> {
        self.0.id()
    }

    fn merged(&self, incoming: Self) -> Merge<Self> {
        match self.0.merged(incoming.0) {
            Merge::News(election) => Merge::News(Self(election)),
            Merge::Known => Merge::Known,
            Merge::Older => Merge::Older,
        }
    }

    fn weight(&self) -> usize {
        self.0.weight()
    }

    fn sender(&self) -> String {
        self.0.sender()
    }

    fn to_wire(&self) -> ElectionWire {
        self.0.to_wire()
    }

    fn from_wire(from_id: String, wire: ElectionWire) -> Result<Self, Dropped> {
        Election::from_wire(from_id, wire).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn election(id: u8, term: u64, suitability: u64, status: Status, votes: &[u8]) -> Election {
        Election {
            member_id: MemberId::from_bits(id.into()),
            group: "a.b".into(),
            term,
            suitability,
            status,
            votes: votes.iter().map(|vote| MemberId::from_bits((*vote).into())).collect(),
        }
    }

    #[test]
    fn each_line_of_the_merge_table_is_followed() {
        use Status::{Finished, NoQuorum, Running};
        // line, stored, incoming, result, spread
        let lines = [
            (1, election(1, 0, 0, Running, &[1]), election(1, 0, 0, Running, &[1]), None, false),
            (
                2,
                election(2, 0, 9, Running, &[2]),
                election(1, 0, 0, Finished, &[1]),
                Some(&[1u8][..]),
                true,
            ),
            (
                2,
                election(2, 0, 9, Finished, &[2]),
                election(1, 1, 0, Finished, &[1]),
                Some(&[1]),
                true,
            ),
            (3, election(2, 0, 0, Finished, &[2]), election(3, 0, 9, Running, &[3]), None, true),
            (4, election(1, 2, 0, Running, &[1]), election(2, 1, 9, Finished, &[2]), None, true),
            (5, election(1, 0, 9, Running, &[1]), election(2, 0, 0, NoQuorum, &[2]), None, true),
            (
                6,
                election(2, 0, 0, Running, &[2]),
                election(1, 0, 9, NoQuorum, &[1]),
                Some(&[1, 2]),
                true,
            ),
            (7, election(2, 0, 0, Running, &[2]), election(1, 0, 0, Running, &[1]), None, true),
            (
                8,
                election(1, 0, 0, Running, &[1]),
                election(2, 0, 0, Running, &[2]),
                Some(&[2, 1]),
                true,
            ),
            // an older term that is more suitable stays until the newer one is finished
            (5, election(1, 0, 9, Running, &[1]), election(2, 1, 0, Running, &[2]), None, true),
        ];
        for (line, stored, incoming, replaced_by, spread) in lines {
            let mut merged = stored.clone();
            assert_eq!(merged.merge(incoming.clone()), spread, "line {line}");
            let keeps_votes_only = match line {
                1 | 4 => false,
                _ => replaced_by.is_none(),
            };
            let mut expected = match replaced_by {
                Some(votes) => Election {
                    votes: votes.iter().map(|vote| MemberId::from_bits((*vote).into())).collect(),
                    ..incoming.clone()
                },
                None => stored,
            };
            if keeps_votes_only {
                expected.votes.extend(incoming.votes);
            }
            assert_eq!(merged, expected, "line {line}");
        }
    }

    fn running() -> impl Strategy<Value = Election> {
        (0..4u8, 0..3u64, prop::collection::btree_set(0..4u8, 0..4)).prop_map(
            |(id, suitability, votes)| {
                let votes: Vec<u8> = votes.into_iter().collect();
                election(id, 0, suitability, Status::Running, &votes)
            },
        )
    }

    proptest! {
        /// Within a term without a winner, all orders lead to one candidate with the same votes.
        #[test]
        fn candidacies_of_a_term_merge_in_any_order(mut all in prop::collection::vec(running(), 1..6), rotate in 0..6usize) {
            let outcome = |all: &[Election]| {
                let mut merged = all[0].clone();
                for other in &all[1..] {
                    merged.merge(other.clone());
                    let before = merged.clone();
                    merged.merge(other.clone());
                    assert_eq!(merged, before, "merging it twice changes nothing");
                }
                let mut votes = merged.votes.clone();
                votes.sort();
                (merged.member_id, merged.suitability, votes)
            };
            let first = outcome(&all);
            let middle = rotate % all.len();
            all.rotate_left(middle);
            prop_assert_eq!(outcome(&all), first);
        }
    }
}
