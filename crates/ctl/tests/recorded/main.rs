//! Recorded conversations of the real `hab` with a real Supervisor, replayed against this crate.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "recordings are files, and a server answers them"
)]

mod frames;
mod recording;
mod server;
