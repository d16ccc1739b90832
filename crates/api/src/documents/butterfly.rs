//! `/butterfly`: the rumors as this Supervisor holds them (reference: http-api §13).
//!
//! The document shows each store twice: whole, under an old key, and concisely, under a newer
//! one. The value here holds each store once; writing makes both.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use roost_ident::MemberHealth;
use serde::{Deserialize, Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema, Type},
};

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
    pub sys: RingSys,
    /// Always false in rumors of Habitat 2.1.
    pub initialized: bool,
}

/// A service config rumor, as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ServiceConfigRumor)]
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
    #[schema(value_type = Vec<u8>)]
    pub config: Arc<[u8]>,
}

/// A service file rumor, as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ServiceFileRumor)]
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
    #[schema(value_type = Vec<u8>)]
    pub body: Arc<[u8]>,
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

/// The rumors that this Supervisor holds. Each store appears twice: whole under an old key,
/// concisely under a newer one.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Shown<'a> {
    member: WholeMembers<'a>,
    /// Members by id.
    membership: BTreeMap<&'a str, ConciseMember<'a>>,
    service: WholeServices<'a>,
    /// By group and member id.
    #[schema(value_type = BTreeMap<String, BTreeMap<String, Service>>)]
    services: &'a BTreeMap<String, BTreeMap<String, Arc<Service>>>,
    service_config: WholeConfigs<'a>,
    /// By group.
    #[schema(schema_with = or_null::<ServiceConfig>)]
    latest_service_config: &'a BTreeMap<String, Option<ServiceConfig>>,
    service_file: WholeFiles<'a>,
    /// By group and file name.
    #[schema(value_type = BTreeMap<String, BTreeMap<String, ServiceFile>>)]
    service_files: &'a BTreeMap<String, BTreeMap<String, ServiceFile>>,
    election: WholeElections<'a>,
    /// By group.
    #[schema(schema_with = or_null::<Election>)]
    latest_election: &'a BTreeMap<String, Option<Election>>,
    election_update: WholeElections<'a>,
    /// By group.
    #[schema(schema_with = or_null::<Election>)]
    latest_election_update: &'a BTreeMap<String, Option<Election>>,
    departure: WholeDepartures<'a>,
    #[schema(value_type = Vec<String>)]
    departed_members: &'a BTreeSet<String>,
}

impl<'a> From<&'a Butterfly> for Shown<'a> {
    fn from(rumors: &'a Butterfly) -> Self {
        let members = &rumors.members;
        Self {
            member: WholeMembers::from(members),
            membership: by_id(members, |_, member| ConciseMember::from(member)),
            service: WholeServices {
                list: &rumors.services.list,
                update_counter: rumors.services.update_counter,
            },
            services: &rumors.services.list,
            service_config: WholeConfigs {
                list: by_id(&rumors.service_configs, |_, rumor| KeyedConfig {
                    service_config: rumor.as_ref(),
                }),
                update_counter: rumors.service_configs.update_counter,
            },
            latest_service_config: &rumors.service_configs.list,
            service_file: WholeFiles {
                list: &rumors.service_files.list,
                update_counter: rumors.service_files.update_counter,
            },
            service_files: &rumors.service_files.list,
            election: WholeElections::from(&rumors.elections),
            latest_election: &rumors.elections.list,
            election_update: WholeElections::from(&rumors.update_elections),
            latest_election_update: &rumors.update_elections.list,
            departure: WholeDepartures::from(rumors),
            departed_members: &rumors.departures,
        }
    }
}

/// A map of rumors, null after a purge.
fn or_null<T: ToSchema>() -> Schema {
    let rumor = OneOfBuilder::new()
        .item(Ref::from_schema_name(T::name()))
        .item(ObjectBuilder::new().schema_type(Type::Null));
    ObjectBuilder::new().additional_properties(Some(Schema::from(rumor.build()))).into()
}

/// The values of a store, changed.
fn by_id<'a, T, U>(
    store: &'a Store<T>,
    change: impl Fn(&'a str, &'a T) -> U,
) -> BTreeMap<&'a str, U> {
    store.list.iter().map(|(id, value)| (id.as_str(), change(id, value))).collect()
}

/// Members and their health, apart.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(deprecated)]
struct WholeMembers<'a> {
    members: BTreeMap<&'a str, WholeMember<'a>>,
    health: BTreeMap<&'a str, MemberHealth>,
    update_counter: u64,
}

impl<'a> From<&'a Store<Member>> for WholeMembers<'a> {
    fn from(store: &'a Store<Member>) -> Self {
        Self {
            members: by_id(store, WholeMember::new),
            health: by_id(store, |_, member| member.health),
            update_counter: store.update_counter,
        }
    }
}

/// Service rumors by group and member id.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(deprecated)]
struct WholeServices<'a> {
    #[schema(value_type = BTreeMap<String, BTreeMap<String, Service>>)]
    list: &'a BTreeMap<String, BTreeMap<String, Arc<Service>>>,
    update_counter: u64,
}

/// Service files by group and file name.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(deprecated)]
struct WholeFiles<'a> {
    #[schema(value_type = BTreeMap<String, BTreeMap<String, ServiceFile>>)]
    list: &'a BTreeMap<String, BTreeMap<String, ServiceFile>>,
    update_counter: u64,
}

/// Service configs by group.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(deprecated)]
struct WholeConfigs<'a> {
    list: BTreeMap<&'a str, KeyedConfig<'a>>,
    update_counter: u64,
}

/// The rumor under a name; nothing after a purge.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct KeyedConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = ServiceConfig)]
    service_config: Option<&'a ServiceConfig>,
}

/// Elections by group.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(deprecated)]
struct WholeElections<'a> {
    list: BTreeMap<&'a str, KeyedElection<'a>>,
    update_counter: u64,
}

impl<'a> From<&'a Store<Option<Election>>> for WholeElections<'a> {
    fn from(store: &'a Store<Option<Election>>) -> Self {
        Self {
            list: by_id(store, |_, rumor| KeyedElection { election: rumor.as_ref() }),
            update_counter: store.update_counter,
        }
    }
}

/// The rumor under a name; nothing after a purge.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct KeyedElection<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Election)]
    election: Option<&'a Election>,
}

/// Departed members below the key `departure`; without any, that key is missing.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(deprecated)]
struct WholeDepartures<'a> {
    list: BTreeMap<&'static str, BTreeMap<&'a str, Departure<'a>>>,
    update_counter: u64,
}

impl<'a> From<&'a Butterfly> for WholeDepartures<'a> {
    fn from(rumors: &'a Butterfly) -> Self {
        let ids = rumors.departures.iter();
        let records: BTreeMap<_, _> =
            ids.map(|id| (id.as_str(), Departure { member_id: id })).collect();
        let list = if records.is_empty() {
            BTreeMap::new()
        } else {
            BTreeMap::from([("departure", records)])
        };
        Self { list, update_counter: rumors.departure_counter }
    }
}

/// A departed member.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Departure<'a> {
    member_id: &'a str,
}

/// A membership record.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Member)]
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

/// A member with its health.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Membership)]
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
