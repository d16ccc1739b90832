//! The ring as one of its members shows it: `/v1/ring/…` and `hab ring …`.

use serde_json::Value;
use testkit::Supervisor;

use super::{first, installed, joining, stdout, wait_converged};

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
