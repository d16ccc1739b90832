//! What a client asks, in words of the project, and its way to and from the wire.

use bytes::Bytes;
use prost::Message;
use roost_ident::{
    BindingMode, PackageIdent, ServiceBind, ServiceGroup, Topology, UpdateCondition, UpdateStrategy,
};

use crate::{
    message::{self, Named},
    reply::{ErrorCode, Failure},
};

/// Longest configuration or file, inclusive.
pub const MAX_PAYLOAD_BYTES: usize = 65_536;

/// A request to a Supervisor (control chapter 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Load a service.
    Load {
        /// What to load.
        ident: PackageIdent,
        /// Load again what is loaded.
        force: bool,
        /// How.
        options: ServiceOptions,
    },
    /// Change a loaded service.
    Update {
        /// Which one.
        ident: PackageIdent,
        /// Only what is given is changed.
        options: ServiceOptions,
    },
    /// Stop a service and forget it.
    Unload {
        /// Which one.
        ident: PackageIdent,
        /// Seconds the stop may take.
        timeout_s: Option<u32>,
    },
    /// Start a loaded service.
    Start {
        /// Which one.
        ident: PackageIdent,
    },
    /// Stop a loaded service.
    Stop {
        /// Which one.
        ident: PackageIdent,
        /// Seconds the stop may take.
        timeout_s: Option<u32>,
    },
    /// Tell the state of one service, or of all.
    Status {
        /// Which one.
        ident: Option<PackageIdent>,
    },
    /// Tell the default configuration of a service.
    DefaultConfig {
        /// Which one.
        ident: PackageIdent,
    },
    /// Check the form of a configuration. The Supervisor answers with code 6 if it is not
    /// UTF-8 or not a TOML table.
    ValidateConfig {
        /// Sent along by clients and not looked at; may be one that cannot be formed.
        group: Option<ServiceGroup>,
        /// The configuration, at most [`MAX_PAYLOAD_BYTES`].
        config: Vec<u8>,
    },
    /// Tell a group its configuration.
    SetConfig {
        /// The group.
        group: ServiceGroup,
        /// The configuration, at most [`MAX_PAYLOAD_BYTES`].
        config: Vec<u8>,
        /// Its version; the greatest wins.
        version: u64,
        /// It is encrypted for the group.
        encrypted: bool,
    },
    /// Give a group a file.
    PutFile {
        /// The group.
        group: ServiceGroup,
        /// Name of the file.
        filename: String,
        /// What is in it, at most [`MAX_PAYLOAD_BYTES`].
        content: Vec<u8>,
        /// Its version; the greatest wins.
        version: u64,
        /// It is encrypted for the group.
        encrypted: bool,
    },
    /// Declare a member of the ring departed.
    Depart {
        /// Which one.
        member_id: String,
    },
    /// Restart the Supervisor.
    Restart,
}

/// Options of a load or an update; `None` where the client sent nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceOptions {
    /// Group
    pub group: Option<String>,
    /// Topology
    pub topology: Option<Topology>,
    /// Update strategy
    pub update_strategy: Option<UpdateStrategy>,
    /// Update condition
    pub update_condition: Option<UpdateCondition>,
    /// Binds; an empty list clears them.
    pub binds: Option<Vec<ServiceBind>>,
    /// Binding mode
    pub binding_mode: Option<BindingMode>,
    /// Address of Builder.
    pub bldr_url: Option<String>,
    /// Channel of Builder.
    pub bldr_channel: Option<String>,
    /// Seconds between health checks.
    pub health_check_interval_s: Option<u64>,
    /// Seconds a stop may take.
    pub shutdown_timeout_s: Option<u32>,
    /// Directory with templates to use instead of the package's; only for a load.
    pub config_from: Option<String>,
    /// Windows only.
    pub encrypted_password: Option<String>,
}

/// Why a frame is no request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A message id that no request has.
    Unknown,
    /// The body is not that message.
    Undecodable(String),
    /// A request that is answered with a failure.
    Failed(Failure),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Message ids of all requests.
pub const REQUEST_IDS: [&str; 12] = [
    message::SvcLoad::ID,
    message::SvcUpdate::ID,
    message::SvcUnload::ID,
    message::SvcStart::ID,
    message::SvcStop::ID,
    message::SvcStatus::ID,
    message::SvcGetDefaultCfg::ID,
    message::SvcValidateCfg::ID,
    message::SvcSetCfg::ID,
    message::SvcFilePut::ID,
    message::SupDepart::ID,
    message::SupRestart::ID,
];

