//! Converts the options of `hab sup run` into the configuration of a Supervisor.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use roost_ident::{Hook, PackageIdent, ServiceGroup, ServiceOptions, UpdateStrategy};
use roost_launch::line::Style;
use roost_sup::config::{
    BackoffConfig, CtlConfig, HookTimeouts, HttpConfig, JournalConfig, LoadSource, RingConfig,
    RingKeySource, SupConfig, defaults,
};

use super::{
    event_stream,
    run::{MIB, RunOptions, UPDATE_PERIOD_S},
    service::ServiceArgs,
    source::Source,
};
use crate::{
    address::CtlAddress,
    context::{Context, variable},
    exit::{StartError, UsageError},
};

/// Interpreter package of Habitat's hooks.
const DEFAULT_INTERPRETER: &str = "core/busybox-static";
/// Worker threads of the HTTP gateway.
const DEFAULT_HTTP_THREADS: usize = 2;
/// More threads would only reserve memory.
const MAX_HTTP_THREADS: usize = 256;

impl RunOptions {
    /// The format of log lines.
    pub(crate) fn style(&self) -> Style {
        Style::choose(self.no_color, self.json_logging, self.verbose, variable)
            .with_time(self.log_time)
    }

    /// The configuration of a Supervisor with these options.
    ///
    /// # Errors
    /// When options contradict each other, or request something unsupported.
    pub(crate) fn into_config(self, context: &Context) -> anyhow::Result<SupConfig> {
        self.check_supported()?;
        let style = self.style();
        if self.key_file.is_some() != self.cert_file.is_some() {
            let text = "HTTP TLS needs both a key and certificates: give --key and --certs.";
            return Err(StartError(text.into()).into());
        }
        let load = self
            .pkg_ident_or_artifact
            .iter()
            .map(|text| match Source::parse(text, &context.root) {
                Ok(Source::Ident(ident)) => Ok(LoadSource::Ident(ident)),
                Ok(Source::Directory(path)) => Ok(LoadSource::Directory(path)),
                Err(error) => Err(UsageError(format!(
                    "invalid value '{text}' for '[IDENT or DIRECTORY]...': {error}"
                ))),
            })
            .collect::<Result<Vec<_>, _>>()?;
        let seconds = |given: Option<u64>, default| given.map_or(default, Duration::from_secs);
        let backoff = BackoffConfig::default();
        let tls_path = |path: Option<PathBuf>| path.map(|path| context.tls_path(&path));
        let listen_gossip = if self.local_gossip_mode {
            defaults::LISTEN_GOSSIP_LOCAL
        } else {
            self.listen_gossip.unwrap_or(defaults::LISTEN_GOSSIP)
        };
        if let Some(organization) = &self.organization {
            // Every service of this Supervisor would be in a group of this organization.
            ServiceGroup::new("service", "default", Some(organization))
                .map_err(|error| StartError(error.to_string()))?;
        }
        Ok(SupConfig {
            root: context.root.clone(),
            style,
            service_log_bytes: self
                .service_log_size
                .map_or(defaults::SERVICE_LOG_BYTES, |mib| mib.saturating_mul(MIB)),
            journal: journal(self.journal_size, self.journal_days),
            event_stream: event_stream::config(&self)?,
            http: HttpConfig {
                listen: self.listen_http.unwrap_or(defaults::LISTEN_HTTP),
                disabled: self.http_disable,
                probes_public: self.probes_public,
                tls_key: self.key_file,
                tls_certs: self.cert_file,
                tls_client_ca: self.ca_cert_file,
                token: gateway_token(),
                tokens: self.http_tokens.as_deref().map(absolute),
                redact: variable("HAB_FEAT_REDACT_HTTP").is_some(),
                threads: http_threads(),
            },
            ctl: CtlConfig {
                listen: self
                    .listen_ctl
                    .map_or(defaults::LISTEN_CTL, |ctl: CtlAddress| ctl.address()),
                tls_key: tls_path(self.ctl_server_key),
                tls_certs: tls_path(self.ctl_server_certificate),
                tls_client_ca: tls_path(self.ctl_client_ca_certificate),
            },
            ring: RingConfig {
                listen: listen_gossip,
                peers: self.peer.iter().map(ToString::to_string).collect(),
                peer_watch_file: self.peer_watch_file.as_deref().map(absolute),
                permanent: self.permanent_peer,
                key: match (self.ring_key, self.ring) {
                    (Some(text), _) => RingKeySource::Text(text),
                    (None, Some(name)) => RingKeySource::Name(name),
                    (None, None) => RingKeySource::None,
                },
            },
            sys_ip: self.sys_ip_address,
            organization: self.organization,
            backoff: BackoffConfig {
                min: seconds(self.service_min_backoff_period, backoff.min),
                max: seconds(self.service_max_backoff_period, backoff.max),
                cooldown: seconds(self.service_restart_cooldown_period, backoff.cooldown),
            },
            hook_timeouts: hook_timeouts(),
            load,
            load_options: load_options(self.service),
            interpreter: interpreter()?,
            artifacts: context.artifacts().dir().into(),
            public_keys: context
                .public_keys(self.cache_key_path.as_deref())
                .iter()
                .map(|cache| cache.dir().into())
                .collect(),
            key_cache: self.cache_key_path.unwrap_or_else(|| context.key_cache_dir()),
        })
    }

