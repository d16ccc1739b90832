//! A client that shares no code with Roost (`tests/peers/ctl_client.py`).

use std::process::Command;

use serde_json::Value;
use testkit::{Supervisor, peer_script, python_with};

use super::{WEB, root_with_web, wait_gone};

/// Runs the client; returns its exit code and the received frames.
fn client(python: &str, sup: &Supervisor, args: &[&str]) -> (i32, Vec<Value>) {
    client_with_secret(python, sup, &super::secret(sup), args)
}

fn client_with_secret(
    python: &str,
    sup: &Supervisor,
    secret: &str,
    args: &[&str],
) -> (i32, Vec<Value>) {
    let output = Command::new(python)
        .arg(peer_script("ctl_client.py"))
        .args(["--addr", &sup.ctl.to_string(), "--secret", secret, "--timeout", "10"])
        .args(args)
        .output()
        .expect("python starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let frames: Vec<Value> =
        lines.filter(|line| line["dir"] == "in").map(|line| line["frame"].clone()).collect();
    (output.status.code().unwrap_or(-1), frames)
}

fn names(frames: &[Value]) -> Vec<&str> {
    frames.iter().filter_map(|frame| frame["name"].as_str()).collect()
}

#[test]
fn every_command_of_a_foreign_client_is_answered() {
    let root = root_with_web();
    let mut sup = root.supervisor().start();
    let Some(python) = python_with(&[]) else { return };
    let ask = |args: &[&str]| client(python, &sup, args);

    assert_eq!(names(&ask(&["status"]).1), ["NetOk", "NetOk"]);
    let (code, frames) =
        ask(&["load", "acme/web", "--group", "blue", "--health-check-interval", "1"]);
    assert_eq!((code, names(&frames)), (0, vec!["NetOk", "ConsoleLine", "NetOk"]));
    let line = &frames[1]["body"]["line"];
    assert_eq!(line, "The acme/web service was successfully loaded\n");
    assert_eq!((&frames[1]["complete"], &frames[2]["complete"]), (&false.into(), &true.into()));
    sup.wait_json("/services/web/blue", |service| service["process"]["state"] == "up");
    let (code, frames) = ask(&["load", "acme/web"]);
    assert_eq!((code, &frames[1]["body"]["code"]), (1, &Value::from("CONFLICT")), "{frames:?}");

    for args in [&["status"][..], &["status", "acme/web"]] {
        let (code, frames) = ask(args);
        assert_eq!((code, names(&frames)), (0, vec!["NetOk", "ServiceStatus"]));
        let body = &frames[1]["body"];
        assert_eq!(body["process"]["state"], "UP", "{body}");
        assert_eq!(body["ident"]["release"], WEB.rsplit('/').next().unwrap_or_default());
        assert_eq!(body["service_group"]["group"], "blue");
        assert!(body["process"]["pid"].as_u64().is_some_and(|pid| pid > 1));
    }
    for (verb, state) in [("stop", "down"), ("start", "up")] {
        let (code, frames) = ask(&[verb, "acme/web"]);
        assert_eq!((code, names(&frames)), (0, vec!["NetOk", "ConsoleLine", "NetOk"]), "{verb}");
        sup.wait_json("/services/web/blue", |service| service["process"]["state"] == state);
        let (code, frames) = ask(&[verb, "acme/web"]);
        assert_eq!((code, names(&frames)), (0, vec!["NetOk", "NetOk"]), "{verb} again");
    }
    let (code, frames) = ask(&["update", "acme/web", "--group", "green"]);
    assert_eq!((code, names(&frames)), (0, vec!["NetOk", "ConsoleLine", "NetOk"]));
    sup.wait_json("/services/web/green", |service| service["process"]["state"] == "up");
    let (code, frames) = ask(&["config-show", "acme/web"]);
    assert_eq!((code, names(&frames)), (0, vec!["NetOk", "ServiceCfg"]));
    assert!(
        frames[1]["body"]["default"].as_str().is_some_and(|text| text.contains("colour = \"red\""))
    );

    let config = root.join("new.toml");
    std::fs::write(&config, "colour = \"blue\"\n").expect("a file");
    let config = config.display().to_string();
    let (code, frames) = ask(&["config-apply", "web.green", "1", &config]);
    assert_eq!((code, names(&frames)), (0, vec!["NetOk", "NetOk", "NetOk", "NetOk"]));
    sup.wait_json("/services/web/green", |service| service["cfg"]["colour"] == "blue");
    let (code, _) = ask(&["file-upload", "web.green", "1", &config, "--name", "up.toml"]);
    assert_eq!(code, 0);
    testkit::wait_for("the uploaded file", || {
        (root.read("hab/svc/web/files/up.toml") == "colour = \"blue\"\n").then_some(())
    });

    let (code, frames) = ask(&["unload", "acme/web", "--timeout-seconds", "3"]);
    assert_eq!((code, names(&frames)), (0, vec!["NetOk", "ConsoleLine", "NetOk"]));
    wait_gone(&sup, "web.green");
    for (verb, expected) in [
        ("unload", "INTERNAL"),
        ("update", "INTERNAL"),
        ("start", "NOT_FOUND"),
        ("stop", "NOT_FOUND"),
        ("status", "NOT_FOUND"),
    ] {
        let (code, frames) = ask(&[verb, "acme/web"]);
        assert_eq!((code, &frames[1]["body"]["code"]), (1, &Value::from(expected)), "{frames:?}");
    }

    // The end of the connection is the answer to a restart.
    let (code, frames) = ask(&["restart"]);
    assert_eq!((code, names(&frames)), (1, vec!["NetOk"]));
    sup.wait_log_times("Starting ctl-gateway on", 2);
    let (code, frames) = client_with_secret(python, &sup, "wrong", &["status"]);
    assert_eq!((code, &frames[0]["body"]["code"]), (2, &Value::from("UNAUTHORIZED")));
    assert_eq!(client(python, &sup, &["depart", &sup.member_id()]).0, 0);
    assert_eq!(sup.wait_exit(), 86);
}

#[test]
fn odd_requests_of_a_foreign_client_end_with_its_connection() {
    let root = root_with_web();
    let sup = root.supervisor().args(["acme/web"]).start();
    let pid = sup.wait_up("web");
    let Some(python) = python_with(&[]) else { return };
    let ask = |args: &[&str]| client(python, &sup, args);
    for args in [
        &["message", "NoSuchThing", "{}"][..],
        &["message", "Handshake", "{\"secret_key\": \"again\"}"],
        &["message", "NetOk", "{}"],
        &["raw", "ffffffffffffffffffff"],
    ] {
        let (_, frames) = ask(args);
        assert_eq!(names(&frames), ["NetOk"], "{args:?}: {frames:?}");
    }
    for (name, fields) in [
        ("SvcLoad", "{}"),
        ("SvcStop", "{}"),
        ("SvcUpdate", "{}"),
        ("SupDepart", "{}"),
        ("SvcSetCfg", "{}"),
        ("SvcFilePut", "{}"),
    ] {
        let (code, frames) = ask(&["message", name, fields]);
        assert_eq!(
            (code, &frames[1]["body"]["code"]),
            (1, &Value::from("UPDATE_CLIENT")),
            "{name}: {frames:?}"
        );
    }
    let (_, frames) = ask(&[
        "message",
        "SvcLoad",
        r#"{"ident": {"origin": "../..", "name": "../../../etc/passwd"}}"#,
    ]);
    assert_eq!(frames[1]["name"], "NetErr", "{frames:?}");
    let binds = r#"{"ident": {"origin": "acme", "name": "web"}, "force": true, "binds": {"binds": [
        {"name": "db", "service_group": {"service": "a.b", "group": "c"}}]}}"#;
    let (_, frames) = ask(&["message", "SvcLoad", binds]);
    assert_eq!(frames[1]["body"]["code"], "INVALID_PAYLOAD", "{frames:?}");
    assert_eq!(sup.wait_up("web"), pid);
}
