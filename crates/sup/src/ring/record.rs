//! The ring's way into the record: its events, and the requests of clients that they follow from.

use roost_ctl::reply::Failure;
use roost_events::{Cause, Report, Reports, Seq};
use roost_journal::{Recorder, Source};

use crate::audit::{Audit, Outcome};

/// Part of this source beside the ring itself, which is part 0.
const REQUESTS: u64 = 1;

/// What the ring's task records.
#[derive(Debug)]
pub(super) struct Record {
    source: Source,
    requests: Reports,
}

/// What became of a change that a client asked for.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) result: Result<(), Failure>,
    /// The request in the record.
    pub(crate) request: Option<Seq>,
}

impl Record {
    pub(super) fn new(recorder: &Recorder) -> Self {
        Self { source: recorder.source(), requests: Reports::of_part(REQUESTS) }
    }

    /// Records an event of the ring.
    pub(super) fn event(&mut self, report: Report) {
        self.source.record(report);
    }

    /// Makes a change, and records the request for it before the events that follow from it: they
    /// wait in the ring.
    pub(super) fn make(
        &mut self,
        audit: Option<Audit>,
        change: impl FnOnce(Cause) -> Result<(), Failure>,
    ) -> Made {
        let Some(audit) = audit else {
            return Made { result: change(Cause::Unknown), request: None };
        };
        let id = self.requests.name();
        let result = change(Cause::Report(id));
        let outcome = result.as_ref().map_or_else(Outcome::Failed, |()| Outcome::Done);
        let fact = audit.fact(outcome);
        let request = self.source.record(Report { id, cause: Cause::Unknown, fact });
        Made { result, request: Some(request) }
    }
}
