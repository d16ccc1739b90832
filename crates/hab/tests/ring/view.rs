//! The ring as one of its members shows it: `/v1/ring/…` and `hab ring …`.

use serde_json::{Value, json};
use testkit::Supervisor;

use super::{first, installed, joining, joining_builder, stdout, wait_converged, wait_health};

/// The row of a member.
fn row(list: &Value, id: &str) -> Value {
    let rows = list["items"].as_array().expect("items");
    rows.iter().find(|row| row["id"] == id).cloned().unwrap_or_default()
}

/// Waits until a Supervisor shows a member like this.
fn wait_row(sup: &Supervisor, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    row(&sup.wait_json("/v1/ring/members", |list| wanted(&row(list, id))), id)
}

#[test]
fn members_show_since_when_and_from_whom_they_are_known() {
    let (root_a, root_b, root_c) = (installed(), installed(), installed());
    let a = first(&root_a, &["acme/db"]);
    let b = joining(&root_b, &a, &["acme/web", "--bind", "db:db.default"]);
    let c = joining(&root_c, &a, &[]);
    wait_converged(&[&a, &b, &c]);
    let own = wait_row(&a, &a.member_id(), |it| it["services"][0] == "db.default");
    assert_eq!(
        (&own["own"], &own["state"], &own["source"]),
        (&true.into(), &"alive".into(), &"own".into())
    );
    assert!(own["version"].as_str().is_some_and(|it| it.contains("roost")), "{own}");
    let seen = wait_row(&a, &b.member_id(), |it| {
        it["round_trip_ms"].is_number()
            && it["last_heard"].is_string()
            && it["services"][0] == "web.default"
    });
    assert_eq!(
        (&seen["own"], &seen["state"], &seen["version"]),
        (&false.into(), &"alive".into(), &Value::Null)
    );
    assert_eq!(seen["http"], b.http.to_string());
    assert_eq!(seen["address"], b.gossip.ip().to_string());
    let unknown = wait_row(&a, &c.member_id(), |it| it["state"] == "alive");
    assert_eq!(unknown["http"], Value::Null, "a member without services announces no gateway");

    let id = c.member_id();
    root_c.kill_all();
    let dead = wait_row(&a, &id, |it| it["state"] == "confirmed");
    assert!(["timeout", "news"].iter().any(|source| dead["source"] == *source), "{dead}");
    assert!(dead["since"].as_str() > unknown["since"].as_str(), "{dead}");
    let targets = a.get("/v1/ring/prometheus-targets").json();
    let targets: Vec<&Value> =
        targets.as_array().expect("a list").iter().map(|it| &it["targets"][0]).collect();
    assert!(targets.len() == 2 && targets.contains(&&b.http.to_string().into()), "{targets:?}");
    let filtered = a.get("/v1/ring/members?state=confirmed").json();
    assert_eq!(filtered["items"].as_array().map(Vec::len), Some(1), "{filtered}");

    let said = a.hab(["ring", "members", "--state", "alive,confirmed"]);
    let said = stdout(&said);
    let line = |id: &str| said.lines().find(|line| line.starts_with(id)).unwrap_or_default();
    assert!(line(&a.member_id()).contains("itself"), "{said}");
    assert!(line(&b.member_id()).contains("web.default"), "{said}");
    assert!(line(&id).contains("confirmed"), "{said}");
    let json = a.hab(["ring", "members", "--format", "json", "--name", &id]);
    let json: Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(json[0]["id"], id.as_str());
}

#[test]
fn groups_show_leader_quorum_and_why_there_is_no_leader() {
    let roots = [installed(), installed(), installed()];
    let leader = ["acme/db", "--topology", "leader"];
    let a = first(&roots[0], &leader);
    let b = joining(&roots[1], &a, &leader);
    let c = joining(&roots[2], &a, &leader);
    wait_converged(&[&a, &b, &c]);
    const DB: &str = "/v1/ring/groups/db.default";
    let led = a.wait_json(DB, |group| {
        group["leader"].is_string()
            && group["quorum"]["alive"] == 3
            && group["members"].as_array().is_some_and(|all| all.len() == 3)
    });
    assert_eq!(
        led["quorum"],
        json!({"electorate": 3, "alive": 3, "needed": 2, "reached": true, "spare": 1})
    );
    assert_eq!(
        (&led["election"]["status"], &led["why_no_leader"]),
        (&"finished".into(), &Value::Null)
    );
    assert_eq!(led["warnings"], json!([]));
    roots[1].kill_all();
    roots[2].kill_all();
    let left = a
        .wait_json(DB, |group| group["quorum"]["alive"] == 1 && group["why_no_leader"].is_string());
    let codes: Vec<&Value> =
        left["warnings"].as_array().expect("a list").iter().map(|it| &it["code"]).collect();
    assert!(codes.contains(&&"no_quorum".into()), "{left}");
    let said = stdout(&a.hab(["ring", "groups"]));
    assert!(said.contains("1 of 3  2"), "{said}");
    let said = stdout(&a.hab(["ring", "groups", "db.default"]));
    assert!(
        said.lines().any(|line| line.starts_with(&a.member_id()) && line.contains("alive")),
        "{said}"
    );
    let none = a.hab(["ring", "groups", "cache.default"]);
    assert_eq!(none.status.code(), Some(1));
}

