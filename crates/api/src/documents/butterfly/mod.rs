//! `/butterfly`: the rumors as this Supervisor holds them (reference: http-api §13).
//!
//! The document shows each store twice: whole, under an old key, and concisely, under a newer
//! one. The value here holds each store once; writing makes both.

mod shown;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use roost_ident::{MemberHealth, ServiceConfig, ServiceFile, SysInfo};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use self::shown::Shown;
use super::ConfigTable;

/// All rumors. `update_counter` of each store counts changes since the process started.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Butterfly {
    /// Members by id.
    pub members: Store<Member>,
    /// Service rumors by group and member id.
    pub services: Store<BTreeMap<String, Arc<Service>>>,
    /// Service configs by group; `None` after a purge.
    pub service_configs: Store<Option<ServiceConfig>>,
    /// Service files by group and file name.
    pub service_files: Store<BTreeMap<String, ServiceFile>>,
    /// Elections by group; `None` after a purge.
    pub elections: Store<Option<Election>>,
    /// Update elections by group; `None` after a purge.
    pub update_elections: Store<Option<Election>>,
    /// Ids of departed members.
    pub departures: BTreeSet<String>,
    /// Changes of `departures`.
    pub departure_counter: u64,
}

/// One store of rumors.
#[derive(Debug, Clone, PartialEq)]
pub struct Store<T> {
    /// Rumors by group, or members by id.
    pub list: BTreeMap<String, T>,
    /// Accepted changes since the process started.
    pub update_counter: u64,
}

impl<T> Default for Store<T> {
    fn default() -> Self {
        Self { list: BTreeMap::new(), update_counter: 0 }
    }
}

/// A membership record and the health that goes with it. Its id is its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Version of the record.
    pub incarnation: u64,
    /// IP address.
    pub address: String,
    /// Port for probes.
    pub swim_port: u16,
    /// Port for gossip.
    pub gossip_port: u16,
    /// Whether it is a permanent peer.
    pub persistent: bool,
    /// The flag in the last membership record; normally false even after a departure.
    pub departed: bool,
    /// Normally false.
    pub probe_ping: bool,
    /// Its health.
    pub health: MemberHealth,
}

/// A service rumor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ServiceRumor)]
pub struct Service {
    /// Who runs the service.
    pub member_id: String,
    /// The group it is in.
    pub service_group: String,
    /// Package as text.
    pub package: String,
    /// Incarnation of the package.
    pub package_incarnation: u64,
    /// Version of the rumor.
    pub incarnation: u64,
    /// Exported configuration, empty if it does not parse.
    pub cfg: ConfigTable,
    /// Addresses of the member.
    pub sys: SysInfo,
    /// Always false in rumors of Habitat 2.1.
    pub initialized: bool,
}

/// An election rumor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ElectionRumor)]
pub struct Election {
    /// Who is winning.
    pub member_id: String,
    /// In which group.
    pub service_group: String,
    /// Number of the election.
    pub term: u64,
    /// Suitability of the winner.
    pub suitability: u64,
    /// How far it is.
    pub status: RumorElectionStatus,
    /// Who has voted.
    pub votes: Vec<String>,
}

/// State of an election rumor; spelled differently from the other documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum RumorElectionStatus {
    /// Votes are being gathered.
    Running,
    /// Too few members are alive.
    NoQuorum,
    /// There is a winner.
    Finished,
}

impl Serialize for Butterfly {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Shown::from(self).serialize(serializer)
    }
}

impl ToSchema for Butterfly {
    fn name() -> Cow<'static, str> {
        "Butterfly".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Shown::schemas(schemas);
    }
}

impl PartialSchema for Butterfly {
    fn schema() -> RefOr<Schema> {
        Shown::schema()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_store_is_habitats_472_bytes() {
        let json = serde_json::to_string(&Butterfly::default()).expect("JSON");
        assert_eq!(json.len(), 472);
        assert!(json.starts_with(
            r#"{"member":{"members":{},"health":{},"update_counter":0},"membership":{},"service":{"list":{}"#
        ));
    }

    #[test]
    fn a_purged_rumor_leaves_an_empty_map_and_null() {
        let mut butterfly = Butterfly::default();
        butterfly.service_configs.list.insert("web.default".into(), None);
        let json = serde_json::to_value(&butterfly).expect("JSON");
        assert_eq!(json["service_config"]["list"]["web.default"], serde_json::json!({}));
        assert_eq!(json["latest_service_config"]["web.default"], serde_json::Value::Null);
    }

    #[test]
    fn a_departure_shows_in_both_forms() {
        let butterfly = Butterfly {
            departures: BTreeSet::from(["0e7a".to_owned()]),
            departure_counter: 1,
            ..Butterfly::default()
        };
        let json = serde_json::to_value(&butterfly).expect("JSON");
        assert_eq!(
            json["departure"],
            serde_json::json!({"list":{"departure":{"0e7a":{"member_id":"0e7a"}}},"update_counter":1})
        );
        assert_eq!(json["departed_members"], serde_json::json!(["0e7a"]));
    }
}
