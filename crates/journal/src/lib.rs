//! The record of a Supervisor: what happened, numbered, for everything that reads it.
//!
//! Parts of the Supervisor record facts with a [`Recorder`]. Readers follow it with a [`Reader`],
//! each at its own pace.
#![forbid(unsafe_code)]

mod recorder;

pub use recorder::{Reader, Recorder, Source};