#[test]
fn health_comes_from_the_gateways_and_names_members_that_do_not_answer() {
    let roots = [installed(), installed(), installed()];
    let a = first(&roots[0], &["acme/db"]);
    let b = joining(&roots[1], &a, &["acme/db"]);
    let c = joining_builder(&roots[2], &a, &["acme/db"])
        .env("HAB_SUP_GATEWAY_AUTH_TOKEN", "sekret")
        .start();
    let (id_a, id_b, id_c) = (a.member_id(), b.member_id(), {
        let file = c.root().join("hab/sup/default/MEMBER_ID");
        std::fs::read_to_string(file).expect("an id").trim().to_owned()
    });
    let member = |health: &Value, id: &str| {
        let members = health["members"].as_array().expect("members");
        members.iter().find(|member| member["id"] == id).cloned().unwrap_or_default()
    };
    let health = a.wait_json("/v1/ring/health", |health| {
        member(health, &id_b)["result"] == "answered"
            && member(health, &id_c)["result"] == "refused"
    });
    let (own, other) = (member(&health, &id_a), member(&health, &id_b));
    assert_eq!((&own["source"], &other["source"]), (&"own".into(), &"v1".into()));
    assert_eq!(other["services"][0]["id"], "db.default");
    assert!(other["version"].as_str().is_some_and(|it| it.contains("roost")), "{other}");
    assert_eq!(health["partial"], true);
    let strict = a.hab(["ring", "health", "--strict"]);
    assert_eq!(strict.status.code(), Some(3), "{}", stdout(&strict));
    assert!(stdout(&strict).starts_with("UNKNOWN: 2 of 3 members answered"), "{}", stdout(&strict));
    let stopped = b.supervisor_pid().expect("it runs");
    rustix::process::kill_process(stopped, rustix::process::Signal::STOP).expect("stopped");
    a.wait_json("/v1/ring/health", |health| {
        ["unreachable", "dead"].iter().any(|result| member(health, &id_b)["result"] == *result)
    });
    rustix::process::kill_process(stopped, rustix::process::Signal::CONT).expect("continued");
}

#[test]
fn the_matrix_shows_who_sees_whom_and_names_a_member_that_is_not_seen() {
    const MATRIX: &str = "/v1/ring/matrix";
    let roots = [installed(), installed(), installed()];
    let a = first(&roots[0], &["acme/db"]);
    let b = joining(&roots[1], &a, &["acme/db"]);
    let c = joining(&roots[2], &a, &["acme/db"]);
    wait_converged(&[&a, &b, &c]);
    let id = c.member_id();
    let codes = |matrix: &Value| -> Vec<String> {
        let findings = matrix["findings"].as_array().expect("findings").iter();
        findings.map(|it| it["code"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let whole = a.wait_json(MATRIX, |matrix| {
        matrix["partial"] == false
            && codes(matrix) == ["agree"]
            && matrix["members"].as_array().is_some_and(|all| all.len() == 3)
    });
    for member in whole["members"].as_array().expect("members") {
        let source = if member["id"] == a.member_id() { "own" } else { "v1" };
        assert_eq!(
            (&member["sees"], &member["source"]),
            (&"...".into(), &source.into()),
            "{whole}"
        );
    }
    assert_eq!(whole["findings"][0]["message"], "All 3 members see each other alive.");
    let said = stdout(&a.hab(["ring", "matrix"]));
    assert_eq!(said.lines().filter(|line| line.ends_with("  ...")).count(), 3, "{said}");

    let stopped = c.supervisor_pid().expect("it runs");
    rustix::process::kill_process(stopped, rustix::process::Signal::STOP).expect("stopped");
    for sup in [&a, &b] {
        wait_health(sup, &id, "Confirmed");
    }
    let left = a.wait_json(MATRIX, |matrix| codes(matrix) == ["unseen", "agree"]);
    assert_eq!(left["partial"], true);
    assert_eq!(left["findings"][0]["members"], json!([id]));
    let silent = left["members"].as_array().expect("members").iter().find(|it| it["id"] == id);
    let silent = silent.expect("the stopped member");
    assert_eq!(
        (&silent["result"], &silent["state"], &silent["sees"]),
        (&"unreachable".into(), &"confirmed".into(), &Value::Null)
    );
    let said = stdout(&a.hab(["ring", "matrix"]));
    assert!(said.contains("2 of 3 members answered:"), "{said}");
    assert!(said.lines().any(|line| line.ends_with("  ---")), "{said}");
    let json = a.hab(["ring", "matrix", "--format", "json"]);
    let json: Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(codes(&json), ["unseen", "agree"]);
    rustix::process::kill_process(stopped, rustix::process::Signal::CONT).expect("continued");
    a.wait_json(MATRIX, |matrix| matrix["partial"] == false && codes(matrix) == ["agree"]);
}
