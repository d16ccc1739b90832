//! Members on a virtual network: what they say, learn and decide.

#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod counters;
mod elections;
mod input;
mod membership;
mod net;
mod rumors;
