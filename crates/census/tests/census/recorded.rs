//! The census of Habitat 2.1.78, rebuilt from its rumors of the same moment.

#![expect(clippy::disallowed_methods, reason = "recordings are files")]

use std::{collections::BTreeSet, fs, path::Path, sync::Arc};

use roost_census::{Census, Counters, Group, Member};
use roost_ident::{ElectionStatus, MemberHealth};
use serde_json::{Value, json};

use crate::ring::{Content, Election, Ring, Service, entries, number, port, sys, text, toml_bytes};

fn elections(store: &Value) -> Vec<Election> {
    let election = |(group, by_key): (&String, &Value)| {
        let election = &by_key["election"];
        let status = match election["status"].as_str().expect("a status") {
            "Running" => ElectionStatus::InProgress,
            "NoQuorum" => ElectionStatus::NoQuorum,
            _ => ElectionStatus::Finished,
        };
        (group.clone(), text(&election["member_id"]), status)
    };
    entries(&store["list"]).map(election).collect()
}

fn contents(store: &Value, bytes: &str) -> Vec<Content> {
    let by_group = entries(&store["list"]).flat_map(|(_, by_key)| entries(by_key));
    let content = |(key, content): (&String, &Value)| Content {
        group: text(&content["service_group"]).parse().expect("a group"),
        filename: key.clone(),
        incarnation: number(&content["incarnation"]),
        encrypted: content["encrypted"].as_bool().expect("a flag"),
        bytes: serde_json::from_value(content[bytes].clone()).expect("bytes"),
    };
    by_group.map(content).collect()
}

/// The rumors in a `/butterfly` document.
fn ring(butterfly: &Value) -> Ring {
    let service = |service: &Value| Service {
        member_id: text(&service["member_id"]),
        group: text(&service["service_group"]).parse().expect("a group"),
        incarnation: number(&service["incarnation"]),
        pkg_incarnation: number(&service["package_incarnation"]),
        pkg: text(&service["package"]),
        cfg: toml_bytes(&service["cfg"]),
        sys: sys(&service["sys"]),
    };
    let member = |(id, member): (&String, &Value)| {
        let health: MemberHealth =
            text(&butterfly["member"]["health"][id]).parse().expect("a health");
        (id.clone(), text(&member["address"]), port(&member["gossip_port"]), health)
    };
    let counter = |store: &str| number(&butterfly[store]["update_counter"]);
    Ring {
        services: entries(&butterfly["service"]["list"])
            .flat_map(|(_, by_member)| entries(by_member))
            .map(|(_, rumor)| service(rumor))
            .collect(),
        elections: elections(&butterfly["election"]),
        update_elections: elections(&butterfly["election_update"]),
        configs: contents(&butterfly["service_config"], "config"),
        files: contents(&butterfly["service_file"], "body"),
        members: entries(&butterfly["member"]["members"]).map(member).collect(),
        counters: Counters {
            service: counter("service"),
            election: counter("election"),
            election_update: counter("election_update"),
            membership: counter("member"),
            service_config: counter("service_config"),
            service_file: counter("service_file"),
        },
    }
}

/// The document at `/census`, without `changed`, which depends on the time between two requests.
fn document(census: &Census) -> Value {
    let counters = census.counters();
    let groups =
        census.groups().map(|group| (group.service_group.to_string(), group_of(census, group)));
    json!({
        "census_groups": groups.collect::<serde_json::Map<_, _>>(),
        "local_member_id": census.local_member_id(),
        "last_service_counter": counters.service,
        "last_election_counter": counters.election,
        "last_election_update_counter": counters.election_update,
        "last_membership_counter": counters.membership,
        "last_service_config_counter": counters.service_config,
        "last_service_file_counter": counters.service_file,
    })
}

fn group_of(census: &Census, group: &Group) -> Value {
    let population = group.population.iter().map(|(id, member)| (id.clone(), member_of(member)));
    let config = group.service_config.as_ref();
    let files = group.service_files.iter().map(|(name, file)| {
        let file = json!({
            "filename": file.filename, "incarnation": file.incarnation, "body": &*file.body,
        });
        (name.clone(), file)
    });
    json!({
        "service_group": group.service_group,
        "election_status": group.election_status,
        "update_election_status": group.update_election_status,
        "pkg_incarnation": group.pkg_incarnation,
        "leader_id": group.leader_id,
        "service_config": config.map(|c| json!({"incarnation": c.incarnation, "value": &**c.value.table()})),
        "local_member_id": census.local_member_id(),
        "population": population.collect::<serde_json::Map<_, _>>(),
        "update_leader_id": group.update_leader_id,
        "changed_service_files": group.changed_service_files,
        "service_files": files.collect::<serde_json::Map<_, _>>(),
    })
}

