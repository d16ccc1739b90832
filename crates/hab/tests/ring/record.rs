//! What Supervisors record of their ring.

use serde_json::Value;
use testkit::{Root, Supervisor, events::Documented, wait_for};

use super::{
    election::{LEADER, wait_leader},
    first, hab, installed, joining, wait_converged,
};

/// The events of these types, the oldest first.
fn events(sup: &Supervisor, types: &str) -> Vec<Value> {
    page(sup, &format!("&type={types}"))
}

fn all_events(sup: &Supervisor) -> Vec<Value> {
    page(sup, "")
}

fn page(sup: &Supervisor, filter: &str) -> Vec<Value> {
    let answer = sup.get(&format!("/v1/events?order=oldest&limit=1000{filter}"));
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let events = answer.json()["items"].as_array().cloned().unwrap_or_default();
    let documented = Documented::read();
    events.iter().for_each(|event| documented.check(event));
    events
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

#[test]
fn causes_lead_from_a_new_leader_to_the_death_of_the_one_before() {
    let roots: Vec<Root> = (0..3).map(|_| installed()).collect();
    let mut members = vec![first(&roots[0], &LEADER)];
    let alone = wait_event(&members[0], "election.no_quorum", |_| true);
    assert_eq!(alone["severity"], "warning", "there was no leader yet: {alone}");
    for root in &roots[1..] {
        members.push(joining(root, &members[0], &LEADER));
    }
    let all: Vec<&Supervisor> = members.iter().collect();
    wait_converged(&all);
    let leader = wait_leader(&all, |_| true);
    for sup in &all {
        wait_event(sup, "leader.changed", |event| event["after"] == leader.as_str());
    }

    let place = members.iter().position(|sup| sup.member_id() == leader).expect("a member");
    drop(members.remove(place));
    roots[place].lose_power();
    let rest: Vec<&Supervisor> = members.iter().collect();
    let next = wait_leader(&rest, |id| id != leader);
    let mut confirmed = 0;
    for sup in &rest {
        let changed = wait_event(sup, "leader.changed", |event| event["after"] == next.as_str());
        assert_eq!(changed["service"], "db.default");
        assert_eq!(changed["before"], leader.as_str());
        assert_eq!(changed["data"]["is_self"], sup.member_id() == next);
        let record = all_events(sup);
        let cause = |of: &Value| record.iter().find(|event| event["seq"] == of["cause"]);
        let finished = cause(&changed).expect("its cause");
        assert_eq!(finished["type"], "election.finished", "{record:#?}");
        let started = cause(finished).expect("its cause");
        assert_eq!(started["type"], "election.started", "{record:#?}");
        match started["data"]["reason"].as_str() {
            Some("leader_dead") => {
                let death = cause(started).expect("its cause");
                assert_eq!(death["type"], "member.confirmed", "{record:#?}");
                assert_eq!(death["data"]["member"], leader.as_str());
                confirmed += 1;
            }
            // The other one was first, and its election came before its news of the death.
            reason => assert_eq!(reason, Some("joined"), "{record:#?}"),
        }
    }
    assert!(confirmed > 0);

    // Of three members one is left.
    let gone = members.remove(0);
    let gone_root = roots.iter().find(|root| root.path() == gone.root()).expect("its root");
    drop(gone);
    gone_root.lose_power();
    let lost = wait_event(&members[0], "election.no_quorum", |event| event["severity"] == "error");
    let numbers = ["alive", "population", "needed"].map(|key| lost["data"][key].clone());
    assert_eq!(numbers, [1, 3, 2].map(Value::from));
    let history = super::stdout(&members[0].hab(["svc", "history", "db"]));
    assert!(history.contains("1 of 3 members of the group are alive"), "{history}");
}
