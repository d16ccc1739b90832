//! Health checks.

use serde_json::{Value, json};

use crate::{RUN, is_up, lives, pid_of, root, root_with_web, wait_web};

const HEALTH: &str = "/services/web/default/health";

#[test]
fn every_exit_code_has_its_status() {
    let root = root();
    let cases = [
        ("ok", "exit 0", 200, "OK"),
        ("warn", "exit 1", 200, "WARNING"),
        ("crit", "exit 2", 503, "CRITICAL"),
        ("unknown", "exit 3", 500, "UNKNOWN"),
        ("odd", "exit 7", 500, "UNKNOWN"),
        ("signal", "kill -9 $$", 500, "UNKNOWN"),
    ];
    for (name, end, _, _) in cases {
        let check = format!("#!/bin/sh\necho out\necho err >&2\n{end}\n");
        root.package(
            &format!("acme/{name}/1.0/20250101000000"),
            &[("hooks/run", RUN), ("hooks/health-check", &check)],
        );
        root.spec(name, &format!("ident = \"acme/{name}\"\n"));
    }
    let sup = root.supervisor().start();
    for (name, _, status, word) in cases {
        let path = format!("/services/{name}/default/health");
        let health = sup.wait_json(&path, |health| health["stdout"] == "out\n");
        assert_eq!(health["status"], word, "{name}");
        assert_eq!(sup.get(&path).status(), status, "{name}");
        assert_eq!(health["stderr"], "err\n", "{name}");
    }
}

#[test]
fn a_hung_check_is_ended_and_counts_as_unknown_with_a_reason() {
    let check = "#!/bin/sh\necho $$ > {{pkg.svc_data_path}}/check\necho still here\nsleep 100000\n";
    let root = root_with_web(&[("hooks/health-check", check)]);
    let sup =
        root.supervisor().env("HAB_HEALTH_CHECK_TIMEOUT_SECS", "1").args(["acme/web"]).start();
    let health = sup.wait_json(HEALTH, |health| {
        health["stderr"].as_str().is_some_and(|text| text.contains("1 s"))
            && health["stdout"] == "still here\n"
    });
    assert_eq!(health["status"], "UNKNOWN");
    let check: i32 = root.read("hab/svc/web/data/check").trim().parse().unwrap();
    assert!(!lives(check));
    wait_web(&sup, is_up);
}

#[test]
fn output_of_a_check_is_bounded_and_marked() {
    let check =
        "#!/bin/sh\nyes 0123456789012345678901234567890123456789 | head -n 200000\necho the end\n";
    let root = root_with_web(&[("hooks/health-check", check)]);
    let sup = root.supervisor().args(["acme/web"]).start();
    let health = sup.wait_json(HEALTH, |health| health["status"] == "OK");
    let text = health["stdout"].as_str().unwrap();
    assert!(text.len() < 66 * 1024, "{}", text.len());
    assert!(text.starts_with('[') && text.contains("bytes cut]"), "{}", &text[..60]);
    assert!(text.ends_with("the end\n"));
    let log = testkit::wait_for("the log file", || {
        let log = root.read("hab/svc/web/logs/health-check.stdout.log");
        log.ends_with("the end\n").then_some(log)
    });
    assert_eq!(log, text);
}

#[test]
fn without_a_hook_health_is_whether_the_process_runs() {
    let root = root_with_web(&[]);
    let sup = root.supervisor().args(["acme/web"]).start();
    assert_eq!(sup.wait_json(HEALTH, |health| health["status"] == "OK")["stdout"], "");
}

#[test]
fn a_stopped_service_keeps_the_output_of_its_last_check() {
    let root = root_with_web(&[("hooks/health-check", "#!/bin/sh\necho fine\n")]);
    let sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_json(HEALTH, |health| health["status"] == "OK");
    let output = sup.hab(["svc", "stop", "acme/web", "-r", &sup.ctl.to_string()]);
    assert!(output.status.success(), "{output:?}");
    let service =
        wait_web(&sup, |s| s["desired_state"] == "Down" && s["process"]["state"] == "down");
    assert_eq!(service["health_check"], "Unknown");
    let answer = sup.get(HEALTH);
    assert_eq!((answer.status(), &answer.json()["stdout"]), (500, &serde_json::json!("fine\n")));
}

/// Fails while there is a file, which a start removes.
const FAILS: [(&str, &str); 2] = [
    ("hooks/init", "#!/bin/sh\nrm -f {{pkg.svc_data_path}}/bad\n"),
    (
        "hooks/health-check",
        "#!/bin/sh\n[ ! -e {{pkg.svc_data_path}}/bad ] || { echo it is bad; exit 2; }\n",
    ),
];

#[test]
fn a_critical_service_is_restarted_when_that_was_asked_for() {
    let root = root_with_web(&FAILS);
    let sup = root.supervisor().start();
    let run = |args: &[&str]| {
        let remote = ["--remote-sup".to_owned(), sup.ctl.to_string()];
        let all = args.iter().map(|arg| (*arg).to_owned()).chain(remote);
        let output = sup.hab(all);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let load = ["svc", "load", "acme/web", "--restart-when-critical", "2"];
    run(&[&load[..], &["--health-check-interval", "1"]].concat());
    sup.wait_json(HEALTH, |health| health["status"] == "OK");
    assert!(root.read("hab/sup/default/specs/web.spec").contains("restart_when_critical = 2\n"));
    let status: Value = serde_json::from_str(&run(&["svc", "status", "--format", "json"])).unwrap();
    assert_eq!(status[0]["restart_when_critical"], 2, "{status:#}");

    let before = pid_of(&wait_web(&sup, is_up));
    root.write("hab/svc/web/data/bad", "");
    let after = wait_web(&sup, |web| is_up(web) && pid_of(web) != before);
    let last = &after["last_process_state"];
    assert_eq!(last["termination_reason"], "health_check_critical", "{after:#}");
    assert_eq!((&last["pid"], &after["restart_count"]), (&json!(before), &json!(1)));
    sup.wait_log("2 health checks in a row were critical: it is bad; starting again");
    sup.wait_json(HEALTH, |health| health["status"] == "OK");

    // Taken back, the process is not touched, and a critical one goes on.
    run(&["svc", "update", "web", "--restart-when-critical", "0"]);
    assert!(!root.read("hab/sup/default/specs/web.spec").contains("restart_when_critical"));
    root.write("hab/svc/web/data/bad", "");
    sup.wait_json("/v1/services/web.default", |web| web["health"] == "critical");
    sup.wait_log_times("it is bad", 6);
    assert_eq!(wait_web(&sup, is_up)["process"]["pid"], after["process"]["pid"]);
}

#[test]
fn what_a_check_leaves_behind_holds_nothing_up() {
    let check = "#!/bin/sh\nsleep 100000 &\necho $! >> {{pkg.svc_data_path}}/left\necho forked\n";
    let root = root_with_web(&[("hooks/health-check", check)]);
    let mut sup = root.supervisor().args(["acme/web", "--health-check-interval", "1"]).start();
    let health = sup.wait_json(HEALTH, |health| health["status"] == "OK");
    assert_eq!(health["stdout"], "forked\n");
    testkit::wait_for("three runs", || {
        (root.read("hab/svc/web/data/left").lines().count() >= 3).then_some(())
    });
    // As with Habitat, what a hook starts in the background is its own affair.
    assert_eq!(sup.stop(), 0, "{}", sup.log());
    root.kill_all();
}
