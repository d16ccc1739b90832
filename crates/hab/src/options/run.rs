//! Options of `hab sup run` (reference: control §12.1), from the command line, the environment and
//! configuration files. Names of fields are the keys of the files.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use clap::{Args, builder::NonEmptyStringValueParser};
use roost_sup::config::defaults;
use serde::{Deserialize, Deserializer, Serialize};

use super::{
    event_stream,
    given::{Given, keys},
    nearest::nearest,
    service::ServiceArgs,
};
use crate::{
    address::{CtlAddress, PeerAddress, parse_ipv4_listen},
    cli_toml::read_text,
    complete,
    context::{Context, TLS_DIRECTORY},
    exit::StartError,
};

/// Bytes of a mebibyte.
pub(super) const MIB: u64 = 1024 * 1024;
/// Default seconds between update checks.
pub(crate) const UPDATE_PERIOD_S: u64 = 60;

/// Options that exist only on the command line, and its values of the others.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunArgs {
    /// Paths to configuration files; the last one wins
    #[arg(long, value_name = "CONFIG_FILES", num_args = 1.., value_delimiter = ' ')]
    config_files: Vec<PathBuf>,
    /// Print the effective settings as a configuration file and exit
    #[arg(long)]
    pub(crate) generate_config: bool,
    #[command(flatten)]
    given: Given<RunOptions>,
}

