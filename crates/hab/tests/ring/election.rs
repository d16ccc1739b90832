//! Leaders of service groups.

use rustix::process::{Signal, kill_process};
use serde_json::json;
use testkit::{Builder, Root, Supervisor};

use super::{first, installed, joining, peer::Peer, wait_converged, wait_health};

/// The member that each of these considers leader of `db.default`, once all agree on one of the
/// allowed ones.
pub(super) fn wait_leader(members: &[&Supervisor], may_lead: impl Fn(&str) -> bool) -> String {
    testkit::wait_for("one leader for all", || {
        let leaders: Vec<String> = members.iter().map(|sup| leader(sup)).collect();
        let agreed = leaders.iter().all(|l| *l == leaders[0]) && may_lead(&leaders[0]);
        (agreed && !leaders[0].is_empty()).then(|| leaders[0].clone())
    })
}

/// The leader of a finished election; empty while there is none.
fn leader(sup: &Supervisor) -> String {
    let census = sup.get("/census").json();
    let group = &census["census_groups"]["db.default"];
    if group["election_status"] != "ElectionFinished" {
        return String::new();
    }
    group["leader_id"].as_str().unwrap_or_default().into()
}

pub(super) const LEADER: [&str; 3] = ["acme/db", "--topology", "leader"];

#[test]
fn three_members_elect_one_leader_and_replace_it_when_it_leaves() {
    let roots: Vec<Root> = (0..3).map(|_| installed()).collect();
    let mut members = vec![first(&roots[0], &LEADER)];
    members[0].wait_log("Waiting to execute hooks; election");
    for root in &roots[1..] {
        members.push(joining(root, &members[0], &LEADER));
    }
    let all: Vec<&Supervisor> = members.iter().collect();
    wait_converged(&all);
    let leader = wait_leader(&all, |_| true);
    for sup in &all {
        sup.wait_up("db");
        sup.wait_log(&format!("Executing hooks; {leader} is the leader"));
    }

    let place = members.iter().position(|sup| sup.member_id() == leader).expect("a member");
    let mut gone = members.remove(place);
    assert_eq!(gone.stop(), 0);
    let rest: Vec<&Supervisor> = members.iter().collect();
    for sup in &rest {
        wait_health(sup, &leader, "Departed");
    }
    let next = wait_leader(&rest, |id| id != leader);
    assert!(rest.iter().any(|sup| sup.member_id() == next));
}

#[test]
fn a_lone_member_waits_for_others() {
    let root = installed();
    let sup = first(&root, &LEADER);
    sup.wait_log("Waiting to execute hooks; election in progress, and we have no quorum.");
    let service = sup.get("/services/db/default").json();
    assert_eq!(service["process"]["state"], "down");
}

#[test]
fn a_service_that_waits_for_a_leader_explains_the_election() {
    let root = installed();
    let sup = first(&root, &[]);
    let Some(mut peer) = Peer::start(&sup, &["--service", "db.default", "--no-vote", "--quiet"])
    else {
        return;
    };
    sup.wait_json("/census", |census| {
        census["census_groups"]["db.default"]["population"][&peer.id]["alive"] == true
    });
    root.spec("db", "ident = \"acme/db\"\ntopology = \"leader\"\n");
    let path = "/v1/services/db.default/explain";
    let said = sup.wait_json(path, |it| it["chain"][0]["code"] == "election_in_progress");
    let listed = said["chain"][0]["evidence"].to_string();
    assert!(listed.contains(&format!("({}): alive", peer.id)), "{said:#}");
    assert!(said["remedies"].to_string().contains("gossip ports"), "{said:#}");

    peer.send(&json!({"cmd": "set", "answering": false, "pinging": false, "gossiping": false}));
    let said = sup.wait_json(path, |it| it["chain"][1]["code"] == "no_quorum");
    let message = "1 of 2 members of its group are alive, and an election needs 2";
    assert_eq!(said["chain"][1]["message"], message);
    sup.wait_json(path, |it| {
        let listed = it["chain"][1]["evidence"].to_string();
        listed.contains(&format!("({}): confirmed", peer.id))
            && it["remedies"].to_string().contains(&format!("hab sup depart {}", peer.id))
    });
}

