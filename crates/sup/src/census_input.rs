//! From the ring's view to what the census is made of (ring chapter 15.1).

use roost_census::{
    Census, ConfigFact, Counters, Decrypt, ElectionFact, FileFact, Input, MemberFact, ServiceFact,
    SysFact, Update,
};
use roost_ident::{ElectionStatus, ServiceGroup};
use roost_ring::{Rumors, View, rumor};

/// Takes the ring's state into the census. Rumors of groups whose name is no service group are
/// left out: no document and no template could show them.
pub(crate) fn update(census: &mut Census, view: &View, decrypt: Decrypt<'_>) -> Update {
    // Ids and groups are kept in other forms by the ring; the census borrows these.
    let services: Vec<_> = view
        .services
        .iter()
        .filter_map(|rumor| Some((rumor, rumor.member_id.to_string(), group(&rumor.group)?)))
        .collect();
    let configs: Vec<_> = view
        .service_configs
        .iter()
        .filter_map(|rumor| Some((rumor, group(&rumor.group)?)))
        .collect();
    let files: Vec<_> =
        view.service_files.iter().filter_map(|rumor| Some((rumor, group(&rumor.group)?))).collect();
    let elections = candidates(&view.elections);
    let update_elections = candidates(&view.update_elections);
    let members: Vec<_> = view
        .members
        .members
        .iter()
        .map(|(member, health)| {
            let address = member.address.map_or_else(String::new, |address| address.to_string());
            (member.id.to_string(), address, member.gossip_port, *health)
        })
        .collect();

    let input = Input {
        services: services.iter().map(|(rumor, id, group)| service(rumor, id, group)).collect(),
        elections: elections.iter().map(election).collect(),
        update_elections: update_elections.iter().map(election).collect(),
        configs: configs
            .iter()
            .map(|(rumor, group)| ConfigFact {
                group,
                incarnation: rumor.incarnation,
                encrypted: rumor.encrypted,
                config: &rumor.config,
            })
            .collect(),
        files: files
            .iter()
            .map(|(rumor, group)| FileFact {
                group,
                filename: &rumor.filename,
                incarnation: rumor.incarnation,
                encrypted: rumor.encrypted,
                body: &rumor.body,
            })
            .collect(),
        members: members
            .iter()
            .map(|(id, address, gossip_port, health)| MemberFact {
                member_id: id,
                address,
                gossip_port: *gossip_port,
                health: *health,
            })
            .collect(),
        counters: Counters {
            service: view.services.update_counter,
            election: view.elections.update_counter,
            election_update: view.update_elections.update_counter,
            membership: view.members.update_counter,
            service_config: view.service_configs.update_counter,
            service_file: view.service_files.update_counter,
        },
    };
    census.update(&input, decrypt)
}

fn group(text: &str) -> Option<ServiceGroup> {
    text.parse().ok()
}

fn candidates(rumors: &Rumors<rumor::Election>) -> Vec<(&rumor::Election, String)> {
    rumors.iter().map(|rumor| (rumor.as_ref(), rumor.member_id.to_string())).collect()
}

fn election<'a>((rumor, candidate): &'a (&rumor::Election, String)) -> ElectionFact<'a> {
    ElectionFact {
        group: &rumor.group,
        candidate,
        status: match rumor.status {
            rumor::Status::Running => ElectionStatus::InProgress,
            rumor::Status::NoQuorum => ElectionStatus::NoQuorum,
            rumor::Status::Finished => ElectionStatus::Finished,
        },
    }
}

fn service<'a>(
    rumor: &'a rumor::Service,
    member_id: &'a str,
    group: &'a ServiceGroup,
) -> ServiceFact<'a> {
    let port = |port: u32| u16::try_from(port).unwrap_or_default();
    let sys = &rumor.sys;
    ServiceFact {
        member_id,
        group,
        incarnation: rumor.incarnation,
        pkg_incarnation: rumor.pkg_incarnation,
        pkg: &rumor.pkg,
        cfg: &rumor.cfg,
        sys: SysFact {
            ip: &sys.ip,
            hostname: &sys.hostname,
            gossip_ip: &sys.gossip_ip,
            gossip_port: port(sys.gossip_port),
            http_gateway_ip: &sys.http_gateway_ip,
            http_gateway_port: port(sys.http_gateway_port),
            ctl_gateway_ip: &sys.ctl_gateway_ip,
            ctl_gateway_port: port(sys.ctl_gateway_port),
        },
    }
}
