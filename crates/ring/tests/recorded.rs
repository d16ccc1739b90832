//! Bytes recorded from Habitat 2.1.78: every message decodes to its recorded meaning, encodes to
//! the same bytes, and moves a member to the same answers.

#![allow(clippy::disallowed_methods, reason = "recordings are files")]
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::{collections::BTreeMap, fs, net::SocketAddr, path::PathBuf};

use bytes::Bytes;
use rand::SeedableRng;
use roost_crypto::{KeyFile, RingKey};
use roost_ring::{
    Config, Election, Envelope, Health, Input, Me, Member, MemberId, Membership, Now, Output, Ring,
    Rumor, Status, Swim, SwimKind, datafile,
};
use serde_json::{Value, json};

fn fixture(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn recording(name: &str) -> Value {
    serde_json::from_slice(&fixture(name)).unwrap()
}

fn items(recording: &Value) -> &[Value] {
    recording["items"].as_array().unwrap()
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn envelope(name: &str) -> Envelope {
    if !name.contains("keyed") {
        return Envelope::new(None);
    }
    let text = String::from_utf8(fixture("vec-20250101000000.sym.key")).unwrap();
    Envelope::new(Some(RingKey::parse(&text).unwrap()))
}

fn member_json(member: &Member) -> Value {
    json!({
        "id": member.id.to_string(),
        "incarnation": member.incarnation,
        "address": member.address.map(|address| address.to_string()).unwrap_or_default(),
        "swim_port": member.swim_port,
        "gossip_port": member.gossip_port,
        "persistent": member.persistent,
        "departed": member.departed,
        "probe_ping": member.probe_ping,
    })
}

fn membership_json(membership: &Membership) -> Value {
    let health = match membership.health {
        Health::Alive => "ALIVE",
        Health::Suspect => "SUSPECT",
        Health::Confirmed => "CONFIRMED",
        Health::Departed => "DEPARTED",
    };
    json!({ "member": member_json(&membership.member), "health": health })
}

fn swim_json(swim: &Swim) -> Value {
    let ping = |from: &Member, forward_to: &Option<Member>| {
        let mut ping = json!({ "from": member_json(from) });
        if let Some(forward_to) = forward_to {
            ping["forward_to"] = member_json(forward_to);
        }
        ping
    };
    let (kind, name, body) = match &swim.kind {
        SwimKind::Ping { from, forward_to } => ("PING", "ping", ping(from, forward_to)),
        SwimKind::Ack { from, forward_to } => ("ACK", "ack", ping(from, forward_to)),
        SwimKind::PingReq { from, target } => (
            "PINGREQ",
            "pingreq",
            json!({ "from": member_json(from), "target": member_json(target) }),
        ),
        SwimKind::ProbePing { from } => {
            ("PROBEPING", "probeping", json!({ "from": member_json(from) }))
        }
    };
    let mut value = json!({ "type": kind, name: body });
    if !swim.memberships.is_empty() {
        value["membership"] = swim.memberships.iter().map(membership_json).collect();
    }
    value
}

fn bytes_json(bytes: &[u8]) -> Value {
    json!({ "text": String::from_utf8(bytes.to_vec()).unwrap() })
}

fn election_json(kind: &str, election: &Election) -> Value {
    let status = match election.status {
        Status::Running => "RUNNING",
        Status::NoQuorum => "NO_QUORUM",
        Status::Finished => "FINISHED",
    };
    let votes: Vec<String> = election.votes.iter().map(ToString::to_string).collect();
    let id = election.member_id.to_string();
    json!({ "type": kind, "from_id": id, "election": {
        "member_id": id, "service_group": election.group, "term": election.term,
        "suitability": election.suitability, "status": status, "votes": votes,
    } })
}

fn rumor_json(rumor: &Rumor) -> Value {
    match rumor {
        Rumor::Member(from_id, membership) => {
            json!({ "type": "MEMBER", "from_id": from_id, "member": membership_json(membership) })
        }
        Rumor::Service(service) => {
            let (id, sys) = (service.member_id.to_string(), &service.sys);
            json!({ "type": "SERVICE", "from_id": id, "service": {
                "member_id": id, "service_group": service.group,
                "incarnation": service.incarnation, "initialized": service.initialized,
                "pkg": service.pkg, "cfg": bytes_json(&service.cfg),
                "sys": {
                    "ip": sys.ip, "hostname": sys.hostname,
                    "gossip_ip": sys.gossip_ip, "gossip_port": sys.gossip_port,
                    "http_gateway_ip": sys.http_gateway_ip,
                    "http_gateway_port": sys.http_gateway_port,
                    "ctl_gateway_ip": sys.ctl_gateway_ip,
                    "ctl_gateway_port": sys.ctl_gateway_port,
                },
                "pkg_incarnation": service.pkg_incarnation,
            } })
        }
        Rumor::ServiceConfig(config) => json!({
            "type": "SERVICE_CONFIG", "from_id": config.from_id, "service_config": {
                "service_group": config.group, "incarnation": config.incarnation,
                "encrypted": config.encrypted, "config": bytes_json(&config.config),
            }
        }),
        Rumor::ServiceFile(file) => json!({
            "type": "SERVICE_FILE", "from_id": file.from_id, "service_file": {
                "service_group": file.group, "incarnation": file.incarnation,
                "encrypted": file.encrypted, "filename": file.filename,
                "body": bytes_json(&file.body),
            }
        }),
        Rumor::Election(election) => election_json("ELECTION", election),
        Rumor::ElectionUpdate(election) => election_json("ELECTION_UPDATE", election),
        Rumor::Departure(departure) => json!({
            "type": "DEPARTURE", "from_id": "butterflyclient",
            "departure": { "member_id": departure.member_id.to_string() },
        }),
        other => panic!("Habitat has no {other:?}"),
    }
}

/// The payload of a recorded message, and the check that wrapping it gives its bytes again.
fn payload(name: &str, item: &Value) -> Bytes {
    let envelope = envelope(name);
    let bytes = hex(&item["hex"]);
    let payload = envelope.unwrap(&bytes).unwrap();
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let wrapped = envelope.wrap(payload.to_vec(), &mut random);
    if name.contains("keyed") {
        assert_eq!(payload, hex(&item["plain_hex"]), "item {}", item["n"]);
        // the nonce is random, all around it is not
        assert_eq!((wrapped.len(), &wrapped[..4]), (bytes.len(), &bytes[..4]));
        assert_eq!(envelope.unwrap(&wrapped).unwrap(), payload);
    } else {
        assert_eq!(wrapped, bytes, "item {}", item["n"]);
    }
    payload
}

#[test]
fn every_recorded_datagram_decodes_to_its_meaning_and_encodes_to_its_bytes() {
    for name in ["swim/plain.json", "swim/keyed.json"] {
        let recording = recording(name);
        assert!(items(&recording).len() > 50);
        for item in items(&recording) {
            let payload = payload(name, item);
            let swim = Swim::decode(payload.clone()).unwrap();
            assert_eq!(swim_json(&swim), item["decoded"], "{name} item {}", item["n"]);
            assert_eq!(swim.encode(), payload, "{name} item {}", item["n"]);
        }
    }
}

#[test]
fn every_recorded_rumor_decodes_to_its_meaning_and_encodes_to_its_bytes() {
    for name in ["gossip/plain.json", "gossip/keyed.json"] {
        let recording = recording(name);
        assert!(items(&recording).len() > 50);
        for item in items(&recording) {
            let payload = payload(name, item);
            let rumor = Rumor::decode(payload.clone()).unwrap();
            assert_eq!(rumor_json(&rumor), item["decoded"], "{name} item {}", item["n"]);
            assert_eq!(rumor.encode(), payload, "{name} item {}", item["n"]);
        }
    }
}

#[test]
fn recorded_data_files_are_written_as_they_were_read() {
    for name in ["rst/empty.rst", "rst/ring-member-3.rst", "rst/keyed-ring-member-1.rst"] {
        let file = fixture(name);
        let stores = datafile::decode(&file).unwrap();
        assert_eq!(datafile::encode(&stores), file, "{name}");
    }
}

#[test]
fn a_member_that_reads_a_recorded_data_file_writes_the_same_content() {
    let file = fixture("rst/ring-member-3.rst");
    let stores = datafile::decode(&file).unwrap();
    let me = Me {
        id: MemberId::new("0000000000000000000000000000000f"),
        incarnation: 0,
        port: 24708,
        permanent: false,
    };
    let ring = Ring::new(Config::default(), me, Some(stores), 1, Now(0));
    assert_eq!(datafile::encode(&ring.stores()).len(), file.len());
    let sorted = |file: &[u8]| {
        let stores = datafile::decode(file).unwrap();
        let mut text: Vec<String> = stores
            .members
            .iter()
            .map(|member| format!("{member:?}"))
            .chain(stores.services.iter().map(|service| format!("{service:?}")))
            .chain(stores.elections.iter().map(|election| format!("{election:?}")))
            .chain(stores.update_elections.iter().map(|election| format!("{election:?}")))
            .collect();
        text.sort();
        text
    };
    assert_eq!(sorted(&datafile::encode(&ring.stores())), sorted(&file));
}

/// A message to a recorded member.
struct Arrival<'a> {
    ms: u64,
    from: SocketAddr,
    gossip: bool,
    item: &'a Value,
}

/// All messages to a member, in order of time.
fn arrivals<'a>(swim: &'a Value, gossip: &'a Value, member: SocketAddr) -> Vec<Arrival<'a>> {
    let to_member = |item: &&Value| item["to"] == member.to_string();
    let datagrams = items(swim).iter().filter(to_member).map(|item| Arrival {
        ms: item["ms"].as_u64().unwrap(),
        from: item["from"].as_str().unwrap().parse().unwrap(),
        gossip: false,
        item,
    });
    let rumors = items(gossip).iter().filter(to_member).map(|item| Arrival {
        ms: item["ms"].as_u64().unwrap(),
        from: member,
        gossip: true,
        item,
    });
    let mut all: Vec<_> = datagrams.chain(rumors).collect();
    all.sort_by_key(|arrival| arrival.ms);
    all
}

/// Content of an answer without the rumors sent along, whose order differs: sender, asker, and the
/// receiver's own membership.
fn gist(answer: &Swim, towards: &MemberId) -> Value {
    let mut gist = swim_json(&Swim { kind: answer.kind.clone(), memberships: Vec::new() });
    let own = answer.memberships.first().filter(|own| own.member.id == *towards);
    gist["own"] = own.map_or(Value::Null, membership_json);
    gist
}

/// Feeds a member of the recorded ring all its messages up to `end_ms` and compares each answer
/// with the recorded one.
fn compare_answers(place: u64, end_ms: u64, answers_min: usize) {
    let (swim, gossip) = (recording("swim/plain.json"), recording("gossip/plain.json"));
    let members: BTreeMap<String, String> =
        serde_json::from_value(swim["members"].clone()).unwrap();
    let (address, id) = members.iter().nth(usize::try_from(place).unwrap()).unwrap();
    let address: SocketAddr = address.parse().unwrap();
    let me =
        Me { id: MemberId::new(id), incarnation: 0, port: address.port(), permanent: place == 0 };
    let mut ring = Ring::new(Config::default(), me, None, place, Now(0));
    let plain = Envelope::new(None);
    let mut compared = 0;
    for arrival in arrivals(&swim, &gossip, address) {
        if arrival.ms >= end_ms {
            break;
        }
        let bytes = hex(&arrival.item["hex"]);
        let now = Now(arrival.ms * 1000);
        let input = if arrival.gossip {
            Input::Gossip { bytes: &bytes }
        } else {
            Input::Datagram { from: arrival.from, bytes: &bytes }
        };
        ring.handle(now, input).unwrap();
        let mut answers = Vec::new();
        while let Some(output) = ring.poll() {
            match output {
                Output::Send { to, bytes } => answers.push((to, bytes)),
                Output::PersistIncarnation(incarnation) => {
                    ring.handle(now, Input::IncarnationStored(incarnation)).unwrap();
                }
                _ => {}
            }
        }
        if arrival.gossip || arrival.item["type"] != "PING" {
            assert_eq!(answers.len(), 0, "item {}", arrival.item["n"]);
            continue;
        }
        let number = arrival.item["n"].as_u64().unwrap();
        let recorded = items(&swim).iter().find(|item| {
            item["n"].as_u64().unwrap() > number
                && item["type"] == "ACK"
                && item["from"] == address.to_string()
                && item["to"] == arrival.from.to_string()
        });
        let recorded = Swim::decode(payload("plain", recorded.unwrap())).unwrap();
        let ping = Swim::decode(plain.unwrap(&bytes).unwrap()).unwrap();
        let [(to, answer)] = &answers[..] else { panic!("{} answers", answers.len()) };
        assert_eq!(*to, arrival.from);
        let answer = Swim::decode(plain.unwrap(answer).unwrap()).unwrap();
        let asker = &ping.kind.from().id;
        assert_eq!(gist(&answer, asker), gist(&recorded, asker), "item {number}");
        compared += 1;
    }
    assert!(compared >= answers_min, "only {compared} answers compared");
}

#[test]
fn pings_are_answered_as_the_recorded_members_did() {
    // until the first member is frozen, probes do not affect the answers
    for place in 0..3 {
        compare_answers(place, 30_000, 8);
    }
}
