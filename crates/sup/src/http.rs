//! Start of the HTTP gateway: token, TLS, port (reference: http-api §2).

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use roost_access::Fault;
use roost_api::{
    BindError, Gateway, GatewayConfig, Limits, MetricsSource, Snapshot, TlsConfig, TlsError, Token,
    TokenError, bind,
};
use tokio::{
    net::{TcpListener, UnixListener},
    sync::watch,
};
use tokio_util::sync::CancellationToken;

use crate::{
    VERSION,
    answers::Answers,
    conditions::{Conditions, Kind},
    config::HttpConfig,
    metrics::Metrics,
    output::Output,
    ports, system, systemd,
    tokens::Tokens,
    vital,
};

/// Pause before a taken port is tried again while reattaching to services.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Longest wait for figures of processes; `/metrics` is then answered without them.
const READING_PATIENCE: Duration = Duration::from_secs(2);

/// Fewest and most open connections; each costs up to 32 KiB.
const CONNECTIONS_MIN: usize = 100;
const CONNECTIONS_MAX: usize = 512;

/// Why the gateway does not open.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The token cannot be used.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The file with tokens cannot be used.
    #[error("{0}")]
    Tokens(#[from] Fault),
    /// A TLS file cannot be used.
    #[error("{error} ({why})", error = .0, why = cause(.0))]
    Tls(TlsError),
    /// `--certs` without `--key`, or the other way round.
    #[error("HTTP TLS needs both a key and certificates: give --key and --certs.")]
    HalfTls,
    /// The port is not available.
    #[error("{error} {remedy}", error = .0, remedy = ports::remedy(&.0.source, ports::HTTP))]
    Bind(#[from] BindError),
    /// A figure could not be registered.
    #[error("{0}")]
    Metrics(String),
}

/// Description of a TLS error.
fn cause(error: &TlsError) -> String {
    std::error::Error::source(error).map(ToString::to_string).unwrap_or_default()
}

/// Address of the gateway, with the actual port if none was given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opened {
    pub(crate) address: SocketAddr,
    /// False while another process holds the port.
    pub(crate) listens: bool,
}

/// A checked gateway, not yet open.
#[derive(Debug)]
pub(crate) struct Http {
    gateway: Gateway,
    listen: SocketAddr,
    open_to_all: bool,
    conditions: Conditions,
    tokens: Option<Tokens>,
}

