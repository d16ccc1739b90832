//! Larger sets of options: those of `sup run` and of a service, which can come from the command
//! line, the environment and configuration files.

pub(crate) mod archive;
pub(crate) mod event_stream;
pub(crate) mod generate;
pub(crate) mod given;
pub(crate) mod nearest;
pub(crate) mod run;
pub(crate) mod run_config;
pub(crate) mod service;
pub(crate) mod source;
pub(crate) mod tokens_file;
pub(crate) mod url;
