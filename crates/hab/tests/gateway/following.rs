//! Lists of services and waiting for a change, against a real Supervisor.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
    thread,
};

use serde_json::Value;

use super::{Said, ok, root_with_web};

#[test]
fn a_client_that_waits_gets_the_change_that_a_command_makes() {
    let root = root_with_web();
    let sup = root.supervisor().args(["acme/web"]).start();
    let path = "/v1/services?name=w*";
    let is_up = |list: &serde_json::Value| list["items"][0]["state"] == "up";
    sup.wait_json(path, |list| is_up(list) && list["items"][0]["health"] == "ok");
    let first = sup.get(path);
    let tag = first.header("etag").expect("a tag").to_owned();
    let known = [("if-none-match", tag.as_str())];
    assert_eq!(sup.send("GET", path, &known).expect("an answer").status(), 304);
    assert_eq!(first.json()["next"], serde_json::Value::Null);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            // The client of the tests gives up sooner than a longer wait would end.
            let path = format!("{path}&wait=15s");
            std::iter::repeat_with(|| sup.send("GET", &path, &known).expect("an answer"))
                .find(|answer| answer.status() != 304)
                .expect("a change")
        });
        ok(&sup, &["svc", "stop", "--wait", "acme/web"]);
        let answer = waiting.join().expect("no panic");
        assert_eq!(answer.status(), 200);
        let item = &answer.json()["items"][0];
        assert!(item["desired"] == "down" || item["state"] == "stopping", "{item}");
    });
    let list = sup.wait_json("/v1/services?state=down", |list| list["items"][0]["pid"].is_null());
    assert_eq!(list["items"][0]["id"], "web.default");
    assert!(list["items"][0]["why"].as_str().is_some_and(|why| why.contains("stopped")), "{list}");
    // Tricks in the path of a service reach no file and no other document.
    for path in [
        "/v1/services/..%2f..%2fetc",
        "/v1/services/../../census",
        "/v1/services/%2e%2e",
        "/v1/services/web.default%00",
        "/v1/services/web.default%2flogs",
        "/v1/services/web%0d%0a.default",
        "/v1/services/web.default/../../../../etc/passwd",
    ] {
        let answer = sup.get(path);
        assert!(matches!(answer.status(), 400 | 404), "{path}: {answer:?}");
        let kind = answer.header("content-type");
        assert_eq!(kind, Some("application/problem+json"), "{path}");
        assert!(!answer.text().contains("passwd"), "{path}");
    }
}

#[test]
fn status_is_shown_again_when_a_service_changes() {
    let root = root_with_web();
    let sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_up("web");
    let mut watching = sup
        .command(["svc", "status", "--watch", "--format", "json", "web"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("hab runs");
    let mut lines = BufReader::new(watching.stdout.take().expect("a pipe")).lines();
    // Each line is the state after one change; states may be passed over.
    let mut until = |wanted: &str| loop {
        let line = lines.next().expect("a line").expect("UTF-8");
        let items: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(items.as_array().map(Vec::len), Some(1), "{line}");
        if items[0]["state"] == wanted {
            break;
        }
    };
    until("up");
    ok(&sup, &["svc", "stop", "acme/web"]);
    until("down");
    ok(&sup, &["svc", "start", "acme/web"]);
    until("up");
    watching.kill().expect("killed");
    watching.wait().expect("ended");
    let said = Said::from(sup.hab(["svc", "status", "--url", "http://127.0.0.1:1"]));
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("--url is for --watch"), "{said:?}");
}
