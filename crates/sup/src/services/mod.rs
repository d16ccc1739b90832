//! Services: what they are made of, their hooks, their files, their life.

pub(crate) mod built;
pub(crate) mod capture;
pub(crate) mod environment;
pub(crate) mod hook_log;
pub(crate) mod hook_run;
pub(crate) mod install;
pub(crate) mod rendering;
