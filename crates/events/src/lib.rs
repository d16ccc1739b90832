//! Events: every change that matters, with its cause.
//!
//! A source (the fleet, the ring, the control gateway) decides that something happened, and reports
//! it with a [`Fact`]. It names its facts as [`Report`]s, so that a later one can name an earlier
//! one as its cause although neither has a place in the record yet. The record gives each report
//! the next sequence number of the Supervisor, and the time: an [`Event`].
//!
//! A fact is small, whatever it is made from: [`limits`] bounds it.
#![forbid(unsafe_code)]

pub mod availability;
mod document;
mod event;
mod kind;
pub mod limits;
mod report;
mod stream;

pub use availability::Availability;
pub use document::EventDocument;
pub use event::{Event, Fact, LAST_SEEN, PRINTED_OUTPUT, PRINTED_STDERR, Seq};
pub use kind::{Kind, Severity, Topic};
pub use report::{Cause, Numbering, Report, ReportId, Reports};
pub use stream::{Batch, Gap, Position, Stream};
