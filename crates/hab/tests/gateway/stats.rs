//! Figures of services and of the Supervisor: in documents and in metrics, and gone with what they
//! are about.

use std::net::Ipv4Addr;

use serde_json::{Value, json};
use testkit::{Supervisor, wait_for};

use super::{Said, ok, root, root_with_web, wait_gone};

const OPEN_METRICS: &str = "application/openmetrics-text;version=1.0.0,*/*;q=0.1";

/// A service of two processes, the second in a session of its own.
const TREE: &str = "#!/bin/sh\nsetsid sleep 100000 &\nexec sleep 100000\n";

fn stats(sup: &Supervisor, name: &str) -> Value {
    sup.get(&format!("/v1/services/{name}.default/stats")).json()
}

fn stdout(output: std::process::Output) -> String {
    let said = Said::from(output);
    assert_eq!(said.code, 0, "{said:?}");
    said.stdout
}

/// Lines of `/metrics` about a service.
fn series(sup: &Supervisor, group: &str) -> Vec<String> {
    let page = sup.get("/metrics").text();
    let label = format!("service_group=\"{group}\"");
    page.lines().filter(|line| line.contains(&label)).map(str::to_owned).collect()
}

fn has(series: &[String], name: &str) -> bool {
    series.iter().any(|line| line.starts_with(&format!("hab_sup_service_{name}{{")))
}

#[test]
fn figures_are_of_the_whole_tree_and_end_with_the_service() {
    let root = root_with_web();
    root.package("acme/tree/1.0.0/20250101000000", &[("hooks/run", TREE)]);
    let sup = root.supervisor().start();
    ok(&sup, &["svc", "load", "--wait", "acme/web"]);
    ok(&sup, &["svc", "load", "--wait", "acme/tree"]);
    let found =
        sup.wait_json("/v1/services/tree.default/stats", |stats| stats["usage"]["processes"] == 2);
    assert_eq!(found["pid"], sup.wait_up("tree"), "{found:#}");
    assert_eq!(found["why"], Value::Null, "{found:#}");
    let usage = &found["usage"];
    assert_eq!(usage["threads"], 2, "{found:#}");
    assert_eq!(usage["listening"], json!([]), "{found:#}");
    assert!(usage["resident_bytes"].as_u64() > Some(100_000), "{found:#}");
    let fullest = &usage["descriptors"]["fullest"];
    assert!(fullest["open"].as_u64() > Some(2) && fullest["limit"].is_u64(), "{found:#}");
    assert!(usage["descriptors"]["open"].as_u64() > fullest["open"].as_u64(), "{found:#}");

    let all = sup.get("/v1/stats").json();
    let ids: Vec<_> = all["items"].as_array().expect("a list").iter().map(|it| &it["id"]).collect();
    assert_eq!(ids, ["tree.default", "web.default"], "{all:#}");
    let tree = &all["items"][0];
    assert_eq!((&tree["pid"], &tree["processes"]), (&found["pid"], &json!(2)), "{all:#}");
    assert!(tree["resident_bytes"].as_u64() > Some(100_000), "{all:#}");

    let shown = wait_for("figures of the service", || {
        let shown = series(&sup, "web.default");
        let ok = "hab_sup_service_health{health=\"ok\",service_group=\"web.default\"} 1";
        (has(&shown, "cpu_seconds_total") && shown.iter().any(|line| line == ok)).then_some(shown)
    });
    for line in [
        "hab_sup_service_up{service_group=\"web.default\"} 1",
        "hab_sup_service_desired_up{service_group=\"web.default\"} 1",
        "hab_sup_service_state{service_group=\"web.default\",state=\"up\"} 1",
        "hab_sup_service_state{service_group=\"web.default\",state=\"failed\"} 0",
        "hab_sup_service_health{health=\"critical\",service_group=\"web.default\"} 0",
        "hab_sup_service_restarts_total{service_group=\"web.default\"} 0",
        "hab_sup_service_processes{service_group=\"web.default\"} 1",
    ] {
        assert!(shown.iter().any(|known| known == line), "{line}: {shown:#?}");
    }
    for name in [
        "resident_memory_bytes",
        "open_file_descriptors",
        "check_duration_seconds_bucket",
        "check_duration_seconds_count",
    ] {
        assert!(has(&shown, name), "{name}: {shown:#?}");
    }

    let all = stdout(sup.hab(["svc", "stats"]));
    let rows: Vec<Vec<&str>> = all.lines().map(|line| line.split_whitespace().collect()).collect();
    let of = |name: &str| rows.iter().find(|row| row[0] == name).expect(name).clone();
    assert_eq!(of("tree.default")[2..4], ["2", "2"], "{all}");
    assert_eq!(of("web.default")[2..4], ["1", "1"], "{all}");
    let one = stdout(sup.hab(["svc", "stats", "acme/tree", "--format", "json"]));
    let one: Value = serde_json::from_str(&one).expect("JSON");
    assert_eq!(one[0]["id"], "tree.default", "{one:#}");
    let none = Said::from(sup.hab(["svc", "stats", "nothing"]));
    assert_eq!(none.code, 1, "{none:?}");
    assert!(none.stderr.contains("nothing is not loaded. Loaded are: "), "{none:?}");

    ok(&sup, &["svc", "stop", "--wait", "acme/web"]);
    let stopped = sup.wait_json("/v1/services/web.default/stats", |stats| stats["pid"].is_null());
    assert_eq!(stopped["usage"], Value::Null, "{stopped:#}");
    assert_eq!(stopped["why"], "the service does not run");
    let shown = series(&sup, "web.default");
    for line in [
        "hab_sup_service_up{service_group=\"web.default\"} 0",
        "hab_sup_service_desired_up{service_group=\"web.default\"} 0",
        "hab_sup_service_state{service_group=\"web.default\",state=\"down\"} 1",
    ] {
        assert!(shown.iter().any(|known| known == line), "{line}: {shown:#?}");
    }
    for name in ["cpu_seconds_total", "resident_memory_bytes", "processes"] {
        assert!(!has(&shown, name), "{name} is not 0, it is absent: {shown:#?}");
    }

    ok(&sup, &["svc", "unload", "acme/web"]);
    wait_gone(&sup, "web.default");
    wait_for("the end of its series", || series(&sup, "web.default").is_empty().then_some(()));
    assert_eq!(sup.get("/v1/services/web.default/stats").status(), 404);
    assert!(stats(&sup, "tree")["usage"].is_object());
}

