//! Inputs of a census that own their data, so that tests can read them from documents.

use roost_census::{
    Census, ConfigFact, Counters, ElectionFact, FileFact, Input, MemberFact, ServiceFact, SysFact,
    SysInfo, Update,
};
use roost_ident::{ElectionStatus, MemberHealth, ServiceGroup};
use serde_json::Value;

#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) member_id: String,
    pub(crate) group: ServiceGroup,
    pub(crate) incarnation: u64,
    pub(crate) pkg_incarnation: u64,
    pub(crate) pkg: String,
    pub(crate) cfg: Vec<u8>,
    pub(crate) sys: SysInfo,
}

#[derive(Debug, Clone)]
pub(crate) struct Content {
    pub(crate) group: ServiceGroup,
    pub(crate) filename: String,
    pub(crate) incarnation: u64,
    pub(crate) encrypted: bool,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) type Election = (String, String, ElectionStatus);
pub(crate) type Member = (String, String, u16, MemberHealth);

/// The state of a ring.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ring {
    pub(crate) services: Vec<Service>,
    pub(crate) elections: Vec<Election>,
    pub(crate) update_elections: Vec<Election>,
    pub(crate) configs: Vec<Content>,
    pub(crate) files: Vec<Content>,
    pub(crate) members: Vec<Member>,
    pub(crate) counters: Counters,
}

/// "Decrypts" by turning the bytes around; a message that starts with `x` has no key.
pub(crate) fn decrypt(message: &[u8]) -> Result<Vec<u8>, String> {
    if message.starts_with(b"x") {
        return Err("Key not found".into());
    }
    Ok(message.iter().rev().copied().collect())
}

impl Ring {
    pub(crate) fn update(&self, census: &mut Census) -> Update {
        census.update(&self.input(), &mut decrypt)
    }

    pub(crate) fn input(&self) -> Input<'_> {
        Input {
            services: self.services.iter().map(service_fact).collect(),
            elections: self.elections.iter().map(election_fact).collect(),
            update_elections: self.update_elections.iter().map(election_fact).collect(),
            configs: self.configs.iter().map(config_fact).collect(),
            files: self.files.iter().map(file_fact).collect(),
            members: self.members.iter().map(member_fact).collect(),
            counters: self.counters,
        }
    }
}

fn service_fact(service: &Service) -> ServiceFact<'_> {
    let sys = &service.sys;
    ServiceFact {
        member_id: &service.member_id,
        group: &service.group,
        incarnation: service.incarnation,
        pkg_incarnation: service.pkg_incarnation,
        pkg: &service.pkg,
        cfg: &service.cfg,
        sys: SysFact {
            ip: &sys.ip,
            hostname: &sys.hostname,
            gossip_ip: &sys.gossip_ip,
            gossip_port: sys.gossip_port,
            http_gateway_ip: &sys.http_gateway_ip,
            http_gateway_port: sys.http_gateway_port,
            ctl_gateway_ip: &sys.ctl_gateway_ip,
            ctl_gateway_port: sys.ctl_gateway_port,
        },
    }
}

fn election_fact((group, candidate, status): &Election) -> ElectionFact<'_> {
    ElectionFact { group, candidate, status: *status }
}

fn member_fact((member_id, address, gossip_port, health): &Member) -> MemberFact<'_> {
    MemberFact { member_id, address, gossip_port: *gossip_port, health: *health }
}

fn config_fact(content: &Content) -> ConfigFact<'_> {
    let Content { group, incarnation, encrypted, bytes, .. } = content;
    ConfigFact { group, incarnation: *incarnation, encrypted: *encrypted, config: bytes }
}

fn file_fact(content: &Content) -> FileFact<'_> {
    let Content { group, filename, incarnation, encrypted, bytes } = content;
    FileFact { group, filename, incarnation: *incarnation, encrypted: *encrypted, body: bytes }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().expect("text").into()
}

pub(crate) fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

pub(crate) fn port(value: &Value) -> u16 {
    number(value).try_into().expect("a port")
}

pub(crate) fn sys(value: &Value) -> SysInfo {
    SysInfo {
        ip: text(&value["ip"]),
        hostname: text(&value["hostname"]),
        gossip_ip: text(&value["gossip_ip"]),
        gossip_port: port(&value["gossip_port"]),
        http_gateway_ip: text(&value["http_gateway_ip"]),
        http_gateway_port: port(&value["http_gateway_port"]),
        ctl_gateway_ip: text(&value["ctl_gateway_ip"]),
        ctl_gateway_port: port(&value["ctl_gateway_port"]),
    }
}

/// A table shown as JSON, as the TOML that a rumor carries.
pub(crate) fn toml_bytes(cfg: &Value) -> Vec<u8> {
    let table: toml::Table = serde_json::from_value(cfg.clone()).expect("a table");
    toml::to_string(&table).expect("TOML").into_bytes()
}

/// Whose entry it is, in a document whose keys name the owners.
pub(crate) fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().expect("an object").iter()
}
