//! Settings of a server, and what it passes on.

use std::{fmt, sync::Arc, time::Duration};

use super::secret::Secret;
use crate::{net::responder::Responder, request::Request};

/// Counts events for metrics. All names come from fixed lists.
pub trait Observer: Send + Sync {
    /// A request frame arrived; `name` is its message id, or `<unknown>`.
    fn called(&self, name: &'static str);
    /// A request was answered.
    fn answered(&self, name: &'static str, took: Duration);
    /// A connection was closed early: `secret`, `handshake`, `capacity`, `idle`, `tls`, `frame`.
    fn refused(&self, why: &'static str);
}

/// Counts nothing.
#[derive(Debug, Clone, Copy)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn called(&self, _: &'static str) {}
    fn answered(&self, _: &'static str, _: Duration) {}
    fn refused(&self, _: &'static str) {}
}

/// Settings of a server.
#[derive(Clone)]
pub struct ServerConfig {
    /// The shared secret.
    pub secret: Secret,
    /// TLS, see [`crate::net::tls::server_config`].
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Counts calls.
    pub observer: Arc<dyn Observer>,
}

impl fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerConfig").field("tls", &self.tls.is_some()).finish_non_exhaustive()
    }
}

/// A request and its responder.
pub type Incoming = (Request, Responder);
