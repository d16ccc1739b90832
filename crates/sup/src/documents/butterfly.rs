//! `/butterfly` from the ring's view (reference: ring §15.2).

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use roost_api::documents::{
    ConfigTable, TableSource,
    butterfly::{Butterfly, Election, Member, RumorElectionStatus, Service, Store},
};
use roost_census::Content;
use roost_ring::{Rumors, View, rumor};

/// The document of a view.
pub(crate) fn document(view: &View) -> Butterfly {
    Butterfly {
        members: Store {
            list: view.members.iter().map(member).collect(),
            update_counter: view.members.update_counter,
        },
        services: store(&view.services, |rumors| {
            rumors.iter().map(|(id, rumor)| (id.to_string(), Arc::new(service(rumor)))).collect()
        }),
        service_configs: store(&view.service_configs, |rumors| first(rumors).cloned()),
        service_files: store(&view.service_files, |rumors| {
            rumors.iter().map(|(name, rumor)| (name.to_string(), rumor.as_ref().clone())).collect()
        }),
        elections: store(&view.elections, |rumors| first(rumors).map(election)),
        update_elections: store(&view.update_elections, |rumors| {
            first(rumors).map(|rumor| election(rumor))
        }),
        departures: view.departures.iter().map(|rumor| rumor.member_id.to_string()).collect(),
        departure_counter: view.departures.update_counter,
    }
}

type Group<T> = BTreeMap<Arc<str>, Arc<T>>;

fn store<T, U>(rumors: &Rumors<T>, group: impl Fn(&Group<T>) -> U) -> Store<U> {
    let list = rumors.list.iter().map(|(key, rumors)| (key.to_string(), group(rumors))).collect();
    Store { list, update_counter: rumors.update_counter }
}

/// For kinds with one rumor per group; a purged group has none.
fn first<T>(rumors: &Group<T>) -> Option<&T> {
    rumors.values().next().map(Arc::as_ref)
}

fn member(listed: &roost_ring::Listed) -> (String, Member) {
    let roost_ring::Listed { member, health, .. } = listed;
    let shown = Member {
        incarnation: member.incarnation,
        address: member.address.map_or_else(String::new, |address| address.to_string()),
        swim_port: member.swim_port,
        gossip_port: member.gossip_port,
        persistent: member.persistent,
        departed: member.departed,
        probe_ping: member.probe_ping,
        health: *health,
    };
    (member.id.to_string(), shown)
}

/// Exports of a member, parsed while serialised.
#[derive(Debug)]
struct Exports(Bytes);

impl TableSource for Exports {
    fn table(&self) -> Arc<toml::Table> {
        Content::peek_exports(&self.0)
    }
}

fn service(rumor: &rumor::Service) -> Service {
    Service {
        member_id: rumor.member_id.to_string(),
        service_group: rumor.group.clone(),
        package: rumor.pkg.clone(),
        package_incarnation: rumor.pkg_incarnation,
        incarnation: rumor.incarnation,
        cfg: ConfigTable::from_source(Exports(rumor.cfg.clone())),
        sys: rumor.sys.clone(),
        initialized: rumor.initialized,
    }
}

fn election(rumor: &rumor::Election) -> Election {
    Election {
        member_id: rumor.member_id.to_string(),
        service_group: rumor.group.clone(),
        term: rumor.term,
        suitability: rumor.suitability,
        status: match rumor.status {
            rumor::Status::Running => RumorElectionStatus::Running,
            rumor::Status::NoQuorum => RumorElectionStatus::NoQuorum,
            rumor::Status::Finished => RumorElectionStatus::Finished,
        },
        votes: rumor.votes.iter().map(ToString::to_string).collect(),
    }
}
