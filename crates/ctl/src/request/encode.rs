//! Encoding of requests.

use bytes::Bytes;
use prost::Message;
use roost_ident::{PackageIdent, ServiceBind, ServiceOptions};

use super::{
    Request,
    words::{BINDING_MODES, CONDITIONS, STRATEGIES, TOPOLOGIES, number},
};
use crate::message;

impl Request {
    /// The body of this request.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Load { ident, force, directory, options } => {
                load(ident, *force, directory.as_ref(), options).encode_to_vec()
            }
            Self::Update { ident, options } => update(ident, options).encode_to_vec(),
            Self::Unload { ident, timeout_s } => {
                message::SvcUnload { ident: Some(ident.into()), timeout_in_seconds: *timeout_s }
                    .encode_to_vec()
            }
            Self::Start { ident } => {
                message::SvcStart { ident: Some(ident.into()) }.encode_to_vec()
            }
            Self::Stop { ident, timeout_s } => {
                message::SvcStop { ident: Some(ident.into()), timeout_in_seconds: *timeout_s }
                    .encode_to_vec()
            }
            Self::Status { ident } => {
                message::SvcStatus { ident: ident.as_ref().map(Into::into) }.encode_to_vec()
            }
            Self::DefaultConfig { ident } => {
                message::SvcGetDefaultCfg { ident: Some(ident.into()) }.encode_to_vec()
            }
            Self::ValidateConfig { group, config } => message::SvcValidateCfg {
                service_group: group.as_ref().map(Into::into),
                format: None,
                cfg: Some(config.clone()),
            }
            .encode_to_vec(),
            Self::SetConfig { group, config, version, encrypted } => message::SvcSetCfg {
                service_group: Some(group.into()),
                cfg: Some(config.clone()),
                version: Some(*version),
                is_encrypted: encrypted.then_some(true),
            }
            .encode_to_vec(),
            Self::PutFile { group, filename, content, version, encrypted } => message::SvcFilePut {
                service_group: Some(group.into()),
                content: Some(content.clone()),
                filename: Some(filename.clone()),
                version: Some(*version),
                is_encrypted: encrypted.then_some(true),
            }
            .encode_to_vec(),
            Self::Depart { member_id } => {
                message::SupDepart { member_id: Some(member_id.clone()) }.encode_to_vec()
            }
            Self::Restart => message::SupRestart {}.encode_to_vec(),
        }
        .into()
    }
}

fn bind_list(binds: Option<&Vec<ServiceBind>>) -> Option<message::ServiceBindList> {
    binds.map(|binds| message::ServiceBindList { binds: binds.iter().map(Into::into).collect() })
}

fn load(
    ident: &PackageIdent,
    force: bool,
    directory: Option<&String>,
    options: &ServiceOptions,
) -> message::SvcLoad {
    message::SvcLoad {
        ident: Some(ident.into()),
        binds: bind_list(options.binds.as_ref()),
        bldr_url: options.bldr_url.clone(),
        bldr_channel: options.channel.clone(),
        config_from: options.config_from.clone(),
        force: Some(force),
        group: options.group.clone(),
        svc_encrypted_password: options.svc_encrypted_password.clone(),
        topology: number(options.topology, &TOPOLOGIES),
        update_strategy: number(options.update_strategy, &STRATEGIES),
        binding_mode: number(options.binding_mode, &BINDING_MODES),
        health_check_interval: options
            .health_check_interval_s
            .map(|seconds| message::HealthCheckInterval { seconds }),
        shutdown_timeout: options.shutdown_timeout_s,
        update_condition: number(options.update_condition, &CONDITIONS),
        directory: directory.cloned(),
        restart_when_critical: options.restart_when_critical,
    }
}

fn update(ident: &PackageIdent, options: &ServiceOptions) -> message::SvcUpdate {
    message::SvcUpdate {
        ident: Some(ident.into()),
        binds: bind_list(options.binds.as_ref()),
        binding_mode: number(options.binding_mode, &BINDING_MODES),
        bldr_url: options.bldr_url.clone(),
        bldr_channel: options.channel.clone(),
        group: options.group.clone(),
        svc_encrypted_password: options.svc_encrypted_password.clone(),
        topology: number(options.topology, &TOPOLOGIES),
        update_strategy: number(options.update_strategy, &STRATEGIES),
        health_check_interval: options
            .health_check_interval_s
            .map(|seconds| message::HealthCheckInterval { seconds }),
        shutdown_timeout: options.shutdown_timeout_s,
        update_condition: number(options.update_condition, &CONDITIONS),
        restart_when_critical: options.restart_when_critical,
    }
}
