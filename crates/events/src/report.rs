//! Causes between facts that have no sequence number yet.

use std::collections::VecDeque;

use crate::event::{Fact, Seq};

/// What a fact follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cause {
    /// Nothing in the record.
    #[default]
    Unknown,
    /// An event of the record, such as the request of a client.
    Event(Seq),
    /// An earlier report of the same source, by its number.
    Report(u64),
}

/// A fact with its number at the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Counts the reports of one source, from 0 without a hole.
    pub number: u64,
    /// What it follows from.
    pub cause: Cause,
    /// What happened.
    pub fact: Fact,
}

/// Numbers the facts of one source.
#[derive(Debug, Default)]
pub struct Reports {
    next: u64,
}

impl Reports {
    /// The report of a fact. The second value is the cause for facts that follow from it.
    pub fn report(&mut self, cause: Cause, fact: Fact) -> (Report, Cause) {
        let number = self.next;
        self.next += 1;
        (Report { number, cause, fact }, Cause::Report(number))
    }
}

/// The sequence numbers that the latest reports of one source have got.
#[derive(Debug, Default)]
pub struct Numbering {
    /// Of the report after the last one.
    next: u64,
    recent: VecDeque<Seq>,
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
            Cause::Report(number) => {
                let back = usize::try_from(self.next.checked_sub(number)?).ok()?;
                self.recent.get(self.recent.len().checked_sub(back)?).copied()
            }
        }
    }

    /// Notes which sequence number the next report got.
    pub fn add(&mut self, seq: Seq) {
        self.next += 1;
        self.recent.push_back(seq);
        if self.recent.len() > Self::REMEMBERED {
            self.recent.pop_front();
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

    #[test]
    fn a_cause_is_found_by_its_number_at_the_source() {
        let mut reports = Reports::default();
        let mut numbering = Numbering::default();
        let mut causes = Vec::new();
        for seq in 0..5000 {
            let cause = causes.last().copied().unwrap_or_default();
            let (report, next) =
                reports.report(cause, Fact::new(Kind::ServiceUp, "redis.default is up"));
            let before = numbering.resolve(report.cause);
            assert_eq!(before, (seq > 0).then(|| Seq(10 * seq - 10)));
            numbering.add(Seq(10 * seq));
            causes.push(next);
        }
        assert_eq!(numbering.resolve(causes[904]), Some(Seq(9040)));
        assert_eq!(numbering.resolve(causes[903]), None, "too long ago");
        assert_eq!(numbering.resolve(Cause::Report(5000)), None, "not recorded yet");
        assert_eq!(numbering.resolve(Cause::Event(Seq(7))), Some(Seq(7)));
    }
}
