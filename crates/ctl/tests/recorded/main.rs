//! Recorded conversations of the real `hab` with a real Supervisor, played against this crate.

mod frames;
mod recording;
mod server;
