//! A thousand readers at once.

use serde_json::Value;
use testkit::Supervisor;

use super::{
    following::{Client, Form, Item},
    kill_supervisor, recorded, root_with, seq, svc,
};

/// Resident memory of the Supervisor.
fn resident_bytes(sup: &Supervisor) -> u64 {
    let supervisor = sup.get("/v1/supervisor").json();
    supervisor["supervisor"]["resident_bytes"].as_u64().expect("memory")
}

/// Follows with so many readers, over the end of a Supervisor.
fn follow_with(readers: usize) {
    let root = root_with(&["web"]);
    let sup = root.supervisor().start();
    sup.wait_up("web");
    let alone = resident_bytes(&sup);
    let mut clients: Vec<Client> = (0..readers).map(|_| Client::default()).collect();
    for client in &mut clients {
        assert!(client.connect(sup.http, Form::Lines), "{}", sup.log());
    }
    for _ in 0..10 {
        svc(&sup, "stop", "web");
        svc(&sup, "start", "web");
    }
    let last = recorded(&sup).last().map_or(0, seq);
    for client in &mut clients {
        client.read_to(last, sup.http, Form::Lines);
    }
    println!(
        "{readers} readers: {alone} bytes resident before, {} with them",
        resident_bytes(&sup)
    );
    kill_supervisor(&sup);
    svc(&sup, "stop", "web");
    sup.wait_json("/services/web/default", |service| service["process"]["state"] == "down");
    let events = recorded(&sup);
    let last = events.last().map_or(0, seq);
    let expected: Vec<&Value> = events.iter().collect();
    for client in &mut clients {
        client.read_to(last, sup.http, Form::Lines);
        client.expect_sequence();
        let seen = client.items.iter().filter_map(|item| match item {
            Item::Event(event) if seq(event) <= last => Some(event),
            _ => None,
        });
        // What the first Supervisor did not write before its end, readers may have had.
        let in_record =
            |event: &&Value| expected.binary_search_by_key(&seq(event), |it| seq(it)).is_ok();
        assert!(seen.filter(in_record).eq(expected.iter().copied()));
    }
}

#[test]
fn a_hundred_readers_get_every_event_over_the_end_of_a_supervisor() {
    follow_with(100);
}

#[test]
#[ignore = "takes a minute: run it with --ignored"]
fn a_thousand_readers_get_every_event_over_the_end_of_a_supervisor() {
    follow_with(1_000);
}
