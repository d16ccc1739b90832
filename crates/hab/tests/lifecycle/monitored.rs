//! `monitor.toml`: checks without scripts.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    thread,
};

use serde_json::json;
use testkit::wait_for;

use crate::{RUN, WEB, is_up, pid_of, root, root_with_web, wait_web, web};

const HEALTH: &str = "/services/web/default/health";
const V1: &str = "/v1/services/web.default/health";

/// An HTTP server that answers with a status code that the test chooses; 0 is no answer.
struct Server {
    port: u16,
    code: Arc<AtomicU16>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let code = Arc::new(AtomicU16::new(200));
        let shown = Arc::clone(&code);
        thread::spawn(move || {
            let mut silent = Vec::new();
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read(&mut [0; 4_096]);
                match shown.load(Ordering::SeqCst) {
                    0 => silent.push(stream),
                    code => {
                        let answer = format!(
                            "HTTP/1.1 {code} X\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
                        );
                        let _ = stream.write_all(answer.as_bytes());
                    }
                }
            }
        });
        Self { port, code }
    }

    fn answer(&self, code: u16) {
        self.code.store(code, Ordering::SeqCst);
    }

    fn default_toml(&self) -> String {
        format!("port = {}\n", self.port)
    }
}

const HTTP: &str = "[health]\ninterval_s = 1\ntimeout_s = 1\n\n[[check]]\nname = \"http\"\n\
    http = \"http://127.0.0.1:{{cfg.port}}/healthz\"\n";

#[test]
fn an_http_check_decides_shows_what_it_found_and_restarts() {
    let server = Server::start();
    let monitor = HTTP.replace("[health]\n", "[health]\nrestart_after = 3\n");
    let root = root_with_web(&[
        ("monitor.toml", &monitor),
        ("default.toml", &server.default_toml()),
        ("hooks/health-check", "#!/bin/sh\necho the hook\n"),
    ]);
    let sup = root.supervisor().args(["acme/web"]).start();
    let url = format!("http://127.0.0.1:{}/healthz", server.port);
    let found = format!("the hook\nhttp: 200 from {url}\n");
    let health = sup.wait_json(HEALTH, |health| health["status"] == "OK");
    assert_eq!(health, json!({"status": "OK", "stdout": found, "stderr": ""}));
    // The hook and the check are both counted.
    let counted = "hab_sup_service_check_duration_seconds_count{service_group=\"web.default\"} ";
    wait_for("the counted checks", || {
        let metrics = String::from_utf8(sup.get("/metrics").body).expect("text");
        let count = metrics.lines().find_map(|line| line.strip_prefix(counted))?;
        (count.parse::<u64>().ok()? >= 2).then_some(())
    });

    let before = pid_of(&web(&sup));
    server.answer(503);
    let health = sup.wait_json(HEALTH, |health| health["status"] == "CRITICAL");
    assert_eq!(health["stdout"], format!("the hook\nhttp: 503 from {url}: hello\n"));
    let line = format!("Health changed from OK to CRITICAL: http: 503 from {url}: hello");
    sup.wait_log(&line);
    let after = wait_web(&sup, |web| is_up(web) && pid_of(web) != before);
    assert_eq!(after["restart_count"], 1, "{after:#}");
    assert_eq!(after["last_process_state"]["termination_reason"], "health_check_critical");
    sup.wait_log("3 health checks in a row were critical: http: 503 from");

    let v1 = sup.wait_json(V1, |v1| v1["status"] == "critical");
    assert_eq!(v1["restart_after"], 3, "{v1:#}");
    let [hook, http] = &v1["checks"].as_array().unwrap()[..] else { panic!("{v1:#}") };
    let newest = &http["results"][0];
    assert_eq!((&http["name"], &newest["status"]), (&json!("http"), &json!("critical")));
    assert_eq!(newest["output"], format!("http: 503 from {url}: hello"));
    assert_eq!(hook["name"], "health-check", "{v1:#}");
    assert_eq!(hook["results"][0]["output"], "the hook\n");
    assert!(http["results"].as_array().unwrap().iter().any(|it| it["status"] == "ok"), "{v1:#}");

    server.answer(0);
    sup.wait_json(HEALTH, |health| {
        health["stdout"].as_str().is_some_and(|text| text.contains("no answer within 1 s from"))
    });
    server.answer(200);
    sup.wait_json(HEALTH, |health| health["status"] == "OK");
}

