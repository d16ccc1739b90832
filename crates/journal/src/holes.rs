//! Holes: numbers without an event, and the events that state them.
//!
//! A hole stays in the journal until the event that states it is on disk: a Supervisor that is
//! killed in between leaves it to the next one.

use redb::{ReadableTable, Table, TableDefinition, WriteTransaction};
use roost_events::{Event, Fact, Gap, Kind, Seq};

use crate::file::FileError;

/// The first number of each hole that no event on disk states, and its last one.
const HOLES: TableDefinition<'_, u64, u64> = TableDefinition::new("holes");
/// Holes that are stated at once; the others follow.
const AT_ONCE: usize = 64;

/// The holes that no event on disk states.
pub(crate) struct Holes<'t>(Table<'t, u64, u64>);

impl<'t> Holes<'t> {
    pub(crate) fn open(transaction: &'t WriteTransaction) -> Result<Self, FileError> {
        Ok(Self(transaction.open_table(HOLES)?))
    }

    /// Notes the numbers between these two, if there are any.
    pub(crate) fn note_between(&mut self, before: Seq, after: Seq) -> Result<(), FileError> {
        if after.0 > before.0.saturating_add(1) {
            self.0.insert(before.0 + 1, after.0 - 1)?;
        }
        Ok(())
    }

    /// Removes what an event states.
    pub(crate) fn take(&mut self, event: &Event) -> Result<(), FileError> {
        if let Some(Gap { first, last }) = stated(event) {
            self.0.retain_in(first.0..=last.0, |_, end| end > last.0)?;
        }
        Ok(())
    }

    /// The oldest ones.
    pub(crate) fn oldest(&self) -> Result<Vec<Gap>, FileError> {
        let gap = |hole: Result<(redb::AccessGuard<'_, u64>, redb::AccessGuard<'_, u64>), _>| {
            let (first, last) = hole?;
            Ok(Gap { first: Seq(first.value()), last: Seq(last.value()) })
        };
        self.0.iter()?.take(AT_ONCE).map(gap).collect()
    }
}

/// The numbers that an event states as missing.
fn stated(event: &Event) -> Option<Gap> {
    let (first, last) = match event.fact.kind {
        Kind::SupervisorRecovered => ("first_missing", "last_missing"),
        Kind::JournalGap => ("first", "last"),
        _ => return None,
    };
    let number = |key| event.fact.data.get(key)?.as_u64().map(Seq);
    Some(Gap { first: number(first)?, last: number(last)? }).filter(|gap| gap.first <= gap.last)
}

/// The Supervisor before this one did not end in order, and may have recorded more than the journal
/// has.
pub(crate) fn recovered(lost: Gap) -> Fact {
    let message = "The Supervisor before this one did not end in order; what it recorded last may \
                   be missing";
    let fact = Fact::new(Kind::SupervisorRecovered, message);
    fact.with("first_missing", lost.first.0).with("last_missing", lost.last.0)
}

/// The disk did not get these events, and memory no longer has them.
pub(crate) fn dropped(gap: Gap) -> Fact {
    let why = "the disk did not take them in time";
    journal_gap(gap, format!("The journal lacks events {} to {}: {why}", gap.first.0, gap.last.0))
}

/// The journal could not be opened at the start, so that numbers begin at the clock.
pub(crate) fn skipped(gap: Gap) -> Fact {
    let message = format!(
        "The journal has no events {} to {}: it could not be opened when the Supervisor started, \
         whose numbers begin at the clock",
        gap.first.0, gap.last.0
    );
    journal_gap(gap, message)
}

fn journal_gap(gap: Gap, message: String) -> Fact {
    let fact = Fact::new(Kind::JournalGap, message);
    fact.with("first", gap.first.0).with("last", gap.last.0)
}
