//! The program `hab` against a Supervisor that replays recordings of the real one, or a script; and
//! a running Supervisor against the recorded clients.

mod commands;
mod played;
mod recorded;
mod supervisor;
