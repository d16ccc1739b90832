//! Owned inputs of a census, so that tests can read them from documents.

use roost_census::{
    Census, Closed, ConfigFact, Counters, ElectionFact, FileFact, Input, MemberFact, ServiceFact,
    Update,
};
use roost_ident::{ElectionStatus, MemberHealth, ServiceGroup, SysInfo};
use serde_json::Value;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Service {
    pub(crate) member_id: String,
    pub(crate) group: ServiceGroup,
    pub(crate) incarnation: u64,
    pub(crate) pkg_incarnation: u64,
    pub(crate) pkg: String,
    pub(crate) cfg: Vec<u8>,
    pub(crate) sys: SysInfo,
}

#[derive(Debug, Clone, PartialEq)]
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
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Ring {
    pub(crate) services: Vec<Service>,
    pub(crate) elections: Vec<Election>,
    pub(crate) update_elections: Vec<Election>,
    pub(crate) configs: Vec<Content>,
    pub(crate) files: Vec<Content>,
    pub(crate) members: Vec<Member>,
    pub(crate) counters: Counters,
}

/// "Decrypts" by reversing the bytes; a message that starts with `x` has no key.
pub(crate) fn decrypt(message: &[u8]) -> Result<Vec<u8>, Closed> {
    if message.starts_with(b"x") {
        return Err(Closed::Refused("Key not found".into()));
    }
    Ok(message.iter().rev().copied().collect())
}

impl Ring {
    pub(crate) fn update(&self, census: &mut Census) -> Update {
        census.update(&self.input(), &mut decrypt)
    }

    /// Adds to a later state what it lacks of this one.
    pub(crate) fn carry_over(&self, later: &mut Self) {
        fn add<T: Clone>(old: &[T], new: &mut Vec<T>, is_same: impl Fn(&T, &T) -> bool) {
            let missing: Vec<T> =
                old.iter().filter(|old| !new.iter().any(|n| is_same(old, n))).cloned().collect();
            new.extend(missing);
        }
        let by_name = |a: &Content, b: &Content| (&a.group, &a.filename) == (&b.group, &b.filename);
        add(&self.services, &mut later.services, |a, b| {
            (&a.group, &a.member_id) == (&b.group, &b.member_id)
        });
        add(&self.elections, &mut later.elections, |a, b| a.0 == b.0);
        add(&self.configs, &mut later.configs, |a, b| a.group == b.group);
        add(&self.files, &mut later.files, by_name);
        add(&self.members, &mut later.members, |a, b| a.0 == b.0);
    }

    /// The changed groups of a later state, and the changed members.
    pub(crate) fn what_is_new_in(&self, later: &Self) -> Self {
        let of = |ring: &Self, group: &str| Self {
            services: ring.services.iter().filter(|s| s.group.as_str() == group).cloned().collect(),
            elections: ring.elections.iter().filter(|e| e.0 == group).cloned().collect(),
            update_elections: Vec::new(),
            configs: ring.configs.iter().filter(|c| c.group.as_str() == group).cloned().collect(),
            files: ring.files.iter().filter(|f| f.group.as_str() == group).cloned().collect(),
            members: Vec::new(),
            counters: later.counters,
        };
        let mut news = Self { counters: later.counters, ..Self::default() };
        for name in ["w.default", "x.default", "y.default"] {
            let (mut old, mut new) = (of(self, name), of(later, name));
            for ring in [&mut old, &mut new] {
                ring.services.sort_by(|a, b| a.member_id.cmp(&b.member_id));
                ring.files.sort_by(|a, b| a.filename.cmp(&b.filename));
            }
            if old != new {
                news.services.extend(new.services);
                news.elections.extend(new.elections);
                news.configs.extend(new.configs);
                news.files.extend(new.files);
            }
        }
        news.members =
            later.members.iter().filter(|m| !self.members.contains(m)).cloned().collect();
        news
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
            keys_changed: true,
        }
    }
}

fn service_fact(service: &Service) -> ServiceFact<'_> {
    ServiceFact {
        member_id: &service.member_id,
        group: &service.group,
        incarnation: service.incarnation,
        pkg_incarnation: service.pkg_incarnation,
        pkg: &service.pkg,
        cfg: &service.cfg,
        sys: &service.sys,
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
        gossip_port: port(&value["gossip_port"]).into(),
        http_gateway_ip: text(&value["http_gateway_ip"]),
        http_gateway_port: port(&value["http_gateway_port"]).into(),
        ctl_gateway_ip: text(&value["ctl_gateway_ip"]),
        ctl_gateway_port: port(&value["ctl_gateway_port"]).into(),
    }
}

/// A JSON table as the TOML of a rumor.
pub(crate) fn toml_bytes(cfg: &Value) -> Vec<u8> {
    let table: toml::Table = serde_json::from_value(cfg.clone()).expect("a table");
    toml::to_string(&table).expect("TOML").into_bytes()
}

/// Entries of a document whose keys are their owners.
pub(crate) fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().expect("an object").iter()
}