impl Request {
    /// The message id of this request, also its name in metrics.
    #[must_use]
    pub const fn id(&self) -> &'static str {
        match self {
            Self::Load { .. } => message::SvcLoad::ID,
            Self::Update { .. } => message::SvcUpdate::ID,
            Self::Unload { .. } => message::SvcUnload::ID,
            Self::Start { .. } => message::SvcStart::ID,
            Self::Stop { .. } => message::SvcStop::ID,
            Self::Status { .. } => message::SvcStatus::ID,
            Self::DefaultConfig { .. } => message::SvcGetDefaultCfg::ID,
            Self::ValidateConfig { .. } => message::SvcValidateCfg::ID,
            Self::SetConfig { .. } => message::SvcSetCfg::ID,
            Self::PutFile { .. } => message::SvcFilePut::ID,
            Self::Depart { .. } => message::SupDepart::ID,
            Self::Restart => message::SupRestart::ID,
        }
    }

    /// The body of this request.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Load { ident, force, options } => load(ident, *force, options).encode_to_vec(),
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

    /// Reads a request from its message id and body.
    ///
    /// # Errors
    /// Unknown ids and bodies that are not that message end the connection without an answer;
    /// missing fields (9), too long payloads (8) and groups that cannot be formed (7) are
    /// answered.
    pub fn decode(id: &str, body: &[u8]) -> Result<Self, Refusal> {
        Ok(match id {
            message::SvcLoad::ID => from_load(read(body)?)?,
            message::SvcUpdate::ID => from_update(read(body)?)?,
            message::SvcUnload::ID => {
                let unload: message::SvcUnload = read(body)?;
                Self::Unload {
                    ident: needed(unload.ident)?.into(),
                    timeout_s: unload.timeout_in_seconds,
                }
            }
            message::SvcStart::ID => {
                let start: message::SvcStart = read(body)?;
                Self::Start { ident: needed(start.ident)?.into() }
            }
            message::SvcStop::ID => {
                let stop: message::SvcStop = read(body)?;
                Self::Stop { ident: needed(stop.ident)?.into(), timeout_s: stop.timeout_in_seconds }
            }
            message::SvcStatus::ID => {
                let status: message::SvcStatus = read(body)?;
                Self::Status { ident: status.ident.map(Into::into) }
            }
            message::SvcGetDefaultCfg::ID => {
                let get: message::SvcGetDefaultCfg = read(body)?;
                Self::DefaultConfig { ident: needed(get.ident)?.into() }
            }
            message::SvcValidateCfg::ID => {
                let validate: message::SvcValidateCfg = read(body)?;
                Self::ValidateConfig {
                    group: validate.service_group.and_then(|group| group.try_into().ok()),
                    config: within_limit(needed(validate.cfg)?, CONFIG_TOO_LARGE)?,
                }
            }
            message::SvcSetCfg::ID => {
                let set: message::SvcSetCfg = read(body)?;
                Self::SetConfig {
                    config: within_limit(needed(set.cfg)?, CONFIG_TOO_LARGE)?,
                    version: needed(set.version)?,
                    group: formed(needed(set.service_group)?)?,
                    encrypted: set.is_encrypted.unwrap_or(false),
                }
            }
            message::SvcFilePut::ID => {
                let put: message::SvcFilePut = read(body)?;
                Self::PutFile {
                    content: within_limit(needed(put.content)?, FILE_TOO_LARGE)?,
                    filename: needed(put.filename)?,
                    version: needed(put.version)?,
                    group: formed(needed(put.service_group)?)?,
                    encrypted: put.is_encrypted.unwrap_or(false),
                }
            }
            message::SupDepart::ID => {
                let depart: message::SupDepart = read(body)?;
                Self::Depart { member_id: needed(depart.member_id)? }
            }
            message::SupRestart::ID => {
                let message::SupRestart {} = read(body)?;
                Self::Restart
            }
            _ => return Err(Refusal::Unknown),
        })
    }
}

const CONFIG_TOO_LARGE: &str = "Configuration too large.";
const FILE_TOO_LARGE: &str = "File content too large.";