#[test]
fn the_users_file_counts_at_once_and_an_error_in_it_costs_nothing() {
    let server = Server::start();
    let root = root_with_web(&[("monitor.toml", HTTP), ("default.toml", &server.default_toml())]);
    let mut sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_json(HEALTH, |health| health["status"] == "OK");
    let pid = pid_of(&web(&sup));
    let user = "hab/user/web/monitor.toml";
    root.write(
        user,
        "[[check]]\nname = \"body\"\nhttp = \"http://localhost:{{cfg.port}}\"\n\
        expect_body = \"goodbye\"\n",
    );
    let health = sup.wait_json(HEALTH, |health| health["status"] == "CRITICAL");
    let text = health["stdout"].as_str().unwrap();
    assert!(text.starts_with("body: 200 from http://localhost:"), "{text}");
    assert!(text.ends_with("without the expected text: hello\n"), "{text}");

    root.write(user, "[[check]]\nname = \"body\"\nhttp = \"ftp://x\"\n");
    let fault = "hab/user/web/monitor.toml:3: 'ftp://x' is not a URL; use http://HOST:PORT/PATH or \
                 https://HOST:PORT/PATH; until that is corrected, the last content without an error \
                 stays in force";
    let has_fault = |health: &serde_json::Value| {
        health["stderr"].as_str().is_some_and(|text| text.contains(fault))
    };
    sup.wait_json(HEALTH, has_fault);
    sup.wait_log_times(fault, 1);
    assert_eq!(sup.stop(), 0, "{}", sup.log());

    // The next Supervisor goes by the copy.
    let sup = root.supervisor().start();
    let health = sup.wait_json(HEALTH, |health| health["status"] == "CRITICAL");
    assert!(has_fault(&health), "{health:#}");
    std::fs::remove_file(root.join(user)).unwrap();
    let health = sup.wait_json(HEALTH, |health| health["status"] == "OK");
    assert!(health["stdout"].as_str().unwrap().starts_with("http: 200 from"), "{health:#}");
    assert_ne!(pid_of(&web(&sup)), pid);
}

#[test]
fn the_present_result_outlives_the_supervisor() {
    let server = Server::start();
    server.answer(503);
    // The next check comes long after the next Supervisor has answered.
    let monitor = HTTP.replace("interval_s = 1\n", "interval_s = 3600\n");
    let root =
        root_with_web(&[("monitor.toml", &monitor), ("default.toml", &server.default_toml())]);
    let sup = root.supervisor().args(["acme/web"]).start();
    let before = sup.wait_json(V1, |v1| v1["status"] == "critical");
    assert!(before["consecutive_failures"].as_u64() >= Some(1), "{before:#}");
    server.answer(0);
    let pid = pid_of(&wait_web(&sup, is_up));
    let old = sup.supervisor_pid().unwrap();
    rustix::process::kill_process(old, rustix::process::Signal::KILL).unwrap();
    wait_for("another Supervisor", || sup.supervisor_pid().filter(|new| *new != old));
    let after = sup.wait_json(V1, |v1| v1["status"] == "critical");
    assert_eq!(after["since"], before["since"], "{after:#}");
    assert!(after["consecutive_failures"].as_u64() >= Some(1), "{after:#}");
    assert!(after["checked_at"].is_string() && after["duration_ms"].is_u64(), "{after:#}");
    assert_eq!(pid_of(&wait_web(&sup, is_up)), pid);
}

#[test]
fn a_release_whose_checks_cannot_be_read_does_not_replace_one() {
    let server = Server::start();
    let root = root_with_web(&[("monitor.toml", HTTP), ("default.toml", &server.default_toml())]);
    let sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_json(HEALTH, |health| health["status"] == "OK");
    let newer = WEB.replace("2025", "2026");
    root.package(&newer, &[("hooks/run", RUN), ("monitor.toml", "[health]\ninterval_s = 0\n")]);
    let output = sup.hab(["svc", "load", "--force", &newer, "--remote-sup", &sup.ctl.to_string()]);
    assert!(output.status.success(), "{output:?}");
    let part = "monitor.toml:2: interval_s = 0; use a number from 1 to 86400; not applied";
    sup.wait_json(HEALTH, |health| {
        health["stderr"].as_str().is_some_and(|text| text.contains(part))
    });
    assert_eq!(sup.get(HEALTH).status(), 200);
}

#[test]
fn a_supervisor_is_not_held_up_by_many_checks_that_get_no_answer() {
    let server = Server::start();
    server.answer(0);
    let root = root();
    let checks: String = (0..5)
        .map(|n| {
            let url = "http://127.0.0.1:{{cfg.port}}/";
            format!("[[check]]\nname = \"c{n}\"\ntimeout_s = 60\nhttp = \"{url}\"\n")
        })
        .collect();
    for n in 0..20 {
        let ident = format!("acme/web{n}/1.0/20250101000000");
        let default = server.default_toml();
        root.package(
            &ident,
            &[("hooks/run", RUN), ("monitor.toml", &checks), ("default.toml", &default)],
        );
        root.spec(&format!("web{n}"), &format!("ident = \"acme/web{n}\"\n"));
    }
    let mut sup = root.supervisor().start();
    for n in 0..20 {
        sup.wait_up(&format!("web{n}"));
    }
    // A stop does not wait for them.
    let remote = sup.ctl.to_string();
    assert!(sup.hab(["svc", "unload", "web0", "--remote-sup", &remote]).status.success());
    wait_for("the unload", || (sup.get("/services/web0/default").status() == 404).then_some(()));
    assert_eq!(sup.stop(), 0, "{}", sup.log());
}
