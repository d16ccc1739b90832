//! The program `hab` against a Supervisor that is played from recordings of the real one, or
//! from a script.

mod commands;
mod played;
mod recorded;
