//! The control protocol (port 9632), with which `hab svc …`, `hab sup …` and others control a
//! Supervisor.
//!
//! | module | holds | kind |
//! |---|---|---|
//! | [`frame`] | the framing: header, transaction word, message id, body | pure |
//! | [`message`] | the messages on the wire | pure |
//! | [`request`] | requests of a client, in types of the project | pure |
//! | [`reply`] | answers of a Supervisor | pure |
//! | [`responder`] | the Supervisor's end of a conversation | tokio |
//! | [`server`] | accepts connections, checks the secret, forwards requests | tokio |
//! | [`client`] | one blocking conversation | std sockets |
//! | [`tls`] | TLS settings from files or directories | files |
//!
//! Facts are those of Habitat 2.1.78 (reference: control).

pub mod client;
pub mod frame;
pub mod message;
pub mod reply;
pub mod request;
pub mod responder;
pub mod server;
pub mod tls;

pub use client::{Answer, Client, ClientError};
pub use frame::{Decoder, Frame, FrameError, Transaction};
pub use reply::{Color, Console, ErrorCode, Failure, Reply, ServiceStatus};
pub use request::{Request, ServiceOptions};
pub use responder::Responder;
pub use server::{Incoming, Observer, Secret, ServerConfig, serve};
