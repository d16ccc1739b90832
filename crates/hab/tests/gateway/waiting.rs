//! `--wait`: the exit code is right, even while an old process still exists.

use std::fs;

use testkit::{Root, Supervisor, wait_for};

use super::{Said, WEB, fails, hab, ok, root};

/// A service with a slow stop.
const SLOW: &str = "#!/bin/sh
trap 'sleep 1; exit 0' TERM
while :; do sleep 0.1; done
";

/// It fails in the group `bad`.
const INIT: &str = "#!/bin/sh
[ {{svc.group}} != bad ]
";

fn root_with_slow_web() -> Root {
    let root = root();
    // With a check, so that it is ready once the check passes.
    let check = "#!/bin/sh\nexit 0\n";
    root.package(WEB, &[("hooks/run", SLOW), ("hooks/init", INIT), ("hooks/health-check", check)]);
    root
}

/// Process id and group of the only service, which is up.
fn up(sup: &Supervisor) -> (i64, String) {
    let text = ok(sup, &["svc", "status", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&document[0]["state"], &document[0]["phase"]), (&"up".into(), &"running".into()));
    let group = document[0]["group"].as_str().expect("a group").into();
    (document[0]["pid"].as_i64().expect("a process"), group)
}

#[test]
fn a_process_from_before_is_not_what_was_waited_for() {
    let root = root_with_slow_web();
    let sup = root.supervisor().start();
    ok(&sup, &["svc", "load", "--wait", "acme/web"]);
    let (first, _) = up(&sup);
    ok(&sup, &["svc", "update", "--wait", "--group", "blue", "acme/web"]);
    let (second, group) = up(&sup);
    assert_eq!(group, "web.blue");
    assert_ne!(second, first);
    ok(&sup, &["svc", "load", "--force", "--wait", "--group", "green", "acme/web"]);
    let (third, group) = up(&sup);
    assert_eq!(group, "web.green");
    assert_ne!(third, second);
    // A command that restarts nothing succeeds immediately.
    ok(&sup, &["svc", "update", "--wait", "--channel", "beta", "acme/web"]);
    assert_eq!(up(&sup).0, third);
    ok(&sup, &["svc", "start", "--wait", "acme/web"]);
    assert_eq!(up(&sup).0, third);
    ok(&sup, &["svc", "stop", "acme/web"]);
    ok(&sup, &["svc", "start", "--wait", "acme/web"]);
    let (fourth, _) = up(&sup);
    assert_ne!(fourth, third);
    ok(&sup, &["svc", "unload", "acme/web"]);
    ok(&sup, &["svc", "load", "--wait", "acme/web"]);
    assert_ne!(up(&sup).0, fourth);
    // Only the name counts, as for the stop itself.
    ok(&sup, &["svc", "stop", "--wait", "other/web"]);
    let text = ok(&sup, &["svc", "status", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(document[0]["phase"], "stopped");
}

#[test]
fn a_command_on_the_same_machine_waits_for_changes_of_the_list() {
    let root = root_with_slow_web();
    let sup = root.supervisor().start();
    let waits = || {
        let metrics = sup.get("/metrics").text();
        let of_list = "hab_sup_http_gateway_requests_total{path=\"/v1/services\"} ";
        let count = metrics.lines().find_map(|line| line.strip_prefix(of_list));
        count.map_or(0, |count| count.parse::<u32>().expect("a number"))
    };
    let mut before = waits();
    for args in [
        &["svc", "load", "--wait", "acme/web"][..],
        &["svc", "stop", "--wait", "acme/web"],
        &["svc", "start", "--wait", "acme/web"],
        &["svc", "unload", "--wait", "acme/web"],
    ] {
        ok(&sup, args);
        let after = waits();
        // The first request asks for the version, each further one waits for another.
        assert!(after >= before + 2, "{args:?}: {before} to {after}");
        before = after;
    }
}

#[test]
fn a_service_that_fails_or_stays_down_is_not_up() {
    let root = root_with_slow_web();
    let sup = root.supervisor().start();
    ok(&sup, &["svc", "load", "--wait", "acme/web"]);
    let args = ["svc", "update", "--wait", "--group", "bad", "acme/web"];
    let said = hab(&sup, &args);
    assert_eq!((said.code, said.stdout.as_str()), (1, "Updating acme/web\n"), "{said:?}");
    let why = "acme/web does not come up: the init hook exited with code 1";
    assert!(said.stderr.contains(why), "{said:?}");
    wait_for("a reason", || {
        let said = hab(&sup, &["svc", "start", "--wait", "--timeout", "0", "acme/web"]);
        assert_eq!(said.code, 1, "{said:?}");
        said.stderr.contains("restarts after failures: ").then_some(())
    });
    ok(&sup, &["svc", "update", "--wait", "--group", "good", "acme/web"]);
    assert_eq!(up(&sup).1, "web.good");

    ok(&sup, &["svc", "stop", "--wait", "acme/web"]);
    let said = hab(&sup, &["svc", "update", "--wait", "--group", "blue", "acme/web"]);
    assert_eq!((said.code, said.stdout.as_str()), (1, "Updating acme/web\n"), "{said:?}");
    let hint = "acme/web is stopped and stays stopped. `hab svc start acme/web` starts it.";
    assert!(said.stderr.contains(hint), "{said:?}");
    // An impossible goal fails immediately.
    fails(&sup, &["svc", "start", "--wait", "acme/zzz"], "[Err: 2] Service not loaded, acme/zzz");
}

#[test]
fn a_supervisor_that_does_not_come_back_is_reported() {
    let root = root_with_slow_web();
    let sup = root.supervisor().args(["acme/web"]).start();
    let pid = sup.wait_up("web");
    ok(&sup, &["sup", "restart", "--wait"]);
    assert_eq!(up(&sup).0, i64::from(pid), "its services kept running");

    let path = root.join("hab/sup/default/MEMBER_ID");
    let id = fs::read_to_string(&path).expect("an id");
    fs::write(&path, "no member id").expect("written");
    let ctl = sup.ctl.to_string();
    let mut command = sup.command(["sup", "restart", "--wait", "--timeout", "2", "-r", &ctl]);
    let said = Said::from(command.output().expect("it starts"));
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("the Supervisor is not back after 2 seconds"), "{said:?}");
    fs::write(&path, &id).expect("written");
    sup.wait_log_times("Starting ctl-gateway on", 3);
    assert_eq!(up(&sup).0, i64::from(pid));
}
