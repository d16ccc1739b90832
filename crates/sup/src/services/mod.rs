//! Services: what they are made of, their hooks, their files, their life.

pub(crate) mod built;
pub(crate) mod capture;
pub(crate) mod environment;
pub(crate) mod hook_run;
pub(crate) mod install;
pub(crate) mod jobs;
pub(crate) mod monitor;
pub(crate) mod probes;
mod program;
mod release;
pub(crate) mod rendering;
pub(crate) mod small_files;
pub(crate) mod spawning;
pub(crate) mod user_layer;

pub(crate) use roost_fleet::DISK_PATIENCE;
