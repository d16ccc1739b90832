//! What `/v1/services/{sg}` shows of other members.

use testkit::{Root, Supervisor};

use super::{
    election::{LEADER, wait_leader},
    first, installed, joining, root, wait_converged,
};

#[test]
fn a_service_shows_the_members_that_its_binds_lead_to() {
    let (root_a, root_b) = (installed(), installed());
    let a = first(&root_a, &["acme/db"]);
    let web = ["acme/web", "--bind", "db:db.default"];
    let redacted = root_b.supervisor().env("HAB_FEAT_REDACT_HTTP", "1");
    let b = redacted.args(web).peers(&[&a]).start();
    let root_c = root();
    super::install(&root_c);
    let c = joining(&root_c, &a, &web);
    wait_converged(&[&a]);
    let document = c.wait_json("/v1/services/web.default", |service| {
        service["binds"][0]["members"][0]["state"] == "alive" && service["state"] == "up"
    });
    let bind = &document["binds"][0];
    assert_eq!((&bind["name"], &bind["group"]), (&"db".into(), &"db.default".into()));
    assert_eq!(bind["members_total"], 1);
    assert_eq!(bind["members"][0]["member_id"], a.member_id(), "{document:#}");
    assert_eq!(bind["members"][0]["package"], super::DB);
    assert!(document["election"].is_null());
    let explain = document["links"]["explain"].as_str().expect("a link");
    assert_eq!(c.get(explain).status(), 200);

    let hidden = b.wait_json("/v1/services/web.default", |service| {
        service["binds"][0]["satisfied"] == true && service["binds"][0]["members_total"] == 1
    });
    assert_eq!(hidden["binds"][0]["members"], serde_json::json!([]));
    assert!(hidden["links"]["logs"].is_null());
    let events = b.get("/v1/events?topic=member").text();
    assert!(events.contains("member.joined") && !events.contains(&a.member_id()), "{events}");

    // A member that is gone is shown as such.
    drop(a);
    root_a.lose_power();
    c.wait_json("/v1/services/web.default", |service| {
        let bind = &service["binds"][0];
        bind["satisfied"] == false && bind["members"][0]["state"] == "confirmed"
    });
}

#[test]
fn a_service_with_a_leader_shows_its_election() {
    let roots: Vec<Root> = (0..3).map(|_| installed()).collect();
    let mut members = vec![first(&roots[0], &LEADER)];
    let alone = members[0].wait_json("/v1/services/db.default", |service| {
        service["election"]["state"] == "no_quorum"
    });
    assert!(alone["election"]["leader"].is_null(), "{alone:#}");
    for root in &roots[1..] {
        members.push(joining(root, &members[0], &LEADER));
    }
    let all: Vec<&Supervisor> = members.iter().collect();
    wait_converged(&all);
    let leader = wait_leader(&all, |_| true);
    for sup in &all {
        let document = sup.wait_json("/v1/services/db.default", |service| {
            service["election"]["state"] == "finished" && service["election"]["alive"] == 3
        });
        let election = &document["election"];
        assert_eq!(election["leader"], leader.as_str());
        assert_eq!(election["is_leader"], sup.member_id() == leader);
        assert_eq!((&election["population"], &election["needed"]), (&3.into(), &2.into()));
    }
}
