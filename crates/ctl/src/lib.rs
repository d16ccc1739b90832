//! The control protocol (port 9632): how `hab svc …`, `hab sup …` and others command a Supervisor.
//!
//! | module | holds | kind |
//! |---|---|---|
//! | [`frame`] | the framing: header, transaction word, message id, body | pure |
//! | [`message`] | the messages as they are on the wire | pure |
//! | [`request`] | what a client asks, in words of the project | pure |
//! | [`reply`] | what a Supervisor answers | pure |
//! | [`responder`] | the end of a conversation that the Supervisor's task holds | tokio |
//! | [`server`] | accepts connections, asks for the secret, hands requests on | tokio |
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
