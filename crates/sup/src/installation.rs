//! Install and uninstall hooks, as the command line runs them too: rendered by the same templates,
//! with the same user, directories and environment.

pub use crate::services::{
    environment::complete,
    install::{InstallHook, prepare},
};
