//! Members find each other and see each other's services.

use std::{os::unix::fs::MetadataExt as _, time::Duration};

use rustix::process::Signal;

use super::{
    census_member, first, health_of, installed, joining, metric, root, wait_converged, wait_health,
};

#[test]
fn two_members_join_and_a_bind_is_satisfied_by_the_other_one() {
    let (root_a, root_b) = (installed(), installed());
    let a = first(&root_a, &["acme/db"]);
    let b = joining(&root_b, &a, &["acme/web", "--bind", "db:db.default"]);
    wait_converged(&[&a, &b]);

    let (id_a, id_b) = (a.member_id(), b.member_id());
    for sup in [&a, &b] {
        let census = sup.wait_json("/census", |census| {
            census_member(census, "db.default", &id_a)["alive"] == true
                && census_member(census, "web.default", &id_b)["alive"] == true
        });
        let member = census_member(&census, "db.default", &id_a);
        assert_eq!(member["sys"]["ip"], a.gossip.ip().to_string());
        assert_eq!(member["sys"]["gossip_port"], a.gossip.port());
        assert_eq!(member["cfg"]["port"], 5432);
        assert_eq!(member["package"], super::DB);
    }

    b.wait_up("web");
    let expected = format!("{}:5432 ", a.gossip.ip());
    assert_eq!(root_b.read("hab/svc/web/config/db.txt"), expected);
    let alive = "hab_butterfly_peer_health_total{health=\"alive\"}";
    testkit::wait_for("both in the metrics", || (metric(&a, alive) >= 2.0).then_some(()));
}

#[test]
fn a_bind_waits_for_a_member_that_comes_later() {
    let (root_a, root_b) = (installed(), installed());
    let b = first(&root_b, &["acme/web", "--bind", "db:db.default"]);
    b.wait_log("The specified service group 'db.default' for binding 'db' is not (yet?) present");
    let a = joining(&root_a, &b, &["acme/db"]);
    b.wait_up("web");
    let expected = format!("{}:5432 ", a.gossip.ip());
    assert_eq!(root_b.read("hab/svc/web/config/db.txt"), expected);
}

#[test]
fn a_member_that_leaves_is_departed_at_once_and_comes_back_under_its_id() {
    let (root_a, root_b) = (root(), root());
    let a = first(&root_a, &[]);
    let mut b = joining(&root_b, &a, &[]);
    wait_converged(&[&a, &b]);
    let id_b = b.member_id();

    assert_eq!(b.stop(), 0);
    assert!(b.log().contains("Gracefully departing from butterfly network."));
    wait_health(&a, &id_b, "Departed");
    let left = a.get("/butterfly").json()["member"]["members"][&id_b].clone();
    assert_eq!(left["departed"], true);
    assert_eq!(left["incarnation"], 1);

    let again = root_b.supervisor().in_place_of(&b).peers(&[&a]).start();
    assert_eq!(again.member_id(), id_b);
    wait_converged(&[&a, &again]);
    // A returning member refutes its departure.
    a.wait_json("/butterfly", |doc| doc["member"]["members"][&id_b]["incarnation"] == 2);
}

#[test]
fn a_member_that_is_killed_is_suspected_then_confirmed_and_alive_again_after_its_return() {
    let (root_a, root_b) = (root(), root());
    let a = first(&root_a, &[]);
    let b = joining(&root_b, &a, &[]);
    wait_converged(&[&a, &b]);
    let id_b = b.member_id();
    root_b.lose_power();
    wait_health(&a, &id_b, "Suspect");
    wait_health(&a, &id_b, "Confirmed");
    testkit::wait_for("the death in the metrics", || {
        let confirmed = metric(&a, "hab_butterfly_suspicions_confirmed_total") >= 1.0;
        let raised = metric(&a, "hab_butterfly_suspicions_total") >= 1.0;
        let sent = metric(&a, "hab_butterfly_swim_bytes_total{direction=\"out\",type=\"ping\"}");
        let pings = metric(&a, "hab_butterfly_swim_messages_sent_total{type=\"ping\"}");
        (confirmed && raised && sent >= 60.0 * pings && pings > 0.0).then_some(())
    });
    let again = root_b.supervisor().in_place_of(&b).peers(&[&a]).start();
    wait_converged(&[&a, &again]);
}

#[test]
fn a_member_whose_supervisor_alone_dies_stays_alive_in_the_ring() {
    let (root_a, root_b) = (installed(), installed());
    let a = first(&root_a, &[]);
    let b = joining(&root_b, &a, &["acme/db"]);
    wait_converged(&[&a, &b]);
    let pid = b.wait_up("db");
    let supervisor = b.supervisor_pid().expect("a Supervisor");
    rustix::process::kill_process(supervisor, Signal::KILL).expect("it lives");
    b.wait_log_times("Starting gossip-listener on", 2);
    assert_eq!(b.wait_up("db"), pid);
    wait_converged(&[&a, &b]);
    // The first packet of the new process shows that it is the old member.
    assert_ne!(health_of(&a, &b.member_id()), "Departed");
}

#[test]
fn what_the_ring_knows_is_there_again_after_a_restart_without_anybody_else() {
    let (root_a, root_b) = (installed(), installed());
    let mut a = first(&root_a, &[]);
    let b = joining(&root_b, &a, &["acme/db"]);
    wait_converged(&[&a, &b]);
    let id_b = b.member_id();
    a.wait_json("/census", |c| census_member(c, "db.default", &id_b)["alive"] == true);
    root_b.lose_power();
    assert_eq!(a.stop(), 0);

    let again = root_a.supervisor().in_place_of(&a).start();
    let doc = again.wait_json("/butterfly", |doc| !doc["services"]["db.default"].is_null());
    assert_eq!(doc["services"]["db.default"][&id_b]["package"], super::DB);
    assert_eq!(doc["member"]["members"][&id_b]["address"], b.gossip.ip().to_string());
}

#[test]
fn what_the_ring_knows_is_written_when_it_changed_and_only_then() {
    let (root_a, root_b) = (root(), root());
    let a = root_a.supervisor().env("HAB_PERSIST_LOOP_PERIOD_SECS", "1").start();
    let file = root_a.join(&format!("hab/sup/default/data/{}.rst", a.member_id()));
    let inode = || std::fs::metadata(&file).map(|metadata| metadata.ino()).ok();
    let first = testkit::wait_for("the data file", inode);
    super::throughout(Duration::from_secs(3), || assert_eq!(inode(), Some(first)));
    let b = joining(&root_b, &a, &[]);
    let id_b = b.member_id();
    testkit::wait_for("the other member in the data file", || {
        let bytes = std::fs::read(&file).ok()?;
        bytes.windows(id_b.len()).any(|window| window == id_b.as_bytes()).then_some(())
    });
}
