//! A member that shares no code with Roost joins, lies and sends garbage.

use std::{fs, net::Ipv4Addr, time::Duration};

use serde_json::json;
use testkit::Supervisor;

use super::{
    census_member, first, hab, health_of, installed, joining,
    key::{key_file, make_key},
    metric,
    peer::{Peer, silent_port},
    throughout, wait_converged, wait_health,
};

const BOGUS: &str = "ffffffffffffffffffffffffffffffff";

/// Joins and stays for this long: both sides consider the other alive all the time, and
/// announcements of each arrive.
fn live_together(sup: &Supervisor, mut peer: Peer, time: Duration) {
    let id = sup.member_id();
    wait_health(sup, &peer.id, "Alive");
    sup.wait_json("/census", |census| {
        let member = census_member(census, "pgsql.default", &peer.id);
        member["alive"] == true && member["cfg"]["port"] == 5432
    });
    let ours = |line: &serde_json::Value| {
        line["received"] == "SERVICE" && line["msg"]["service"]["member_id"] == id.as_str()
    };
    peer.wait_line("our service rumor", ours);
    testkit::wait_for("us in its list", || {
        (peer.state()["members"][&id]["health"] == "ALIVE").then_some(())
    });
    throughout(time, || assert_eq!(health_of(sup, &peer.id), "Alive", "{}", sup.log()));

    let config = sup.root().join("new.toml");
    fs::write(&config, "port = 7000\n").expect("a file");
    hab(sup, &["config", "apply", "pgsql.default", "3", &config.display().to_string()]);
    let rumor = peer.wait_line("our configuration", |line| line["received"] == "SERVICE_CONFIG");
    assert_eq!(rumor["msg"]["service_config"]["incarnation"], 3, "{rumor}");
    peer.send(&json!({"cmd": "service_config", "group": "db.default", "version": 1,
                      "text": "name = \"from afar\"\n"}));
    sup.wait_json("/services/db/default", |service| service["cfg"]["name"] == "from afar");

    let bad: Vec<_> = peer.lines().into_iter().filter(|l| !l["bad"].is_null()).collect();
    assert!(bad.is_empty(), "it could not read {bad:?}");
    let believed: Vec<_> = peer
        .lines()
        .into_iter()
        .filter(|line| line["member"] == id.as_str() && line["health"] != "ALIVE")
        .collect();
    assert!(believed.is_empty(), "it thought of us {believed:?}");

    peer.send(&json!({"cmd": "leave"}));
    wait_health(sup, &peer.id, "Departed");
}

const SERVICE: [&str; 6] = [
    "--service",
    "pgsql.default",
    "--cfg",
    "port = 5432",
    "--pkg",
    "core/pgsql/1.0/20250101000000",
];

fn without_key(time: Duration) {
    let root = installed();
    let sup = first(&root, &["acme/db"]);
    let Some(peer) = Peer::start(&sup, &SERVICE) else { return };
    live_together(&sup, peer, time);
}

fn with_key(time: Duration) {
    let root = installed();
    make_key(&root, "prod");
    let key = key_file(&root).display().to_string();
    let sup = first(&root, &["acme/db", "--ring", "prod"]);
    let args = [&SERVICE[..], &["--ring-key", &key]].concat();
    let Some(peer) = Peer::start(&sup, &args) else { return };
    live_together(&sup, peer, time);
}

#[test]
fn a_foreign_member_lives_with_us_for_a_while() {
    without_key(Duration::from_secs(20));
}

#[test]
fn a_foreign_member_lives_with_us_for_a_while_with_a_ring_key() {
    with_key(Duration::from_secs(20));
}

#[test]
#[ignore = "takes ten minutes"]
fn a_foreign_member_lives_with_us_for_ten_minutes() {
    without_key(Duration::from_secs(600));
}

#[test]
#[ignore = "takes ten minutes"]
fn a_foreign_member_lives_with_us_for_ten_minutes_with_a_ring_key() {
    with_key(Duration::from_secs(600));
}

