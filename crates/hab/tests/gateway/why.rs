//! Why a service is down: in the status, in checks, over a restart of the Supervisor.

use serde_json::Value;
use testkit::{Supervisor, wait_for};

use super::{Said, hab, ok, root, root_with_web};

const CRASH: &str = "acme/crash/1.0.0/20250101000000";

/// Ends before it can be used, with a message.
const CRASHES: &str = "#!/bin/sh
sleep 0.3
echo 'cannot bind port 80' >&2
exit 3
";

fn status(sup: &Supervisor) -> Value {
    let text = ok(sup, &["svc", "status", "--format", "json"]);
    serde_json::from_str::<Value>(&text).expect("JSON")[0].clone()
}

fn check(sup: &Supervisor, name: &str) -> Said {
    let url = format!("http://{}", sup.http);
    Said::from(sup.hab(["svc", "check", name, "--url", &url]))
}

#[test]
fn a_service_that_crashes_says_why_everywhere() {
    let root = root();
    root.package(CRASH, &[("hooks/run", CRASHES)]);
    let sup = root.supervisor().start();
    let said = hab(&sup, &["svc", "load", "--wait", "acme/crash"]);
    assert_eq!(said.code, 1, "{said:?}");
    for text in ["acme/crash does not come up: ", "exited with code 3", "cannot bind port 80"] {
        assert!(said.stderr.contains(text), "{said:?}");
    }
    let said = check(&sup, "crash");
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stdout.starts_with("CRITICAL: crash.default - the process exited with code 3"));
    assert!(said.stdout.ends_with(": cannot bind port 80\n"), "{said:?}");

    let shown = status(&sup);
    assert_eq!(shown["reason_code"], "run_exits");
    assert_eq!(
        (&shown["last_exit"]["code"], &shown["last_exit"]["cause"]),
        (&3.into(), &"unexpected".into())
    );
    assert_eq!(shown["last_exit"]["stderr"][0], "cannot bind port 80");
    let wide = ok(&sup, &["svc", "status", "--format", "wide"]);
    assert!(wide.contains("cannot bind port 80"), "{wide}");
    let v1 = sup.get("/v1/services/crash.default").json();
    assert_eq!(v1["reason"]["evidence"][0], "cannot bind port 80");
    assert_eq!(v1["health"], "unknown");
    let health = sup.get("/services/crash/default/health").json();
    assert_eq!(health["stderr"], "", "Habitat's document stays as it is");

    ok(&sup, &["svc", "stop", "--wait", "acme/crash"]);
    let said = check(&sup, "crash");
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.stdout.contains("it was stopped"), "{said:?}");
    assert!(!sup.log().contains("will restart immediately"), "nothing is stopped by a crash");
}

#[test]
fn what_is_shown_of_services_that_are_down_survives_a_restart_of_the_supervisor() {
    let root = root_with_web();
    let init = "#!/bin/sh\necho no database\nexit 4\n";
    root.package(
        "acme/broken/1.0.0/20250101000000",
        &[("hooks/run", CRASHES), ("hooks/init", init)],
    );
    let sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_up("web");
    ok(&sup, &["svc", "stop", "--wait", "acme/web"]);
    let stopped = sup.get("/v1/services/web.default").json();
    let said = hab(&sup, &["svc", "load", "--wait", "acme/broken"]);
    assert!(said.stderr.contains("the init hook exited with code 4: no database"), "{said:?}");
    let broken = || sup.get("/v1/services/broken.default").json();
    let before = wait_for("several failures", || {
        Some(broken()).filter(|it| it["restarts"]["total"].as_u64() > Some(2))
    });
    ok(&sup, &["sup", "restart", "--wait"]);
    let after = wait_for("the next Supervisor", || {
        let answer = sup.get("/v1/services/broken.default");
        (answer.status() == 200).then(|| answer.json())
    });
    assert!(after["restarts"]["total"].as_u64() >= before["restarts"]["total"].as_u64(), "{after}");
    assert_eq!(after["since"], before["since"]);
    assert_eq!(after["reason"]["code"], "init_failed");
    assert_eq!(after["reason"]["since"], before["reason"]["since"]);
    assert_eq!(after["reason"]["evidence"][0], "no database");
    let web = sup.get("/v1/services/web.default").json();
    assert_eq!(web, stopped);
}

#[test]
fn a_version_that_is_not_higher_changes_nothing_and_that_is_said() {
    let root = root_with_web();
    let sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_up("web");
    let apply = |version: &str, content: &str| {
        root.write("new.toml", content);
        let path = root.join("new.toml").display().to_string();
        hab(&sup, &["config", "apply", "web.default", version, &path])
    };
    assert_eq!(apply("0", "health = 0\n").code, 1);
    assert_eq!(apply("5", "health = 0\n").code, 0);
    sup.wait_json("/butterfly", |it| it["service_config"]["list"]["web.default"].is_object());
    for (version, why) in [("5", "give a number above 5"), ("4", "4 is not above it")] {
        let said = apply(version, "health = 1\n");
        assert_eq!(said.code, 1, "{said:?}");
        assert!(
            said.stderr.contains("Nothing was changed: ") && said.stderr.contains(why),
            "{said:?}"
        );
        assert!(!said.stdout.contains("Applied"), "{said:?}");
    }
    let upload = |version: &str| {
        let path = root.join("new.toml").display().to_string();
        hab(&sup, &["file", "upload", "web.default", version, &path])
    };
    assert_eq!(upload("2").code, 0);
    sup.wait_json("/butterfly", |it| it["service_file"]["list"]["web.default"].is_object());
    let said = upload("2");
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("is in the ring already, the same one"), "{said:?}");
}

#[test]
fn a_refusal_of_the_v1_api_is_a_problem_document() {
    let root = root_with_web();
    let sup = root.supervisor().start();
    let answer = sup.get("/v1/services/nosuch.default");
    assert_eq!((answer.status(), answer.json()["code"].as_str()), (404, Some("not_found")));
    let answer = sup.get("/v1/services/nosuch");
    assert_eq!((answer.status(), answer.json()["code"].as_str()), (400, Some("bad_name")));
    let said = check(&sup, "nosuch");
    let line = "CRITICAL: nosuch - No service is loaded, so nosuch is not.\n";
    assert_eq!((said.code, said.stdout.as_str()), (2, line), "{said:?}");
}

#[test]
fn a_check_finds_a_service_in_another_group_by_its_name() {
    let root = root_with_web();
    let sup = root.supervisor().args(["acme/web", "--group", "blue", "--org", "acme"]).start();
    sup.wait_json("/services/web/blue/acme", |service| service["process"]["state"] == "up");
    for name in ["web", "web.blue", "web.blue@acme"] {
        let said = check(&sup, name);
        assert!(said.stdout.contains(": web.blue@acme - "), "{name}: {said:?}");
        assert!(!said.stdout.contains("not loaded"), "{name}: {said:?}");
    }
    for name in ["wep", "web.red", "web.default"] {
        let said = check(&sup, name);
        let line = format!("CRITICAL: {name} - {name} is not loaded. Loaded are: web.blue@acme.\n");
        assert_eq!((said.code, said.stdout), (2, line));
    }
}
