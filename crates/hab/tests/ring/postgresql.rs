//! `examples/postgresql-leader` on three Supervisors: one primary, two standbys; committed data
//! survives the loss of the primary's machine.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    time::Instant,
};

use testkit::{Root, Supervisor, wait_for};

use super::{root, wait_converged, wait_health};

const NAME: &str = "postgresql-leader";

/// A member with its database.
struct Node {
    root: Root,
    sup: Supervisor,
    port: u16,
}

impl Node {
    /// Queries its database; an error counts as no answer.
    fn sql(&self, statement: &str) -> String {
        let var = self.root.join(&format!("hab/svc/{NAME}/var"));
        let output = Command::new("psql")
            .args(["-h", &var.display().to_string(), "-p", &self.port.to_string()])
            .args(["-U", "postgres", "-d", "postgres", "-AtXc", statement])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .expect("psql starts");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn is_primary(&self) -> bool {
        self.sql("SELECT pg_is_in_recovery()") == "f"
    }

    fn wait_sql(&self, statement: &str, expected: &str) {
        let what = format!("{expected} for {statement}\n{}", self.sup.log());
        wait_for(&what, || (self.sql(statement) == expected).then_some(()));
    }

    fn wait_healthy(&self) {
        let path = format!("/services/{NAME}/default/health");
        self.sup.wait_json(&path, |health| health["status"] == "OK");
    }
}

/// Waits until exactly one of them is the primary, and all are healthy; primary first.
fn sort(nodes: &mut [Node]) {
    wait_for("one primary", || {
        (nodes.iter().filter(|node| node.is_primary()).count() == 1).then_some(())
    });
    nodes.iter().for_each(Node::wait_healthy);
    nodes.sort_by_key(|node| !node.is_primary());
}

fn has_postgresql() -> bool {
    let runs =
        |program: &str| Command::new(program).arg("--version").stdout(Stdio::null()).status();
    let there = runs("psql").is_ok() && std::path::Path::new("/usr/lib/postgresql").is_dir();
    if !there {
        // Not eprintln: the test harness would capture it.
        let _ = std::io::stderr().write_all(b"SKIPPED postgresql: it is not installed\n");
    }
    there
}

#[test]
#[ignore = "takes about a minute"]
fn the_loss_of_a_primary_loses_nothing_that_a_standby_had() {
    if !has_postgresql() {
        return;
    }
    let started = Instant::now();
    let step = |what: &str| println!("{:6.1} s  {what}", started.elapsed().as_secs_f64());
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/postgresql-leader");
    let args = [example, "--topology", "leader", "--health-check-interval", "1"];
    let mut nodes: Vec<Node> = Vec::new();
    for _ in 0..3 {
        let root = root();
        let builder = root.supervisor().args(args).args(["--service-min-backoff-period", "1"]);
        let known: Vec<&Supervisor> = nodes.iter().map(|node| &node.sup).take(1).collect();
        root.write(
            &format!("hab/user/{NAME}/config/user.toml"),
            "port = 15432\nallowed_network = \"127.0.0.0/8\"\n",
        );
        let sup = builder.peers(&known).start();
        nodes.push(Node { root, sup, port: 15432 });
    }
    wait_converged(&nodes.iter().map(|node| &node.sup).collect::<Vec<_>>());
    step("three members know each other");
    sort(&mut nodes);
    step("one primary, two standbys, all healthy");
    assert_eq!(nodes[0].sql("CREATE TABLE kept AS SELECT 1 AS answer"), "SELECT 1");
    for node in &nodes[1..] {
        node.wait_sql("SELECT sum(answer) FROM kept", "1");
    }
    step("both standbys have the first row");

    let lost = nodes.remove(0);
    let lost_id = lost.sup.member_id();
    lost.root.lose_power();
    step("the primary's machine lost power");
    sort(&mut nodes);
    step("a standby became primary, the other one follows it");
    nodes[0].sup.wait_log("postgresql-leader.default(HK): hook[reconfigure]: promoted to primary");
    nodes[0].sup.wait_log("Reporting suitability of: ");
    for node in &nodes {
        wait_health(&node.sup, &lost_id, "Confirmed");
    }
    assert_eq!(nodes[0].sql("INSERT INTO kept VALUES (10)"), "INSERT 0 1");
    nodes[1].wait_sql("SELECT sum(answer) FROM kept", "11");
    step("the other one has the second row");

    let sup = lost.root.supervisor().in_place_of(&lost.sup).args(args);
    let sup = sup.args(["--service-min-backoff-period", "1"]).peers(&[&nodes[0].sup]).start();
    let back = Node { sup, root: lost.root, port: lost.port };
    back.wait_sql("SELECT sum(answer) FROM kept WHERE pg_is_in_recovery()", "11");
    step("the lost member is back as a standby and has both rows");
    nodes.push(back);
    let primary = nodes[0].sup.member_id();
    sort(&mut nodes);
    assert_eq!(nodes[0].sup.member_id(), primary, "a returning member does not take over");
    assert_eq!(nodes[0].sql("INSERT INTO kept VALUES (100)"), "INSERT 0 1");
    for node in &nodes {
        node.wait_sql("SELECT sum(answer) FROM kept", "111");
    }
    step("all three have the third row");
}