fn read<M: Named>(body: &[u8]) -> Result<M, Refusal> {
    M::decode(body).map_err(|error| Refusal::Undecodable(error.to_string()))
}

fn needed<T>(field: Option<T>) -> Result<T, Failure> {
    field.ok_or_else(Failure::client_out_of_date)
}

fn within_limit(payload: Vec<u8>, text: &str) -> Result<Vec<u8>, Failure> {
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(Failure::new(ErrorCode::EntityTooLarge, text));
    }
    Ok(payload)
}

fn formed(group: message::ServiceGroup) -> Result<ServiceGroup, Failure> {
    ServiceGroup::try_from(group)
        .map_err(|error| Failure::new(ErrorCode::InvalidPayload, error.to_string()))
}

fn formed_binds(
    list: Option<message::ServiceBindList>,
) -> Result<Option<Vec<ServiceBind>>, Failure> {
    list.map(|list| list.binds.into_iter().map(ServiceBind::try_from).collect())
        .transpose()
        .map_err(|error: roost_ident::ServiceGroupError| {
            Failure::new(ErrorCode::InvalidPayload, error.to_string())
        })
}

// An unknown number counts as absent: a newer client may know more words.
fn word<T: Copy>(number: Option<i32>, words: &[T]) -> Option<T> {
    words.get(usize::try_from(number?).ok()?).copied()
}

fn number<T: PartialEq>(word: Option<T>, words: &[T]) -> Option<i32> {
    let word = word?;
    words.iter().position(|other| *other == word).and_then(|index| i32::try_from(index).ok())
}

// On the wire each word is its place in these lists.
const TOPOLOGIES: [Topology; 2] = [Topology::Standalone, Topology::Leader];
const STRATEGIES: [UpdateStrategy; 3] =
    [UpdateStrategy::None, UpdateStrategy::AtOnce, UpdateStrategy::Rolling];
const CONDITIONS: [UpdateCondition; 2] = [UpdateCondition::Latest, UpdateCondition::TrackChannel];
const BINDING_MODES: [BindingMode; 2] = [BindingMode::Relaxed, BindingMode::Strict];

fn bind_list(binds: Option<&Vec<ServiceBind>>) -> Option<message::ServiceBindList> {
    binds.map(|binds| message::ServiceBindList { binds: binds.iter().map(Into::into).collect() })
}

fn load(ident: &PackageIdent, force: bool, options: &ServiceOptions) -> message::SvcLoad {
    message::SvcLoad {
        ident: Some(ident.into()),
        binds: bind_list(options.binds.as_ref()),
        bldr_url: options.bldr_url.clone(),
        bldr_channel: options.bldr_channel.clone(),
        config_from: options.config_from.clone(),
        force: Some(force),
        group: options.group.clone(),
        svc_encrypted_password: options.encrypted_password.clone(),
        topology: number(options.topology, &TOPOLOGIES),
        update_strategy: number(options.update_strategy, &STRATEGIES),
        binding_mode: number(options.binding_mode, &BINDING_MODES),
        health_check_interval: options
            .health_check_interval_s
            .map(|seconds| message::HealthCheckInterval { seconds }),
        shutdown_timeout: options.shutdown_timeout_s,
        update_condition: number(options.update_condition, &CONDITIONS),
    }
}

fn from_load(load: message::SvcLoad) -> Result<Request, Failure> {
    Ok(Request::Load {
        ident: needed(load.ident)?.into(),
        force: load.force.unwrap_or(false),
        options: ServiceOptions {
            group: load.group,
            topology: word(load.topology, &TOPOLOGIES),
            update_strategy: word(load.update_strategy, &STRATEGIES),
            update_condition: word(load.update_condition, &CONDITIONS),
            binds: formed_binds(load.binds)?,
            binding_mode: word(load.binding_mode, &BINDING_MODES),
            bldr_url: load.bldr_url,
            bldr_channel: load.bldr_channel,
            health_check_interval_s: load.health_check_interval.map(|interval| interval.seconds),
            shutdown_timeout_s: load.shutdown_timeout,
            config_from: load.config_from,
            encrypted_password: load.svc_encrypted_password,
        },
    })
}

