//! What a member records of its ring: who joined, who died, which group elected whom. Each part of
//! the ring reports what it decided; here it becomes an event, with its cause and within a budget.

pub(crate) mod budget;
pub(crate) mod elections;
pub(crate) mod members;

use std::collections::BTreeMap;

use roost_events::{Cause, Fact, Kind, Report, Reports};

use self::budget::{Budget, FOLD_MS, Fold};
use crate::{rumor::ElectionKind, table::Place, time::Now};

/// Members whose last event is known as a cause. More are not down one by one: see [`budget`].
const CAUSES_MAX: usize = 1024;

/// What shares a budget.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// Members of the ring. Those that share a group with this one have a budget of their own: what
    /// happens to them is not to be lost among thousands of others.
    Members { kind: Kind, share_group: bool },
    /// A group with a service of this member: there are as many as were loaded.
    Group { kind: Kind, group: String },
}

/// The last event of a member that is not alive.
#[derive(Debug, Clone, Copy)]
struct Down {
    last: Cause,
    at: Now,
}

/// The last event of an election.
#[derive(Debug, Clone, Copy)]
struct LastTurn {
    term: u64,
    last: Cause,
}

/// The events of a member, on their way to the record.
#[derive(Debug, Default)]
pub(crate) struct Chronicle {
    reports: Reports,
    budgets: BTreeMap<Subject, Budget>,
    /// The last event of members that are not alive.
    members: BTreeMap<Place, Down>,
    /// The last event of each election.
    elections: BTreeMap<(ElectionKind, String), LastTurn>,
    /// What was asked of this member and is being done.
    command: Cause,
}

impl Chronicle {
    /// What happens from here on follows from this, if anything.
    pub(crate) fn because(&mut self, cause: Cause) {
        self.command = cause;
    }

    /// Makes the report of an event, or counts it. Returns what others may follow from.
    pub(crate) fn record(
        &mut self,
        now: Now,
        subject: Subject,
        cause: Cause,
        fact: impl FnOnce() -> Fact,
        example: impl FnOnce() -> String,
    ) -> Option<(Report, Cause)> {
        let cause = self.command.or(cause);
        let budget = self.budgets.entry(subject).or_insert_with(|| Budget::new(now));
        if !budget.spend(now) {
            budget.fold(now, example);
            return None;
        }
        Some(self.reports.report(cause, fact()))
    }

    /// The last event of a member that is not alive.
    pub(crate) fn of_member(&self, place: Place) -> Cause {
        self.members.get(&place).map(|down| down.last).unwrap_or_default()
    }

    /// The latest of the last events of these members.
    pub(crate) fn of_members(&self, places: impl Iterator<Item = Place>) -> Cause {
        let down = places.filter_map(|place| self.members.get(&place));
        down.max_by_key(|down| down.at).map(|down| down.last).unwrap_or_default()
    }

    pub(crate) fn member_is_down(&mut self, now: Now, place: Place, last: Cause) {
        if self.members.len() < CAUSES_MAX || self.members.contains_key(&place) {
            self.members.insert(place, Down { last, at: now });
        }
    }

    pub(crate) fn member_is_alive(&mut self, place: Place) {
        self.members.remove(&place);
    }

    /// The last event of the election of this term.
    pub(crate) fn of_election(&self, kind: ElectionKind, group: &str, term: u64) -> Cause {
        let known = self.elections.get(&(kind, group.to_owned()));
        known.filter(|known| known.term == term).map(|known| known.last).unwrap_or_default()
    }

    pub(crate) fn election_goes_on(
        &mut self,
        kind: ElectionKind,
        group: String,
        term: u64,
        last: Cause,
    ) {
        self.elections.insert((kind, group), LastTurn { term, last });
    }

    /// When [`Chronicle::take_folded`] is due.
    pub(crate) fn next(&self) -> Now {
        self.budgets.values().filter_map(Budget::due).fold(Now::NEVER, Now::min)
    }

    /// Reports of what was only counted and is due.
    pub(crate) fn take_folded(&mut self, now: Now) -> Vec<Report> {
        let Self { reports, budgets, .. } = self;
        let due = budgets.iter_mut().filter_map(|(subject, budget)| {
            let fold = budget.take_due(now)?;
            Some(reports.report(Cause::Unknown, folded(subject, &fold)).0)
        });
        due.collect()
    }
}

/// The event that stands for several ones of its type.
fn folded(subject: &Subject, fold: &Fold) -> Fact {
    let Fold { count, examples, .. } = fold;
    let (kind, group) = match subject {
        Subject::Members { kind, .. } => (*kind, None),
        Subject::Group { kind, group } => (*kind, Some(group)),
    };
    let seconds = FOLD_MS / 1000;
    let left_out = usize::try_from(*count).unwrap_or(usize::MAX) - examples.len();
    let named = examples.join(", ");
    let mut message = format!("{} {count} more times within {seconds} s: {named}", plural(kind));
    if let Some(group) = group {
        message.insert_str(0, &format!("{group}: "));
    }
    if left_out > 0 {
        message.push_str(&format!(" and {left_out} more"));
    }
    let fact = Fact::new(kind, message)
        .with("count", *count)
        .with("within_s", seconds)
        .with("examples", examples.clone());
    match group {
        Some(group) => fact.of(group),
        None => fact,
    }
}

/// What several events of a type have in common.
const fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::MemberJoined => "members joined the ring",
        Kind::MemberSuspect => "members became suspect",
        Kind::MemberAlive => "members became alive again",
        Kind::MemberConfirmed => "members became confirmed dead",
        Kind::MemberDeparted => "members departed",
        Kind::MemberAddressChanged => "members changed their addresses",
        Kind::ElectionStarted => "elections began",
        Kind::ElectionFinished => "elections ended",
        Kind::ElectionNoQuorum => "elections had no quorum",
        Kind::LeaderChanged => "the leader changed",
        Kind::LeaderConflict => "leaders contradicted each other",
        _ => "this happened",
    }
}
