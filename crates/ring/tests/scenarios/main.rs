//! Members on a virtual network: their messages, state and decisions.

#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod counters;
mod elections;
mod input;
mod membership;
mod net;
mod record;
mod rumors;
mod standing;