/// Options that configuration files have too.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RunOptions {
    /// The listen address for the Gossip Gateway [default: 0.0.0.0:9638]
    #[arg(long, env = "HAB_LISTEN_GOSSIP", value_parser = parse_ipv4_listen, help_heading = "Ring")]
    pub(crate) listen_gossip: Option<SocketAddr>,
    /// The listen address of one or more initial peers, HOST[:PORT]
    #[arg(long, num_args = 1.., value_delimiter = ' ', help_heading = "Ring")]
    pub(crate) peer: Vec<PeerAddress>,
    /// File to watch for connecting to the ring
    #[arg(long, conflicts_with = "peer", help_heading = "Ring")]
    pub(crate) peer_watch_file: Option<PathBuf>,
    /// Start the Supervisor in local gossip mode
    #[arg(long, conflicts_with_all = ["listen_gossip", "peer", "peer_watch_file"], help_heading = "Ring")]
    pub(crate) local_gossip_mode: bool,
    /// The listen address for the HTTP Gateway [default: 0.0.0.0:9631]
    #[arg(long, env = "HAB_LISTEN_HTTP", help_heading = "HTTP gateway")]
    pub(crate) listen_http: Option<SocketAddr>,
    /// Disable the HTTP Gateway completely
    #[arg(short = 'D', long, help_heading = "HTTP gateway")]
    pub(crate) http_disable: bool,
    /// File with tokens and certificates of clients of the HTTP API, and what each may read; hab
    /// sup token makes it
    #[arg(long, env = "HAB_HTTP_TOKENS", value_name = "FILE", help_heading = "HTTP gateway")]
    pub(crate) http_tokens: Option<PathBuf>,
    /// Answer /livez, /readyz and /startupz without the token
    #[arg(long, help_heading = "HTTP gateway")]
    pub(crate) probes_public: bool,
    /// The listen address for the Control Gateway [default: 127.0.0.1:9632]
    #[arg(long, env = "HAB_LISTEN_CTL", help_heading = "Control gateway")]
    pub(crate) listen_ctl: Option<CtlAddress>,
    /// The control gateway server's TLS certificate, a file or a directory
    #[arg(long, num_args = 0..=1, default_missing_value = TLS_DIRECTORY, help_heading = "Control gateway")]
    pub(crate) ctl_server_certificate: Option<PathBuf>,
    /// The control gateway server's private key, a file or a directory; enables TLS
    #[arg(long, num_args = 0..=1, default_missing_value = TLS_DIRECTORY, help_heading = "Control gateway")]
    pub(crate) ctl_server_key: Option<PathBuf>,
    /// The CA certificate that clients of the control gateway must have theirs from, a file or a
    /// directory
    #[arg(long, num_args = 0..=1, default_missing_value = TLS_DIRECTORY, help_heading = "Control gateway")]
    pub(crate) ctl_client_ca_certificate: Option<PathBuf>,
    /// The organization the Supervisor and its services are part of
    #[arg(long = "org")]
    pub(crate) organization: Option<String>,
    /// Make this Supervisor a permanent peer
    #[arg(short = 'I', long, help_heading = "Ring")]
    pub(crate) permanent_peer: bool,
    /// Cache for creating and searching for encryption keys
    #[arg(long, env = "HAB_CACHE_KEY_PATH")]
    pub(crate) cache_key_path: Option<PathBuf>,
    /// The contents of the ring key when running with wire encryption
    #[arg(
        long,
        env = "HAB_RING_KEY",
        hide = true,
        hide_env_values = true,
        conflicts_with = "ring",
        help_heading = "Ring"
    )]
    pub(crate) ring_key: Option<String>,
    /// The name of the ring used by the Supervisor when running with wire encryption
    #[arg(short = 'r', long, env = "HAB_RING", add = complete::rings(), help_heading = "Ring")]
    pub(crate) ring: Option<String>,
    /// Enable automatic updates for the Supervisor itself (not supported yet)
    #[arg(short = 'A', long, hide = true)]
    pub(crate) auto_update: bool,
    /// The period of time in seconds between Supervisor update checks (not supported yet)
    #[arg(long, hide = true)]
    pub(crate) auto_update_period: Option<u64>,
    /// The period of time in seconds between service update checks (not supported yet)
    #[arg(long, hide = true)]
    pub(crate) service_update_period: Option<u64>,
    /// The minimum period of time in seconds to wait before attempting to restart a service that
    /// failed [default: 0]
    #[arg(long, help_heading = "Restarts of failed services")]
    pub(crate) service_min_backoff_period: Option<u64>,
    /// The maximum period of time in seconds to wait before attempting to restart a service that
    /// failed [default: 0]
    #[arg(long, help_heading = "Restarts of failed services")]
    pub(crate) service_max_backoff_period: Option<u64>,
    /// The period of time in seconds without restarts after which the back-off is reset
    /// [default: 300]
    #[arg(long, help_heading = "Restarts of failed services")]
    pub(crate) service_restart_cooldown_period: Option<u64>,
    /// The private key for HTTP Gateway TLS encryption
    #[arg(long = "key", help_heading = "HTTP gateway")]
    pub(crate) key_file: Option<PathBuf>,
    /// The server certificates for HTTP Gateway TLS encryption
    #[arg(long = "certs", requires = "key_file", help_heading = "HTTP gateway")]
    pub(crate) cert_file: Option<PathBuf>,
    /// The CA certificate for HTTP Gateway TLS encryption
    #[arg(long = "ca-certs", requires_all = ["cert_file", "key_file"], help_heading = "HTTP gateway")]
    pub(crate) ca_cert_file: Option<PathBuf>,
    /// Packages or directories to load at start; several can be given
    #[arg(value_name = "IDENT or DIRECTORY")]
    #[serde(deserialize_with = "one_or_more")]
    pub(crate) pkg_ident_or_artifact: Vec<String>,
    /// Verbose output showing file and line/column numbers
    #[arg(short = 'v', help_heading = "Log")]
    pub(crate) verbose: bool,
    /// Turn ANSI color off
    #[arg(long, help_heading = "Log")]
    pub(crate) no_color: bool,
    /// Use structured JSON logging for the Supervisor
    #[arg(long, help_heading = "Log")]
    pub(crate) json_logging: bool,
    /// Begin plain lines of the log with the time
    #[arg(long, help_heading = "Log")]
    pub(crate) log_time: bool,
    /// The room in MiB for the lines that each service printed, which hab svc logs shows; 0 keeps
    /// none [default: 8]
    #[arg(long, value_name = "MIB", help_heading = "Log")]
    pub(crate) service_log_size: Option<u64>,
    /// The room in MiB for the journal of events; 0 keeps none on disk [default: 64]
    #[arg(long, value_name = "MIB", help_heading = "Log")]
    pub(crate) journal_size: Option<u64>,
    /// The days that events are kept; 0 keeps none on disk [default: 90]
    #[arg(long, value_name = "DAYS", help_heading = "Log")]
    pub(crate) journal_days: Option<u64>,
    /// The IP address to use as the sys.ip value
    #[arg(long)]
    pub(crate) sys_ip_address: Option<IpAddr>,
    /// The name of the application in events
    #[arg(long, value_parser = NonEmptyStringValueParser::new(), help_heading = "Event stream")]
    pub(crate) event_stream_application: Option<String>,
    /// The name of the environment in events
    #[arg(long, value_parser = NonEmptyStringValueParser::new(), help_heading = "Event stream")]
    pub(crate) event_stream_environment: Option<String>,
    /// Seconds that the start waits for the event stream's server; 0 does not wait [default: 0]
    #[arg(long, env = "HAB_EVENT_STREAM_CONNECT_TIMEOUT", help_heading = "Event stream")]
    pub(crate) event_stream_connect_timeout: Option<u64>,
    /// The authentication token of the event stream
    #[arg(
        long, env = "HAB_AUTOMATE_AUTH_TOKEN", hide_env_values = true,
        value_parser = event_stream::parse_token, help_heading = "Event stream"
    )]
    pub(crate) event_stream_token: Option<String>,
    /// The address of a NATS server that gets what happens to services, as in Habitat:
    /// [nats://][USER:PASSWORD@ or TOKEN@]HOST[:PORT]
    // It is checked with the other options, since errors of the parser would repeat the password.
    #[arg(long, hide_env_values = true, help_heading = "Event stream")]
    pub(crate) event_stream_url: Option<String>,
    /// The name of the site in events
    #[arg(long, value_parser = NonEmptyStringValueParser::new(), help_heading = "Event stream")]
    pub(crate) event_stream_site: Option<String>,
    /// Pairs KEY=VALUE to add to each event
    #[arg(
        long, value_name = "KEY=VALUE", num_args = 1.., value_delimiter = ' ',
        value_parser = event_stream::parse_meta, help_heading = "Event stream"
    )]
    pub(crate) event_meta: Vec<String>,
    /// Certificates that the event stream's server is trusted by, besides those of the system
    #[arg(long, value_name = "PEM", help_heading = "Event stream")]
    pub(crate) event_stream_server_certificate: Option<PathBuf>,
    /// Remove all but the newest packages (not supported yet)
    #[arg(long, env = "HAB_KEEP_LATEST_PACKAGES", hide = true)]
    pub(crate) keep_latest_packages: Option<u32>,
    #[command(flatten, next_help_heading = "The services named here")]
    #[serde(flatten)]
    pub(crate) service: ServiceArgs,
}

