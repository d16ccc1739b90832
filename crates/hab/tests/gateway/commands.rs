//! Our own commands, end to end; texts and exit codes (reference: control).

use std::{fs, net::TcpListener};

use testkit::Supervisor;

use super::{Said, WEB, fails, hab, ok, root, root_with_web, wait_gone};

/// The table of `hab svc status` without time-dependent values.
fn status(sup: &Supervisor, args: &[&str]) -> Vec<Vec<String>> {
    let text = ok(sup, &[&["svc", "status"], args].concat());
    text.lines()
        .map(|line| {
            line.split("  ").map(str::trim).filter(|c| !c.is_empty()).map(String::from).collect()
        })
        .collect()
}

#[test]
fn a_service_is_loaded_stopped_started_updated_and_unloaded() {
    let root = root_with_web();
    let sup = root.supervisor().start();
    assert_eq!(ok(&sup, &["svc", "status"]), "No services loaded.\n");

    let said = ok(&sup, &["svc", "load", "acme/web"]);
    assert_eq!(said, "The acme/web service was successfully loaded\n");
    let pid = sup.wait_up("web");
    let table = status(&sup, &[]);
    assert_eq!(table[0], ["package", "type", "desired", "state", "elapsed (s)", "pid", "group"]);
    let pid_text = pid.to_string();
    let row = &table[1];
    assert_eq!(row[..4], [WEB, "standalone", "up", "up"], "{row:?}");
    assert_eq!(row[5..], [pid_text.as_str(), "web.default"], "{row:?}");
    assert_eq!(status(&sup, &["acme/web"]), table[..]);
    fails(
        &sup,
        &["svc", "load", "acme/web"],
        "[Err: 3] Service already loaded. Unload 'acme/web' and try again, or load with the --force flag to reload and restart the service.",
    );

    let said = ok(&sup, &["svc", "stop", "acme/web"]);
    assert_eq!(said, "Supervisor stopping acme/web. See the Supervisor output for more details.\n");
    let again = "Nothing was changed: acme/web was stopped already.\n";
    assert_eq!(ok(&sup, &["svc", "stop", "acme/web"]), again);
    sup.wait_json("/services/web/default", |service| service["process"]["state"] == "down");
    let row = &status(&sup, &[])[1];
    assert_eq!(row[..4], [WEB, "standalone", "down", "down"], "{row:?}");
    assert_eq!(row[5..], ["<none>", "web.default"], "{row:?}");

    let said = ok(&sup, &["svc", "start", "acme/web"]);
    assert_eq!(said, "Supervisor starting acme/web. See the Supervisor output for more details.\n");
    let again = "Nothing was changed: acme/web was started already.\n";
    assert_eq!(ok(&sup, &["svc", "start", "acme/web"]), again);
    let second = sup.wait_up("web");
    assert_ne!(second, pid);

    assert_eq!(
        ok(&sup, &["svc", "update", "acme/web", "--channel", "beta"]),
        "Updating acme/web\n"
    );
    sup.wait_json("/services/web/default", |service| service["channel"] == "beta");
    assert_eq!(
        ok(&sup, &["svc", "update", "acme/web", "--channel", "beta"]),
        "Updating acme/web\nNothing was changed: acme/web has these values already.\n"
    );
    assert_eq!(sup.wait_up("web"), second, "another channel does not restart it");
    assert_eq!(ok(&sup, &["svc", "update", "acme/web", "--group", "blue"]), "Updating acme/web\n");
    sup.wait_json("/services/web/blue", |service| service["process"]["state"] == "up");
    assert_eq!(
        ok(&sup, &["svc", "load", "--force", "--group", "green", "acme/web"]),
        "The acme/web service was successfully loaded\n"
    );
    sup.wait_json("/services/web/green", |service| service["process"]["state"] == "up");

    assert_eq!(ok(&sup, &["svc", "unload", "acme/web"]), "Unloading acme/web\n");
    wait_gone(&sup, "web.green");
    assert_eq!(ok(&sup, &["svc", "status"]), "No services loaded.\n");
    assert!(fs::read_dir(root.join("hab/sup/default/specs")).expect("specs").next().is_none());
}

#[test]
fn what_is_not_loaded_cannot_be_changed() {
    let root = root_with_web();
    let sup = root.supervisor().start();
    for verb in ["start", "stop", "status"] {
        fails(&sup, &["svc", verb, "acme/zzz"], "[Err: 2] Service not loaded, acme/zzz");
    }
    for args in [&["svc", "unload", "acme/zzz"][..], &["svc", "update", "acme/zzz", "--group", "a"]]
    {
        fails(&sup, args, "[Err: 0] Service acme/zzz not loaded");
    }
    fails(&sup, &["config", "show", "acme/zzz"], "[Err: 2] Service not loaded, acme/zzz");
}

