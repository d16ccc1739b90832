//! ZMTP 3.1, the wire protocol of ZeroMQ, as far as the ring needs it: a PULL socket that
//! listens, PUSH connections that send, mechanism NULL, messages of one frame.
//!
//! The codec is pure: bytes in, events and bytes out. With the feature `tokio` there are a
//! `Listener` and a `Pool` of sending connections. Every size, count and wait is limited.
//! Facts: RFC 37/ZMTP 3.1 and the ring chapter, section 7.
//!
//! ```text
//! Codec::new(Role::{Pull,Push}, CodecLimits)
//!   .start(&mut BytesMut output)                                     our greeting
//!   .decode(&mut BytesMut input, &mut BytesMut output) -> Result<Option<Event>, ProtocolError>
//!   Event::{Ready, Message(Bytes), MultipartDropped}                  input is consumed, replies go to output
//! encode_message(&[u8], &mut BytesMut)
//!
//! feature tokio:
//! Listener::bind(SocketAddr, ListenLimits).await -> io::Result<Listener>     Listener::from_std(std::net::TcpListener, ListenLimits)
//!   .local_addr()   .recv().await -> Option<Received { peer: SocketAddr, bytes: Bytes, .. }>   .stats() -> ListenStats   (drop closes)
//!
//! Pool::new(PoolLimits) -> (Pool, Reports)              Reports::recv().await -> Option<Report>
//!   .send(&mut self, SocketAddr, Vec<Bytes>) -> Result<BatchId, Refused>    never waits; one Report per accepted batch
//!   Report { batch, to, messages, outcome: Result<(), SendError { step: Step, source: io::Error }> }
//!   Step::as_str(): "socket_create" | "socket_connect" | "socket_handshake" | "socket_send"
//!   .stats() -> PoolStats    .close(self).await          sends what is queued, at most the linger time
//! ```