fn member_of(member: &Member) -> Value {
    let election = |status| member.election_status == status;
    let update_election = |status| member.update_election_status == status;
    json!({
        "member_id": member.member_id,
        "pkg": member.pkg,
        "pkg_incarnation": member.pkg_incarnation,
        "package": member.package,
        "service": member.service_group.service(),
        "group": member.service_group.group(),
        "org": member.service_group.organization(),
        "persistent": member.persistent,
        "leader": member.leader,
        "follower": member.follower,
        "update_leader": member.update_leader,
        "update_follower": member.update_follower,
        "election_is_running": election(ElectionStatus::InProgress),
        "election_is_no_quorum": election(ElectionStatus::NoQuorum),
        "election_is_finished": election(ElectionStatus::Finished),
        "update_election_is_running": update_election(ElectionStatus::InProgress),
        "update_election_is_no_quorum": update_election(ElectionStatus::NoQuorum),
        "update_election_is_finished": update_election(ElectionStatus::Finished),
        "sys": member.sys,
        "alive": member.health == Some(MemberHealth::Alive),
        "suspect": member.health == Some(MemberHealth::Suspect),
        "confirmed": member.health == Some(MemberHealth::Confirmed),
        "departed": member.health == Some(MemberHealth::Departed),
        "cfg": &**member.cfg.table(),
    })
}

#[test]
fn the_recorded_rumors_give_the_recorded_census() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/http");
    let mut steps_seen = 0;
    for file in fs::read_dir(dir).expect("fixtures") {
        let path = file.expect("an entry").path();
        let scenario: Value =
            serde_json::from_slice(&fs::read(&path).expect("a file")).expect("JSON");
        let mut census: Option<Census> = None;
        for step in scenario["steps"].as_array().expect("steps") {
            let parse = |key: &str| -> Value {
                serde_json::from_str(step[key].as_str().expect("text")).expect("JSON")
            };
            let mut expected = parse("census");
            expected.as_object_mut().expect("an object").remove("changed");
            let census =
                census.get_or_insert_with(|| Census::new(&text(&expected["local_member_id"])));
            let update = ring(&parse("butterfly")).update(census);
            assert_eq!(update.warnings, [""; 0]);
            assert_eq!(document(census), expected, "{} in {}", step["name"], path.display());
            steps_seen += 1;
        }
    }
    assert_eq!(steps_seen, 21);
}

/// The facts behind the template values `svc` and `bind`, with an election in the state of the
/// context, after a finished one if that left a leader.
fn rings(context: &Value) -> Vec<Ring> {
    let mut ring = Ring::default();
    let mut seen = BTreeSet::new();
    for view in [&context["svc"], &context["bind"]["database"]] {
        let members = view["members"].as_array().expect("members").iter();
        for member in members.chain([&view["leader"], &view["first"]]).filter(|m| m.is_object()) {
            let (id, group) = (text(&member["member_id"]), text(&member["service"]));
            let sys = sys(&member["sys"]);
            let health = ["Alive", "Suspect", "Confirmed", "Departed"]
                .into_iter()
                .find(|health| member[health.to_lowercase()] == true);
            if let Some(health) = health.filter(|_| seen.insert((id.clone(), String::new()))) {
                let health = health.parse().expect("a health");
                ring.members.push((
                    id.clone(),
                    sys.gossip_ip.clone(),
                    port(&member["sys"]["gossip_port"]),
                    health,
                ));
            }
            if seen.insert((id.clone(), group.clone())) {
                ring.services.push(Service {
                    member_id: id,
                    group: format!("{group}.default").parse().expect("a group"),
                    incarnation: 1,
                    pkg_incarnation: number(&member["pkg_incarnation"]),
                    pkg: text(&member["package"]),
                    cfg: toml_bytes(&member["cfg"]),
                    sys,
                });
            }
        }
    }
    let leader = context["svc"]["leader"]["member_id"].as_str();
    let mut finished = ring.clone();
    finished
        .elections
        .extend(leader.map(|id| ("app.default".into(), id.into(), ElectionStatus::Finished)));
    if context["svc"]["election_is_running"] == true {
        ring.elections = vec![("app.default".into(), "nobody".into(), ElectionStatus::InProgress)];
        return vec![finished, ring];
    }
    vec![finished]
}

#[test]
fn templates_see_what_recorded_templates_saw_in_the_same_order() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/contexts");
    let mut contexts_seen = 0;
    for file in fs::read_dir(dir).expect("fixtures") {
        let path = file.expect("an entry").path();
        let context: Value =
            serde_json::from_slice(&fs::read(&path).expect("a file")).expect("JSON");
        let mut census = Census::new(&text(&context["sys"]["member_id"]));
        for ring in rings(&context) {
            ring.update(&mut census);
        }
        let group = "app.default".parse().expect("a group");
        let svc = census.svc_value(&group).expect("the own service");
        assert_eq!(svc.to_string(), context["svc"].to_string(), "{}", path.display());
        let (database, nosuch) =
            ("db.default".parse().expect("a group"), "nosuch.default".parse().expect("a group"));
        let exports = Arc::from(["port".to_owned()]);
        let bind = |name, group| roost_census::Bind { name, group, exports: &exports };
        let bind = census.bind_value(&[bind("database", &database), bind("cache", &nosuch)]);
        assert_eq!(bind.to_string(), context["bind"].to_string(), "{}", path.display());
        contexts_seen += 1;
    }
    assert_eq!(contexts_seen, 7);
}
