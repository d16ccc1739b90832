//! Configuration of a Supervisor, as plain values.
//!
//! The command line, the environment and the configuration files are read elsewhere (crate
//! `hab`); here is only their sum. For the options of `hab sup run` see reference: control §12.1.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use roost_ident::{PackageIdent, ServiceOptions};
use roost_launch::line::Style;
use roost_nats::address::ServerAddress;
use roost_pkg::root::FsRoot;
pub use roost_service::HookTimeouts;
use rustls_pki_types::CertificateDer;

/// The version of Habitat that Roost is compatible with, followed by its own.
pub const VERSION: &str = concat!("2.1.78+roost.", env!("CARGO_PKG_VERSION"));

/// Everything that decides how a Supervisor behaves.
#[derive(Debug, Clone)]
pub struct SupConfig {
    /// Root of the file system that `hab/` lies in.
    pub root: FsRoot,
    /// How lines of the Supervisor look.
    pub style: Style,
    /// Room for the lines that each service printed, in bytes; 0 keeps none.
    pub service_log_bytes: u64,
    /// What the journal of events may keep; none is written without it.
    pub journal: Option<JournalConfig>,
    /// Where what happens to services is sent.
    pub event_stream: Option<EventStreamConfig>,
    /// The HTTP gateway.
    pub http: HttpConfig,
    /// The control gateway.
    pub ctl: CtlConfig,
    /// The ring.
    pub ring: RingConfig,
    /// `--sys-ip-address`; found out when not given.
    pub sys_ip: Option<IpAddr>,
    /// `--org`.
    pub organization: Option<String>,
    /// Restart back-off of services.
    pub backoff: BackoffConfig,
    /// Longest runs of hooks before they are ended.
    pub hook_timeouts: HookTimeouts,
    /// Packages and plain directories to load before the listeners open.
    pub load: Vec<LoadSource>,
    /// How the packages of [`SupConfig::load`] are loaded.
    pub load_options: ServiceOptions,
    /// `HAB_INTERPRETER_IDENT`; default `core/busybox-static`.
    pub interpreter: PackageIdent,
    /// Directory of the key cache.
    pub key_cache: PathBuf,
    /// Directory of the cache of package archives.
    pub artifacts: PathBuf,
    /// Directories with the public keys of those who sign archives.
    pub public_keys: Vec<PathBuf>,
}

/// What the journal of events may keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalConfig {
    /// `--journal-size`: what it may take on the disk.
    pub max_bytes: u64,
    /// `--journal-days`: how long events are kept.
    pub max_age: Duration,
}

/// The event stream to a NATS server (reference: event-stream §1).
#[derive(Debug, Clone)]
pub struct EventStreamConfig {
    /// `--event-stream-url`.
    pub server: ServerAddress,
    /// `--event-stream-token`.
    pub token: String,
    /// `--event-stream-server-certificate`: authorities beside those of the system.
    pub authorities: Vec<CertificateDer<'static>>,
    /// `--event-stream-connect-timeout`: how long the start waits for the server; not at all if
    /// it is 0.
    pub connect_timeout: Duration,
    /// `--event-stream-application`.
    pub application: String,
    /// `--event-stream-environment`.
    pub environment: String,
    /// `--event-stream-site`.
    pub site: Option<String>,
    /// `--event-meta`: names and values.
    pub meta: Vec<(String, String)>,
}

/// The HTTP gateway (reference: http-api §2).
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// `--listen-http`, default `0.0.0.0:9631`.
    pub listen: SocketAddr,
    /// `--http-disable`.
    pub disabled: bool,
    /// `--key`: private key file; switches TLS on.
    pub tls_key: Option<PathBuf>,
    /// `--certs`: certificate chain.
    pub tls_certs: Option<PathBuf>,
    /// `--ca-certs`: authorities of client certificates, which are then mandatory.
    pub tls_client_ca: Option<PathBuf>,
    /// `HAB_SUP_GATEWAY_AUTH_TOKEN`, as raw text; empty counts as not set.
    pub token: Option<std::ffi::OsString>,
    /// `--http-tokens`: file with tokens, certificates of clients and their scopes.
    pub tokens: Option<PathBuf>,
    /// `HAB_FEAT_REDACT_HTTP` is set to anything.
    pub redact: bool,
    /// `--probes-public`: probes need no token.
    pub probes_public: bool,
    /// `HAB_SUP_HTTP_THREADS`: worker threads, at least 1, default 2.
    pub threads: usize,
}

/// The control gateway (reference: control §2).
#[derive(Debug, Clone)]
pub struct CtlConfig {
    /// `--listen-ctl`, resolved to IPv4, default `127.0.0.1:9632`.
    pub listen: SocketAddr,
    /// `--ctl-server-key`: file or directory; switches TLS on.
    pub tls_key: Option<PathBuf>,
    /// `--ctl-server-certificate`: file or directory.
    pub tls_certs: Option<PathBuf>,
    /// `--ctl-client-ca-certificate`: file or directory.
    pub tls_client_ca: Option<PathBuf>,
}

/// The ring (reference: ring §1, §2, §13, §14).
#[derive(Debug, Clone)]
pub struct RingConfig {
    /// `--listen-gossip`, default `0.0.0.0:9638`; `127.0.0.2:9638` in local gossip mode.
    pub listen: SocketAddr,
    /// `--peer`: `HOST:PORT` each; names are resolved while the Supervisor runs.
    pub peers: Vec<String>,
    /// `--peer-watch-file`.
    pub peer_watch_file: Option<PathBuf>,
    /// `--permanent-peer`.
    pub permanent: bool,
    /// Where the ring key comes from.
    pub key: RingKeySource,
}

/// Where the ring key comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RingKeySource {
    /// The ring is not encrypted.
    #[default]
    None,
    /// `--ring NAME`: the newest revision in the key cache.
    Name(String),
    /// `--ring-key TEXT`: the content of a key file; it is also written to the key cache.
    Text(String),
}

/// Restart back-off (reference: services §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackoffConfig {
    /// `--service-min-backoff-period`, default 0 s.
    pub min: Duration,
    /// `--service-max-backoff-period`, default 0 s.
    pub max: Duration,
    /// `--service-restart-cooldown-period`, default 300 s.
    pub cooldown: Duration,
}

impl Default for BackoffConfig {
    fn default() -> Self {
        Self { min: Duration::ZERO, max: Duration::ZERO, cooldown: Duration::from_secs(300) }
    }
}

/// What to load at start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadSource {
    /// An installed package.
    Ident(PackageIdent),
    /// A plain directory, staged as a release and watched for changes.
    Directory(PathBuf),
}

/// Default listen addresses.
pub mod defaults {
    pub use roost_logs::DEFAULT_TOTAL_BYTES as SERVICE_LOG_BYTES;

    use super::{IpAddr, Ipv4Addr, SocketAddr};

    /// MiB that the journal of events may take.
    pub const JOURNAL_MIB: u64 = 64;
    /// Days that events are kept.
    pub const JOURNAL_DAYS: u64 = 90;

    const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// HTTP gateway.
    pub const LISTEN_HTTP: SocketAddr = SocketAddr::new(ANY, 9631);
    /// Control gateway.
    pub const LISTEN_CTL: SocketAddr = SocketAddr::new(LOCALHOST, 9632);
    /// Gossip, both UDP and TCP.
    pub const LISTEN_GOSSIP: SocketAddr = SocketAddr::new(ANY, 9638);
    /// Gossip in local gossip mode.
    pub const LISTEN_GOSSIP_LOCAL: SocketAddr =
        SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), 9638);
}
