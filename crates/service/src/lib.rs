//! One supervised service as a pure state machine, and the spec files that say what to run.
//!
//! No clock, no files, no processes, no randomness of its own: `handle` and
//! `wake` take the time, `poll` gives what is to be done, and everything
//! done is answered by an [`Event`]. Behaviour is that of Habitat 2.1.78 (services chapter)
//! but for the places named in `docs/compatibility.md`.
//!
//! | module | holds |
//! |---|---|
//! | [`event`], [`effect`] | what goes in, what comes out |
//! | [`status`] | what documents and the status table show |
//! | [`spec`], [`spec_file`], [`spec_fields`] | specs, their file form, merging of commands into them |
//! | [`binds`] | validation of binds, and the lines about unsatisfied ones |

pub mod binds;
pub mod effect;
pub mod event;
pub mod settings;
pub mod spec;
pub mod spec_fields;
pub mod spec_file;
pub mod status;

pub use binds::{BindReport, BindState, BindsError, validate_binds};
pub use effect::{Effect, LogKey, Preamble};
pub use event::{
    BuildFailure, Event, HookOutcome, Now, Plan, RenderFailure, RenderedFile, RenderedKind,
    Rendering,
};
pub use settings::{BackoffSettings, Settings};
pub use spec::{Difference, ServiceSpec};
pub use spec_fields::SpecFields;
pub use spec_file::SpecError;
pub use status::{LastProcess, PhaseName, ProcessStatus, Status};
