//! The environment of services and hooks.

use crate::{root_with_web, wait_web};

#[test]
fn secrets_of_the_supervisor_are_in_no_childs_environment() {
    let dump = "#!/bin/sh\nenv > {{pkg.svc_data_path}}/env-of-$1\n";
    let run = format!("{}exec sleep 100000\n", dump.replace("$1", "run"));
    let init = dump.replace("$1", "init");
    let install = dump.replace("$1", "install");
    let root = root_with_web(&[
        ("hooks/run", &run),
        ("hooks/init", &init),
        ("hooks/install", &install),
        ("RUNTIME_ENVIRONMENT", "COLOR=blue=green\n"),
    ]);
    let sup = root
        .supervisor()
        .env("HAB_SUP_GATEWAY_AUTH_TOKEN", "sekret")
        .env("HAB_AUTH_TOKEN", "sekret of builder")
        .env("HAB_CTL_SECRET", "sekret of control")
        .env("HAB_DB", "password = \"sekret of another service\"")
        .env("HAB_WEB", "own = 1")
        .env("HAB_LISTEN_FOO", "a = \"sekret of a service called listen-foo\"")
        .env("FROM_OUTSIDE", "yes")
        .args(["acme/web"])
        .start();
    let bearer = [("authorization", "Bearer sekret")];
    testkit::wait_for("the service", || {
        let service = sup.send("GET", "/services/web/default", &bearer)?.json();
        (service["process"]["state"] == "up").then_some(())
    });
    let environment = |of: &str| {
        let name = format!("hab/svc/web/data/env-of-{of}");
        testkit::wait_for("the environment", || {
            Some(root.read(&name)).filter(|e| e.contains("COLOR"))
        })
    };
    for of in ["run", "init", "install"] {
        let text = environment(of);
        assert!(!text.contains("sekret"), "{of}: {text}");
        for private in ["ROOST_LAUNCHER_FD", "HAB_LAUNCHER_PID", "HAB_AUTH_TOKEN", "HAB_DB"] {
            assert!(!text.contains(private), "{of}: {text}");
        }
        assert!(text.contains("HAB_WEB=own = 1\n"), "{of}: {text}");
        assert!(
            text.contains("FROM_OUTSIDE=yes\n") && text.contains("COLOR=blue=green\n"),
            "{text}"
        );
    }
    // It also applies after a restart of the Supervisor.
    sup.signal(rustix::process::Signal::HUP);
    sup.wait_log_times("Starting http-gateway", 2);
    assert_eq!(sup.get("/services").status(), 401);
    assert!(!sup.log().contains("sekret"));
}

#[test]
fn a_hook_whose_interpreter_is_missing_runs_with_the_one_of_that_name_in_path() {
    let root = root_with_web(&[(
        "hooks/run",
        "#!/hab/pkgs/core/bash/5.1/20240101000000/bin/sh\necho started anyway\nexec sleep 100000\n",
    )]);
    let sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_log("web.default(O): started anyway");
    wait_web(&sup, crate::is_up);
}

#[test]
fn lines_of_services_carry_their_group_and_stream() {
    let root = root_with_web(&[(
        "hooks/run",
        "#!/bin/sh\nprintf 'to out\\r\\n'\necho to err >&2\nprintf 'no \\377 end'\nexec sleep 100000\n",
    )]);
    let sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_log("web.default(O): to out\n");
    sup.wait_log("web.default(E): to err\n");
}

#[test]
fn systemd_is_told_of_readiness_status_life_and_the_end() {
    use std::os::unix::net::UnixDatagram;
    let root = root_with_web(&[]);
    let path = root.join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(testkit::PATIENCE)).unwrap();
    let mut sup = root
        .supervisor()
        .env("NOTIFY_SOCKET", path.to_str().unwrap())
        .env("WATCHDOG_USEC", "200000")
        .args(["acme/web"])
        .start();
    let wait = |text: &str| {
        let mut buffer = [0; 4096];
        loop {
            let size = socket.recv(&mut buffer).unwrap_or_else(|_| panic!("never heard {text}"));
            if String::from_utf8_lossy(&buffer[..size]).contains(text) {
                return;
            }
        }
    };
    wait("READY=1");
    wait("STATUS=1 of 1 services up");
    wait("WATCHDOG=1");
    rustix::process::kill_process(sup.supervisor_pid().unwrap(), rustix::process::Signal::KILL)
        .unwrap();
    wait("STATUS=The Supervisor ended unexpectedly");
    wait("STATUS=1 of 1 services up");
    // Handled by the launcher, so it works without a Supervisor too.
    wait("WATCHDOG=1");
    assert_eq!(sup.stop(), 0);
    wait("STOPPING=1");
}

#[test]
fn numbers_beyond_all_bounds_are_no_reason_to_end() {
    let root = root_with_web(&[]);
    let endless = u64::MAX.to_string();
    let names = [
        "HAB_HEALTH_CHECK_TIMEOUT_SECS",
        "HAB_PERSIST_LOOP_PERIOD_SECS",
        "HAB_RUMOR_SHARE_LIMIT",
        "HAB_SUP_HTTP_THREADS",
    ];
    let sup = names.iter().fold(root.supervisor(), |sup, name| sup.env(name, &endless));
    let mut sup = sup.args(["acme/web"]).start();
    sup.wait_up("web");
    assert_eq!(sup.stop(), 0);
    assert!(!sup.log().contains("starting it again"), "{}", sup.log());
}

#[test]
fn log_yml_sets_levels_and_what_is_wrong_with_it_is_told() {
    let root = root_with_web(&[]);
    root.write(
        "hab/sup/default/config/log.yml",
        "root: { level: warn }\nappenders: { f: { kind: file, path: /x } }\n",
    );
    // Causes a warning when it listens on all addresses.
    let open = |sup: testkit::Builder<'_>| {
        sup.without_http_address().args(["--listen-http", "0.0.0.0:0"]).spawn()
    };
    let mut sup = open(root.supervisor());
    sup.wait_log("Starting http-gateway");
    sup.wait_log("WARN roost_sup::http] the HTTP API on 0.0.0.0:0 shows configuration");
    sup.wait_log("not supported, and without effect: the appender 'f' of kind");
    assert_eq!(sup.stop(), 0);

    root.write("hab/sup/default/config/log.yml", "root: { level: loud }\n");
    let sup = open(root.supervisor());
    sup.wait_log("Starting http-gateway");
    let log = sup.log();
    assert!(log.contains("log.yml' not valid: root: 'loud' is not a level"), "{log}");
    assert!(!log.contains("WARN"), "{log}");
}
