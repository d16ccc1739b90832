//! `/butterfly`: the rumors as this Supervisor holds them (reference: http-api §13).
//!
//! The document shows each store twice: whole, under an old key, and concisely, under a newer
//! one. The value here holds each store once; writing makes both.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use roost_ident::MemberHealth;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};

use super::{ConfigTable, RingSys};

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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
    pub sys: RingSys,
    /// Always false in rumors of Habitat 2.1.
    pub initialized: bool,
}

/// A service config rumor, as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceConfig {
    /// Who sent it; `butterflyclient` for what came through the control gateway.
    pub from_id: String,
    /// For which group.
    pub service_group: String,
    /// Version of the rumor.
    pub incarnation: u64,
    /// Whether `config` is encrypted.
    pub encrypted: bool,
    /// Raw bytes, an array of numbers.
    pub config: Arc<[u8]>,
}

/// A service file rumor, as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceFile {
    /// Who sent it; `butterflyclient` for what came through the control gateway.
    pub from_id: String,
    /// For which group.
    pub service_group: String,
    /// Version of the rumor.
    pub incarnation: u64,
    /// Whether `body` is encrypted.
    pub encrypted: bool,
    /// Name of the file.
    pub filename: String,
    /// Raw bytes, an array of numbers.
    pub body: Arc<[u8]>,
}

/// An election rumor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
        let mut map = serializer.serialize_map(Some(14))?;
        map.serialize_entry("member", &WholeMembers(&self.members))?;
        map.serialize_entry("membership", &mapped(&self.members.list, ConciseMember::from))?;
        map.serialize_entry("service", &whole(&self.services))?;
        map.serialize_entry("services", &self.services.list)?;
        map.serialize_entry("service_config", &keyed("service_config", &self.service_configs))?;
        map.serialize_entry("latest_service_config", &self.service_configs.list)?;
        map.serialize_entry("service_file", &whole(&self.service_files))?;
        map.serialize_entry("service_files", &self.service_files.list)?;
        map.serialize_entry("election", &keyed("election", &self.elections))?;
        map.serialize_entry("latest_election", &self.elections.list)?;
        map.serialize_entry("election_update", &keyed("election", &self.update_elections))?;
        map.serialize_entry("latest_election_update", &self.update_elections.list)?;
        map.serialize_entry("departure", &self.whole_departures())?;
        map.serialize_entry("departed_members", &self.departures)?;
        map.end()
    }
}

impl Butterfly {
    fn whole_departures(&self) -> Whole<BTreeMap<&'static str, BTreeMap<&str, Departure<'_>>>> {
        let records: BTreeMap<_, _> =
            self.departures.iter().map(|id| (id.as_str(), Departure { member_id: id })).collect();
        let list = if records.is_empty() {
            BTreeMap::new()
        } else {
            BTreeMap::from([("departure", records)])
        };
        Whole { list, update_counter: self.departure_counter }
    }
}

#[derive(Serialize)]
struct Departure<'a> {
    member_id: &'a str,
}

/// The old shape of a store.
#[derive(Serialize)]
struct Whole<L> {
    list: L,
    update_counter: u64,
}

fn whole<T: Serialize>(store: &Store<T>) -> Whole<&BTreeMap<String, T>> {
    Whole { list: &store.list, update_counter: store.update_counter }
}

/// The old shape of a store with one rumor per group: `{group: {key: rumor}}`, the inner map
/// being empty after a purge.
fn keyed<'a, T: Serialize>(
    key: &'static str,
    store: &'a Store<Option<T>>,
) -> Whole<impl Serialize + use<'a, T>> {
    let list = mapped(&store.list, move |rumor: &'a Option<T>| {
        rumor.iter().map(|rumor| (key, rumor)).collect::<BTreeMap<_, _>>()
    });
    Whole { list, update_counter: store.update_counter }
}

/// A map whose values are changed while it is written.
struct Mapped<'a, T, F>(&'a BTreeMap<String, T>, F);

fn mapped<'a, T, U: Serialize, F: Fn(&'a T) -> U>(
    map: &'a BTreeMap<String, T>,
    change: F,
) -> Mapped<'a, T, F> {
    Mapped(map, change)
}

impl<'a, T, U: Serialize, F: Fn(&'a T) -> U> Serialize for Mapped<'a, T, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, (self.1)(value))))
    }
}

struct WholeMembers<'a>(&'a Store<Member>);

impl Serialize for WholeMembers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let members: BTreeMap<_, _> =
            self.0.list.iter().map(|(id, member)| (id, WholeMember::new(id, member))).collect();
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("members", &members)?;
        map.serialize_entry("health", &mapped(&self.0.list, |member| member.health))?;
        map.serialize_entry("update_counter", &self.0.update_counter)?;
        map.end()
    }
}

#[derive(Serialize)]
struct WholeMember<'a> {
    id: &'a str,
    incarnation: u64,
    address: &'a str,
    swim_port: u16,
    gossip_port: u16,
    persistent: bool,
    departed: bool,
    probe_ping: bool,
}

impl<'a> WholeMember<'a> {
    fn new(id: &'a str, member: &'a Member) -> Self {
        Self {
            id,
            incarnation: member.incarnation,
            address: &member.address,
            swim_port: member.swim_port,
            gossip_port: member.gossip_port,
            persistent: member.persistent,
            departed: member.departed,
            probe_ping: member.probe_ping,
        }
    }
}

#[derive(Serialize)]
struct ConciseMember<'a> {
    address: &'a str,
    gossip_port: u16,
    incarnation: u64,
    persistent: bool,
    swim_port: u16,
    health: MemberHealth,
}

impl<'a> From<&'a Member> for ConciseMember<'a> {
    fn from(member: &'a Member) -> Self {
        Self {
            address: &member.address,
            gossip_port: member.gossip_port,
            incarnation: member.incarnation,
            persistent: member.persistent,
            swim_port: member.swim_port,
            health: member.health,
        }
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
