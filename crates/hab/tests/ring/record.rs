//! What Supervisors record of their ring.

use serde_json::Value;
use testkit::{Root, Supervisor, wait_for};

use super::{first, hab, installed, joining, wait_converged};

/// The events of these types, the oldest first.
fn events(sup: &Supervisor, types: &str) -> Vec<Value> {
    let answer = sup.get(&format!("/v1/events?order=oldest&limit=1000&type={types}"));
    assert_eq!(answer.status(), 200, "{}", answer.text());
    answer.json()["items"].as_array().cloned().unwrap_or_default()
}

/// Waits for an event of a type that is as wanted.
fn wait_event(sup: &Supervisor, kind: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    wait_for(&format!("{kind}\n{}", sup.log()), || {
        events(sup, kind).into_iter().find(|event| wanted(event))
    })
}

#[test]
fn members_that_join_die_and_are_departed_are_events_with_causes() {
    let roots: Vec<Root> = (0..3).map(|_| installed()).collect();
    let a = first(&roots[0], &[]);
    let b = joining(&roots[1], &a, &["acme/db"]);
    let mut c = joining(&roots[2], &a, &[]);
    wait_converged(&[&a, &b, &c]);
    b.wait_up("db");
    let (id_b, id_c) = (b.member_id(), c.member_id());
    let mut joined: Vec<Value> =
        events(&a, "member.joined").iter().map(|event| event["data"]["member"].clone()).collect();
    joined.sort_by_key(ToString::to_string);
    let mut others = [id_b.clone(), id_c.clone()];
    others.sort();
    assert_eq!(joined, others, "not itself");

    // A machine that loses its power.
    drop(b);
    roots[1].lose_power();
    let about_b = |event: &Value| event["data"]["member"] == id_b.as_str();
    let confirmed = wait_event(&a, "member.confirmed", about_b);
    let suspect = wait_event(&a, "member.suspect", about_b);
    assert_eq!(confirmed["cause"], suspect["seq"]);
    assert_eq!(
        (&confirmed["before"], &confirmed["after"]),
        (&"suspect".into(), &"confirmed".into())
    );
    assert_eq!(confirmed["severity"], "error");
    let message = confirmed["message"].as_str().unwrap_or_default();
    assert!(message.contains(&id_b) && message.contains("counts as dead"), "{message}");
    assert!(confirmed["data"]["hostname"].is_string(), "its service has spread it: {confirmed}");

    hab(&a, &["sup", "depart", &id_c]);
    assert_eq!(c.wait_exit(), 86);
    let departed =
        wait_event(&a, "member.departed", |event| event["data"]["member"] == id_c.as_str());
    let request = wait_event(&a, "control.request", |event| event["seq"] == departed["cause"]);
    assert_eq!(request["data"]["command"], "sup depart");
    assert_eq!(request["data"]["about"], id_c.as_str());
    let shown = a.hab(["events", "--topic", "member", "--type", "member.departed"]);
    let shown = super::stdout(&shown);
    assert!(shown.contains("was departed from the ring by hand"), "{shown}");

    // Who starts again knows the others from its data file: nothing changed.
    let count = events(&a, "member.joined").len();
    let mut a = a;
    assert_eq!(a.stop(), 0);
    let again = roots[0].supervisor().in_place_of(&a).start();
    wait_event(&again, "supervisor.started", |event| event["seq"] != 1);
    assert_eq!(events(&again, "member.joined").len(), count);
}
