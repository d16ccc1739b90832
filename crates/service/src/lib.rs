//! One supervised service as a pure state machine, and the spec files that configure it.
//!
//! It has no clock, files, processes or randomness of its own: [`Machine::handle`] and
//! [`Machine::wake`] take the time, [`Machine::poll`] returns the requested actions, and the caller
//! answers each with an [`MachineEvent`]. Behaviour is that of Habitat 2.1.78 (reference: services)
//! except for the differences in `docs/compatibility.md`.
//!
//! | module | holds |
//! |---|---|
//! | [`machine`] | the machine: what each event does in each phase |
//! | [`event`], [`effect`] | its input and output |
//! | [`status`] | content of documents and the status table |
//! | [`facts`] | what the record gets |
//! | [`account`], [`why`], [`excerpt`] | the last events, and why a service is not healthy |
//! | [`explain()`] | one sentence, causes and remedies |
//! | [`remembered`] | state that outlives the Supervisor |
//! | [`spec`], [`spec_file`], [`spec_options`] | specs, their file form, merging of commands into them |
//! | [`binds`] | validation of binds, and the lines about unsatisfied ones |
//! | [`backoff`], [`health`] | restart back-off and health check schedule |
//! | [`monitor`] | what `monitor.toml` states: checks without a hook, thresholds |

pub mod account;
pub mod backoff;
pub mod binds;
pub mod checks;
pub mod effect;
pub mod event;
pub mod excerpt;
pub mod explain;
pub mod facts;
pub mod health;
mod hooks;
pub mod machine;
pub mod monitor;
mod phase;
mod recent;
pub mod remembered;
pub mod settings;
pub mod spec;
pub mod spec_file;
pub mod spec_options;
pub mod status;
mod text;
pub mod why;

pub use account::{Account, ExitCause, HookFailure, LastCheck, LastExit};
pub use binds::{BindReport, BindsError, validate_binds};
pub use checks::{CheckHistory, CheckResult, Histories};
pub use effect::{Effect, LogKey, Preamble};
pub use event::{
    BuildFailure, ExitStatus, HookOutcome, MachineEvent, Now, Plan, ProcessEnd, RenderFailure,
    RenderedFile, RenderedKind, Rendering,
};
pub use excerpt::{Excerpt, Printed};
pub use explain::{Explanation, explain};
pub use machine::Machine;
pub use monitor::{Monitor, MonitorRead, Probe, ProbeFound};
pub use recent::Span;
pub use remembered::{Remembered, RememberedError, Survivor};
pub use settings::{BackoffSettings, HookTimeouts, Settings};
pub use spec::{Difference, Interval, ServiceSpec};
pub use spec_file::SpecError;
pub use status::{LastProcess, PhaseName, ProcessStatus, ServiceState, Status};
pub use why::{Reason, ReasonCode};
