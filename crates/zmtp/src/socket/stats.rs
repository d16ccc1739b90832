//! Counters for metrics. Tasks count in atomics; callers get a plain copy.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($(#[$doc:meta])* $plain:ident, $(#[$live_doc:meta])* $live:ident {
        $($(#[$field_doc:meta])* $field:ident,)+
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct $plain {
            $($(#[$field_doc])* pub $field: u64,)+
        }

        $(#[$live_doc])*
        #[derive(Debug, Default)]
        pub(crate) struct $live {
            $(pub(crate) $field: AtomicU64,)+
        }

        impl $live {
            pub(crate) fn copy(&self) -> $plain {
                $plain { $($field: self.$field.load(Ordering::Relaxed),)+ }
            }
        }
    };
}

counters! {
    /// Statistics of a listener since its creation.
    ListenStats,
    /// The counters behind [`ListenStats`].
    ListenCounters {
        /// Accepted connections.
        accepted,
        /// Currently open connections.
        open,
        /// Messages received.
        messages,
        /// Bytes of these messages.
        message_bytes,
        /// Skipped messages of several frames.
        multipart,
        /// Connections refused because too many were open.
        refused_total,
        /// Connections refused because too many had not finished their handshake.
        refused_half_open,
        /// Connections refused because too many came from one address.
        refused_address,
        /// Failed accepts, usually for lack of file descriptors.
        accept_errors,
        /// Connections closed because the handshake took too long.
        handshake_timeouts,
        /// Connections closed because the peer violated the protocol.
        protocol_errors,
        /// Connections closed because a frame or message was too long.
        too_long,
        /// Connections closed because a message took too long to arrive.
        stalled,
        /// Connections closed because all memory for long messages was in use for too long.
        no_memory,
        /// Connections closed after an idle period.
        idle,
        /// Broken connections.
        io_errors,
    }
}

counters! {
    /// Statistics of a pool since its creation.
    PoolStats,
    /// The counters behind [`PoolStats`].
    PoolCounters {
        /// Connections made.
        connects,
        /// Currently open connections.
        open,
        /// Batches sent over a kept connection.
        reused,
        /// Messages sent.
        messages,
        /// Bytes of these messages.
        message_bytes,
        /// Batches that were not sent completely.
        failed,
        /// Batches refused because too much was queued.
        refused,
    }
}

pub(crate) fn add(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Ordering::Relaxed);
}

/// Counts up while it lives.
#[derive(Debug)]
pub(crate) struct Gauge<'a>(&'a AtomicU64);

impl<'a> Gauge<'a> {
    pub(crate) fn new(counter: &'a AtomicU64) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter)
    }
}

impl Drop for Gauge<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
