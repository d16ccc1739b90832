//! Sockets on tokio: a [`Listener`] that receives and a [`Pool`] of connections that send.
//!
//! Order on the wire holds only within one connection, as with libzmq.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "the shell of the codec")]

mod link;
mod listener;
mod peer;
mod pool;
mod report;
mod serve;
mod stats;

pub use listener::{ListenLimits, Listener, Received};
pub use pool::{Pool, PoolLimits};
pub use report::{BatchId, Refused, Report, Reports, SendError, Step};
pub use stats::{ListenStats, PoolStats};
