//! Decoding of requests.

use roost_ident::{ServiceBind, ServiceGroup, ServiceOptions};
use roost_text::name::{self, NameKind};

use super::{
    MAX_PAYLOAD_BYTES, Refusal, Request,
    words::{BINDING_MODES, CONDITIONS, STRATEGIES, TOPOLOGIES, word},
};
use crate::{
    message::{self, Named},
    reply::{ErrorCode, Failure},
};

impl Request {
    /// Reads a request from its message id and body.
    ///
    /// # Errors
    /// Unknown ids and undecodable bodies end the connection without an answer; missing fields (9),
    /// too long payloads (8) and invalid groups (7) are answered.
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
                    filename: named(NameKind::File, needed(put.filename)?)?,
                    version: needed(put.version)?,
                    group: formed(needed(put.service_group)?)?,
                    encrypted: put.is_encrypted.unwrap_or(false),
                }
            }
            message::SupDepart::ID => {
                let depart: message::SupDepart = read(body)?;
                Self::Depart { member_id: named(NameKind::Member, needed(depart.member_id)?)? }
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

fn named(kind: NameKind, name: String) -> Result<String, Failure> {
    match name::check(kind, &name) {
        Ok(()) => Ok(name),
        Err(error) => Err(Failure::new(ErrorCode::InvalidPayload, error.to_string())),
    }
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

fn from_load(load: message::SvcLoad) -> Result<Request, Failure> {
    Ok(Request::Load {
        ident: needed(load.ident)?.into(),
        force: load.force.unwrap_or(false),
        directory: load.directory,
        options: ServiceOptions {
            group: load.group,
            topology: word(load.topology, &TOPOLOGIES),
            update_strategy: word(load.update_strategy, &STRATEGIES),
            update_condition: word(load.update_condition, &CONDITIONS),
            binds: formed_binds(load.binds)?,
            binding_mode: word(load.binding_mode, &BINDING_MODES),
            bldr_url: load.bldr_url,
            channel: load.bldr_channel,
            health_check_interval_s: load.health_check_interval.map(|interval| interval.seconds),
            shutdown_timeout_s: load.shutdown_timeout,
            config_from: load.config_from,
            svc_encrypted_password: load.svc_encrypted_password,
            restart_when_critical: load.restart_when_critical,
        },
    })
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
            channel: update.bldr_channel,
            health_check_interval_s: update.health_check_interval.map(|interval| interval.seconds),
            shutdown_timeout_s: update.shutdown_timeout,
            config_from: None,
            svc_encrypted_password: update.svc_encrypted_password,
            restart_when_critical: update.restart_when_critical,
        },
    })
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use roost_ident::PackageIdent;

    use super::*;
    use crate::request::REQUEST_IDS;

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
    fn missing_fields_mean_an_old_client() {
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
    fn invalid_names_are_answered_with_code_7() {
        let put = |filename: &str| message::SvcFilePut {
            service_group: Some((&"web.default".parse::<ServiceGroup>().expect("a group")).into()),
            content: Some(Vec::new()),
            filename: Some(filename.into()),
            version: Some(1),
            is_encrypted: None,
        };
        assert!(Request::decode("SvcFilePut", &put("a.txt").encode_to_vec()).is_ok());
        for name in ["", "..", "a/b", "a\nb", "a\u{1b}[2J"] {
            assert_eq!(code(refused("SvcFilePut", &put(name).encode_to_vec())), 7, "{name:?}");
        }
        let depart = message::SupDepart { member_id: Some("x\ty".into()) };
        assert_eq!(code(refused("SupDepart", &depart.encode_to_vec())), 7);
        let group = (&"pg.default".parse::<ServiceGroup>().expect("a group")).into();
        let bind = message::ServiceBind { name: "d\tb".into(), service_group: group };
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
}