#[test]
fn a_package_that_is_not_installed_is_looked_for_in_words_and_refused() {
    let root = root_with_web();
    let sup = root.supervisor().start();
    let said = hab(&sup, &["svc", "load", "acme/nopkg"]);
    assert_eq!(said.code, 1);
    assert_eq!(
        said.stdout,
        "» Installing acme/nopkg\n☁ Determining latest version of acme/nopkg in the 'base' channel\n"
    );
    let start = "✗✗✗\n✗✗✗ [Err: 0] Cannot find a release of package: acme/nopkg.";
    assert!(said.stderr.starts_with(start), "{said:?}");
    root.package("acme/lib/1.0.0/20250101000000", &[]);
    fails(
        &sup,
        &["svc", "load", "acme/lib"],
        "[Err: 0] Package is not runnable: acme/lib/1.0.0/20250101000000",
    );
    fails(
        &sup,
        &["svc", "load", "acme/web", "--bind", "db:pg.default"],
        "[Err: 7] Invalid bind(s), db. The package has no binds",
    );
    assert_eq!(ok(&sup, &["svc", "status"]), "No services loaded.\n");
}

#[test]
fn commands_wait_for_what_they_asked_for() {
    let root = root_with_web();
    let sup = root.supervisor().start();
    ok(&sup, &["svc", "load", "--wait=healthy", "acme/web"]);
    let service = sup.get("/services/web/default").json();
    assert_eq!(service["process"]["state"], "up");
    assert_eq!(sup.get("/services/web/default/health").json()["status"], "OK");
    ok(&sup, &["svc", "stop", "--wait", "acme/web"]);
    assert_eq!(sup.get("/services/web/default").json()["process"]["state"], "down");
    ok(&sup, &["svc", "start", "--wait", "acme/web"]);
    assert_eq!(sup.get("/services/web/default").json()["process"]["state"], "up");

    // Critical from now on.
    root.write("hab/user/web/config/user.toml", "health = 2\n");
    sup.wait_json("/services/web/default/health", |health| health["status"] == "CRITICAL");
    let said = hab(&sup, &["svc", "start", "--wait=healthy", "--timeout", "1", "acme/web"]);
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("is not healthy after 1 seconds"), "{said:?}");
    ok(&sup, &["svc", "unload", "--wait", "acme/web"]);
    assert_eq!(sup.get("/services").text(), "[]");
}

