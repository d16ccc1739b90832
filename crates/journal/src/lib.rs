//! The record of a Supervisor: what happened, numbered, for everything that reads it.
//!
//! Parts of the Supervisor record facts with a [`Recorder`]. Readers follow it with a [`Reader`],
//! each at its own pace.
#![forbid(unsafe_code)]

mod accounts;
mod file;
mod holes;
#[doc(hidden)]
pub mod measured;
mod place;
mod query;
mod record;
mod recorder;
mod row;
mod writer;

pub use query::{Entry, Filter, Order, Page, Query};
pub use record::{Followed, Follower, Past, Record};
pub use recorder::{Reader, Recorder, Source};
pub use writer::{Config, Journal, Notice, Start, Writer};
