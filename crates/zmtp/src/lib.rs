//! ZMTP 3.1, the wire protocol of ZeroMQ, as far as the ring needs it: a PULL socket that
//! listens, PUSH connections that send, mechanism NULL, messages of one frame.
//!
//! Facts are those of RFC 37/ZMTP 3.1 (reference: ring §7).
//!
//! | module | holds |
//! |---|---|
//! | [`greeting`], [`frame`], [`codec`] | the protocol: bytes in, events and bytes out |
//! | `socket` (feature `tokio`) | `Listener` and `Pool`: sockets, deadlines, limits |
//!
//! ```
//! use bytes::BytesMut;
//! use roost_zmtp::{Codec, CodecLimits, Event, Role, encode_message};
//!
//! let limits = CodecLimits::default();
//! let (mut pull, mut push) = (Codec::new(Role::Pull, limits), Codec::new(Role::Push, limits));
//! let (mut to_pull, mut to_push) = (BytesMut::new(), BytesMut::new());
//! pull.start(&mut to_push);
//! push.start(&mut to_pull);
//! assert_eq!(pull.decode(&mut to_pull, &mut to_push)?, None); // the greeting
//! assert_eq!(push.decode(&mut to_push, &mut to_pull)?, Some(Event::Ready));
//! encode_message(b"rumor", &mut to_pull);
//! let mut no_answer = BytesMut::new();
//! assert_eq!(pull.decode(&mut to_pull, &mut no_answer)?, Some(Event::Ready));
//! let message = pull.decode(&mut to_pull, &mut no_answer)?;
//! assert_eq!(message, Some(Event::Message("rumor".into())));
//! # Ok::<(), roost_zmtp::ProtocolError>(())
//! ```

pub mod codec;
mod command;
mod error;
pub mod frame;
pub mod greeting;
#[cfg(feature = "tokio")]
pub mod socket;

pub use codec::{Codec, CodecLimits, Event, Role};
pub use error::ProtocolError;
pub use frame::encode_message;
#[cfg(feature = "tokio")]
pub use socket::{
    BatchId, ListenLimits, ListenStats, Listener, Pool, PoolLimits, PoolStats, Received, Refused,
    Report, Reports, SendError, Step,
};