#[test]
fn the_first_hook_of_a_member_knows_already_who_leads() {
    let init = "#!/bin/sh\ncp {{pkg.svc_config_path}}/role.txt {{pkg.svc_var_path}}/seen.txt\n";
    let role = "{{#if svc.me.leader}}leader{{/if}}{{#if svc.me.follower}}follower{{/if}}";
    let files = [("hooks/run", super::RUN), ("hooks/init", init), ("config/role.txt", role)];
    let roots: Vec<Root> = (0..3).map(|_| super::root()).collect();
    roots.iter().for_each(|root| root.package(super::DB, &files));
    let mut members = vec![first(&roots[0], &LEADER)];
    for root in &roots[1..] {
        members.push(joining(root, &members[0], &LEADER));
    }
    let leader = wait_leader(&members.iter().collect::<Vec<_>>(), |_| true);
    for (sup, root) in members.iter().zip(&roots) {
        sup.wait_up("db");
        let expected = if sup.member_id() == leader { "leader" } else { "follower" };
        assert_eq!(root.read("hab/svc/db/var/seen.txt"), expected, "{}", sup.log());
    }
}

#[test]
fn a_leader_that_slept_yields_to_the_one_elected_meanwhile() {
    let roots: Vec<Root> = (0..3).map(|_| installed()).collect();
    let mut members = vec![first(&roots[0], &LEADER)];
    for root in &roots[1..] {
        members.push(joining(root, &members[0], &LEADER));
    }
    let all: Vec<&Supervisor> = members.iter().collect();
    wait_converged(&all);
    let sleeper = wait_leader(&all, |_| true);
    let pids: Vec<i32> = all.iter().map(|sup| sup.wait_up("db")).collect();

    let (asleep, awake): (Vec<&Supervisor>, Vec<&Supervisor>) =
        all.iter().partition(|sup| sup.member_id() == sleeper);
    let processes = [asleep[0].launcher_pid(), asleep[0].supervisor_pid().expect("it lives")];
    for pid in processes {
        kill_process(pid, Signal::STOP).expect("it lives");
    }
    let next = wait_leader(&awake, |id| id != sleeper);
    for pid in processes {
        kill_process(pid, Signal::CONT).expect("it lives");
    }
    wait_converged(&all);
    assert_eq!(wait_leader(&all, |id| id != sleeper), next);
    let after: Vec<i32> = all.iter().map(|sup| sup.wait_up("db")).collect();
    assert_eq!(pids, after, "an election does not restart a service");
}

#[test]
fn a_leader_that_comes_back_before_it_is_missed_leads_again() {
    let roots: Vec<Root> = (0..3).map(|_| installed()).collect();
    let mut members = vec![saving(&roots[0], &[]).start()];
    for root in &roots[1..] {
        members.push(saving(root, &[&members[0]]).start());
    }
    let leader = wait_leader(&members.iter().collect::<Vec<_>>(), |_| true);
    let place = members.iter().position(|sup| sup.member_id() == leader).expect("it");
    members[place].wait_up("db");
    wait_saved(&roots[place], &members[place]);
    let lost = members.remove(place);
    roots[place].lose_power();
    let back = saving(&roots[place], &[&members[0]]).in_place_of(&lost).start();
    back.wait_log(&format!("Executing hooks; {leader} is the leader"));
    back.wait_up("db");
    members.push(back);
    wait_leader(&members.iter().collect::<Vec<_>>(), |id| id == leader);
}

