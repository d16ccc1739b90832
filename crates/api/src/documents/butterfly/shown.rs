//! How `/butterfly` is written: each store twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use roost_ident::{MemberHealth, ServiceConfig, ServiceFile};
use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::{ObjectBuilder, OneOfBuilder, Ref, Schema, Type},
};

use super::{Butterfly, Election, Member, Service, Store};

/// The rumors that this Supervisor holds. Each store appears twice: whole under an old key,
/// concisely under a newer one.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Shown<'a> {
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