/// Keys of a generated configuration, in order: those of the services named on the command line
/// come last.
pub(crate) fn generated_keys() -> Vec<String> {
    let service = keys::<ServiceArgs>();
    // Habitat's list has no such key.
    let options = keys::<RunOptions>().into_iter().filter(|key| key != "ring_key");
    let options = options.filter(|key| !service.contains(key)).collect::<Vec<_>>();
    let own = ["config_files", "generate_config"].map(str::to_owned);
    [options, own.to_vec(), service].concat()
}

impl RunOptions {
    /// Default options.
    pub(crate) fn defaults() -> Self {
        Self {
            listen_gossip: Some(defaults::LISTEN_GOSSIP),
            listen_http: Some(defaults::LISTEN_HTTP),
            listen_ctl: Some(CtlAddress::default()),
            auto_update_period: Some(UPDATE_PERIOD_S),
            service_update_period: Some(UPDATE_PERIOD_S),
            service_min_backoff_period: Some(0),
            service_max_backoff_period: Some(0),
            service_restart_cooldown_period: Some(300),
            service_log_size: Some(defaults::SERVICE_LOG_BYTES / MIB),
            journal_size: Some(defaults::JOURNAL_MIB),
            journal_days: Some(defaults::JOURNAL_DAYS),
            event_stream_connect_timeout: Some(0),
            service: ServiceArgs::defaults(),
            ..Self::default()
        }
    }
}

impl RunArgs {
    /// Packages and directories that the command line names.
    pub(crate) fn sources(&self) -> Vec<String> {
        self.given.values("pkg_ident_or_artifact")
    }

    /// The values of the command line and the environment, over the configuration files, a later
    /// one over an earlier one. Without `--config-files` the default file is used, if it exists.
    ///
    /// Unknown keys are ignored, as in Habitat, each with a warning.
    ///
    /// # Errors
    /// When a file cannot be used.
    pub(crate) fn merged(self, context: &Context) -> anyhow::Result<Merged> {
        let files = if self.config_files.is_empty() {
            read_config(&context.root.sup().sup_toml())?.into_iter().collect()
        } else {
            let read = |path: &PathBuf| match read_config(path)? {
                Some(file) => Ok(file),
                None => {
                    let text = format!("Config file '{}' not found.", path.display());
                    Err(anyhow::Error::from(StartError(text)))
                }
            };
            self.config_files.iter().map(read).collect::<Result<Vec<_>, _>>()?
        };
        let mut merged = ConfigFile::default();
        for file in files {
            merged.settings.extend(file.settings);
            merged.warnings.extend(file.warnings);
        }
        let mut options = merged.settings.try_into().map_err(|error| bad_toml(&error))?;
        self.given.lay_over(&mut options)?;
        Ok(Merged { options, warnings: merged.warnings })
    }
}