impl Http {
    /// Reads the token and the TLS files.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub(crate) fn prepare(
        config: &HttpConfig,
        snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
        metrics: &Metrics,
        answers: Answers,
        output: &Output,
    ) -> Result<Self, HttpError> {
        let token = Token::from_environment(config.token.clone())?;
        let tls = match (&config.tls_key, &config.tls_certs) {
            (None, None) => None,
            (Some(key), Some(certificates)) => {
                let client_ca = config.tls_client_ca.as_deref();
                Some(TlsConfig::load(key, certificates, client_ca).map_err(HttpError::Tls)?)
            }
            _ => return Err(HttpError::HalfTls),
        };
        let takes_certificates = tls.is_some() && config.tls_client_ca.is_some();
        let (tokens, rules) = match &config.tokens {
            None => (None, None),
            Some(path) => {
                let conditions = &answers.conditions;
                let (tokens, rules) = Tokens::start(path, takes_certificates, output, conditions)?;
                (Some(tokens), Some(rules))
            }
        };
        let is_open = token.is_none() && rules.is_none();
        let open_to_all = is_open && !config.redact && !config.listen.ip().is_loopback();
        let source = MetricsSource::new(metrics.registry().clone());
        metrics.show_services(snapshots.clone());
        let conditions = answers.conditions.clone();
        let (metrics, record) = (metrics.clone(), answers.record.clone());
        let readings = answers.usages.clone();
        let source = source.with_refresh(move || {
            let (metrics, record, readings) = (metrics.clone(), record.clone(), readings.clone());
            Box::pin(async move {
                let reading = tokio::time::timeout(READING_PATIENCE, readings.sample()).await;
                metrics.refresh(reading.ok());
                metrics.record(&record);
            })
        });
        let gateway = Gateway::new(
            GatewayConfig {
                token,
                rules,
                redact: config.redact,
                probes_public: config.probes_public,
                version: VERSION.into(),
                limits: limits(),
                tls,
            },
            snapshots,
            source,
            Arc::new(answers),
        )
        .map_err(|error| HttpError::Metrics(error.to_string()))?;
        Ok(Self { gateway, listen: config.listen, open_to_all, conditions, tokens })
    }

    /// The file with tokens, if there is one.
    pub(crate) fn tokens(&self) -> Option<Tokens> {
        self.tokens.clone()
    }

    /// Opens the socket for tools of this machine. A Supervisor without it runs as usual.
    pub(crate) fn open_socket(&self, path: &Path, output: &Output, shutdown: CancellationToken) {
        let opened = roost_files::listen_at(path, roost_files::PRIVATE_SOCKET);
        let listener = opened.and_then(|listener| {
            listener.set_nonblocking(true)?;
            UnixListener::from_std(listener)
        });
        match listener {
            Ok(listener) => {
                vital::spawn("http-socket", self.gateway.serve_local(listener, shutdown));
            }
            Err(error) => output.sup(&format!(
                "The socket {} cannot be opened ({error}); commands on this machine need --url",
                path.display()
            )),
        }
    }

    /// Opens the port; documents are answered with 503 until the first snapshot.
    ///
    /// With services to reattach, a taken port is tried until it is free: they must not be stopped
    /// because another process holds the port.
    ///
    /// # Errors
    /// When the port is not available and there is nothing to reattach.
    pub(crate) fn open(
        self,
        takes_back: bool,
        output: &Output,
        shutdown: CancellationToken,
    ) -> Result<Opened, HttpError> {
        if self.open_to_all {
            let text = format!(
                "the HTTP API on {} shows configuration, including secrets, to every client that \
                 reaches it; give --http-tokens, or set HAB_SUP_GATEWAY_AUTH_TOKEN or \
                 HAB_FEAT_REDACT_HTTP",
                self.listen
            );
            tracing::warn!("{text}");
            self.conditions.note(Kind::InsecureListen, "http", &text);
        }
        match bind(self.listen) {
            Ok(listener) => {
                let address = local_address(&listener, self.listen);
                vital::spawn("http-gateway", self.gateway.serve(listener, shutdown));
                Ok(Opened { address, listens: true })
            }
            Err(error) if takes_back => {
                let listen = self.listen;
                let error = HttpError::from(error);
                output.sup(&format!("{error} Trying again each second."));
                systemd::status(&format!("HTTP port {listen} is taken; trying again"));
                vital::spawn("http-gateway", self.keep_trying(output.clone(), shutdown));
                Ok(Opened { address: listen, listens: false })
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn keep_trying(self, output: Output, shutdown: CancellationToken) {
        let listener = loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(RETRY_PAUSE) => {}
            }
            if let Ok(listener) = bind(self.listen) {
                break listener;
            }
        };
        output.sup(&format!("Starting http-gateway on {}", self.listen));
        self.gateway.serve(listener, shutdown).await;
    }
}

/// A quarter of this process's file descriptors is for clients of the API, and as many for those
/// of them that wait for a change or take a stream.
fn limits() -> Limits {
    let usual = Limits::default();
    let share = usize::try_from(system::raise_descriptor_limit() / 4).unwrap_or(usize::MAX);
    Limits {
        connections: share.clamp(CONNECTIONS_MIN, CONNECTIONS_MAX),
        waiting: share.clamp(CONNECTIONS_MIN, usual.waiting),
        ..usual
    }
}

fn local_address(listener: &TcpListener, wanted: SocketAddr) -> SocketAddr {
    listener.local_addr().map_or(wanted, |local| SocketAddr::new(wanted.ip(), local.port()))
}
