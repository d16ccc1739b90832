//! Services: what they are made of, their hooks, their files, their life.

pub(crate) mod built;
pub(crate) mod capture;
pub(crate) mod environment;
pub(crate) mod hook_run;
pub(crate) mod install;
mod program;
pub(crate) mod rendering;
pub(crate) mod small_files;
pub(crate) mod user_layer;

use std::time::Duration;

/// So long the files of a service are waited for: enough for a disk that is busy, and far less
/// than one that is gone takes to say so.
pub(crate) const DISK_PATIENCE: Duration = Duration::from_secs(5);
