//! Fifty Supervisors on one machine.

use std::time::Instant;

use testkit::{Root, Supervisor};

use super::{first, hab, installed, joining_builder};

const MEMBERS: usize = 50;

/// Number of members with this health in each list, fewest first.
fn fewest(members: &[Supervisor], health: &str) -> usize {
    let count = |sup: &Supervisor| {
        let doc = sup.get("/butterfly").json();
        let all = doc["member"]["health"].as_object();
        all.map_or(0, |all| all.values().filter(|value| *value == health).count())
    };
    members.iter().map(count).min().unwrap_or(0)
}

/// Waits until a condition holds, with a time limit for so many on a busy machine.
fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed().as_secs() < 300, "gave up waiting for {what}");
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
}

#[test]
#[ignore = "fifty processes, takes minutes"]
fn fifty_members_agree_on_who_is_there_and_on_what_was_applied() {
    let started = Instant::now();
    let step = |what: &str| println!("{:6.1} s  {what}", started.elapsed().as_secs_f64());
    let roots: Vec<Root> = (0..MEMBERS).map(|_| installed()).collect();
    let mut members = vec![first(&roots[0], &["acme/db"])];
    for root in &roots[1..] {
        members.push(joining_builder(root, &members[0], &["acme/db"]).spawn());
    }
    step("all are started");
    wait("all to answer", || {
        members.iter().all(|sup| {
            sup.send("GET", "/services", &[]).is_some_and(|answer| answer.status() == 200)
        })
    });
    step("all answer");
    wait("all to know all", || fewest(&members, "Alive") == MEMBERS);
    step("all know all");
    wait("all services in each census", || {
        members.iter().all(|sup| {
            let census = sup.get("/census").json();
            let population = &census["census_groups"]["db.default"]["population"];
            population.as_object().is_some_and(|members| members.len() == MEMBERS)
        })
    });
    step("all services in each census");

    let config = roots[0].join("new.toml");
    std::fs::write(&config, "name = \"for all\"\n").expect("a file");
    hab(&members[7], &["config", "apply", "db.default", "1", &config.display().to_string()]);
    let applied = Instant::now();
    wait("the configuration everywhere", || {
        members.iter().all(|sup| sup.get("/services/db/default").json()["cfg"]["name"] == "for all")
    });
    step(&format!("a configuration is everywhere after {:.1} s", applied.elapsed().as_secs_f64()));

    for root in &roots[MEMBERS - 5..] {
        root.lose_power();
    }
    members.truncate(MEMBERS - 5);
    let lost = Instant::now();
    wait("five confirmed dead", || fewest(&members, "Confirmed") == 5);
    step(&format!(
        "five lost members are known by all after {:.1} s",
        lost.elapsed().as_secs_f64()
    ));
    assert_eq!(fewest(&members, "Alive"), MEMBERS - 5);
}
