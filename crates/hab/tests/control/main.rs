//! The program `hab` against a Supervisor that is played from recordings of the real one, or
//! from a script; and a running Supervisor against the recorded clients.

mod commands;
mod played;
mod recorded;
mod supervisor;