/// The file with tokens that `sup.toml` names.
///
/// # Errors
/// When the file cannot be used.
pub(crate) fn configured_tokens(context: &Context) -> anyhow::Result<Option<PathBuf>> {
    let file = read_config(&context.root.sup().sup_toml())?;
    let path = file.and_then(|file| file.settings.get("http_tokens")?.as_str().map(PathBuf::from));
    Ok(path)
}

/// Options of all layers.
#[derive(Debug)]
pub(crate) struct Merged {
    /// The options.
    pub(crate) options: RunOptions,
    /// What is ignored, for the user.
    pub(crate) warnings: Vec<String>,
}

/// One configuration file, or several merged into one.
#[derive(Debug, Default)]
struct ConfigFile {
    /// What it sets.
    settings: toml::Table,
    /// Warnings about ignored keys.
    warnings: Vec<String>,
}

fn read_config(path: &Path) -> anyhow::Result<Option<ConfigFile>> {
    if path.extension().is_none_or(|extension| extension != "toml") {
        let text = format!("'{}' is not a valid toml config file.", path.display());
        return Err(StartError(text).into());
    }
    let text = read_text(path).map_err(|error| StartError(format!("{error:#}")))?;
    let Some(text) = text else { return Ok(None) };
    // Each file is checked alone, so that an error has its line and the name of the file.
    let checked = toml::from_str::<RunOptions>(&text).and_then(|_| toml::from_str(&text));
    let mut settings: toml::Table = checked
        .map_err(|error| StartError(format!("{}(in {})", bad_toml(&error), path.display())))?;
    let warnings = unknown_keys(path, &settings);
    settings.retain(|_, value| sets_something(value));
    Ok(Some(ConfigFile { settings, warnings }))
}

fn bad_toml(error: &toml::de::Error) -> StartError {
    StartError(format!("Can't deserialize TOML: {error}"))
}

/// A flag is set if any layer sets it, and an empty list leaves that of an earlier file.
fn sets_something(value: &toml::Value) -> bool {
    value.as_bool() != Some(false) && value.as_array().is_none_or(|list| !list.is_empty())
}

/// A warning about each key that no option has.
fn unknown_keys(path: &Path, table: &toml::Table) -> Vec<String> {
    let command = RunArgs::augment_args(clap::Command::new("run"));
    let known: Vec<&str> = command.get_arguments().map(|option| option.get_id().as_str()).collect();
    let unknown = table.keys().filter(|key| !known.contains(&key.as_str()));
    let warning = |key: &String| {
        let instead = match nearest(key, &known) {
            Some(known) => format!("Did you mean {known}?"),
            None => "`hab sup run --generate-config` lists the keys.".into(),
        };
        format!("{}: unknown key {key} is ignored. {instead}", path.display())
    };
    unknown.map(warning).collect()
}

/// One text, as Habitat writes it, or a list of texts.
fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMore {
        One(String),
        More(Vec<String>),
    }
    Ok(match OneOrMore::deserialize(deserializer)? {
        OneOrMore::One(text) => vec![text],
        OneOrMore::More(texts) => texts,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_input_is_read_or_refused_with_a_reason() {
        let text = "listen_gossip = \"0.0.0.0:9638\"\npeer = [\"a\", \"b:1\"]\nbind = [\"a:b.c\"]\n\
                    pkg_ident_or_artifact = \"core/redis\"\nhealth_check_interval = 5\n";
        assert!(toml::from_str::<RunOptions>(text).is_ok());
        for mutation in crate::any_input::mutations(text) {
            if let Err(error) = toml::from_str::<RunOptions>(&mutation) {
                assert!(!error.to_string().is_empty());
            }
        }
    }

    #[test]
    fn a_key_that_no_option_has_is_named_with_the_nearest_one() {
        let table: toml::Table =
            "listen_htpp = 1\nlisten-ctl = 2\nzzzzzzzz = 3\npeer = []\nbldr_url = ''\n"
                .parse()
                .expect("TOML");
        let warnings = unknown_keys(Path::new("/x/sup.toml"), &table);
        assert_eq!(
            warnings,
            [
                "/x/sup.toml: unknown key listen_htpp is ignored. Did you mean listen_http?",
                "/x/sup.toml: unknown key listen-ctl is ignored. Did you mean listen_ctl?",
                "/x/sup.toml: unknown key zzzzzzzz is ignored. `hab sup run --generate-config` \
                 lists the keys.",
            ]
        );
    }
}
