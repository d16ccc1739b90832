//! `/v1/ring/…` from snapshots: filters, pages, and measurements that are no change.

mod common;

use std::sync::Arc;

use common::{Server, config, get, start};
use roost_api::{
    Contact, Contacts, GatewayConfig, Snapshot,
    documents::ring::{
        RingDocuments,
        groups::{RingGroup, RingWarning, RingWarningCode},
        members::{MemberState, RingMember},
    },
};
use serde_json::Value;

fn member(id: &str, state: MemberState, service: &str) -> RingMember {
    RingMember {
        id: id.into(),
        state,
        hostname: Some(format!("host-{id}")),
        services: vec![service.into()],
        ..RingMember::default()
    }
}

/// A gateway that knows these members, and how they answer.
fn gateway(members: &[RingMember], contacts: &Contacts) -> Server {
    start(config(), Some(snapshot(1, members, contacts)))
}

fn snapshot(number: u64, members: &[RingMember], contacts: &Contacts) -> Snapshot {
    let members = members.iter().cloned().enumerate();
    let members = members.map(|(place, member)| (Some(place), member)).collect();
    let ring = RingDocuments { members, ..RingDocuments::default() };
    Snapshot::empty(number, "me").with_ring(Arc::new(ring.into()), contacts.clone())
}

async fn json(server: &Server, path: &str) -> Value {
    let answer = get(server.address, path, "").await;
    assert_eq!(answer.status(), 200, "{path}: {}", answer.body);
    serde_json::from_str(&answer.body).expect("JSON")
}

async fn ids(server: &Server, query: &str) -> String {
    let page = json(server, &format!("/v1/ring/members{query}")).await;
    let ids = page["items"].as_array().expect("items").iter().filter_map(|it| it["id"].as_str());
    ids.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn members_are_filtered_and_paged() {
    let members = [
        member("a", MemberState::Alive, "db.default"),
        member("b", MemberState::Suspect, "db.default"),
        member("c", MemberState::Confirmed, "web.default"),
    ];
    let server = gateway(&members, &Contacts::default());
    for (query, expected) in [
        ("", "a b c"),
        ("?state=suspect,confirmed", "b c"),
        ("?service=db.default", "a b"),
        ("?service=*.default&state=alive", "a"),
        ("?service=db", ""),
        ("?name=host-*", "a b c"),
        ("?name=c", "c"),
        ("?limit=2", "a b"),
    ] {
        assert_eq!(ids(&server, query).await, expected, "{query}");
    }
    let first = json(&server, "/v1/ring/members?limit=2").await;
    let cursor = first["next"].as_str().expect("a cursor");
    assert_eq!(ids(&server, &format!("?limit=2&cursor={cursor}")).await, "c");
    assert_eq!(json(&server, "/v1/ring/members?limit=3").await["next"], Value::Null);
    for query in ["?state=dead", "?cursor=abc", "?limit=0", "?x=1"] {
        let answer = get(server.address, &format!("/v1/ring/members{query}"), "").await;
        assert_eq!(answer.status(), 400, "{query}");
    }
}

#[tokio::test]
async fn measurements_are_shown_and_are_no_change() {
    let contacts = Contacts::default();
    let members = [member("a", MemberState::Alive, "db.default")];
    let server = gateway(&members, &contacts);
    let path = "/v1/ring/members";
    let first = get(server.address, path, "").await;
    let tag = first.header("etag").expect("a tag").to_owned();
    assert!(tag.starts_with("W/\""), "{tag}");
    assert_eq!(json(&server, path).await["items"][0]["round_trip_ms"], Value::Null);
    let contact = Contact { round_trip_us: Some(1_500), heard_unix_ms: Some(1_764_000_000_000) };
    contacts.update([(0, contact)]);
    let shown = &json(&server, path).await["items"][0];
    assert_eq!(shown["round_trip_ms"], 1.5);
    assert_eq!(shown["last_heard"], "2025-11-24T16:00:00.000Z");
    let known = format!("if-none-match: {tag}\r\n");
    assert_eq!(get(server.address, path, &known).await.status(), 304);
    let dead = [member("a", MemberState::Confirmed, "db.default")];
    server.publish.send_replace(Some(Arc::new(snapshot(2, &dead, &contacts))));
    assert_eq!(get(server.address, path, &known).await.status(), 200);
}

#[tokio::test]
async fn groups_are_found_by_name_and_by_their_warnings() {
    let group = |id: &str, is_warned: bool| {
        let warning = RingWarning { code: RingWarningCode::NoQuorum, message: "few".into() };
        let warnings = is_warned.then_some(warning).into_iter().collect();
        RingGroup { id: id.into(), warnings, ..RingGroup::default() }
    };
    let groups = vec![group("db.default", true), group("web.blue", false), group("web.x", true)];
    let ring = RingDocuments { groups, ..RingDocuments::default() };
    let snapshot = Snapshot::empty(1, "me").with_ring(Arc::new(ring.into()), Contacts::default());
    let server = start(config(), Some(snapshot));
    for (query, expected) in [
        ("", "db.default web.blue web.x"),
        ("?name=web.*", "web.blue web.x"),
        ("?warnings", "db.default web.x"),
        ("?limit=1", "db.default"),
    ] {
        let page = json(&server, &format!("/v1/ring/groups{query}")).await;
        let ids: Vec<_> =
            page["items"].as_array().expect("items").iter().map(|it| &it["id"]).collect();
        assert_eq!(ids, expected.split(' ').collect::<Vec<_>>(), "{query}");
        assert_eq!(page["next"].is_string(), query == "?limit=1", "{query}");
    }
    assert_eq!(json(&server, "/v1/ring/groups/web.x").await["id"], "web.x");
    let missing = get(server.address, "/v1/ring/groups/cache.default", "").await;
    assert_eq!(missing.status(), 404);
    assert!(missing.body.contains("hab ring groups"), "{}", missing.body);
}

#[tokio::test]
async fn prometheus_gets_each_gateway_that_did_not_depart() {
    let mut members = [
        member("a", MemberState::Alive, "db.default"),
        member("b", MemberState::Confirmed, "db.default"),
        member("c", MemberState::Departed, "db.default"),
        member("d", MemberState::Alive, "db.default"),
    ];
    for (place, member) in members[..3].iter_mut().enumerate() {
        member.http = Some(format!("10.0.0.{place}:9631"));
    }
    let server = gateway(&members, &Contacts::default());
    let targets = json(&server, "/v1/ring/prometheus-targets").await;
    let expected = |place: u8, id: &str, state: &str| {
        serde_json::json!({
            "targets": [format!("10.0.0.{place}:9631")],
            "labels": {
                "__meta_roost_hostname": format!("host-{id}"),
                "__meta_roost_member_id": id,
                "__meta_roost_services": ",db.default,",
                "__meta_roost_state": state,
            },
        })
    };
    assert_eq!(
        targets,
        Value::Array(vec![expected(0, "a", "alive"), expected(1, "b", "confirmed")])
    );
}

#[tokio::test]
async fn the_ring_is_hidden_with_the_census() {
    let members = [member("a", MemberState::Alive, "db.default")];
    let redacted = GatewayConfig { redact: true, ..config() };
    let server = start(redacted, Some(snapshot(1, &members, &Contacts::default())));
    assert_eq!(get(server.address, "/v1/ring/members", "").await.status(), 404);
}