fn update(ident: &PackageIdent, options: &ServiceOptions) -> message::SvcUpdate {
    message::SvcUpdate {
        ident: Some(ident.into()),
        binds: bind_list(options.binds.as_ref()),
        binding_mode: number(options.binding_mode, &BINDING_MODES),
        bldr_url: options.bldr_url.clone(),
        bldr_channel: options.bldr_channel.clone(),
        group: options.group.clone(),
        svc_encrypted_password: options.encrypted_password.clone(),
        topology: number(options.topology, &TOPOLOGIES),
        update_strategy: number(options.update_strategy, &STRATEGIES),
        health_check_interval: options
            .health_check_interval_s
            .map(|seconds| message::HealthCheckInterval { seconds }),
        shutdown_timeout: options.shutdown_timeout_s,
        update_condition: number(options.update_condition, &CONDITIONS),
    }
}

fn from_update(update: message::SvcUpdate) -> Result<Request, Failure> {
    Ok(Request::Update {
        ident: needed(update.ident)?.into(),
        options: ServiceOptions {
            group: update.group,
            topology: word(update.topology, &TOPOLOGIES),
            update_strategy: word(update.update_strategy, &STRATEGIES),
            update_condition: word(update.update_condition, &CONDITIONS),
            binds: formed_binds(update.binds)?,
            binding_mode: word(update.binding_mode, &BINDING_MODES),
            bldr_url: update.bldr_url,
            bldr_channel: update.bldr_channel,
            health_check_interval_s: update.health_check_interval.map(|interval| interval.seconds),
            shutdown_timeout_s: update.shutdown_timeout,
            config_from: None,
            encrypted_password: update.svc_encrypted_password,
        },
    })
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*, sample::select};

    use super::*;

    fn ident() -> impl Strategy<Value = PackageIdent> {
        (".{0,5}", ".{0,5}", option::of(".{0,5}"), option::of("[0-9]{0,14}")).prop_map(
            |(origin, name, version, release)| PackageIdent { origin, name, version, release },
        )
    }

    fn group() -> impl Strategy<Value = ServiceGroup> {
        ("[a-z]{1,5}", "[a-z]{1,5}", option::of("[a-z]{1,5}")).prop_map(|(service, group, org)| {
            ServiceGroup::new(&service, &group, org.as_deref()).expect("parts without separators")
        })
    }

    fn options() -> impl Strategy<Value = ServiceOptions> {
        let bind = ("[a-z]{0,4}", group()).prop_map(|(name, group)| ServiceBind { name, group });
        let texts = (option::of(".{0,5}"), option::of(".{0,5}"), option::of(".{0,5}"));
        let words = (
            option::of(select(Topology::ALL)),
            option::of(select(UpdateStrategy::ALL)),
            option::of(select(UpdateCondition::ALL)),
            option::of(select(BindingMode::ALL)),
        );
        let rest = (option::of(vec(bind, 0..3)), any::<Option<u64>>(), any::<Option<u32>>());
        (texts, words, rest).prop_map(|(texts, words, rest)| ServiceOptions {
            group: texts.0,
            bldr_url: texts.1,
            bldr_channel: texts.2,
            topology: words.0,
            update_strategy: words.1,
            update_condition: words.2,
            binding_mode: words.3,
            binds: rest.0,
            health_check_interval_s: rest.1,
            shutdown_timeout_s: rest.2,
            config_from: None,
            encrypted_password: None,
        })
    }

    fn request() -> impl Strategy<Value = Request> {
        let payload = || vec(any::<u8>(), 0..50);
        prop_oneof![
            (ident(), any::<bool>(), options()).prop_map(|(ident, force, options)| Request::Load {
                ident,
                force,
                options
            }),
            (ident(), options()).prop_map(|(ident, options)| Request::Update { ident, options }),
            (ident(), any::<Option<u32>>())
                .prop_map(|(ident, timeout_s)| Request::Unload { ident, timeout_s }),
            (ident(), any::<Option<u32>>())
                .prop_map(|(ident, timeout_s)| Request::Stop { ident, timeout_s }),
            ident().prop_map(|ident| Request::Start { ident }),
            option::of(ident()).prop_map(|ident| Request::Status { ident }),
            ident().prop_map(|ident| Request::DefaultConfig { ident }),
            (option::of(group()), payload())
                .prop_map(|(group, config)| Request::ValidateConfig { group, config }),
            (group(), payload(), any::<u64>(), any::<bool>()).prop_map(
                |(group, config, version, encrypted)| Request::SetConfig {
                    group,
                    config,
                    version,
                    encrypted,
                }
            ),
            (group(), ".{0,5}", payload(), any::<u64>(), any::<bool>()).prop_map(
                |(group, filename, content, version, encrypted)| Request::PutFile {
                    group,
                    filename,
                    content,
                    version,
                    encrypted,
                }
            ),
            ".{0,5}".prop_map(|member_id| Request::Depart { member_id }),
            Just(Request::Restart),
        ]
    }

    proptest! {
        #[test]
        fn requests_survive_the_wire(request in request()) {
            prop_assert_eq!(Request::decode(request.id(), &request.encode()), Ok(request));
        }

        #[test]
        fn any_bytes_are_a_request_or_a_refusal(
            id in select(&REQUEST_IDS),
            body in vec(any::<u8>(), 0..100),
        ) {
            let _ = Request::decode(id, &body);
        }
    }

    fn refused(id: &str, body: &[u8]) -> Refusal {
        Request::decode(id, body).expect_err("refused")
    }

    fn code(refusal: Refusal) -> i32 {
        match refusal {
            Refusal::Failed(failure) => failure.code,
            other => panic!("not answered: {other:?}"),
        }
    }

    #[test]
    fn every_request_id_is_known_to_the_decoder() {
        for id in REQUEST_IDS {
            assert_ne!(Request::decode(id, &[]), Err(Refusal::Unknown), "{id}");
        }
        for id in ["", "Handshake", "NetOk", "svcload"] {
            assert_eq!(refused(id, &[]), Refusal::Unknown, "{id}");
        }
    }

    #[test]
    fn missing_fields_make_an_old_client() {
        for id in ["SvcLoad", "SvcUpdate", "SvcUnload", "SvcStart", "SvcStop", "SvcGetDefaultCfg"] {
            assert_eq!(code(refused(id, &[])), 9, "{id}");
        }
        for id in ["SvcValidateCfg", "SvcSetCfg", "SvcFilePut", "SupDepart"] {
            assert_eq!(code(refused(id, &[])), 9, "{id}");
        }
    }

    #[test]
    fn payloads_end_at_65536_bytes() {
        let request = |bytes: usize| Request::SetConfig {
            group: "a.b".parse().expect("a group"),
            config: vec![b' '; bytes],
            version: 1,
            encrypted: false,
        };
        assert!(Request::decode("SvcSetCfg", &request(65_536).encode()).is_ok());
        assert_eq!(code(refused("SvcSetCfg", &request(65_537).encode())), 8);
    }

    #[test]
    fn groups_that_cannot_be_formed_are_answered_with_code_7() {
        let group = message::ServiceGroup {
            service: "we.b".into(),
            group: "default".into(),
            organization: None,
        };
        let set = message::SvcSetCfg {
            service_group: Some(group.clone()),
            cfg: Some(Vec::new()),
            version: Some(1),
            is_encrypted: None,
        };
        assert_eq!(code(refused("SvcSetCfg", &set.encode_to_vec())), 7);
        let bind = message::ServiceBind { name: "db".into(), service_group: group };
        let load = message::SvcLoad {
            ident: Some((&PackageIdent::new("a", "b", None, None)).into()),
            binds: Some(message::ServiceBindList { binds: vec![bind] }),
            ..message::SvcLoad::default()
        };
        assert_eq!(code(refused("SvcLoad", &load.encode_to_vec())), 7);
    }

    #[test]
    fn unknown_numbers_of_words_count_as_absent() {
        let load = message::SvcLoad {
            ident: Some((&PackageIdent::new("a", "b", None, None)).into()),
            topology: Some(7),
            update_strategy: Some(-1),
            ..message::SvcLoad::default()
        };
        let Ok(Request::Load { options, .. }) = Request::decode("SvcLoad", &load.encode_to_vec())
        else {
            panic!("a load")
        };
        assert_eq!(options, ServiceOptions::default());
    }

    #[test]
    fn absent_and_empty_binds_differ() {
        let update = |binds| Request::Update {
            ident: PackageIdent::new("a", "b", None, None),
            options: ServiceOptions { binds, ..ServiceOptions::default() },
        };
        for request in [update(None), update(Some(Vec::new()))] {
            assert_eq!(Request::decode(request.id(), &request.encode()), Ok(request));
        }
    }
}
