//! Recorded conversations of the real `hab` with a real Supervisor, replayed against this crate.

mod frames;
mod recording;
mod server;
