//! Requests of a client, in types of the project.
//!
//! | file | holds |
//! |---|---|
//! | `encode` | encoding for the wire |
//! | `decode` | decoding from the wire, with the checks that give an answer |
//! | `words` | words encoded as numbers |

mod decode;
mod encode;
mod words;

use roost_ident::{PackageIdent, ServiceGroup, ServiceOptions};

use crate::{
    message::{self, Named},
    reply::Failure,
};

/// Longest configuration or file, inclusive.
pub const MAX_PAYLOAD_BYTES: usize = 65_536;

/// A request to a Supervisor (reference: control §6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Load a service.
    Load {
        /// The package to load.
        ident: PackageIdent,
        /// Reload a loaded service.
        force: bool,
        /// The plain directory of the package, on the Supervisor's machine, for the Supervisor to
        /// follow.
        directory: Option<String>,
        /// Options of the service.
        options: ServiceOptions,
    },
    /// Change a loaded service.
    Update {
        /// The service.
        ident: PackageIdent,
        /// Only present options are changed.
        options: ServiceOptions,
    },
    /// Stop a service and remove it.
    Unload {
        /// The service.
        ident: PackageIdent,
        /// Seconds that the stop may take.
        timeout_s: Option<u32>,
    },
    /// Start a loaded service.
    Start {
        /// The service.
        ident: PackageIdent,
    },
    /// Stop a loaded service.
    Stop {
        /// The service.
        ident: PackageIdent,
        /// Seconds that the stop may take.
        timeout_s: Option<u32>,
    },
    /// Return the state of one service, or of all.
    Status {
        /// The service.
        ident: Option<PackageIdent>,
    },
    /// Return the default configuration of a service.
    DefaultConfig {
        /// The service.
        ident: PackageIdent,
    },
    /// Check the form of a configuration. The Supervisor answers with code 6 if it is not
    /// UTF-8 or not a TOML table.
    ValidateConfig {
        /// Sent by clients and ignored; may be invalid.
        group: Option<ServiceGroup>,
        /// The configuration, at most [`MAX_PAYLOAD_BYTES`].
        config: Vec<u8>,
    },
    /// Apply a configuration to a group.
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
    /// Upload a file to a group.
    PutFile {
        /// The group.
        group: ServiceGroup,
        /// Name of the file.
        filename: String,
        /// Its content, at most [`MAX_PAYLOAD_BYTES`].
        content: Vec<u8>,
        /// Its version; the greatest wins.
        version: u64,
        /// It is encrypted for the group.
        encrypted: bool,
    },
    /// Mark a member of the ring as departed.
    Depart {
        /// Id of the member.
        member_id: String,
    },
    /// Restart the Supervisor.
    Restart,
}

/// Why a frame is not a valid request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The message id is not one of a request.
    Unknown,
    /// The body does not match the message id.
    Undecodable(String),
    /// The request is answered with a failure.
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
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*, sample::select};
    use roost_ident::{BindingMode, ServiceBind, Topology, UpdateCondition, UpdateStrategy};

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
        let bind = ("[a-z]{1,4}", group()).prop_map(|(name, group)| ServiceBind { name, group });
        let texts = (option::of(".{0,5}"), option::of(".{0,5}"), option::of(".{0,5}"));
        let words = (
            option::of(select(Topology::ALL)),
            option::of(select(UpdateStrategy::ALL)),
            option::of(select(UpdateCondition::ALL)),
            option::of(select(BindingMode::ALL)),
        );
        let numbers = (any::<Option<u64>>(), any::<Option<u32>>(), any::<Option<u32>>());
        let rest = (option::of(vec(bind, 0..3)), numbers);
        (texts, words, rest).prop_map(|(texts, words, rest)| ServiceOptions {
            group: texts.0,
            bldr_url: texts.1,
            channel: texts.2,
            topology: words.0,
            update_strategy: words.1,
            update_condition: words.2,
            binding_mode: words.3,
            binds: rest.0,
            health_check_interval_s: rest.1.0,
            shutdown_timeout_s: rest.1.1,
            restart_when_critical: rest.1.2,
            config_from: None,
            svc_encrypted_password: None,
        })
    }

    fn request() -> impl Strategy<Value = Request> {
        let payload = || vec(any::<u8>(), 0..50);
        prop_oneof![
            (ident(), any::<bool>(), option::of(".{0,5}"), options()).prop_map(
                |(ident, force, directory, options)| Request::Load {
                    ident,
                    force,
                    directory,
                    options
                }
            ),
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
            (group(), "[a-z][a-z. ]{0,3}[a-z]", payload(), any::<u64>(), any::<bool>()).prop_map(
                |(group, filename, content, version, encrypted)| Request::PutFile {
                    group,
                    filename,
                    content,
                    version,
                    encrypted,
                }
            ),
            "[a-z]{1,5}".prop_map(|member_id| Request::Depart { member_id }),
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
