//! The fleet from outside: random orders of everything that can happen.

#![allow(missing_docs, reason = "tests")]

mod launcher;
mod model;
mod random;
mod record;
mod release;
