//! `/services`: one loaded service (reference: http-api §9).

use std::{path::Path, sync::Arc, time::Duration};

use roost_api::documents::{
    ConfigTable, HealthDocument, ServiceDocument,
    service::{
        Hook as HookPaths, Hooks, LastProcess, ManagerPaths, Package, PackageBind, Process,
        RestartConfig, Sys,
    },
};
use roost_ident::{Hook, PackageIdent, ServiceGroup, ShutdownSignal};
use roost_pkg::{FsRoot, SvcPaths, metafile};
use roost_service::{ServiceSpec, Status};

use crate::{config::BackoffConfig, services::built::Built};

/// Parts of service documents that are the same for all services of a Supervisor.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) sys: Arc<Sys>,
    pub(crate) paths: Arc<ManagerPaths>,
    pub(crate) restart: RestartConfig,
    pub(crate) redact: bool,
}

impl Common {
    pub(crate) fn new(root: &FsRoot, sys: Sys, backoff: &BackoffConfig, redact: bool) -> Self {
        let sup = root.sup();
        Self {
            sys: Arc::new(sys),
            paths: Arc::new(ManagerPaths {
                sup_root: text(&sup.root),
                data_path: text(&sup.data()),
                specs_path: text(&sup.specs()),
                member_id_file: text(&sup.member_id()),
                proc_lock_file: text(&sup.lock()),
            }),
            restart: RestartConfig {
                min_backoff_period: backoff.min,
                max_backoff_period: backoff.max,
                cooldown_period: backoff.cooldown,
            },
            redact,
        }
    }
}

/// Parts of one service's document that change only when it is built again.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    package: Arc<Package>,
    hooks: Arc<Hooks>,
    binds: Vec<PackageBind>,
}

impl Facts {
    /// The facts of a service that was read from disk.
    pub(crate) fn new(built: &Built, spec: &ServiceSpec) -> Self {
        let package = &built.package;
        let timeout = spec.shutdown_timeout_s.unwrap_or(package.shutdown_timeout_s);
        let mut shown = bare_package(&package.ident, &text(&package.path), &built.svc);
        shown.deps.clone_from(&package.tdeps);
        shown.dependencies = package.tdeps.iter().map(ToString::to_string).collect();
        shown.env.clone_from(&built.environment);
        shown.exposes.clone_from(&package.exposes);
        shown.exports.clone_from(&package.exports);
        shown.svc_user.clone_from(&built.user.user);
        shown.svc_group.clone_from(&built.user.group);
        shown.shutdown_signal = package.shutdown_signal;
        shown.shutdown_timeout = timeout.into();
        let bind = |bind: &metafile::PackageBind| PackageBind {
            service: bind.name.clone(),
            exports: bind.exports.clone(),
        };
        Self {
            package: Arc::new(shown),
            hooks: Arc::new(hooks(built)),
            binds: package.all_binds().map(bind).collect(),
        }
    }

    /// All that is known of a service whose package cannot be read: the content of its spec.
    pub(crate) fn unknown(root: &FsRoot, spec: &ServiceSpec) -> Self {
        let svc = root.svc(&spec.ident.name);
        let mut package = bare_package(&spec.ident, "", &svc);
        package.shutdown_timeout =
            spec.shutdown_timeout_s.unwrap_or(metafile::DEFAULT_SHUTDOWN_TIMEOUT_S).into();
        Self { package: Arc::new(package), hooks: Arc::default(), binds: Vec::new() }
    }
}

