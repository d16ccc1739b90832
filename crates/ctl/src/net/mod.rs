//! The protocol over sockets: both sides of a conversation, TLS included.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "the shell of the codec")]

pub mod client;
pub mod responder;
pub mod server;
pub mod tls;
