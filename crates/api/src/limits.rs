//! Bounds on what a client may cost us. Each is checked at the first byte.

use std::time::Duration;

/// Longest request head, in bytes. Longer ones are answered with 431.
pub(crate) const HEAD_BYTES: usize = 32 * 1024;

/// Most headers in a request; one more is answered with 431, as Habitat does.
pub(crate) const HEADERS: usize = 96;

/// Most requests at the same time on one HTTP/2 connection.
pub(crate) const HTTP2_STREAMS: u32 = 64;

/// Connections that wait to be accepted.
pub(crate) const BACKLOG: u32 = 1024;

/// Longest `Accept` that is looked at, in bytes; longer ones count as absent.
pub(crate) const ACCEPT_BYTES: usize = 1024;

/// Most media ranges in an `Accept`; more count as absent.
pub(crate) const ACCEPT_RANGES: usize = 32;

/// Most that is read from a client and thrown away after the last answer, in bytes.
pub(crate) const LINGER_BYTES: usize = 256 * 1024;

/// Most bytes that answers hold together until their clients have read them; each version of a
/// document counts once.
pub(crate) const HELD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Answers up to this size are not counted. Clients that take none of them hold at most one per
/// stream: 500 connections (see [`Limits::connections`]) with [`HTTP2_STREAMS`] each are 32 MiB.
pub(crate) const UNCOUNTED_BYTES_MAX: usize = 1024;

/// Longest query of a request, in bytes, and most parameters in it.
pub(crate) const QUERY_BYTES_MAX: usize = 8 * 1024;
pub(crate) const QUERY_PAIRS_MAX: usize = 32;

/// Most answers that are being made on request at the same time, and the time that each has.
pub(crate) const LIVE_AT_ONCE: usize = 64;
pub(crate) const LIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// A request that waits looks this often whether its client has left.
pub(crate) const LEFT_CHECK: Duration = Duration::from_secs(5);

/// Connections of tools on this machine, through the socket in the file system.
pub(crate) const LOCAL_CONNECTIONS: usize = 64;

/// Pieces of a stream are sent in parts of at most this size, in bytes.
pub(crate) const CHUNK_BYTES_MAX: usize = 16 * 1024;

/// A stream in which nothing happens this long sends a sign of life.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(15);

/// Shortest document that is compressed, in bytes.
pub(crate) const GZIP_BYTES_MIN: usize = 1024;

/// Limits that an operator may want to move.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections open at the same time. When there are more, the oldest is asked to leave: it
    /// may finish the request it is in. A quarter more may be open for the moment that takes.
    /// Keep it well below the limit of open files.
    pub connections: usize,
    /// Requests at the same time that wait for a change or take a stream. Their connections are
    /// not among the ones above.
    pub waiting: usize,
    /// Time for a request head to arrive; also how long a connection may be idle.
    pub head_timeout: Duration,
    /// Time for a TLS handshake.
    pub handshake_timeout: Duration,
    /// How long a client may take no byte of an answer.
    pub write_timeout: Duration,
    /// Time that open requests are given at shutdown.
    pub shutdown_timeout: Duration,
}

impl Default for Limits {
    /// Times of Habitat (reference: http-api §2.4); 400 connections fit into the usual 1,024 open
    /// files and leave room for the services.
    fn default() -> Self {
        Self {
            connections: 400,
            waiting: 1024,
            head_timeout: Duration::from_secs(5),
            handshake_timeout: Duration::from_secs(3),
            write_timeout: Duration::from_secs(10),
            shutdown_timeout: Duration::from_secs(2),
        }
    }
}
