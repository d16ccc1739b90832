//! One service of `/services` (reference: http-api §9, §9.4, §9.5). Parts that rarely change, or
//! that all services share, are behind `Arc`.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use roost_ident::{
    BindingMode, DesiredState, ElectionStatus, HealthStatus, PackageIdent, ProcessState,
    ServiceGroup, ShutdownSignal, TerminationReason, Topology, UpdateCondition, UpdateStrategy,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ConfigTable, config::DurationParts};

/// A loaded service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Service)]
pub struct ServiceDocument {
    /// Binds the package declares: required ones first, then optional ones, in file order.
    pub all_pkg_binds: Vec<PackageBind>,
    /// Whether the service waits for its binds.
    pub binding_mode: BindingMode,
    /// The user's binds, `name:service.group[@org]`.
    pub binds: Vec<String>,
    /// Builder of the spec.
    pub bldr_url: String,
    /// Merged configuration; absent when redacted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub cfg: Option<ConfigTable>,
    /// Channel of the spec.
    pub channel: String,
    /// Development configuration directory.
    pub config_from: Option<String>,
    /// What the user wants of it.
    pub desired_state: DesiredState,
    /// Result of the last health check.
    pub health_check: HealthStatus,
    /// Its hooks.
    pub hooks: Arc<Hooks>,
    /// True once `init` has finished and `run` was started.
    pub initialized: bool,
    /// Last election status that a service of leader topology acted on.
    pub last_election_status: ElectionStatus,
    /// Paths of the Supervisor's own files.
    pub manager_fs_cfg: Arc<ManagerPaths>,
    /// The package it runs.
    pub pkg: Arc<Package>,
    /// Its process.
    pub process: Process,
    /// The process before a restart; kept until the service is stopped or unloaded.
    pub last_process_state: Option<LastProcess>,
    /// Unix time in seconds of the next start of a failed service that waits for its back-off.
    pub next_restart_at: Option<u64>,
    /// Restarts after failures.
    pub restart_count: u64,
    /// Back-off of restarts.
    pub restart_config: RestartConfig,
    /// `name.group[@org]`.
    #[schema(value_type = String)]
    pub service_group: ServiceGroup,
    /// Path of the spec file.
    pub spec_file: String,
    /// Identifier as the user gave it.
    pub spec_ident: PackageIdent,
    /// The same as text.
    pub spec_identifier: String,
    /// Password of a Windows service, encrypted.
    pub svc_encrypted_password: Option<String>,
    /// Time between health checks.
    #[schema(value_type = DurationParts)]
    pub health_check_interval: Duration,
    /// This Supervisor.
    pub sys: Arc<Sys>,
    /// Topology of the group.
    pub topology: Topology,
    /// How it follows new releases.
    pub update_strategy: UpdateStrategy,
    /// Which release an update goes to.
    pub update_condition: UpdateCondition,
    /// A change of `user.toml` is noticed and not yet applied.
    pub user_config_updated: bool,
}

/// All loaded services; those that are stopped or wait for a restart too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Services(pub Vec<ServiceDocument>);

/// A bind that a package declares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PackageBind {
    /// Name of the bind.
    pub service: String,
    /// Exports that the bound service must have.
    pub exports: Vec<String>,
}

/// The hooks of a service; null where the package has no such file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the names of the hooks")]
pub struct Hooks {
    pub health_check: Option<Hook>,
    pub init: Option<Hook>,
    pub file_updated: Option<Hook>,
    pub reconfigure: Option<Hook>,
    pub suitability: Option<Hook>,
    pub run: Option<Hook>,
    pub post_run: Option<Hook>,
    pub post_stop: Option<Hook>,
}

/// Where a hook and its output are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// Path of the rendered hook.
    pub render_pair: String,
    /// Path of what it printed.
    pub stdout_log_path: String,
    /// Path of what it printed to standard error.
    pub stderr_log_path: String,
}

/// Paths of the Supervisor's own files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ManagerPaths {
    /// Root of all of them.
    pub sup_root: String,
    /// Directory of state files.
    pub data_path: String,
    /// Directory of spec files.
    pub specs_path: String,
    /// File with the member id.
    pub member_id_file: String,
    /// File with the process id of the Supervisor.
    pub proc_lock_file: String,
}

/// The package a service runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Fully qualified identifier.
    pub ident: String,
    /// First part of it.
    pub origin: String,
    /// Second part of it.
    pub name: String,
    /// Third part of it.
    pub version: String,
    /// Fourth part of it.
    pub release: String,
    /// Transitive runtime dependencies.
    pub deps: Vec<PackageIdent>,
    /// The same as text.
    pub dependencies: Vec<String>,
    /// Environment of its processes.
    pub env: BTreeMap<String, String>,
    /// Exposed ports or configuration keys.
    pub exposes: Vec<String>,
    /// Name of an export and the path of its configuration value.
    pub exports: BTreeMap<String, String>,
    /// Where it is installed.
    pub path: String,
    /// Directory of the service.
    pub svc_path: String,
    /// Rendered configuration.
    pub svc_config_path: String,
    /// Rendered configuration for the install hook.
    pub svc_config_install_path: String,
    /// Data of the service.
    pub svc_data_path: String,
    /// Uploaded files.
    pub svc_files_path: String,
    /// Static files.
    pub svc_static_path: String,
    /// Variable files.
    pub svc_var_path: String,
    /// File with its process id.
    pub svc_pid_file: String,
    /// Its `run` file.
    pub svc_run: String,
    /// User it runs as.
    pub svc_user: String,
    /// Group it runs as.
    pub svc_group: String,
    /// Signal that asks it to end.
    pub shutdown_signal: ShutdownSignal,
    /// Seconds it is given to end.
    pub shutdown_timeout: u64,
}

/// The process of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// Its id while it runs.
    pub pid: Option<u32>,
    /// Whether it runs.
    pub state: ProcessState,
    /// Unix time in seconds of the last change of `state`.
    pub state_entered: u64,
}

/// The process before a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LastProcess {
    /// Its id; null when `init` failed.
    pub pid: Option<u32>,
    /// Why the service was restarted.
    pub termination_reason: TerminationReason,
    /// Unix time in seconds.
    pub terminated_at: u64,
}

/// Back-off of restarts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RestartConfig {
    /// First wait.
    #[schema(value_type = DurationParts)]
    pub min_backoff_period: Duration,
    /// Longest wait.
    #[schema(value_type = DurationParts)]
    pub max_backoff_period: Duration,
    /// Time of health after which the wait starts over.
    #[schema(value_type = DurationParts)]
    pub cooldown_period: Duration,
}

/// This Supervisor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Sys {
    /// Version of the Supervisor.
    pub version: String,
    /// Its member id.
    pub member_id: String,
    /// Its IP address.
    pub ip: String,
    /// Its host name.
    pub hostname: String,
    /// Where it listens for gossip, as configured.
    pub gossip_ip: String,
    /// Port for gossip.
    pub gossip_port: u16,
    /// Where its control gateway listens.
    pub ctl_gateway_ip: String,
    /// Port of its control gateway.
    pub ctl_gateway_port: u16,
    /// Where its HTTP API listens.
    pub http_gateway_ip: String,
    /// Port of its HTTP API.
    pub http_gateway_port: u16,
    /// Whether it is a permanent peer.
    pub permanent: bool,
}