/// A member that logs its state each second.
fn saving<'a>(root: &'a Root, peers: &[&Supervisor]) -> Builder<'a> {
    root.supervisor().env("HAB_PERSIST_LOOP_PERIOD_SECS", "1").args(LEADER).peers(peers)
}

/// Waits until a finished election is in the member's data file.
fn wait_saved(root: &Root, sup: &Supervisor) {
    let path = root.join(&format!("hab/sup/default/data/{}.rst", sup.member_id()));
    // The status of an election rumor is its field 5, Finished is 3, its votes follow.
    testkit::wait_for("the election in the data file", || {
        let bytes = std::fs::read(&path).unwrap_or_default();
        bytes.windows(3).any(|part| part == [0x28, 3, 0x32]).then_some(())
    });
}

#[test]
fn five_members_lose_their_leader_to_kill_9_and_agree_on_another_one() {
    let started = std::time::Instant::now();
    let step = |what: &str| println!("{:6.1} s  {what}", started.elapsed().as_secs_f64());
    let roots: Vec<Root> = (0..5).map(|_| installed()).collect();
    let mut members = vec![saving(&roots[0], &[]).start()];
    for root in &roots[1..] {
        members.push(saving(root, &[&members[0]]).spawn());
    }
    let all: Vec<&Supervisor> = members.iter().collect();
    wait_converged(&all);
    step("five members know each other");
    let first_leader = wait_leader(&all, |_| true);
    let pids: Vec<i32> = all.iter().map(|sup| sup.wait_up("db")).collect();
    step("one leader, five services up");

    let place = members.iter().position(|sup| sup.member_id() == first_leader).expect("it");
    wait_saved(&roots[place], &members[place]);
    let dead = members.remove(place);
    roots[place].lose_power();
    step("the leader's machine lost power");
    let rest: Vec<&Supervisor> = members.iter().collect();
    let second_leader = wait_leader(&rest, |id| id != first_leader);
    step("the other four agree on a new leader");
    for sup in &rest {
        let pid = sup.wait_up("db");
        assert!(pids.contains(&pid), "an election does not restart a service");
        wait_health(sup, &first_leader, "Confirmed");
    }

    let back = saving(&roots[place], &[rest[0]]).in_place_of(&dead).start();
    members.push(back);
    let all: Vec<&Supervisor> = members.iter().collect();
    wait_converged(&all);
    let after = wait_leader(&all, |_| true);
    step("the old leader is back");
    assert_eq!(after, second_leader, "a returning member does not take over");
    all[4].wait_up("db");
    let own = format!("Executing hooks; {first_leader} is the leader");
    assert!(!all[4].log().contains(&own), "not even for a moment:\n{}", all[4].log());

    let place = members.iter().position(|sup| sup.member_id() == second_leader).expect("it");
    let mut leaving = members.remove(place);
    assert_eq!(leaving.stop(), 0);
    step("the second leader left");
    let rest: Vec<&Supervisor> = members.iter().collect();
    wait_leader(&rest, |id| id != second_leader);
    step("the third leader is agreed on");
}

#[test]
fn an_operator_starts_an_election_anew_with_a_file() {
    let (root_a, root_b) = (installed(), installed());
    let a = root_a.supervisor().args(LEADER).env("HAB_FEAT_TRIGGER_ELECTION", "1").start();
    let b = joining(&root_b, &a, &LEADER);
    wait_leader(&[&a, &b], |_| true);
    let term = |sup: &Supervisor| {
        let doc = sup.get("/butterfly").json();
        doc["election"]["list"]["db.default"]["election"]["term"].as_u64()
    };
    let before = term(&a).expect("an election");
    let file = "hab/sup/default/data/trigger_db.default_election";
    root_a.write(file, "");
    testkit::wait_for("the next term at both", || {
        (term(&a) > Some(before) && term(&b) > Some(before)).then_some(())
    });
    assert!(!root_a.join(file).exists());
    wait_leader(&[&a, &b], |_| true);
}