#[test]
fn lies_and_late_answers_are_survived() {
    let (root_a, root_b) = (installed(), installed());
    let a = first(&root_a, &["acme/db"]);
    let b = joining(&root_b, &a, &[]);
    wait_converged(&[&a, &b]);
    let (id_a, id_b) = (a.member_id(), b.member_id());
    let Some(mut peer) = Peer::start(&a, &["--ack-delay-ms", "1500", "--quiet"]) else { return };
    wait_health(&a, &peer.id, "Alive");

    // Each of us is reported as dead; the accused refute, or are probed first.
    for (id, sup) in [(&id_b, &b), (&id_a, &a)] {
        for health in ["SUSPECT", "CONFIRMED"] {
            let port = sup.gossip.port();
            peer.send(&json!({"cmd": "lie", "member": id, "health": health, "incarnation": 40,
                              "address": sup.gossip.ip().to_string(), "port": port}));
        }
    }
    // The member that received the lies refutes those about itself with a greater incarnation. Any
    // message of the other one, whatever its incarnation, clears that one.
    b.wait_json("/butterfly", |doc| {
        let incarnation = doc["member"]["members"][&id_a]["incarnation"].as_u64();
        incarnation.unwrap_or(0) > 40
    });
    wait_converged(&[&a, &b]);

    // A member that does not exist, at an address without a listener.
    let nowhere = Ipv4Addr::new(127, 0, 0, 9);
    peer.send(&json!({"cmd": "lie", "member": BOGUS, "health": "ALIVE", "incarnation": 1,
                      "address": nowhere.to_string(), "port": silent_port(nowhere)}));
    wait_health(&a, BOGUS, "Suspect");
    // An answer after one and a half seconds came directly, and in time.
    assert_eq!(health_of(&a, &peer.id), "Alive");
    peer.send(&json!({"cmd": "set", "answering": false, "pinging": false, "gossiping": false}));
    wait_health(&a, &peer.id, "Suspect");
    peer.send(&json!({"cmd": "set", "answering": true, "pinging": true, "ack_delay": 0}));
    wait_health(&a, &peer.id, "Alive");
    wait_converged(&[&a, &b]);
}

#[test]
fn what_would_kill_a_member_is_dropped_and_counted() {
    let root = installed();
    let sup = first(&root, &["acme/db"]);
    sup.wait_up("db");
    let pid = sup.supervisor_pid();
    let Some(mut peer) = Peer::start(&sup, &["--quiet"]) else { return };
    wait_health(&sup, &peer.id, "Alive");
    let member = |address: &str| {
        json!({"id": BOGUS, "incarnation": 1, "address": address, "swim_port": 9638,
               "gossip_port": 9638, "persistent": false, "departed": false, "probe_ping": false})
    };
    let from = peer.id.clone();
    // Each of these damages a Supervisor of Habitat (reference: ring §18).
    for address in ["", "no.such.host", "::1"] {
        peer.send(&json!({"cmd": "rumor", "rumor": {"type": "MEMBER", "from_id": from,
                          "member": {"member": member(address), "health": "ALIVE"}}}));
    }
    peer.send(&json!({"cmd": "rumor", "rumor": {"type": "SERVICE", "from_id": from,
                      "departure": {"member_id": from}}}));
    for kind in ["FAKE", "FAKE2"] {
        peer.send(&json!({"cmd": "rumor", "rumor": {"type": kind, "from_id": from,
                          "departure": {"member_id": from}}}));
    }
    peer.send(&json!({"cmd": "swim", "swim": {"type": "PING",
                      "ack": {"from": member("127.0.0.1")}}}));
    peer.send(&json!({"cmd": "rumor", "rumor": {"type": "ELECTION", "from_id": from, "election": {
                      "member_id": from, "service_group": "db.default", "term": 9,
                      "suitability": 1, "status": "FINISHED", "votes": [from]}}}));
    for _ in 0..50 {
        peer.send(&json!({"cmd": "udp", "random": 700}));
        peer.send(&json!({"cmd": "zmq", "random": 5000}));
    }
    for reason in ["address-not-ipv4", "type-mismatch", "test-rumor"] {
        let name = format!("hab_butterfly_dropped_total{{reason=\"{reason}\"}}");
        testkit::wait_for(&name, || (metric(&sup, &name) >= 1.0).then_some(()));
    }
    assert_eq!(health_of(&sup, BOGUS), "");
    assert_eq!(health_of(&sup, &peer.id), "Alive");
    assert_eq!(sup.supervisor_pid(), pid);
}