    /// Refuses options that would silently have no effect.
    fn check_supported(&self) -> Result<(), UsageError> {
        let period = |given: Option<u64>| given.is_some_and(|seconds| seconds != UPDATE_PERIOD_S);
        let updates = self.service.strategy.is_some_and(|word| word != UpdateStrategy::None);
        let asked_for = [
            (self.auto_update, "--auto-update"),
            (period(self.auto_update_period), "--auto-update-period"),
            (period(self.service_update_period), "--service-update-period"),
            (updates, "--strategy at-once or rolling"),
            (self.keep_latest_packages.is_some(), "--keep-latest-packages"),
        ];
        match asked_for.into_iter().find(|(asked, _)| *asked) {
            Some((_, option)) => Err(UsageError(format!("{option} is not supported yet"))),
            None => Ok(()),
        }
    }
}

/// The path without its dependence on the working directory: messages name it, and its directory
/// is watched.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.into())
}

/// The bounds of the journal; either of them switches it off.
fn journal(mib: Option<u64>, days: Option<u64>) -> Option<JournalConfig> {
    let (mib, days) =
        (mib.unwrap_or(defaults::JOURNAL_MIB), days.unwrap_or(defaults::JOURNAL_DAYS));
    (mib > 0 && days > 0).then(|| JournalConfig {
        max_bytes: mib.saturating_mul(MIB),
        max_age: Duration::from_secs(days.saturating_mul(24 * 3600)),
    })
}

fn load_options(service: ServiceArgs) -> ServiceOptions {
    ServiceOptions {
        bldr_url: service.bldr_url_or_env(),
        group: service.group,
        topology: service.topology,
        update_strategy: service.strategy,
        update_condition: service.update_condition,
        binds: (!service.bind.is_empty()).then_some(service.bind),
        binding_mode: service.binding_mode,
        channel: service.channel,
        health_check_interval_s: service.health_check_interval,
        restart_when_critical: service.restart_when_critical,
        shutdown_timeout_s: service.shutdown_timeout,
        config_from: service.config_from.map(|path| path.display().to_string()),
        svc_encrypted_password: None,
    }
}

/// Taken as bytes: a token need not be text.
fn gateway_token() -> Option<OsString> {
    env::var_os("HAB_SUP_GATEWAY_AUTH_TOKEN").filter(|token| !token.is_empty())
}

/// `HAB_INIT_TIMEOUT_SECS`, `HAB_HEALTH_CHECK_TIMEOUT_SECS` and so on; a value that is not a
/// positive number leaves the default.
pub(crate) fn hook_timeouts() -> HookTimeouts {
    Hook::ALL.iter().filter(|hook| **hook != Hook::Run).fold(
        HookTimeouts::default(),
        |timeouts, hook| {
            let name = hook.as_str().to_uppercase().replace('-', "_");
            let given = variable(&format!("HAB_{name}_TIMEOUT_SECS"));
            let given = given.and_then(|text| text.parse::<u64>().ok());
            match given.filter(|seconds| *seconds > 0) {
                Some(seconds) => timeouts.with(*hook, seconds.saturating_mul(1_000)),
                None => timeouts,
            }
        },
    )
}

fn http_threads() -> usize {
    let given = variable("HAB_SUP_HTTP_THREADS").and_then(|text| text.parse().ok());
    given.filter(|threads| *threads > 0).unwrap_or(DEFAULT_HTTP_THREADS).min(MAX_HTTP_THREADS)
}

pub(crate) fn interpreter() -> Result<PackageIdent, StartError> {
    let text = variable("HAB_INTERPRETER_IDENT").unwrap_or_else(|| DEFAULT_INTERPRETER.into());
    let ident = text.parse::<PackageIdent>().and_then(PackageIdent::validate);
    ident.map_err(|error| StartError(format!("HAB_INTERPRETER_IDENT: {error}")))
}