fn bare_package(ident: &PackageIdent, path: &str, svc: &SvcPaths) -> Package {
    Package {
        ident: ident.to_string(),
        origin: ident.origin.clone(),
        name: ident.name.clone(),
        version: ident.version.clone().unwrap_or_default(),
        release: ident.release.clone().unwrap_or_default(),
        deps: Vec::new(),
        dependencies: Vec::new(),
        env: std::collections::BTreeMap::new(),
        exposes: Vec::new(),
        exports: std::collections::BTreeMap::new(),
        path: path.into(),
        svc_path: text(&svc.root),
        svc_config_path: text(&svc.config()),
        svc_config_install_path: text(&svc.config_install()),
        svc_data_path: text(&svc.data()),
        svc_files_path: text(&svc.files()),
        svc_static_path: text(&svc.static_()),
        svc_var_path: text(&svc.var()),
        svc_pid_file: text(&svc.pid_file()),
        svc_run: text(&svc.run()),
        svc_user: String::new(),
        svc_group: String::new(),
        shutdown_signal: ShutdownSignal::default(),
        shutdown_timeout: 0,
    }
}

fn hooks(built: &Built) -> Hooks {
    let paths = |hook: Hook| {
        built.hooks.contains_key(&hook).then(|| HookPaths {
            render_pair: text(&built.svc.hook(hook)),
            stdout_log_path: text(&built.svc.stdout_log(hook)),
            stderr_log_path: text(&built.svc.stderr_log(hook)),
        })
    };
    Hooks {
        health_check: paths(Hook::HealthCheck),
        init: paths(Hook::Init),
        file_updated: paths(Hook::FileUpdated),
        reconfigure: paths(Hook::Reconfigure),
        suitability: paths(Hook::Suitability),
        run: paths(Hook::Run),
        post_run: paths(Hook::PostRun),
        post_stop: paths(Hook::PostStop),
    }
}

/// The document of a service at this moment.
pub(crate) fn document(
    common: &Common,
    facts: &Facts,
    spec: &ServiceSpec,
    group: &ServiceGroup,
    status: &Status,
    cfg: &ConfigTable,
) -> ServiceDocument {
    let interval = spec.health_check_interval;
    ServiceDocument {
        all_pkg_binds: facts.binds.clone(),
        binding_mode: spec.binding_mode,
        binds: spec.binds.iter().map(ToString::to_string).collect(),
        bldr_url: spec.bldr_url.clone(),
        cfg: (!common.redact).then(|| cfg.clone()),
        channel: spec.channel.clone(),
        config_from: spec.config_from.clone(),
        desired_state: status.desired_state,
        health_check: status.health,
        hooks: Arc::clone(&facts.hooks),
        initialized: status.initialized,
        last_election_status: status.last_election_status,
        manager_fs_cfg: Arc::clone(&common.paths),
        pkg: Arc::clone(&facts.package),
        process: Process {
            pid: status.process.pid,
            state: status.process.state,
            state_entered: status.process.state_entered_s,
        },
        last_process_state: status.last_process_state.map(|last| LastProcess {
            pid: last.pid,
            termination_reason: last.reason,
            terminated_at: last.terminated_at_s,
        }),
        next_restart_at: status.next_restart_at_s,
        restart_count: status.restart_count,
        restart_config: common.restart.clone(),
        service_group: group.clone(),
        spec_file: format!("{}/{}", common.paths.specs_path, spec.file_name()),
        spec_ident: spec.ident.clone(),
        spec_identifier: spec.ident.to_string(),
        svc_encrypted_password: spec.svc_encrypted_password.clone(),
        health_check_interval: Duration::new(interval.secs, interval.nanos),
        sys: Arc::clone(&common.sys),
        topology: spec.topology,
        update_strategy: spec.update_strategy,
        update_condition: spec.update_condition,
        user_config_updated: false,
    }
}

/// The health of a service: the last result, what the hook printed, and as a last line of
/// `stderr` why it is unknown where the hook itself does not report it.
pub(crate) fn health(status: &Status, stdout: &str, stderr: &str) -> HealthDocument {
    let (stdout, mut stderr) = (stdout.to_owned(), stderr.to_owned());
    if let Some(reason) = &status.reason {
        if !stderr.is_empty() && !stderr.ends_with('\n') {
            stderr.push('\n');
        }
        stderr.push_str(reason);
        stderr.push('\n');
    }
    HealthDocument { status: status.health, stdout, stderr }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
