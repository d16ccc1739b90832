//! Install and uninstall hooks, for the command line too: rendered from the same templates, with
//! the same user, directories and environment.

pub use crate::services::{
    environment::complete,
    install::{InstallHook, prepare},
};
