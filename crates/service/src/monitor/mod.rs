//! How a service is watched: the checks and thresholds of its `monitor.toml`.

mod address;
mod file;

use std::{path::PathBuf, sync::Arc};

pub use self::{
    address::{Address, Scheme, Url},
    file::{Fault, Layer, MONITOR_SIZE_MAX_BYTES},
};
use crate::health::Rule;

/// The name of the check that is the `health-check` hook.
pub const HOOK_CHECK: &str = "health-check";
/// Time limit of a check without a hook, unless the file states another.
pub const TIMEOUT_DEFAULT_MS: u64 = 5_000;
/// Checks of one service, besides its hook.
pub const CHECKS_MAX: usize = 16;

/// How a service is watched. The default is that of Habitat: by its hook alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Monitor {
    /// Time between checks; `None` is the interval of the spec.
    pub interval_ms: Option<u64>,
    /// Time limit of the hook; `None` is that of the Supervisor or the package.
    pub hook_timeout_ms: Option<u64>,
    /// How results become a status.
    pub rule: Rule,
    /// The checks besides the hook.
    pub probes: Vec<Arc<Probe>>,
}

/// A check without a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Its name, unique in the service.
    pub name: String,
    /// Time limit of the whole check.
    pub timeout_ms: u64,
    /// What it does.
    pub target: Target,
}

/// What a check connects to, and what it expects there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An HTTP request.
    Http(HttpTarget),
    /// A TCP connection.
    Tcp(TcpTarget),
}

/// An HTTP request and the expected response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpTarget {
    /// Where to.
    pub url: Url,
    /// `HEAD` instead of `GET`.
    pub head: bool,
    /// Further headers of the request.
    pub headers: Vec<Header>,
    /// Status codes that are OK.
    pub expect_status: Vec<Codes>,
    /// Text that the beginning of the body must contain.
    pub expect_body: Option<String>,
    /// Redirects within the same scheme, host and port are followed.
    pub follow_redirects: bool,
    /// Whose certificate an `https://` URL accepts.
    pub trust: Trust,
}

/// Which certificates of a server are accepted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trust {
    /// Those from an authority that the system trusts.
    #[default]
    System,
    /// Those from an authority in this file.
    File(PathBuf),
    /// Any: the check does not verify the server.
    Anyone,
}

/// A header of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A range of status codes, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Codes {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}

impl Codes {
    /// True when the code is in the range.
    #[must_use]
    pub const fn contains(self, code: u16) -> bool {
        self.first <= code && code <= self.last
    }
}

/// A TCP connection and what the other side must send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpTarget {
    /// Where to.
    pub address: Address,
    /// Text to send first.
    pub send: Option<String>,
    /// Text that the beginning of the answer must contain.
    pub expect: Option<String>,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeFound {
    /// OK or critical.
    pub status: roost_ident::HealthStatus,
    /// One line for people, and the beginning of the answer when it is not the expected one.
    pub text: String,
    /// How long it took.
    pub duration_ms: u64,
}

/// The answer of the caller that rendered `monitor.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MonitorRead {
    /// What is in the files; without a file the default. `None` when they cannot be used: the
    /// former one stays in force.
    pub monitor: Option<Arc<Monitor>>,
    /// What is wrong, for the user, with the file and line.
    pub fault: Option<String>,
}
