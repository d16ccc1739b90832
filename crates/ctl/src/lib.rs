//! The control protocol (port 9632), with which `hab svc …`, `hab sup …` and others control a
//! Supervisor.
//!
//! | module | holds |
//! |---|---|
//! | [`frame`] | the framing: header, transaction word, message id, body |
//! | [`message`] | the messages on the wire |
//! | [`reply`] | answers of a Supervisor |
//! | [`answer`] | what a client reads of these |
//! | [`request`] | requests of a client, in types of the project |
//! | `net` (feature `net`) | sockets: `client`, `server`, the `responder` that the Supervisor answers with, `tls` |
//!
//! The first five are a codec: bytes in, values out, and the other way round. Each module uses
//! only those above it.
//!
//! Facts are those of Habitat 2.1.78 (reference: control).

pub mod answer;
pub mod frame;
pub mod message;
#[cfg(feature = "net")]
pub mod net;
pub mod reply;
pub mod request;

pub use answer::{Answer, AnswerError};
pub use frame::{Decoder, Frame, FrameError, Transaction};
#[cfg(feature = "net")]
pub use net::{
    client::{self, Client, ClientError},
    responder::{self, Responder},
    server::{self, Incoming, Observer, Secret, ServerConfig, serve},
    tls,
};
pub use reply::{Color, Console, ErrorCode, Failure, Reply, ServiceStatus};
pub use request::Request;