#[test]
fn the_status_as_json_and_wide_tells_more() {
    let root = root_with_web();
    let sup = root.supervisor().start();
    assert_eq!(ok(&sup, &["svc", "status", "--format", "json"]), "[]\n");
    ok(&sup, &["svc", "load", "--wait=healthy", "acme/web"]);
    let text = ok(&sup, &["svc", "status", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(document[0]["package"], WEB);
    assert_eq!(document[0]["group"], "web.default");
    assert_eq!(document[0]["health"], "OK");
    assert_eq!(document[0]["restarts"], 0);
    assert_eq!(document[0]["state"], "up");
    let wide = ok(&sup, &["svc", "status", "--format", "wide"]);
    assert!(
        wide.lines()
            .next()
            .is_some_and(|line| line.contains("health") && line.contains("restarts"))
    );
    let yaml = ok(&sup, &["svc", "status", "--format", "yaml"]);
    assert!(yaml.contains("health: OK"), "{yaml}");
}

#[test]
fn a_check_ends_with_the_codes_of_monitoring_plugins() {
    let root = root_with_web();
    let sup = root.supervisor().args(["acme/web", "--health-check-interval", "1"]).start();
    let url = format!("http://{}", sup.http);
    let check = |name: &str| Said::from(sup.hab(["svc", "check", name, "--url", &url]));
    for (health, word, code) in
        [(0, "OK", 0), (1, "WARNING", 1), (2, "CRITICAL", 2), (3, "UNKNOWN", 3)]
    {
        root.write("hab/user/web/config/user.toml", &format!("health = {health}\n"));
        sup.wait_json("/services/web/default/health", |health| health["status"] == word);
        let said = check("web");
        assert_eq!(said.code, code, "{said:?}");
        assert!(said.stdout.starts_with(&format!("{word}: web.default - ")), "{said:?}");
        assert_eq!(said.stdout.lines().count(), 1);
    }
    // All names of the service select the same one.
    for name in ["acme/web", "web.default"] {
        assert_eq!(check(name).code, 3, "{:?}", check(name));
    }
    let said = check("nosuch");
    assert_eq!(
        (
            said.code,
            said.stdout.starts_with("CRITICAL: nosuch - nosuch is not loaded. Loaded are: ")
        ),
        (2, true),
        "{said:?}"
    );
    drop(sup);
    let root = self::root();
    let sup = root.supervisor().start();
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it").port();
    let said =
        Said::from(sup.hab(["svc", "check", "web", "--url", &format!("http://127.0.0.1:{port}")]));
    assert_eq!(
        (said.code, said.stdout.starts_with("UNKNOWN: web.default - ")),
        (3, true),
        "{said:?}"
    );
}

#[test]
fn without_a_supervisor_seven_lines_say_so() {
    let root = root();
    let sup = root.supervisor().start();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = listener.local_addr().expect("an address").to_string();
    drop(listener);
    for args in [
        &["svc", "load", "acme/web"][..],
        &["svc", "status"],
        &["svc", "start", "acme/web"],
        &["svc", "stop", "acme/web"],
        &["svc", "unload", "acme/web"],
        &["svc", "update", "acme/web", "--group", "blue"],
        &["config", "show", "acme/web"],
    ] {
        let said = Said::from(sup.hab(args.iter().copied().chain(["-r", &nobody])));
        assert_eq!((said.code, said.stdout.as_str()), (1, ""), "{args:?}: {said:?}");
        let lines: Vec<&str> = said.stderr.lines().collect();
        assert_eq!(lines.len(), 9, "{said:?}");
        assert_eq!(lines[1], "✗✗✗ Unable to contact the Supervisor.");
        assert_eq!(lines[5], "✗✗✗ hab sup run");
    }
}

#[test]
fn a_plain_directory_is_loaded_and_its_configuration_shown() {
    let root = root();
    let sup = root.supervisor().start();
    root.write("src/hello/hooks/run", super::RUN);
    root.write("src/hello/default.toml", "greeting = \"hi\"\n");
    if rustix::process::geteuid().is_root() {
        root.write("src/hello/roost.toml", "user = \"root\"\ngroup = \"root\"\n");
    }
    let directory = root.join("src/hello").display().to_string();
    let said = ok(&sup, &["svc", "load", "--wait", &directory]);
    assert_eq!(said, "The local/hello service was successfully loaded\n");
    assert_eq!(ok(&sup, &["config", "show", "local/hello"]), "greeting = \"hi\"\n");
}

#[test]
fn configurations_that_are_none_are_refused_before_they_are_told_to_anybody() {
    let root = root_with_web();
    let sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_up("web");
    let apply = |content: &str| {
        let path = root.join("new.toml");
        fs::write(&path, content).expect("a file");
        hab(&sup, &["config", "apply", "web.default", "1", &path.display().to_string()])
    };
    let said = apply("this is = = not TOML");
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("[Err: 6] Unable to decode configuration as TOML, "), "{said:?}");
    let said = apply(&format!("big = \"{}\"\n", "x".repeat(65_536)));
    assert_eq!(said.code, 1);
    assert!(
        said.stderr.contains("Configuration too large. Maximum allowed is 65536 bytes."),
        "{said:?}"
    );
    assert_eq!(sup.get("/butterfly").json()["latest_service_config"], serde_json::json!({}));
    assert_eq!(apply("colour = \"blue\"\n").code, 0);
    sup.wait_json("/services/web/default", |service| service["cfg"]["colour"] == "blue");
}

#[test]
fn a_restart_keeps_the_services_and_a_wrong_secret_gets_nowhere() {
    let root = root_with_web();
    let sup = root.supervisor().args(["acme/web"]).start();
    let pid = sup.wait_up("web");
    let ctl = sup.ctl.to_string();
    let said = ok(&sup, &["sup", "restart", "--wait"]);
    assert_eq!(said, format!("» Restarting supervisor {ctl}\n★ Restart recorded.\n"));
    sup.wait_log_times("Starting ctl-gateway on", 2);
    assert_eq!(sup.wait_up("web"), pid);

    let mut command = sup.command(["svc", "status", "-r", &ctl]);
    let said = Said::from(command.env("HAB_CTL_SECRET", "wrong").output().expect("it starts"));
    assert_eq!((said.code, said.stdout.as_str()), (1, ""));
    let start =
        "✗✗✗\n✗✗✗ [Err: 4] secret key mismatch\n✗✗✗ \n✗✗✗ The secret came from HAB_CTL_SECRET.";
    assert!(said.stderr.starts_with(start), "{said:?}");
    let root = format!("FS_ROOT is {}.", sup.root().display());
    assert!(said.stderr.contains(&root), "{said:?}");
}

#[test]
fn a_loaded_service_is_named_by_its_name_or_group_alone() {
    let root = root_with_web();
    let sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_up("web");
    assert_eq!(
        ok(&sup, &["svc", "stop", "web", "--wait"]),
        "Supervisor stopping acme/web. See the Supervisor output for more details.\n"
    );
    ok(&sup, &["svc", "start", "web.default", "--wait"]);
    assert!(ok(&sup, &["svc", "status", "web"]).contains("acme/web"));
    assert!(ok(&sup, &["config", "show", "web"]).contains("colour"));
    ok(&sup, &["svc", "update", "web", "--health-check-interval", "20"]);
    fails(&sup, &["svc", "stop", "wep"], "wep is not loaded. Loaded are: acme/web.");
    assert_eq!(ok(&sup, &["svc", "unload", "web", "--wait"]), "Unloading acme/web\n");
}
