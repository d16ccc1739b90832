//! `/livez`, `/readyz` and `/startupz` of a real Supervisor.

use serde_json::Value;
use testkit::Supervisor;

use super::{root, root_with_web};

const JSON: &[(&str, &str)] = &[("accept", "application/json")];

fn report(sup: &Supervisor, path: &str) -> (u16, Value) {
    let answer = sup.send("GET", path, JSON).expect("an answer");
    (answer.status(), answer.json())
}

fn names(report: &Value) -> Vec<&str> {
    let checks = report["checks"].as_array().expect("checks").iter();
    checks.map(|check| check["name"].as_str().expect("a name")).collect()
}

#[test]
fn probes_say_what_was_checked() {
    let root = root_with_web();
    let sup = root.supervisor().args(["acme/web"]).start();
    // The control gateway opens just after the first documents.
    sup.wait_json("/v1/services", |list| list["items"][0]["state"] == "up");
    sup.wait_log("Starting http-gateway");
    for path in ["/livez", "/readyz", "/startupz"] {
        let answer = sup.get(path);
        assert_eq!((answer.status(), answer.text().as_str()), (200, "ok\n"), "{path}");
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    }
    assert_eq!(names(&report(&sup, "/livez").1), ["event_loop"]);
    let (status, ready) = report(&sup, "/readyz");
    let all =
        ["event_loop", "launcher", "gossip", "control", "specs", "ring_joined", "journal", "disk"];
    assert_eq!((status, names(&ready)), (200, all.into()));
    assert_eq!(ready["status"], "ok", "{ready}");
    let verbose = sup.get("/readyz?verbose&exclude=disk,journal").text();
    assert_eq!(verbose.lines().count(), 7, "{verbose}");
    let line = verbose.lines().nth(1).expect("a check");
    assert!(line.starts_with("event_loop ok since 20") && line.ends_with("Z: events are handled"));
    for query in ["nope", "exclude=nope", "exclude=", "verbose=2", "verbose&verbose"] {
        let answer = sup.get(&format!("/livez?{query}"));
        assert_eq!(answer.status(), 400, "{query}");
        assert_eq!(answer.json()["code"], "bad_parameter");
    }
    let post = sup.send("POST", "/livez", &[]).expect("an answer");
    assert_eq!((post.status(), post.header("allow")), (405, Some("GET, HEAD")));
}

#[test]
fn a_peer_that_does_not_answer_is_a_warning() {
    let root = root();
    let sup = root.supervisor().args(["--peer", "127.0.0.1:1"]).start();
    let ready = sup.wait_json("/readyz", |_| true);
    assert_eq!(ready, Value::Null, "text is the default");
    let (status, ready) = report(&sup, "/readyz?exclude=control");
    assert_eq!((status, &ready["status"]), (200, &"warn".into()), "{ready}");
    let joined = ready["checks"].as_array().expect("checks").iter();
    let joined = joined.clone().find(|check| check["name"] == "ring_joined").expect("it");
    assert_eq!(joined["detail"], "peers are given, and no other member is alive");
    assert_eq!(report(&sup, "/readyz?exclude=control,ring_joined").1["status"], "ok");
}

#[test]
fn probes_need_the_token_unless_they_are_public() {
    let root = root();
    let token = ("HAB_SUP_GATEWAY_AUTH_TOKEN", "sekret");
    let mut sup = root.supervisor().env(token.0, token.1).start();
    assert_eq!(sup.get("/livez").status(), 401);
    assert_eq!(sup.stop(), 0);
    let sup = root.supervisor().args(["--probes-public"]).env(token.0, token.1).start();
    for path in ["/livez", "/readyz?exclude=control", "/startupz?exclude=control"] {
        assert_eq!(sup.get(path).status(), 200, "{path}");
    }
    for path in ["/services", "/livez/", "/v1/services", "/metrics"] {
        assert_eq!(sup.get(path).status(), 401, "{path}");
    }
}
