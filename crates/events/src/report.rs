//! Causes between facts that have no sequence number yet.

use std::collections::{HashMap, VecDeque};

use crate::event::{Fact, Seq};

/// Names a report until it has a place in the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReportId {
    /// The part that made it.
    part: u64,
    /// Counts the reports of that part, from 0.
    number: u64,
}

/// What a fact follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cause {
    /// Nothing in the record.
    #[default]
    Unknown,
    /// An event of the record, such as the request of a client.
    Event(Seq),
    /// An earlier report of the same source.
    Report(ReportId),
}

impl Cause {
    /// This cause, or another one where it is unknown.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match self {
            Self::Unknown => other,
            known => known,
        }
    }
}

impl From<Option<Seq>> for Cause {
    fn from(seq: Option<Seq>) -> Self {
        seq.map_or(Self::Unknown, Self::Event)
    }
}

/// A fact with its name at the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Its name.
    pub id: ReportId,
    /// What it follows from.
    pub cause: Cause,
    /// What happened.
    pub fact: Fact,
}

/// Names the facts of one part of a source.
#[derive(Debug, Default)]
pub struct Reports {
    part: u64,
    next: u64,
}

impl Reports {
    /// Those of a part, by a number that no other part of the source has.
    #[must_use]
    pub fn of_part(part: u64) -> Self {
        Self { part, next: 0 }
    }

    /// Names a report that is made later, for facts that follow from it.
    pub fn name(&mut self) -> ReportId {
        let id = ReportId { part: self.part, number: self.next };
        self.next += 1;
        id
    }

    /// The report of a fact. The second value is the cause for facts that follow from it.
    pub fn report(&mut self, cause: Cause, fact: Fact) -> (Report, Cause) {
        let id = self.name();
        (Report { id, cause, fact }, Cause::Report(id))
    }
}

/// The sequence numbers that the latest reports of one source have got.
#[derive(Debug, Default)]
pub struct Numbering {
    seqs: HashMap<ReportId, Seq>,
    /// The same, the oldest first.
    order: VecDeque<ReportId>,
}

impl Numbering {
    /// How many reports back a cause can be.
    const REMEMBERED: usize = 4096;

    /// The sequence number of a cause. `None` if there is none, or it is too long ago.
    #[must_use]
    pub fn resolve(&self, cause: Cause) -> Option<Seq> {
        match cause {
            Cause::Unknown => None,
            Cause::Event(seq) => Some(seq),
            Cause::Report(id) => self.seqs.get(&id).copied(),
        }
    }

    /// Notes which sequence number a report got.
    pub fn add(&mut self, id: ReportId, seq: Seq) {
        self.seqs.insert(id, seq);
        self.order.push_back(id);
        if self.order.len() > Self::REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.seqs.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cause, Numbering, Reports};
    use crate::{
        event::{Fact, Seq},
        kind::Kind,
    };

    fn up() -> Fact {
        Fact::new(Kind::ServiceUp, "redis.default is up")
    }

    #[test]
    fn a_cause_is_found_by_its_name_at_the_source() {
        let mut reports = Reports::default();
        let mut numbering = Numbering::default();
        let mut causes = Vec::new();
        for seq in 0..5000 {
            let cause = causes.last().copied().unwrap_or_default();
            let (report, next) = reports.report(cause, up());
            let before = numbering.resolve(report.cause);
            assert_eq!(before, (seq > 0).then(|| Seq(10 * seq - 10)));
            numbering.add(report.id, Seq(10 * seq));
            causes.push(next);
        }
        assert_eq!(numbering.resolve(causes[904]), Some(Seq(9040)));
        assert_eq!(numbering.resolve(causes[903]), None, "too long ago");
        let (_, unrecorded) = reports.report(Cause::Unknown, up());
        assert_eq!(numbering.resolve(unrecorded), None, "not recorded yet");
        assert_eq!(numbering.resolve(Cause::Event(Seq(7))), Some(Seq(7)));
    }

    #[test]
    fn parts_of_a_source_do_not_mix() {
        let (mut web, mut db) = (Reports::of_part(1), Reports::of_part(2));
        let mut numbering = Numbering::default();
        let (first, of_web) = web.report(Cause::Unknown, up());
        let (second, of_db) = db.report(Cause::Unknown, up());
        // In any order.
        numbering.add(second.id, Seq(4));
        numbering.add(first.id, Seq(5));
        assert_eq!(numbering.resolve(of_web), Some(Seq(5)));
        assert_eq!(numbering.resolve(of_db.or(of_web)), Some(Seq(4)));
        assert_eq!(Cause::Unknown.or(of_web), of_web);
    }
}
