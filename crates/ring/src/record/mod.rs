//! What a member records of its ring: who joined, who died, which group elected whom. Each part of
//! the ring reports what it decided; here it becomes an event, with its cause and within a budget.

pub(crate) mod budget;
pub(crate) mod members;

use std::collections::BTreeMap;

use roost_events::{Cause, Fact, Kind, Report, Reports};

use self::budget::{Budget, FOLD_MS, Fold};
use crate::{table::Place, time::Now};

/// Members whose last event is known as a cause. More are not down one by one: see [`budget`].
const CAUSES_MAX: usize = 1024;

/// What shares a budget.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Subject {
    /// The type of the events.
    pub(crate) kind: Kind,
    /// Members that share a group with this one have a budget of their own: what happens to them
    /// is not to be lost among thousands of others.
    pub(crate) is_near: bool,
}

/// The events of a member, on their way to the record.
#[derive(Debug, Default)]
pub(crate) struct Chronicle {
    reports: Reports,
    budgets: BTreeMap<Subject, Budget>,
    /// The last event of members that are not alive.
    members: BTreeMap<Place, Cause>,
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
        self.members.get(&place).copied().unwrap_or_default()
    }

    pub(crate) fn member_is_down(&mut self, place: Place, last: Cause) {
        if self.members.len() < CAUSES_MAX || self.members.contains_key(&place) {
            self.members.insert(place, last);
        }
    }

    pub(crate) fn member_is_alive(&mut self, place: Place) {
        self.members.remove(&place);
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
            Some(reports.report(Cause::Unknown, folded(subject.kind, &fold)).0)
        });
        due.collect()
    }
}

/// The event that stands for several ones of its type.
fn folded(kind: Kind, fold: &Fold) -> Fact {
    let Fold { count, examples, .. } = fold;
    let seconds = FOLD_MS / 1000;
    let left_out = usize::try_from(*count).unwrap_or(usize::MAX) - examples.len();
    let mut message = format!("{} {count} more times within {seconds} s: ", members::plural(kind));
    message.push_str(&examples.join(", "));
    if left_out > 0 {
        message.push_str(&format!(" and {left_out} more"));
    }
    Fact::new(kind, message)
        .with("count", *count)
        .with("within_s", seconds)
        .with("examples", examples.clone())
}
