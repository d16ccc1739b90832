//! Conversion of the ring's view into input of the census (reference: ring §15.1).

use std::{collections::BTreeSet, sync::Arc};

use roost_census::{
    Census, ConfigFact, Counters, Decrypt, ElectionFact, FileFact, Input, MemberFact, ServiceFact,
    Update,
};
use roost_ident::{ElectionStatus, ServiceGroup};
use roost_ring::{Rumors, View, rumor};

/// Applies the differences between two views to the census. Leaves out rumors of groups without a
/// valid name: no document and no template could show them.
pub(crate) fn update(
    census: &mut Census,
    before: &View,
    view: &View,
    keys_changed: bool,
    decrypt: Decrypt<'_>,
) -> Update {
    let groups = changed_groups(census, before, view, keys_changed);
    // The ring stores ids and groups in another form; the census borrows these.
    let services: Vec<_> = groups
        .iter()
        .flat_map(|group| of_group(&view.services, group))
        .map(|(rumor, group)| (rumor, rumor.member_id.to_string(), group))
        .collect();
    let configs = groups.iter().flat_map(|group| of_group(&view.service_configs, group));
    let files = groups.iter().flat_map(|group| of_group(&view.service_files, group));
    let elections = candidates(&view.elections, &groups);
    let update_elections = candidates(&view.update_elections, &groups);
    let members: Vec<_> = view
        .members
        .changed_since(&before.members)
        .map(|roost_ring::Listed { member, health, .. }| {
            let address = member.address.map_or_else(String::new, |address| address.to_string());
            (member.id.to_string(), address, member.gossip_port, *health)
        })
        .collect();

    let input = Input {
        services: services.iter().map(|(rumor, id, group)| service(rumor, id, group)).collect(),
        elections: elections.iter().map(election).collect(),
        update_elections: update_elections.iter().map(election).collect(),
        configs: configs
            .map(|(rumor, group)| ConfigFact {
                group,
                incarnation: rumor.incarnation,
                encrypted: rumor.encrypted,
                config: &rumor.config,
            })
            .collect(),
        files: files
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
        keys_changed,
    };
    census.update(&input, decrypt)
}

/// Groups that have changed, became visible, may have a newly read config, or have contents that a
/// new key may decrypt.
fn changed_groups(
    census: &Census,
    before: &View,
    view: &View,
    keys_changed: bool,
) -> BTreeSet<ServiceGroup> {
    let names = changed(&before.services, &view.services)
        .chain(changed(&before.service_configs, &view.service_configs))
        .chain(changed(&before.service_files, &view.service_files))
        .chain(changed(&before.elections, &view.elections))
        .chain(changed(&before.update_elections, &view.update_elections));
    let groups = names.filter_map(|name| name.parse().ok());
    let locked = census.locked().filter(|_| keys_changed);
    let known = census.newly_visible().chain(census.waiting()).chain(locked);
    groups.chain(known.cloned()).collect()
}

fn changed<'a, T>(
    before: &'a Arc<Rumors<T>>,
    now: &'a Arc<Rumors<T>>,
) -> impl Iterator<Item = &'a Arc<str>> {
    let is_different = !Arc::ptr_eq(before, now);
    is_different.then(|| now.changed_since(before)).into_iter().flatten()
}

/// The rumors of a store that belong to a group.
fn of_group<'a, T>(
    rumors: &'a Rumors<T>,
    group: &'a ServiceGroup,
) -> impl Iterator<Item = (&'a T, &'a ServiceGroup)> {
    let rumors = rumors.list.get(group.as_str()).into_iter().flat_map(|rumors| rumors.values());
    rumors.map(move |rumor| (rumor.as_ref(), group))
}

fn candidates<'a, T: AsRef<rumor::Election>>(
    rumors: &'a Rumors<T>,
    groups: &'a BTreeSet<ServiceGroup>,
) -> Vec<(&'a rumor::Election, String)> {
    let rumors = groups.iter().flat_map(|group| of_group(rumors, group));
    let elections = rumors.map(|(rumor, _)| rumor.as_ref());
    elections.map(|election| (election, election.member_id.to_string())).collect()
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
    ServiceFact {
        member_id,
        group,
        incarnation: rumor.incarnation,
        pkg_incarnation: rumor.pkg_incarnation,
        pkg: &rumor.pkg,
        cfg: &rumor.cfg,
        sys: &rumor.sys,
    }
}

#[cfg(test)]
mod tests {
    use roost_ring::{Command, Config, Input as RingInput, Me, MemberId, Now, OwnService, Ring};

    use roost_census::Closed;

    use super::*;

    fn publish(group: &str, cfg: &'static str) -> Command {
        Command::PublishService(OwnService {
            group: group.into(),
            pkg: "acme/db/1.0/20250101000000".into(),
            cfg: cfg.into(),
            sys: roost_ring::SysInfo::default(),
            pkg_incarnation: 0,
        })
    }

    fn apply(group: &str, incarnation: u64, config: &'static str) -> Command {
        let (group, config) = (group.into(), config.into());
        Command::SetServiceConfig { group, incarnation, encrypted: false, config }
    }

    fn upload(group: &str, incarnation: u64) -> Command {
        Command::SetServiceFile {
            group: group.into(),
            incarnation,
            encrypted: true,
            filename: "a.txt".into(),
            body: "x".into(),
        }
    }

    /// The groups of a census as comparable text.
    fn groups(census: &Census) -> String {
        census.groups().map(|group| format!("{group:?}\n")).collect()
    }

    #[test]
    fn the_differences_of_two_views_suffice_for_the_census() {
        let me = Me { id: MemberId::from_bits(1), incarnation: 0, port: 1, permanent: false };
        let id = me.id.to_string();
        let mut ring = Ring::new(Config::default(), me, None, 1, Now(0));
        let nothing = View::empty(MemberId::from_bits(1));
        let mut before = ring.view();
        let (mut whole, mut partly) = (Census::new(&id), Census::new(&id));
        // the key arrives late
        let mut keys = 0;
        for command in [
            apply("db.default", 1, "port = 1"),
            publish("db.default", "port = 5432"),
            publish("web.default", ""),
            Command::StartElection { group: "db.default".into(), suitability: 1 },
            apply("db.default", 2, "port = 2"),
            apply("web.default", 1, "port"),
            upload("web.default", 1),
            publish("db.default", "port = 5433"),
            Command::DepartMember(MemberId::from_bits(7)),
            upload("cache.default", 3),
            publish("web.default", "a = 1"),
        ] {
            ring.handle(Now(1), RingInput::Command(command)).expect("the ring takes it");
            let view = ring.view();
            keys += 1;
            let mut decrypt = |message: &[u8]| {
                if keys < 9 {
                    Err(Closed::Refused("no key".to_owned()))
                } else {
                    Ok(message.to_vec())
                }
            };
            let expected = update(&mut whole, &nothing, &view, true, &mut decrypt);
            let news = update(&mut partly, &before, &view, true, &mut decrypt);
            assert_eq!(news, expected, "{keys}");
            assert_eq!(groups(&partly), groups(&whole), "{keys}");
            before = view;
        }
        let file = |name: &str| {
            let name: ServiceGroup = name.parse().expect("a group");
            partly.group(&name).map(|group| group.service_files.len())
        };
        assert_eq!((file("web.default"), file("cache.default")), (Some(1), Some(1)));
        let same = update(&mut partly, &before, &before, true, &mut |_| Err(Closed::Later));
        assert_eq!(same, Update::default());
    }
}
