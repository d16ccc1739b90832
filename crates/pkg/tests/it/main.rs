//! Black-box tests over temporary roots.
#![allow(clippy::unwrap_used, reason = "a test that cannot set up its files has failed")]

mod packages;
mod service_dir;
mod staged_files;
mod staging;
mod strangers;
mod support;