#[test]
fn the_supervisor_shows_itself_and_what_needs_an_operator() {
    let root = root_with_web();
    let sup = root.supervisor().start();
    ok(&sup, &["svc", "load", "--wait", "acme/web"]);
    let shown = sup.wait_json("/v1/supervisor", |shown| shown["services"]["ok"] == 1);
    let pid = sup.supervisor_pid().expect("a Supervisor").as_raw_nonzero().get();
    assert_eq!(shown["supervisor"]["pid"], pid, "{shown:#}");
    assert_eq!(shown["launcher"]["pid"], sup.launcher_pid().as_raw_nonzero().get(), "{shown:#}");
    assert_eq!(shown["addresses"]["http"], sup.http.to_string());
    assert_eq!(shown["addresses"]["control"], sup.ctl.to_string());
    let counts = json!({
        "loaded": 1, "up": 1, "ok": 1, "warning": 0, "critical": 0, "unknown": 0
    });
    assert_eq!(shown["services"], counts);
    assert!(shown["supervisor"]["descriptors"].as_u64() > Some(5), "{shown:#}");
    let conditions = shown["conditions"].as_array().expect("a list");
    for kind in ["insecure_listen", "ring_key_missing", "clock_jumped", "disk_hangs"] {
        // The tests listen on the loopback interface alone.
        let found = conditions.iter().find(|condition| condition["type"] == kind);
        assert_eq!(found.expect(kind)["status"], "ok", "{shown:#}");
    }
    assert_eq!(sup.get("/v1/supervisor?x=1").status(), 400);
}

#[test]
fn ports_that_strangers_reach_are_conditions() {
    let root = root();
    let everywhere = Ipv4Addr::UNSPECIFIED;
    let sup = root.supervisor().at(everywhere, testkit::free_ports(&[everywhere])).start();
    let shown = sup.wait_json("/v1/supervisor", |shown| shown["conditions"].is_array());
    let conditions = shown["conditions"].as_array().expect("a list");
    for (kind, reason) in [
        ("insecure_listen", "http"),
        ("insecure_listen", "control"),
        ("ring_key_missing", "gossip"),
    ] {
        let mut of_kind = conditions.iter().filter(|condition| condition["type"] == kind);
        let found = of_kind.find(|condition| condition["reason"] == reason);
        assert_eq!(found.map(|found| &found["status"]), Some(&json!("warn")), "{shown:#}");
    }
}

#[test]
fn open_metrics_is_given_to_those_that_ask_for_it() {
    let root = root_with_web();
    let sup = root.supervisor().start();
    ok(&sup, &["svc", "load", "--wait", "acme/web"]);
    let answer = sup.send("GET", "/metrics", &[("accept", OPEN_METRICS)]).expect("an answer");
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(answer.header("content-type"), Some(kind));
    let page = answer.text();
    assert!(page.ends_with("\n# EOF\n"), "{page}");
    assert!(page.contains("# TYPE hab_sup_service_restarts counter\n"), "{page}");
    assert!(page.contains("hab_build_info{version=\"2.1.78+roost."), "{page}");
    let plain = sup.get("/metrics");
    assert_eq!(plain.header("content-type"), Some("text/plain; version=0.0.4"));
    assert!(!plain.text().contains("# EOF"));
}
